"""Matrices of comparisons: who beat whom, how often; and when they determine an order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError
from plackett.fusion.preferences import Floats

__all__ = ["checked_wins", "is_strongly_connected", "wins_of_pairs"]


def checked_wins(wins: npt.ArrayLike) -> Floats:
    """`wins` as a new `float64[n, n]` with a diagonal of zeros.

    Parameters
    ----------
    wins : `float[n, n]`; `wins[i, j]` is how often, or with what weight, i beat j. What stands on
        the diagonal is not read.

    Raises
    ------
    DataError : not a square matrix of finite numbers of at least 0.

    >>> checked_wins([[9, 2], [1, 9]])
    array([[0., 2.],
           [1., 0.]])
    """
    matrix = np.array(wins, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"comparisons of shape {matrix.shape}", expected="a square matrix of wins")
    np.fill_diagonal(matrix, 0.0)
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        raise DataError("a count of wins that is no count", expected="finite numbers from 0 up")
    return matrix


def wins_of_pairs(
    first: npt.ArrayLike, second: npt.ArrayLike, probability: npt.ArrayLike, items: int
) -> Floats:
    """The matrix of wins that comparisons with a probability add up to.

    A comparison of i with j that i wins with probability p counts p for i and 1 - p for j. One of
    probability NaN, which nobody answered, counts nothing.

    Parameters
    ----------
    first, second : `int[m]`, the two items of each comparison.
    probability : `float[m]`, that the first is the better.
    items : n.

    Returns
    -------
    `float64[n, n]`.

    Raises
    ------
    DataError : unequal lengths, an item out of range or compared with itself, or a probability
        outside [0, 1].

    >>> wins_of_pairs([0, 1], [1, 0], [1.0, 0.25], items=2)
    array([[0.  , 1.75],
           [0.25, 0.  ]])
    """
    i = np.asarray(first, dtype=np.int64)
    j = np.asarray(second, dtype=np.int64)
    p = np.asarray(probability, dtype=np.float64)
    if not i.shape == j.shape == p.shape or i.ndim != 1:
        raise DataError(
            f"pairs of shapes {i.shape}, {j.shape} and {p.shape}", expected="three equal lengths"
        )
    if len(i) and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= items):
        raise DataError("an item out of range", expected=f"items from 0 to {items - 1}")
    if (i == j).any():
        raise DataError("an item compared with itself", expected="two items a comparison")
    known = ~np.isnan(p)
    i, j, p = i[known], j[known], p[known]
    if (p < 0).any() or (p > 1).any():
        raise DataError("a probability outside [0, 1]", expected="numbers from 0 to 1, or NaN")
    wins = np.zeros((items, items))
    np.add.at(wins, (i, j), p)
    np.add.at(wins, (j, i), 1.0 - p)
    return wins


def is_strongly_connected(wins: npt.ArrayLike) -> bool:
    """Whether every item beat every other one at least by way of others.

    Exactly then do the comparisons determine finite strengths (Ford 1957): otherwise some items
    never lost to the rest, and no number is large enough for them.

    Ford, "Solution of a ranking problem from binary comparisons", Amer. Math. Monthly 1957.

    >>> is_strongly_connected([[0, 1], [1, 0]]), is_strongly_connected([[0, 1], [0, 0]])
    (True, False)
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    matrix = checked_wins(wins)
    if len(matrix) < 2:
        return True
    count, _ = connected_components(csr_array(matrix > 0), directed=True, connection="strong")
    return bool(count == 1)
