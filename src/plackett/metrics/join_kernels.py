"""The one compiled loop of evaluation: which judged documents did each ranked list retrieve?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["find_judged"]


@njit(cache=True, nogil=True)
def find_judged(
    first: int,
    last: int,
    list_start: npt.NDArray[np.int64],
    list_stop: npt.NDArray[np.int64],
    listed: npt.NDArray[np.int32],
    judged_offsets: npt.NDArray[np.int64],
    judged: npt.NDArray[np.int32],
    table: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled; tested against the numpy join
    """For the queries first ... last - 1: the judged documents in their lists, by rank.

    `listed[list_start[i]:list_stop[i]]` is the ranked list of query i, `judged[judged_offsets[i]:
    judged_offsets[i + 1]]` its judged documents (-1: in no list). `table` has an entry a document,
    all 0. Writes `counts[i]` hits to `rows` (which judgment) and `ranks` from `judged_offsets[i]`.
    """
    for i in range(first, last):
        begin, end = judged_offsets[i], judged_offsets[i + 1]
        for row in range(begin, end):
            if judged[row] >= 0:
                table[judged[row]] = row - begin + 1
        found = begin
        start = list_start[i]
        for position in range(start, list_stop[i]):
            entry = table[listed[position]]
            if entry > 0:
                rows[found] = begin + entry - 1
                ranks[found] = position - start + 1
                found += 1
        counts[i] = found - begin
        for row in range(begin, end):
            if judged[row] >= 0:
                table[judged[row]] = 0
