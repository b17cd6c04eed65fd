"""The contribution of every posting to a score, and the bounds that let a search skip."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def bound_impacts(offsets, impacts, upper, extent):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of each term, the largest impact into `upper`, the largest absolute one into `extent`."""
    for term in range(len(offsets) - 1):
        high = np.float32(0.0)
        low = np.float32(0.0)
        for p in range(offsets[term], offsets[term + 1]):
            high = max(high, impacts[p])
            low = min(low, impacts[p])
        upper[term] = high
        extent[term] = max(high, -low)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def saturate(  # type: ignore[no-untyped-def]
    offsets, documents, frequencies, idf, norm, scale, shift, delta, impacts
):  # pragma: no cover
    """BM25's impacts, `idf * (scale * c / (norm' + c) + shift)`.

    `norm`, float64[N], is k1 * B of each document, where B is the length normalisation; with
    `delta` >= 0 the frequency is first divided by B and shifted by delta (BM25L), and norm is B.
    """
    for term in range(len(offsets) - 1):
        weight = idf[term]
        for p in range(offsets[term], offsets[term + 1]):
            frequency = np.float64(frequencies[p])
            impacts[p] = weight * (scale * frequency / (norm[documents[p]] + frequency) + shift)
