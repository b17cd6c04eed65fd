"""One order from comparisons of two: scores of items, by a method chosen by name.

All methods read one form: `float[n, n]`, `wins[i, j]` being how often, or with what weight, i beat
j. A comparison that i wins with probability p counts p for i and 1 - p for j (`wins_of_pairs`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.errors import UnknownNameError
from plackett.fusion.bradley_terry import Method, bradley_terry
from plackett.fusion.elo import elo_of_wins
from plackett.fusion.markov_chains import eigenvector, pagerank, rank_centrality
from plackett.fusion.pair_counts import checked_wins
from plackett.fusion.preferences import Floats

__all__ = [
    "Aggregator",
    "additive",
    "aggregate",
    "aggregator",
    "aggregator_names",
    "copeland",
    "greedy",
    "kwiksort",
    "win_rate",
]

Aggregator: TypeAlias = Callable[[Floats, int], Floats]
"""From a matrix of wins and a seed to `float64[n]` scores, more is better."""

_PRIOR = 0.1


def win_rate(wins: npt.ArrayLike) -> Floats:
    """The share of its comparisons that each item won, `float64[n]`; NaN without any.

    >>> win_rate([[0, 2, 1], [0, 0, 1], [1, 0, 0]])
    array([0.75      , 0.33333333, 0.33333333])
    """
    counts = checked_wins(wins)
    won, lost = counts.sum(axis=1), counts.sum(axis=0)
    played = won + lost
    return np.where(played > 0, won / np.where(played > 0, played, 1.0), np.nan)


def additive(wins: npt.ArrayLike) -> Floats:
    """The weight that each item won, `float64[n]`: s_i = sum_j w_ij.

    Where every ordered pair was asked for its probability this is duoT5's SYM-SUM,
    s_i = sum_j p_ij + (1 - p_ji).

    Pradeep, Nogueira & Lin, "The Expando-Mono-Duo design pattern for text ranking", 2021.

    >>> additive([[0, 2, 1], [0, 0, 1], [1, 0, 0]])
    array([3., 1., 1.])
    """
    return np.asarray(checked_wins(wins).sum(axis=1))


def greedy(wins: npt.ArrayLike) -> Floats:
    """The greedy order: again and again the item that wins most against those that are left.

    pi_v = sum_u w_vu - w_uv over the items left; the largest goes next, the first of equals.

    Returns
    -------
    `float64[n]`: n for the first item of the order to 1 for the last.

    Cohen, Schapire & Singer, "Learning to order things", JAIR 1999.

    >>> greedy([[0, 2, 1], [0, 0, 1], [1, 0, 0]])
    array([3., 2., 1.])
    """
    counts = checked_wins(wins)
    margin = counts - counts.T
    potential = margin.sum(axis=1)
    scores = np.zeros(len(counts))
    left = np.ones(len(counts), dtype=bool)
    for place in range(len(counts), 0, -1):
        # What was subtracted along the way has left rounding errors in equal potentials.
        rounded = np.where(left, np.round(potential, 9), -np.inf)
        best = int(rounded.argmax())
        scores[best], left[best] = place, False
        potential = potential + margin[best]
    return scores


def kwiksort(wins: npt.ArrayLike, *, seed: int = 0) -> Floats:
    """Quicksort with random pivots: an item stands before the pivot if it won more against it.

    Pairs that were not compared, or came out equal, keep the order of their numbers, so that no
    comparisons at all leave everything as it was.

    Returns
    -------
    `float64[n]`: n for the first item of the order to 1 for the last.

    Ailon, Charikar & Newman, "Aggregating inconsistent information: ranking and clustering", JACM
    2008.

    >>> kwiksort([[0, 2, 1], [0, 0, 1], [1, 0, 0]])
    array([3., 2., 1.])
    """
    counts = checked_wins(wins)
    generator = np.random.default_rng(seed)
    order: list[int] = []
    # A stack of parts, the first on top: recursion would be as deep as an unlucky order.
    waiting = [np.arange(len(counts))]
    while waiting:
        part = waiting.pop()
        if len(part) <= 1:
            order.extend(part.tolist())
            continue
        pivot = int(part[generator.integers(len(part))])
        others = part[part != pivot]
        margin = counts[others, pivot] - counts[pivot, others]
        before = (margin > 0) | ((margin == 0) & (others < pivot))
        waiting += [others[~before], np.array([pivot]), others[before]]
    scores = np.zeros(len(counts))
    scores[order] = np.arange(len(order), 0, -1)
    return scores


def copeland(wins: npt.ArrayLike) -> Floats:
    """Majorities won, and half of those drawn, `float64[n]`; never compared counts as drawn.

    Copeland, "A reasonable social welfare function", 1951.

    >>> copeland([[0, 2, 1], [0, 0, 1], [1, 0, 0]])
    array([1.5, 1. , 0.5])
    """
    counts = checked_wins(wins)
    won = (counts > counts.T).sum(axis=1)
    drawn = (counts == counts.T).sum(axis=1) - 1
    return np.asarray(won + 0.5 * drawn)


def _log_strength(wins: Floats, method: Method) -> Floats:
    return bradley_terry(wins, prior=_PRIOR, method=method, tolerance=1e-7).log_strength


_AGGREGATORS: dict[str, Aggregator] = {
    "win_rate": lambda wins, seed: win_rate(wins),
    "additive": lambda wins, seed: additive(wins),
    "greedy": lambda wins, seed: greedy(wins),
    "kwiksort": lambda wins, seed: kwiksort(wins, seed=seed),
    "copeland": lambda wins, seed: copeland(wins),
    "pagerank": lambda wins, seed: pagerank(wins),
    "rank_centrality": lambda wins, seed: rank_centrality(wins, prior=_PRIOR),
    "eigenvector": lambda wins, seed: eigenvector(wins),
    "bradley_terry": lambda wins, seed: _log_strength(wins, "newton"),
    "newman": lambda wins, seed: _log_strength(wins, "newman"),
    "elo": lambda wins, seed: elo_of_wins(wins, seed=seed),
}


def aggregator_names() -> tuple[str, ...]:
    """The names that `aggregator` knows.

    >>> aggregator_names()[:4]
    ('additive', 'bradley_terry', 'copeland', 'eigenvector')
    """
    return tuple(sorted(_AGGREGATORS))


def aggregator(name: str) -> Aggregator:
    """The aggregator of exactly this name: a function of a matrix of wins and a seed.

    "win_rate", "additive", "greedy", "kwiksort", "copeland", "pagerank", "rank_centrality",
    "eigenvector", "bradley_terry" and "newman" (the same strengths by two methods, with a prior of
    0.1; for more than a few hundred items the first takes seconds, the second far longer), "elo"
    (the mean over 32 random orders).

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.
    """
    if name not in _AGGREGATORS:
        raise UnknownNameError("aggregator", name, _AGGREGATORS)
    return _AGGREGATORS[name]


def aggregate(wins: npt.ArrayLike, method: str = "win_rate", *, seed: int = 0) -> Floats:
    """Scores of items from their comparisons, by the method of this name.

    Parameters
    ----------
    wins : `float[n, n]`, how often, or with what weight, i beat j.
    method : see `aggregator`.
    seed : of the random pivots of "kwiksort" and of the random orders of "elo".

    Returns
    -------
    `float64[n]`, more is better. Items that were never compared get the least score of the others:
    nothing speaks for them.

    Raises
    ------
    UnknownNameError : no aggregator has the name.
    DataError : not a square matrix of finite numbers of at least 0.

    >>> aggregate([[0, 1, 0], [0, 0, 0], [0, 0, 0]], "win_rate")
    array([1., 0., 0.])
    """
    chosen = aggregator(method)
    counts = checked_wins(wins)
    seen = (counts + counts.T).sum(axis=1) > 0
    if not seen.any():
        return np.zeros(len(counts))
    members = np.flatnonzero(seen)
    found = chosen(counts[np.ix_(members, members)], seed)
    scores = np.full(len(counts), found.min())
    scores[members] = found
    return scores
