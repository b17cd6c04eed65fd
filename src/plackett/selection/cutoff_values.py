"""What each possible cutoff of a judged list is worth: the target of cutoff prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.selection.base import JudgedList

__all__ = ["CutoffValue", "best_cutoff", "check_value", "cutoff_values", "value_table"]

Floats = npt.NDArray[np.float64]
CutoffValue = Literal["F1", "DCG", "recall"]
"""What a cutoff is worth. "F1": of the documents kept; "DCG": discounted gain, 1 for a relevant
document and minus 1 for another; "recall": the share of the relevant documents that are kept."""


def check_value(value: str) -> None:
    """Complain of an unknown kind of value."""
    if value not in ("F1", "DCG", "recall"):
        raise ConfigurationError(f"value={value!r} is not one of F1, DCG, recall.")


def cutoff_values(
    relevant: npt.ArrayLike, total: int | None = None, value: CutoffValue = "F1"
) -> Floats:
    """The worth of keeping 0, 1, ..., n documents of one list.

    With h_k relevant documents among the first k and R in all, F1 = 2 h_k / (k + R),
    recall = h_k / R, and DCG = sum over i <= k of (+1 or -1) / log2(i + 1).

    A query without any relevant document is served best by nothing: for it F1 and recall of k = 0
    are 1, and F1 of all others 0.

    Parameters
    ----------
    relevant : `bool[n]`, best ranked first.
    total : R; by default what the list has.

    Returns
    -------
    `float64[n + 1]`.

    Raises
    ------
    DataError : fewer relevant documents in all than in the list.

    >>> cutoff_values([True, False, True], total=2).round(3)
    array([0.   , 0.667, 0.5  , 0.8  ])
    >>> cutoff_values([False, False])
    array([1., 0., 0.])
    """
    check_value(value)
    flags = np.asarray(relevant, dtype=bool)
    if flags.ndim != 1:
        raise DataError(f"labels of shape {flags.shape}", expected="one row")
    hits = np.concatenate([[0], np.cumsum(flags)])
    wanted = int(hits[-1]) if total is None else total
    if wanted < hits[-1]:
        raise DataError(f"{hits[-1]} relevant documents in the list, {wanted} in all")
    depth = np.arange(len(flags) + 1)
    if value == "DCG":
        gains = np.where(flags, 1.0, -1.0) / np.log2(depth[1:] + 1.0)
        return np.concatenate([[0.0], np.cumsum(gains)])
    if wanted == 0:
        return np.ones(len(depth)) if value == "recall" else (depth == 0).astype(np.float64)
    return 2.0 * hits / (depth + wanted) if value == "F1" else hits / wanted


def best_cutoff(values: npt.ArrayLike) -> int:
    """The cutoff of the highest value, `float[n + 1]`; the shortest of equal ones (oracle-k).

    >>> best_cutoff([0.0, 0.5, 0.5])
    1
    """
    return int(np.argmax(np.asarray(values, dtype=np.float64)))


def value_table(
    lists: Sequence[JudgedList], value: CutoffValue, depth: int | None = None
) -> Floats:
    """The values of many lists: `float64[q, depth + 1]`.

    A list that is shorter than a cutoff is kept whole by it: its last value goes on.

    Parameters
    ----------
    depth : the longest cutoff; by default the longest list.
    """
    longest = max((len(each.scores) for each in lists), default=0) if depth is None else depth
    table = np.zeros((len(lists), longest + 1))
    for row, each in enumerate(lists):
        values = cutoff_values(each.relevant, each.total, value)[: longest + 1]
        table[row, : len(values)] = values
        table[row, len(values) :] = values[-1]
    return table
