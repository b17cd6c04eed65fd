"""The bounds of lists of impacts, by which a search skips; and BM25's impacts."""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.inverted.selection_kernels import kth_largest


@njit(cache=True, nogil=True)
def bound_impacts(offsets, impacts, upper, extent, floors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of every term: the largest impact, or 0, into `upper`; the largest absolute one into
    `extent`; the 10th, 100th and 1000th largest into `floors` `[V, 3]`."""
    longest = 1
    for term in range(len(offsets) - 1):
        longest = max(longest, offsets[term + 1] - offsets[term])
    work = np.empty(longest, dtype=np.float32)
    best = np.empty(1000, dtype=np.float32)
    for term in range(len(offsets) - 1):
        start, end = offsets[term], offsets[term + 1]
        high = np.float32(0.0)
        low = np.float32(0.0)
        for p in range(start, end):
            high = max(high, impacts[p])
            low = min(low, impacts[p])
        upper[term] = high
        extent[term] = max(high, -low)
        values = impacts[start:end]
        count = end - start
        # Quickselect leaves the k largest in front, among which the next smaller k is found.
        for column, k in ((2, 1000), (1, 100), (0, 10)):
            floors[term, column] = 0.0
            if count >= k:
                floors[term, column] = kth_largest(values, count, k, work)
                best[:k] = work[:k]
                values = best
                count = k


@njit(cache=True, nogil=True)
def bound_terms(terms, offsets, impacts, upper, extent, floors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bounds of some terms: see `bound_impacts`; the floors stay as they are."""
    for term in terms:
        start, end = offsets[term], offsets[term + 1]
        high = np.float32(0.0)
        low = np.float32(0.0)
        for p in range(start, end):
            high = max(high, impacts[p])
            low = min(low, impacts[p])
        upper[term] = high
        extent[term] = max(high, -low)


@njit(cache=True, nogil=True)
def saturate(  # type: ignore[no-untyped-def]
    offsets, documents, frequencies, idf, divisor, norm, scale, added, shift, impacts
):  # pragma: no cover
    """`idf * (scale * c / (norm + c) + shift)` of every posting into `impacts`, where
    `c = frequency / divisor + added`; `norm` is `float64[N]`, and so is `divisor`, or empty where
    frequencies are not divided."""
    for term in range(len(offsets) - 1):
        weight = idf[term]
        for p in range(offsets[term], offsets[term + 1]):
            document = documents[p]
            c = frequencies[p] + added
            if len(divisor) > 0:
                c = frequencies[p] / divisor[document] + added
            impacts[p] = weight * (scale * c / (norm[document] + c) + shift)
