"""Orders that follow majorities: Condorcet's winner first, wherever there is one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.fusion.pair_aggregation import copeland
from plackett.fusion.pair_counts import checked_wins
from plackett.fusion.preferences import Floats

__all__ = [
    "condorcet_components",
    "condorcet_fuse",
    "condorcet_winner",
    "locally_sorted",
    "schulze",
]

Order = npt.NDArray[np.int64]

_RISE = 1e-9  # of the total weight: majorities below this are rounding


def condorcet_winner(wins: npt.ArrayLike) -> int | None:
    """The item that beats every other one by majority, or None.

    >>> condorcet_winner([[0, 2, 2], [1, 0, 3], [1, 0, 0]])
    0
    """
    margin = _margin(checked_wins(wins))
    np.fill_diagonal(margin, 1.0)
    found = np.flatnonzero((margin > 0).all(axis=1))
    return int(found[0]) if len(found) else None


def _margin(counts: Floats) -> Floats:
    margin = counts - counts.T
    threshold = _RISE * float(counts.sum())
    return np.where(np.abs(margin) > threshold, margin, 0.0)


def condorcet_components(wins: npt.ArrayLike) -> list[Order]:
    """The items in groups, each of which beats all that follow by majority, or draws with them.

    They are the strongly connected components of the strict majority graph, in topological order:
    any order that keeps them so satisfies the extended Condorcet criterion. Inside a group items
    stand by Borda count.

    Parameters
    ----------
    wins : `float[n, n]`, the weight that prefers i to j.

    Returns
    -------
    Groups of items, `int64` each, winners first.

    Truchon, "An extension of the Condorcet criterion and Kemeny orders", 1998.

    >>> [group.tolist() for group in condorcet_components([[0, 2, 2], [1, 0, 3], [1, 0, 0]])]
    [[0], [1], [2]]
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    weights = checked_wins(wins)
    if len(weights) == 0:
        return []
    margin = weights - weights.T
    borda = np.argsort(-margin.sum(axis=1), kind="stable")
    beats = (margin > _RISE * weights.sum())[np.ix_(borda, borda)]
    _, label = connected_components(csr_array(beats), directed=True, connection="strong")
    grouped = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[grouped], prepend=-1))
    first = grouped[starts]  # a component comes as early as its best item by Borda allows
    above = beats[np.ix_(grouped, grouped)]
    above = np.logical_or.reduceat(np.logical_or.reduceat(above, starts, axis=0), starts, axis=1)
    np.fill_diagonal(above, False)
    count = len(starts)
    waiting = above.sum(axis=0)
    order: list[Order] = []
    done = np.zeros(count, dtype=bool)
    for _ in range(count):
        ready = np.flatnonzero(~done & (waiting == 0))
        following = int(ready[first[ready].argmin()])
        done[following] = True
        waiting = waiting - above[following]
        order.append(borda[np.flatnonzero(label == following)])
    return order


def locally_sorted(order: npt.ArrayLike, wins: npt.ArrayLike) -> Order:
    """An order in which nobody stands directly below one that he beats by majority.

    Items of `order` are inserted in turn from the bottom, and rise past each one that they beat.
    The result has no higher Kemeny cost, and satisfies the extended Condorcet criterion.

    Parameters
    ----------
    order : `int[n]`, all items, best first.
    wins : `float[n, n]`, the weight that prefers i to j.

    Dwork, Kumar, Naor & Sivakumar, "Rank aggregation methods for the Web", WWW 2001, "local Kemeny
    optimality".

    >>> locally_sorted([2, 1, 0], [[0, 2, 2], [1, 0, 3], [1, 0, 0]])
    array([0, 1, 2])
    """
    margin = _margin(checked_wins(wins))
    result: list[int] = []
    for item in np.asarray(order, dtype=np.int64).tolist():
        place = len(result)
        while place and margin[item, result[place - 1]] > 0:
            place -= 1
        result.insert(place, item)
    return np.array(result, dtype=np.int64)


def condorcet_fuse(wins: npt.ArrayLike) -> Order:
    """Condorcet-fuse without chance: items by Copeland's points, then sorted by majorities.

    Condorcet-fuse is a sort whose comparison is the majority. Majorities may go in circles, and
    then the result depends on where a sort begins; it begins here with the order by majorities won,
    equal ones by Borda count, then by number.

    Parameters
    ----------
    wins : `float[n, n]`, the weight that prefers i to j.

    Returns
    -------
    `int64[n]`, items, best first.

    Montague & Aslam, "Condorcet fusion for improved retrieval", CIKM 2002.

    >>> condorcet_fuse([[0, 2, 2], [1, 0, 3], [1, 0, 0]])
    array([0, 1, 2])
    """
    counts = checked_wins(wins)
    borda = np.round((counts - counts.T).sum(axis=1), 9)
    start = np.lexsort((np.arange(len(counts)), -borda, -copeland((_margin(counts) > 0) * 1.0)))
    return locally_sorted(start, counts)


def schulze(wins: npt.ArrayLike) -> Floats:
    """Schulze's method: how many others each item beats by the stronger of the strongest paths.

    The strength of a path of majorities is that of its weakest; O(n^3).

    Parameters
    ----------
    wins : `float[n, n]`, the weight that prefers i to j.

    Returns
    -------
    `float64[n]`, paths won and half of those drawn.

    Schulze, "A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent
    single-winner election method", Social Choice and Welfare 2011.

    >>> schulze([[0, 2, 2], [1, 0, 3], [1, 0, 0]])
    array([2., 1., 0.])
    """
    counts = checked_wins(wins)
    path = np.where(_margin(counts) > 0, counts, 0.0)
    for middle in range(len(path)):
        path = np.maximum(path, np.minimum(path[:, middle, None], path[None, middle, :]))
        np.fill_diagonal(path, 0.0)
    return copeland((path > path.T) * 1.0)
