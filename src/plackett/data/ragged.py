"""Ragged arrays: one flat array and `offsets`, as in CSR and Arrow.

Segment `i` of a flat array `values` is `values[offsets[i]:offsets[i + 1]]`. Everything that is
ranked in plackett is stored so, without padding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "concatenate_ranges",
    "group_rows",
    "lengths_to_offsets",
    "positions_within",
    "segment_of_rows",
    "segment_sums",
]


def lengths_to_offsets(lengths: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Offsets, `int64[n + 1]`, of segments with the given lengths, `int[n]`.

    >>> lengths_to_offsets([2, 0, 3])
    array([0, 2, 2, 5])
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def segment_of_rows(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The segment number of every row, `int64[offsets[-1]]`.

    >>> segment_of_rows(np.array([0, 2, 2, 5]))
    array([0, 0, 2, 2, 2])
    """
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))


def positions_within(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The 0-based position of every row inside its segment.

    >>> positions_within(np.array([0, 2, 2, 5]))
    array([0, 1, 0, 1, 2])
    """
    return np.arange(offsets[-1], dtype=np.int64) - np.repeat(offsets[:-1], np.diff(offsets))


def concatenate_ranges(
    starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Row numbers `starts[i], ..., starts[i] + lengths[i] - 1` of all `i`, in one array.

    >>> concatenate_ranges(np.array([4, 0]), np.array([2, 3]))
    array([4, 5, 0, 1, 2])
    """
    offsets = lengths_to_offsets(lengths)
    return positions_within(offsets) + np.repeat(np.asarray(starts, dtype=np.int64), lengths)


def segment_sums(
    values: npt.NDArray[np.floating] | npt.NDArray[np.integer] | npt.NDArray[np.bool_],
    offsets: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The sum of every segment, `float64[n]`; 0 for an empty one.

    >>> segment_sums(np.array([1.0, 2.0, 4.0]), np.array([0, 2, 2, 3]))
    array([3., 0., 4.])
    """
    n_segments = len(offsets) - 1
    if len(values) == 0:
        return np.zeros(n_segments)
    # bincount adds within one segment only: a NaN or inf stays where it is.
    sums: npt.NDArray[np.float64] = np.bincount(
        segment_of_rows(offsets), weights=np.asarray(values, dtype=np.float64), minlength=n_segments
    ).astype(np.float64, copy=False)
    return sums


def group_rows(
    codes: npt.NDArray[np.int32], n_groups: int
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.int64]]:
    """Group rows by their code, keeping the order of rows inside a group.

    Returns `(order, offsets)`: the rows of group `c` are `order[offsets[c]:offsets[c + 1]]`.
    `order` is None where the rows are grouped already, so that no copy need be made.

    >>> group_rows(np.array([1, 0, 1], dtype=np.int32), 2)
    (array([1, 0, 2]), array([0, 1, 3]))
    """
    offsets = lengths_to_offsets(np.bincount(codes, minlength=n_groups))
    if len(codes) < 2 or bool(np.all(codes[1:] >= codes[:-1])):
        return None, offsets
    return np.argsort(codes, kind="stable"), offsets
