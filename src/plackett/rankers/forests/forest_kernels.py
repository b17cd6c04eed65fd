"""Scores of a forest by striking out leaves, many documents at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from plackett.rankers.forests.reading import ZERO, Reading

__all__ = ["WIDTH", "add_scores"]

WIDTH = 64
"""How many documents are scored side by side: the inner loops run over them, in vectors."""

_AS_ZERO = int(Reading.MISSING_AS_ZERO)
_LEFT = int(Reading.MISSING_LEFT)
_ZERO_LEFT = int(Reading.MISSING_OR_ZERO_LEFT)
_RIGHT = int(Reading.MISSING_RIGHT)
_IS_MISSING = int(Reading.IS_MISSING)
_IS_ZERO = int(Reading.IS_MISSING_OR_ZERO)


@njit(cache=True, nogil=True)
def _read(  # pragma: no cover
    value: float, reading: int, categories: npt.NDArray[np.uint32]
) -> float:
    """What a split reads: see `Reading`."""
    missing = np.isnan(value)
    if reading == _AS_ZERO:
        return 0.0 if missing else value
    if reading == _LEFT:
        return -np.inf if missing else value
    if reading == _RIGHT:
        return np.inf if missing else value
    zero = missing or (-ZERO <= value <= ZERO)
    if reading == _ZERO_LEFT:
        return -np.inf if zero else value
    if reading == _IS_MISSING:
        return 1.0 if missing else -1.0
    if reading == _IS_ZERO:
        return 1.0 if zero else -1.0
    if missing or value <= -1.0 or value >= 32.0 * len(categories):
        return 1.0
    category = np.int64(value)
    return -1.0 if categories[category >> 5] >> np.uint32(category & 31) & 1 else 1.0


@njit(cache=True, nogil=True)
def _strike(  # pragma: no cover
    x: npt.NDArray[np.float32],
    greatest: float,
    first: int,
    last: int,
    thresholds: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int32],
    masks: npt.NDArray[np.int32],
    leaves: npt.NDArray[np.int32],
) -> None:
    """Strike out the leaves that documents cannot reach, for the splits of one column.

    Written so that the compiler makes vectors of the inner loop: whole numbers of 32 bits, no
    branch, and a length that it does not know.
    """
    width = len(x)
    for s in range(first, last):
        threshold = thresholds[s]
        if not threshold < greatest:
            break  # thresholds ascend
        mask = masks[s]
        start = np.int64(rows[s]) * width
        row = leaves[start : start + width]
        for i in range(len(row)):
            row[i] = np.int32(row[i] & (mask | np.int32(-np.int32(x[i] <= threshold))))


@njit(cache=True, nogil=True)
def _gather(  # pragma: no cover
    leaves: npt.NDArray[np.int32],
    tree_rows: npt.NDArray[np.int64],
    tree_leaves: npt.NDArray[np.int64],
    first_tree: int,
    last_tree: int,
    values: npt.NDArray[np.float64],
    totals: npt.NDArray[np.float64],
) -> None:
    """Add the value of each tree's first leaf that is left."""
    width = len(totals)
    base = tree_rows[first_tree]
    for tree in range(first_tree, last_tree):
        words = tree_rows[tree + 1] - tree_rows[tree]
        start = (tree_rows[tree] - base) * width
        leaf = tree_leaves[tree]
        if words == 1:
            for i in range(width):
                word = leaves[start + i]
                lowest = np.float32(np.int32(word & -word)).view(np.int32)
                totals[i] += values[leaf + ((lowest >> 23) & 255) - 127]
            continue
        for i in range(width):
            at = start + i
            skipped = 0
            while leaves[at] == 0:
                at += width
                skipped += 32
            word = leaves[at]
            lowest = np.float32(np.int32(word & -word)).view(np.int32)
            totals[i] += values[leaf + skipped + ((lowest >> 23) & 255) - 127]


@njit(cache=True, nogil=True)
def add_scores(  # pragma: no cover
    X: npt.NDArray[np.float32],
    feature: npt.NDArray[np.int32],
    reading: npt.NDArray[np.int8],
    category_starts: npt.NDArray[np.int64],
    categories: npt.NDArray[np.uint32],
    split_starts: npt.NDArray[np.int64],
    thresholds: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int32],
    masks: npt.NDArray[np.int32],
    trees: npt.NDArray[np.int64],
    tree_rows: npt.NDArray[np.int64],
    tree_leaves: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """Add to `out` the sum of the leaf values of each row of `X`; see `Forest` for the arrays."""
    columns = len(feature)
    groups = len(trees) - 1
    most = 0
    for group in range(groups):
        most = max(most, tree_rows[trees[group + 1]] - tree_rows[trees[group]])
    leaves = np.empty(most * WIDTH, np.int32)
    x = np.empty(WIDTH, np.float32)
    totals = np.empty(WIDTH, np.float64)
    for start in range(0, len(X), WIDTH):
        count = min(WIDTH, len(X) - start)
        totals[:] = 0.0
        x[:] = -np.inf  # places without a document strike nothing out
        for group in range(groups):
            leaves[:] = -1
            for column in range(columns):
                first = split_starts[group * columns + column]
                last = split_starts[group * columns + column + 1]
                if first == last:
                    continue
                known = categories[category_starts[column] : category_starts[column + 1]]
                greatest = -np.inf
                for i in range(count):
                    x[i] = _read(X[start + i, feature[column]], reading[column], known)
                    greatest = max(greatest, x[i])
                _strike(x, greatest, first, last, thresholds, rows, masks, leaves)
            _gather(leaves, tree_rows, tree_leaves, trees[group], trees[group + 1], values, totals)
        for i in range(count):
            out[start + i] += totals[i]
