"""Weighted Kemeny aggregation: the order that contradicts the rankings least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.majority import condorcet_components
from plackett.fusion.preferences import Floats, Item, preferences, scores_of_rankings

__all__ = ["KemenyOrder", "kemeny", "kemeny_cost", "kemeny_order"]

EXACT = 12
_LARGEST_EXACT = 18  # 2^18 sets x 18 items of float64 are 38 MB
_WINDOW = 8  # neighbours in a long order that are ordered exactly among themselves
_RISE = 1e-9  # of the total weight: gains below this are rounding

Order = npt.NDArray[np.int64]


class KemenyOrder(NamedTuple):
    """An order of the items 0 ... n - 1, best first, `int64[n]`; its cost; is it proven best?"""

    order: Order
    cost: float
    exact: bool


def kemeny(
    rankings: Sequence[Sequence[Item]],
    weights: npt.ArrayLike | None = None,
    *,
    exact: int = EXACT,
) -> list[Item]:
    """The weighted Kemeny consensus of rankings, best first.

    argmin over orders of sum_a w_a d(order, ranking_a), d being Kendall's distance over the pairs
    that the ranking orders. Of several best orders one is chosen, the same for the same input.

    Parameters
    ----------
    rankings : one a ranker, each of distinct items, best first; an item may be missing from some.
    weights : `float[rankers]`; a negative one asks for the reversal. Default: all 1.
    exact : as in `kemeny_order`.

    Raises
    ------
    DataError : no rankings, an item twice in one, weights that do not fit.

    Kemeny, "Mathematics without numbers", Daedalus 1959.

    >>> "".join(kemeny(["abc", "acb", "bac"]))
    'abc'
    >>> "".join(kemeny(["ab", "bc", "cd"]))
    'abcd'
    """
    if len(rankings) == 0:
        raise DataError("no rankings", expected="at least one")
    scores, items = scores_of_rankings(rankings)
    found = kemeny_order(preferences(scores, weights), exact=exact)
    return [items[column] for column in found.order]


def kemeny_cost(order: npt.ArrayLike, preferred: npt.ArrayLike) -> float:
    """The weight that an order contradicts: the sum of `preferred[j, i]` over i placed above j.

    >>> kemeny_cost([1, 0], [[0.0, 2.0], [0.5, 0.0]])
    2.0
    """
    positions = np.asarray(order, dtype=np.int64)
    weights = np.asarray(preferred, dtype=np.float64)[np.ix_(positions, positions)]
    return float(np.tril(weights, k=-1).sum())


def kemeny_order(preferred: npt.ArrayLike, *, exact: int = EXACT) -> KemenyOrder:
    """The Kemeny order of n items, from the weight that prefers each to each.

    The items are first split where a majority parts them: the strongly connected components of the
    majority graph stand in some best order one after the other (the extended Condorcet criterion),
    so that only each component needs a search. A component of up to `exact` items is solved by
    dynamic programming over its subsets, in time 2^n n^2. A larger one is ordered by Borda count
    and by majority wins, and each is improved by moving single items, and by ordering every few
    neighbours exactly, until neither helps.

    Parameters
    ----------
    preferred : `float[n, n]`, as `preferences` gives it.
    exact : the largest component to solve exactly, at most 18.

    Raises
    ------
    DataError : not a square matrix of finite numbers of at least 0.
    ConfigurationError : `exact` out of its range.

    Truchon, "An extension of the Condorcet criterion and Kemeny orders", 1998; Davenport &
    Kalagnanam, "A computational study of the Kemeny rule", AAAI 2004.

    >>> kemeny_order([[0.0, 2.0], [0.5, 0.0]])
    KemenyOrder(order=array([0, 1]), cost=0.5, exact=True)
    """
    if not 1 <= exact <= _LARGEST_EXACT:
        raise ConfigurationError(f"exact={exact} does not lie in 1 to {_LARGEST_EXACT}.")
    weights = np.asarray(preferred, dtype=np.float64)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise DataError(f"preferences of shape {weights.shape}", expected="a square matrix")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise DataError("a preference that is not a weight", expected="finite numbers from 0 up")
    parts: list[Order] = []
    proven = True
    for members in condorcet_components(weights):
        within = weights[np.ix_(members, members)]
        if len(members) <= exact:
            parts.append(members[_by_subsets(within)])
        else:
            parts.append(members[_by_moves(within, min(exact, _WINDOW))])
            proven = False
    order = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    return KemenyOrder(order, kemeny_cost(order, weights), proven)


def _by_subsets(weights: Floats) -> Order:
    """The best order, from the best orders of all subsets: the last item of each varies."""
    n = len(weights)
    if n == 1:
        return np.zeros(1, dtype=np.int64)
    sets = np.arange(1 << n)
    # against[i, S]: the weight that item i below all of S contradicts.
    against = np.zeros((n, 1 << n))
    size = np.zeros(1 << n, dtype=np.int64)
    for j in range(n):
        against[:, 1 << j : 2 << j] = against[:, : 1 << j] + weights[:, j, None]
        size[1 << j : 2 << j] = size[: 1 << j] + 1
    tolerance = _RISE * float(weights.sum())
    cost = np.full(1 << n, np.inf)
    cost[0] = 0.0
    last = np.zeros(1 << n, dtype=np.int64)
    for k in range(1, n + 1):
        level = sets[size == k]
        # Of equal costs the later item goes last, so that the earlier one stays above.
        for i in range(n - 1, -1, -1):
            having = level[(level >> i) & 1 == 1]
            rest = having ^ (1 << i)
            value = cost[rest] + against[i, rest]
            better = value < cost[having] - tolerance
            cost[having[better]] = value[better]
            last[having[better]] = i
    order = np.empty(n, dtype=np.int64)
    left = (1 << n) - 1
    for position in range(n - 1, -1, -1):
        order[position] = last[left]
        left ^= 1 << int(last[left])
    return order


def _by_moves(weights: Floats, window: int) -> Order:
    """The better of two starts, each improved by single moves and by exact short stretches."""
    margin = weights - weights.T
    wins = (margin > 0).sum(axis=1) - (margin < 0).sum(axis=1)
    starts = [
        np.argsort(-margin.sum(axis=1), kind="stable"),
        np.argsort(-wins, kind="stable"),
    ]
    tolerance = _RISE * float(weights.sum())
    best, lowest = starts[0], np.inf
    for start in starts:
        order = _improved(start, margin, tolerance)
        cost = kemeny_cost(order, weights)
        while True:
            changed = _improved(_by_windows(order, weights, window), margin, tolerance)
            now = kemeny_cost(changed, weights)
            if now >= cost - tolerance:
                break
            order, cost = changed, now
        if cost < lowest - tolerance:
            best, lowest = order, cost
    return best


def _by_windows(start: Order, weights: Floats, window: int) -> Order:
    """Order every `window` neighbours exactly, in stretches that overlap by half."""
    order: Order = start.copy()
    for first in range(0, max(len(order) - window, 0) + 1, max(window // 2, 1)):
        stretch = order[first : first + window]
        order[first : first + window] = stretch[_by_subsets(weights[np.ix_(stretch, stretch)])]
    return order


def _improved(start: Order, margin: Floats, tolerance: float) -> Order:
    """Move each item to its best position in turn, until a whole round moves none."""
    order: Order = start.copy()
    moved = True
    while moved:
        moved = False
        for item in order.copy():
            others = order[order != item]
            # Below `position` of the others it wins against those that follow, and no others.
            wins = margin[item, others]
            gain = np.concatenate([[0.0], -np.cumsum(wins)])
            now = int(np.flatnonzero(order == item)[0])
            best = int(gain.argmax())
            if gain[best] > gain[now] + tolerance:
                order = np.insert(others, best, item).astype(np.int64, copy=False)
                moved = True
    return order
