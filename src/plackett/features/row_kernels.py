"""The candidates of one query as sparse vectors over the terms that occur in them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["entries_by_term", "local_rows"]


@njit(cache=True, nogil=True)
def local_rows(  # pragma: no cover
    documents: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    local_of_term: npt.NDArray[np.int32],
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int32],
]:
    """`starts[n + 1]`, and of each entry its column and frequency; then the term of each column.

    Columns are numbered as their terms are met. `local_of_term` is -1 for all terms, and is so
    again afterwards.
    """
    n = len(documents)
    total = 0
    for i in range(n):
        d = documents[i]
        total += token_offsets[(d + 1) * n_fields] - token_offsets[d * n_fields]
    starts = np.zeros(n + 1, np.int64)
    column = np.empty(total, np.int32)
    frequency = np.zeros(total, np.int32)
    vocabulary = np.empty(total, np.int32)
    latest = np.empty(total, np.int64)  # where the term's entry lies in the current row
    size, used = 0, 0
    for i in range(n):
        d = documents[i]
        for at in range(token_offsets[d * n_fields], token_offsets[(d + 1) * n_fields]):
            term = tokens[at]
            local = local_of_term[term]
            if local < 0:
                local = size
                local_of_term[term] = local
                vocabulary[local] = term
                latest[local] = -1
                size += 1
            if latest[local] < starts[i]:
                latest[local] = used
                column[used] = local
                used += 1
            frequency[latest[local]] += 1
        starts[i + 1] = used
    for t in range(size):
        local_of_term[vocabulary[t]] = -1
    return starts, column[:used], frequency[:used], vocabulary[:size]


@njit(cache=True, nogil=True)
def entries_by_term(  # pragma: no cover
    starts: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    size: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """The same entries by column: where each begins `[size + 1]`, the rows, and their values."""
    length = np.zeros(size + 1, np.int64)
    for e in range(len(column)):
        length[column[e] + 1] += 1
    postings = np.cumsum(length)
    filled = postings.copy()
    holder = np.empty(len(column), np.int32)
    value = np.empty(len(column))
    for i in range(len(starts) - 1):
        for e in range(starts[i], starts[i + 1]):
            at = filled[column[e]]
            holder[at] = i
            value[at] = values[e]
            filled[column[e]] = at + 1
    return postings, holder, value
