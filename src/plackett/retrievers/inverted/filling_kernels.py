"""Filling lists of impacts from packed postings, some terms at a time."""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.inverted.packing_kernels import unpack


@njit(cache=True, nogil=True)
def fill_terms(  # type: ignore[no-untyped-def]
    terms,
    idf,
    packed,
    starts,
    offsets,
    divisor,
    norm,
    scale,
    added,
    shift,
    documents,
    impacts,
):  # pragma: no cover
    """Unpack the lists of `terms` into `documents`, and what BM25 gives each posting to `impacts`.

    That is `idf * (scale * c / (norm + c) + shift)`, where `c = frequency / divisor + added`;
    `norm` is `float64[N]`, and so is `divisor`, or empty where frequencies are not divided. Returns
    the first term whose list is damaged, or -1.
    """
    longest = 0
    for term in terms:
        longest = max(longest, offsets[term + 1] - offsets[term])
    frequencies = np.empty(longest, dtype=np.int32)
    for i in range(len(terms)):
        first, end = offsets[terms[i]], offsets[terms[i] + 1]
        weight = idf[i]
        own = documents[first:end]
        out = impacts[first:end]
        at, stop = starts[terms[i]], starts[terms[i] + 1]
        if not unpack(packed, at, stop, len(norm), own, frequencies[: end - first]):
            return terms[i]
        if len(divisor) == 0:
            for p in range(end - first):
                c = frequencies[p] + added
                out[p] = weight * (scale * c / (norm[np.uint32(own[p])] + c) + shift)
        else:
            for p in range(end - first):
                document = np.uint32(own[p])
                c = frequencies[p] / divisor[document] + added
                out[p] = weight * (scale * c / (norm[document] + c) + shift)
    return -1
