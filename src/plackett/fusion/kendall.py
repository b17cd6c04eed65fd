"""Kendall's distance between rankings: how many pairs they order differently."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError
from plackett.fusion.preferences import Floats, checked_scores, pair_signs
from plackett.metrics.rank_correlation import kendall_tau

__all__ = ["KendallPairs", "kendall_distance", "kendall_pairs"]


class KendallPairs(NamedTuple):
    """The pairs of items that each two rankers both order, `float64[m, m]` each.

    `agreement` is how many they order alike less how many they order differently; `pairs` is how
    many both order. The distance of two rankers is `(pairs - agreement) / 2`.
    """

    agreement: Floats
    pairs: Floats

    @property
    def distance(self) -> Floats:
        """How many pairs each two rankers order differently."""
        return (self.pairs - self.agreement) / 2.0


def kendall_distance(x: npt.ArrayLike, y: npt.ArrayLike) -> int:
    """The number of pairs of items that two scorings order differently, in O(n log n).

    A pair that one of them ties, or that has an item one of them leaves out (NaN), counts 0.

    Parameters
    ----------
    x, y : `float[n]`, scores of the same items, higher is better.

    Returns
    -------
    From 0 to n (n - 1) / 2, which is reached by the reversal.

    Raises
    ------
    DataError : vectors of different lengths.

    Kendall, "A new measure of rank correlation", Biometrika 1938.

    >>> kendall_distance([3, 2, 1], [1, 2, 3]), kendall_distance([3, 2, 1], [3, 1, 2])
    (3, 1)
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise DataError(
            f"scores of shapes {first.shape} and {second.shape}",
            expected="two vectors with one score an item",
        )
    both = ~(np.isnan(first) | np.isnan(second))
    first, second = first[both], second[both]
    if len(first) < 2:
        return 0
    pairs = len(first) * (len(first) - 1) / 2.0
    surplus = kendall_tau(first, second, variant="a") * pairs
    # Of all pairs, those tied on either side drop out; pairs tied on both are taken off once.
    tied_twice = _tied_pairs(np.unique(np.stack([first, second]), axis=1, return_counts=True)[1])
    tied = sum(_tied_pairs(np.unique(side, return_counts=True)[1]) for side in (first, second))
    return round((pairs - tied + tied_twice - surplus) / 2.0)


def _tied_pairs(counts: npt.NDArray[np.int64]) -> float:
    return float((counts * (counts - 1) / 2.0).sum())


def kendall_pairs(scores: npt.ArrayLike) -> KendallPairs:
    """Agreement of every two rankers on the pairs that both order, by one product of matrices.

    Parameters
    ----------
    scores : `float[m, n]`, m rankers' scores of n items; NaN is an item left out.

    Raises
    ------
    DataError : it is not a matrix, or a score is infinite.

    >>> kendall_pairs([[3, 2, 1], [3, 1, 2], [1, 2, np.nan]]).distance
    array([[0., 1., 1.],
           [1., 0., 1.],
           [1., 1., 0.]])
    """
    signs = pair_signs(checked_scores(scores))
    ordered = np.abs(signs)
    # float32 counts are whole up to 2^24; longer rows of signs are added up in parts.
    agreement = np.zeros((len(signs), len(signs)))
    pairs = np.zeros_like(agreement)
    for start in range(0, signs.shape[1], 2**22):
        part = slice(start, start + 2**22)
        agreement += signs[:, part] @ signs[:, part].T
        pairs += ordered[:, part] @ ordered[:, part].T
    return KendallPairs(agreement, pairs)
