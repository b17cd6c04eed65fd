"""One window of documents: scored by the essential terms, completed by the others."""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.inverted.bound_kernels import SMALLEST_SHIFT
from plackett.retrievers.inverted.selection_kernels import first_at_least

# A window holds about this many postings of the essential terms, within these bounds of documents:
# its scores stay in the processor's nearest caches.
WINDOW_POSTINGS = 4096
SMALLEST_WINDOW = 1024
LARGEST_WINDOW = 1 << 16
# Looking one document up in a list costs about as much as going through so many postings.
LOOKUP_COST = 20


@njit(cache=True, nogil=True)
def next_window(  # type: ignore[no-untyped-def]
    essential, position, stop, documents, n_documents, growing
):  # pragma: no cover
    """`(base, limit)` of the next window; both the number of documents when there is none."""
    base = n_documents
    postings = 1
    for i in range(essential):
        if position[i] < stop[i]:
            base = min(base, np.int64(documents[position[i]]))
            postings += stop[i] - position[i]
    width = (n_documents - base) * WINDOW_POSTINGS // postings
    width = max(SMALLEST_WINDOW, min(width, LARGEST_WINDOW, growing))
    return base, min(base + width, n_documents)


@njit(cache=True, nogil=True)
def scan_window(  # type: ignore[no-untyped-def]
    essential,
    position,
    stop,
    weights,
    documents,
    impacts,
    base,
    limit,
    cut,
    cuts,
    allowed,
    accumulator,
    candidates,
    partial,
):  # pragma: no cover
    """Score the documents `base:limit` by the essential terms; collect those above `cut`.

    `cuts` may hold a higher one of every block of 16 documents, and `allowed` `bool[N]` the
    documents that may be results; both may be empty.

    Moves `position` behind the window and leaves `accumulator` zero. Candidates ascend in one run
    after the other, at most one run a term. Returns their number.
    """
    begin = np.empty(essential, dtype=np.int64)
    touched = 0
    for i in range(essential):
        begin[i] = position[i]
        end = first_at_least(documents, position[i], stop[i], limit)
        weight = weights[i]
        for p in range(begin[i], end):
            accumulator[np.uint64(documents[p] - base)] += weight * impacts[p]
        position[i] = end
        touched += end - begin[i]
    n = 0
    low = base >> SMALLEST_SHIFT
    for i in range(essential):
        for p in range(begin[i], position[i]):
            document = documents[p]
            place = np.uint64(document - base)
            score = accumulator[place]
            if score > cut:
                if len(cuts) > 0 and score <= cuts[(document >> SMALLEST_SHIFT) - low]:
                    continue
                if len(allowed) > 0 and not allowed[document]:
                    continue
                candidates[n] = document
                partial[n] = score
                n += 1
                accumulator[place] = np.float32(0.0)
    if touched * 8 > limit - base:
        for i in range(limit - base):
            accumulator[i] = np.float32(0.0)
    else:
        for i in range(essential):
            for p in range(begin[i], position[i]):
                accumulator[np.uint64(documents[p] - base)] = np.float32(0.0)
    return n


@njit(cache=True, nogil=True)
def complete(  # type: ignore[no-untyped-def]
    term,
    weight,
    position,
    stop,
    needed,
    documents,
    impacts,
    base,
    limit,
    accumulator,
    candidates,
    partial,
    n,
):  # pragma: no cover
    """Add one term to the candidates whose partial score is above `needed`; the others go.

    Looks each candidate up in the term's list, or goes through the whole list where that is
    cheaper. Returns how many candidates are left; `accumulator` is zero before and after.
    """
    kept = 0
    for c in range(n):
        candidates[kept] = candidates[c]
        partial[kept] = partial[c]
        kept += partial[c] > needed
    if kept == 0:
        return 0
    start = first_at_least(documents, position[term], stop[term], base)
    end = first_at_least(documents, start, stop[term], limit)
    position[term] = end
    if (end - start) < LOOKUP_COST * kept:
        for c in range(kept):
            accumulator[np.uint64(candidates[c] - base)] = partial[c]
        for p in range(start, end):
            accumulator[np.uint64(documents[p] - base)] += weight * impacts[p]
        for c in range(kept):
            partial[c] = accumulator[np.uint64(candidates[c] - base)]
            accumulator[np.uint64(candidates[c] - base)] = np.float32(0.0)
        for p in range(start, end):
            accumulator[np.uint64(documents[p] - base)] = np.float32(0.0)
        return kept
    p = start
    previous = np.int32(-1)
    for c in range(kept):
        document = candidates[c]
        if document < previous:
            p = start
        previous = document
        p = first_at_least(documents, p, end, document)
        if p < end and documents[p] == document:
            partial[c] += weight * impacts[p]
    return kept
