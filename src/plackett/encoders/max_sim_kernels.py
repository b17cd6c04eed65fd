"""The greatest similarity of each query token within each document, summed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["sum_of_maxima"]


@njit(cache=True, nogil=True)
def sum_of_maxima(  # pragma: no cover
    similarity: npt.NDArray[np.float32],
    offsets: npt.NDArray[np.int64],
    first: int,
    out: npt.NDArray[np.float32],
) -> None:
    """out[i] = sum_j max_t similarity[t, j] over the tokens t of document i; 0 without tokens.

    Parameters
    ----------
    similarity : `float32[t, m]`, of the tokens of some documents and those of the query.
    offsets : `int64[n + 1]`, where each document's tokens are, counted from `first`.
    """
    m = similarity.shape[1]
    best = np.empty(m, np.float32)
    for i in range(len(offsets) - 1):
        begin, end = offsets[i] - first, offsets[i + 1] - first
        if begin == end:
            out[i] = 0.0
            continue
        for j in range(m):
            best[j] = similarity[begin, j]
        for t in range(begin + 1, end):
            for j in range(m):
                best[j] = max(best[j], similarity[t, j])
        total = 0.0
        for j in range(m):
            total += best[j]
        out[i] = total
