"""The length of documents as vectors of damped term frequencies."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["document_norms"]


@njit(cache=True, nogil=True)
def document_norms(  # pragma: no cover
    documents: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    fields: int,
    terms: int,
    norms: npt.NDArray[np.float64],
) -> None:
    """norms[i] = sqrt(sum over the terms of document i of (1 + ln tf)^2)."""
    counts = np.zeros(terms, np.int64)
    for i in range(len(documents)):
        start = token_offsets[documents[i] * fields]
        end = token_offsets[(documents[i] + 1) * fields]
        for place in range(start, end):
            counts[tokens[place]] += 1
        total = 0.0
        for place in range(start, end):
            tf = counts[tokens[place]]
            if tf:  # the first of its tokens; the others find 0
                total += (1.0 + math.log(tf)) ** 2
                counts[tokens[place]] = 0
        norms[i] = math.sqrt(total)
