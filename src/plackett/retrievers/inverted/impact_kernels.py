"""The bounds of lists of impacts, by which a search skips; and BM25's impacts."""

from __future__ import annotations

import numpy as np
from numba import njit

BINS = 1024
"""The k-th largest impact of a list is found to so many parts of the largest."""


@njit(cache=True, nogil=True)
def bound_terms(terms, offsets, impacts, upper, extent, floors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Of some terms: the largest impact, or 0, into `upper`; the largest absolute one into
    `extent`; what the 10th, 100th and 1000th largest reach into `floors` `[V, 3]`, which may have
    no rows.

    A floor is less than the impact by 0.1% of the largest one or less: impacts are counted in bins,
    which is several times faster than to select them. The rows of other terms stay as they are.
    """
    counts = np.empty(BINS + 1, dtype=np.int64)
    for term in terms:
        start, end = offsets[term], offsets[term + 1]
        high = np.float32(0.0)
        low = np.float32(0.0)
        for p in range(start, end):
            high = max(high, impacts[p])
            low = min(low, impacts[p])
        upper[term] = high
        extent[term] = max(high, -low)
        if len(floors) == 0:
            continue
        floors[term] = np.float32(0.0)
        # A scale that is no number or infinite would put impacts into bins that do not exist.
        if end - start < 10 or not np.float32(1e-30) < high < np.float32(1e30):
            continue
        scale = np.float32(BINS) * np.float32(0.99999) / high
        counts[:] = 0
        for p in range(start, end):
            counts[max(np.int64(impacts[p] * scale), 0)] += 1
        reached = 0
        column = 0
        place = BINS
        wanted = 10
        while column < 3 and wanted <= end - start and place > 0:
            reached += counts[place]
            while column < 3 and reached >= wanted:
                floors[term, column] = np.float32(place) / scale * np.float32(0.99999)
                column += 1
                wanted *= 10
            place -= 1


@njit(cache=True, nogil=True)
def bound_impacts(offsets, impacts, upper, extent, floors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bounds of all terms: see `bound_terms`."""
    bound_terms(np.arange(len(offsets) - 1), offsets, impacts, upper, extent, floors)


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
