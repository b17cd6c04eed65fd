"""Chains that walk towards better items, and rank them by where the walk spends its time."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.pair_counts import checked_wins
from plackett.fusion.preferences import Floats, checked_scores, checked_weights

__all__ = [
    "ChainVariant",
    "chain_of_rankings",
    "eigenvector",
    "markov_chain",
    "pagerank",
    "rank_centrality",
    "stationary",
]

ChainVariant = Literal["MC1", "MC2", "MC3", "MC4"]

_SMALL = 1e-14


def stationary(transition: npt.ArrayLike, *, teleport: float = 0.0) -> Floats:
    """Where a chain is in the long run, solved exactly.

    pi = pi ((1 - teleport) P + teleport / n). Without teleport the chain must be able to return
    from everywhere to everywhere; otherwise the result depends on where it begins.

    Parameters
    ----------
    transition : `float[n, n]`, rows that sum to 1: from i to j.
    teleport : the probability of a jump to any item.

    Returns
    -------
    `float64[n]`, which sums to 1.

    Raises
    ------
    DataError : rows that are no probabilities.
    ConfigurationError : a teleport outside [0, 1].

    >>> stationary([[0.5, 0.5], [0.25, 0.75]]).round(6)
    array([0.333333, 0.666667])
    """
    rows = np.asarray(transition, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[0] != rows.shape[1]:
        raise DataError(f"a chain of shape {rows.shape}", expected="a square matrix")
    if not (rows >= 0).all() or not np.allclose(rows.sum(axis=1), 1.0, atol=1e-9):
        raise DataError("rows that are no probabilities", expected="numbers from 0 up, of sum 1")
    _check_teleport(teleport)
    n = len(rows)
    if n == 0:
        return np.zeros(0)
    moved = np.eye(n) - (1.0 - teleport) * rows.T
    if teleport > 0.0:
        share = np.linalg.solve(moved, np.full(n, teleport / n))
    else:
        moved[-1] = 1.0  # one balance equation follows from the others; the sum takes its place
        share = np.linalg.solve(moved, np.append(np.zeros(n - 1), 1.0))
    share = np.maximum(share, 0.0)
    return np.asarray(share / share.sum())


def _check_teleport(teleport: float) -> None:
    if not 0.0 <= teleport <= 1.0:
        raise ConfigurationError(f"teleport={teleport}; expected a number from 0 to 1.")


def chain_of_rankings(
    scores: npt.ArrayLike, variant: ChainVariant = "MC4", weights: npt.ArrayLike | None = None
) -> Floats:
    """The transition matrix of one of the four chains of Dwork et al., before any teleport.

    From item i:
    MC1 moves to one of the items that a ranker places at least as high, drawn from all of them with
    repetition, rankers that place i only;
    MC2 draws one of the rankers that place i, then one of the items it places at least as high;
    MC3 draws one of these rankers, then one of its items, and moves if it is placed higher;
    MC4 draws any item, and moves if most rankers that place both prefer it.

    Parameters
    ----------
    scores : `float[m, n]`, scores of m rankers, higher is better, NaN for an item left out.
    variant : "MC1" to "MC4".
    weights : `float[m]`, of the rankers, at least 0.

    Returns
    -------
    `float64[n, n]`, rows that sum to 1. An item that nobody places stays where it is.

    Dwork, Kumar, Naor & Sivakumar, "Rank aggregation methods for the Web", WWW 2001.

    >>> chain_of_rankings([[2.0, 1.0]], "MC4")
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    matrix = checked_scores(scores)
    weight = checked_weights(weights, len(matrix))
    if (weight < 0).any():
        raise DataError("a negative weight", expected="weights from 0 up")
    if variant not in get_args(ChainVariant):
        raise ConfigurationError(f"variant={variant!r}; expected MC1, MC2, MC3 or MC4.")
    n = matrix.shape[1]
    if variant == "MC4":
        return _majority_chain(matrix, weight)
    total = np.zeros((n, n))
    placing = np.zeros(n)  # the weight of the rankers that place an item
    for line, factor in zip(matrix, weight, strict=True):
        places = ~np.isnan(line)
        placing += factor * places
        if variant == "MC3":
            higher = (line[None, :] > line[:, None]) / max(int(places.sum()), 1)
            total += factor * higher
        else:
            as_high = (line[None, :] >= line[:, None]).astype(np.float64)
            if variant == "MC2":
                as_high /= np.maximum(as_high.sum(axis=1, keepdims=True), 1.0)
            total += factor * as_high
    if variant == "MC1":
        placing = total.sum(axis=1)
    total /= np.where(placing > 0, placing, 1.0)[:, None]
    return _staying(total)


def _majority_chain(matrix: Floats, weight: Floats) -> Floats:
    n = matrix.shape[1]
    margin = np.zeros((n, n))
    for line, factor in zip(matrix, weight, strict=True):
        margin += factor * np.nan_to_num(np.sign(line[:, None] - line[None, :]))
    threshold = _SMALL * max(1.0, float(weight.sum()))
    prefers = margin > threshold
    moves = prefers.T / max(n, 1)
    return _staying(moves)


def _staying(moves: Floats) -> Floats:
    """What is left of every row is the probability to stay."""
    result: Floats = moves.astype(np.float64)
    left = 1.0 - result.sum(axis=1)
    result[np.diag_indices_from(result)] += np.maximum(left, 0.0)
    return np.asarray(result / result.sum(axis=1, keepdims=True)) if len(result) else result


def markov_chain(
    scores: npt.ArrayLike,
    variant: ChainVariant = "MC4",
    weights: npt.ArrayLike | None = None,
    *,
    teleport: float = 0.05,
) -> Floats:
    """Points of items by a chain over rankings: the share of its time that it spends on each.

    The teleport makes it able to return from everywhere, and so the points of all items differ
    from 0; by MC4 everyone of a top set that beats all others by majority comes before these.

    Parameters
    ----------
    scores, variant, weights : as in `chain_of_rankings`.
    teleport : the probability of a jump to any item; above 0.

    Returns
    -------
    `float64[n]`, which sums to 1; more is better.

    >>> markov_chain([[3, 2, 1], [3, 2, 1], [1, 2, 3]]).argsort()[::-1]
    array([0, 1, 2])
    """
    if not 0.0 < teleport <= 1.0:
        raise ConfigurationError(f"teleport={teleport}; expected a number above 0, at most 1.")
    return stationary(chain_of_rankings(scores, variant, weights), teleport=teleport)


def pagerank(wins: npt.ArrayLike, *, damping: float = 0.85, majority: bool = True) -> Floats:
    """PageRank over comparisons: every loser points to those who beat it.

    From an item the walk follows one of its losses, in proportion to their weights, with
    probability `damping`; otherwise, and from who never lost, it jumps to any item.

    Parameters
    ----------
    wins : `float[n, n]`, how often i beat j.
    damping : in [0, 1).
    majority : of a pair that was compared, the loser's arrow alone counts, or both if they came
        out equal. Where False all wins count; but an item's arrows are shared out whatever they
        weigh, so that 9 wins to 1 of a pair alone say no more than 1 to 9.

    Returns
    -------
    `float64[n]`, which sums to 1.

    Page, Brin, Motwani & Winograd 1999; for comparisons of documents Gienapp, Froebe, Hagen &
    Potthast, "Sparse pairwise re-ranking with pre-trained transformers", ICTIR 2022.

    >>> pagerank([[0, 1, 1], [0, 0, 1], [0, 0, 0]]).round(3)
    array([0.521, 0.282, 0.198])
    """
    counts = checked_wins(wins)
    if not 0.0 <= damping < 1.0:
        raise ConfigurationError(f"damping={damping}; expected a number from 0 to less than 1.")
    if majority:
        counts = np.where(counts >= counts.T, counts, 0.0)
    if not len(counts):
        return np.zeros(0)
    lost = counts.T
    weight = lost.sum(axis=1, keepdims=True)
    rows = np.where(weight > 0, lost / np.where(weight > 0, weight, 1.0), 1.0 / len(counts))
    return stationary(rows, teleport=1.0 - damping)


def rank_centrality(wins: npt.ArrayLike, *, prior: float = 0.1) -> Floats:
    """Rank Centrality: from i to j with the share of their comparisons that j won, by d_max.

    P_ij = (w_ji + prior) / (w_ij + w_ji + 2 prior) / d_max for the pairs that were compared, d_max
    being the most partners that an item has; the rest stays. Under Bradley and Terry's model it is
    in detailed balance at their strengths, so that it finds them as comparisons grow in number.

    Parameters
    ----------
    wins : `float[n, n]`, how often i beat j.
    prior : wins added to both sides of each compared pair; above 0, so that the walk can return
        from an item that never lost.

    Returns
    -------
    `float64[n]`, which sums to 1. Items that no comparisons join are walked on their own, each part
    with the share of its items: between parts the points say nothing.

    Negahban, Oh & Shah, "Rank Centrality: ranking from pairwise comparisons", Operations Research
    2017.

    >>> rank_centrality([[0, 3, 2], [1, 0, 3], [2, 1, 0]], prior=1e-9).round(4)
    array([0.4595, 0.2973, 0.2432])
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    counts = checked_wins(wins)
    if not 0.0 < prior < np.inf:
        raise ConfigurationError(f"prior={prior}; expected a number above 0.")
    compared = (counts + counts.T) > 0
    total = np.where(compared, counts + counts.T + 2.0 * prior, 1.0)
    share = np.where(compared, (counts.T + prior) / total, 0.0)
    result = np.zeros(len(counts))
    parts, part = connected_components(csr_array(compared), directed=False)
    for number in range(parts if len(counts) else 0):
        members = np.flatnonzero(part == number)
        within = share[np.ix_(members, members)]
        degree = max(int(compared[np.ix_(members, members)].sum(axis=1).max()), 1)
        result[members] = stationary(_staying(within / degree)) * (len(members) / len(counts))
    return result


def eigenvector(wins: npt.ArrayLike, *, prior: float = 1.0) -> Floats:
    """Keener's ranking: a win counts as much as the one who was beaten.

    The Perron vector of a_ij = (w_ij + prior) / (w_ij + w_ji + 2 prior): the strength of an item is
    in proportion to the sum of the others' strengths, each by the smoothed share won against it.
    Pairs never compared share evenly.

    Parameters
    ----------
    wins : `float[n, n]`, how often i beat j.
    prior : wins added to both sides; above 0. Keener's own is Laplace's 1.

    Returns
    -------
    `float64[n]`, positive, which sums to 1.

    Keener, "The Perron-Frobenius theorem and the ranking of football teams", SIAM Review 1993.

    >>> eigenvector([[0, 1, 1], [0, 0, 1], [0, 0, 0]]).round(3)
    array([0.413, 0.327, 0.26 ])
    """
    counts = checked_wins(wins)
    if not 0.0 < prior < np.inf:
        raise ConfigurationError(f"prior={prior}; expected a number above 0.")
    share = (counts + prior) / (counts + counts.T + 2.0 * prior)
    strength = np.full(len(counts), 1.0 / max(len(counts), 1))
    # All entries are positive and at most 1 apart, so that each step shrinks the error by a factor.
    for _ in range(10_000):
        following = share @ strength
        following /= following.sum() if len(following) else 1.0
        change = float(np.abs(following - strength).max(initial=0.0))
        strength = following
        if change <= 1e-16:
            break
    return np.asarray(strength)
