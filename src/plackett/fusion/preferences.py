"""Rankings as score matrices, and the pairs of items that they order.

All of rank aggregation here reads one form: `float[m, n]`, the scores that m rankers give n items,
higher is better. NaN is an item that a ranker leaves out; equal scores say nothing about the order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["checked_scores", "checked_weights", "pair_signs", "preferences", "scores_of_rankings"]

Item = TypeVar("Item", bound=Hashable)
Floats = npt.NDArray[np.float64]

_AT_ONCE = 2**22  # signs of pairs that are held at the same time


def checked_scores(scores: npt.ArrayLike) -> Floats:
    """`scores` as `float64[m, n]`.

    Raises
    ------
    DataError : it is not a matrix, or a score is infinite.
    """
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2:
        raise DataError(
            f"scores of shape {matrix.shape}", expected="a matrix [rankers, items] of scores"
        )
    if np.isinf(matrix).any():
        raise DataError("an infinite score", expected="numbers, or NaN for an item left out")
    return matrix


def checked_weights(weights: npt.ArrayLike | None, rankers: int) -> Floats:
    """`weights` as `float64[rankers]`; ones by default.

    Raises
    ------
    DataError : not one finite number a ranker.
    """
    if weights is None:
        return np.ones(rankers)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (rankers,) or not np.isfinite(values).all():
        raise DataError(
            f"weights of shape {values.shape}", expected=f"one finite number of each of {rankers}"
        )
    return values


def scores_of_rankings(
    rankings: Sequence[Sequence[Item]], items: Sequence[Item] | None = None
) -> tuple[Floats, list[Item]]:
    """Rankings, best first, as a matrix of scores.

    Parameters
    ----------
    rankings : one a ranker, each of distinct items; an item may be missing from some.
    items : the columns; by default all items in order of first appearance.

    Returns
    -------
    `float64[rankers, items]`: n for the first, n - 1 for the next and so on, NaN for a missing
    item; and the items.

    Raises
    ------
    DataError : an item twice in one ranking, or one that is not in `items`.

    >>> scores_of_rankings(["ab", "bca"])
    (array([[ 3.,  2., nan],
           [ 1.,  3.,  2.]]), ['a', 'b', 'c'])
    """
    named = list(dict.fromkeys(item for ranking in rankings for item in ranking))
    columns = named if items is None else list(items)
    place = {item: column for column, item in enumerate(columns)}
    if len(place) < len(columns):
        raise DataError("an item twice among the items", expected="distinct items")
    unknown = [item for item in named if item not in place]
    if unknown:
        raise DataError(f"item {unknown[0]!r} in a ranking", expected="one of the items given")
    scores = np.full((len(rankings), len(columns)), np.nan)
    for row, ranking in enumerate(rankings):
        places = [place[item] for item in ranking]
        if len(set(places)) < len(places):
            raise DataError(f"an item twice in ranking {row}", expected="distinct items")
        scores[row, places] = float(len(columns)) - np.arange(len(places))
    return scores, columns


def pair_signs(scores: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Which item of every pair each ranker prefers.

    Returns
    -------
    `float32[m, n (n - 1) / 2]` for the pairs i < j: 1 where i has the higher score, -1 where j has
    it, 0 where they are equal or one is left out.

    >>> pair_signs([[3, 2, 1], [1, np.nan, 1]])
    array([[1., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    """
    matrix = checked_scores(scores)
    first, second = np.triu_indices(matrix.shape[1], k=1)
    signs = np.empty((len(matrix), len(first)), dtype=np.float32)
    for row, line in zip(signs, matrix, strict=True):
        np.sign(np.nan_to_num(line[first] - line[second]), out=row, casting="unsafe")
    return signs


def preferences(scores: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """How much weight prefers each item to each other one.

    Parameters
    ----------
    scores : `float[m, n]`.
    weights : `float[m]`; a ranker of negative weight counts as its reversal.

    Returns
    -------
    `float64[n, n]`, in row i and column j the sum of the weights of the rankers that place i above
    j. It takes 8 n^2 bytes.

    Raises
    ------
    DataError : shapes that do not fit, an infinite score or a weight that is not finite.

    >>> preferences([[2, 1], [2, 1], [1, 2]], weights=[1, 1, 0.5])
    array([[0. , 2. ],
           [0.5, 0. ]])
    """
    matrix = checked_scores(scores)
    weight = checked_weights(weights, len(matrix))
    n = matrix.shape[1]
    total = np.zeros((n, n))
    block = max(1, _AT_ONCE // max(n, 1))
    for line, factor in zip(matrix, weight, strict=True):
        if factor == 0.0:
            continue
        line = line if factor > 0 else -line
        for start in range(0, n, block):
            rows = slice(start, start + block)
            total[rows] += abs(factor) * (line[rows, None] > line[None, :])
    return total
