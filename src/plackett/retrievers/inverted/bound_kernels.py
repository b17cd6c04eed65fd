"""What a document can still reach: by whole lists, and by blocks of 16 documents or more.

The bounds of a list's blocks are the largest impacts among 2^s consecutive documents. Long lists
have small blocks, short ones large blocks, so that there are at most half as many blocks as
postings; the shift s follows from the number of blocks.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SMALLEST_SHIFT = 4
"""The smallest block is of 16 documents; sums of bounds are kept for so many."""
SHORTEST = 64
"""Lists of fewer postings have no blocks."""
POSTINGS_A_BLOCK = 2
# A float32 sum of m terms errs by less than m of these times the sum of their sizes.
ROUNDING = np.float32(2.0**-23)


@njit(cache=True, nogil=True)
def lay_out_blocks(offsets, n_documents, block_offsets):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Where each term's block maxima lie, into `block_offsets` `int64[V + 1]`."""
    block_offsets[0] = 0
    for term in range(len(offsets) - 1):
        postings = offsets[term + 1] - offsets[term]
        blocks = np.int64(0)
        if postings >= SHORTEST:
            shift = SMALLEST_SHIFT
            while (((n_documents - 1) >> shift) + 1) * POSTINGS_A_BLOCK > postings:
                shift += 1
            blocks = ((n_documents - 1) >> shift) + 1
        block_offsets[term + 1] = block_offsets[term] + blocks


@njit(cache=True, nogil=True)
def bound_blocks(  # type: ignore[no-untyped-def]
    terms, offsets, documents, impacts, n_documents, block_offsets, block_max
):  # pragma: no cover
    """The largest impact, or 0, in every block of some terms' lists, into `block_max`.

    `block_offsets` is that of `lay_out_blocks`; what belongs to other terms stays as it is.
    """
    for term in terms:
        first, end = block_offsets[term], block_offsets[term + 1]
        if first == end:
            continue
        shift = shift_of(end - first, n_documents)
        block_max[first:end] = np.float32(0.0)
        for p in range(offsets[term], offsets[term + 1]):
            block = first + (documents[p] >> shift)
            block_max[block] = max(block_max[block], impacts[p])


@njit(cache=True, nogil=True)
def shift_of(blocks, n_documents):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The s of blocks of 2^s documents, of which a list has so many; -1 where it has none."""
    if blocks == 0:
        return -1
    shift = SMALLEST_SHIFT
    while ((n_documents - 1) >> shift) >= blocks:
        shift += 1
    return shift


@njit(cache=True, nogil=True)
def fill_needs(theta, bounds, n_terms, need):  # type: ignore[no-untyped-def]  # pragma: no cover
    """What a partial sum must exceed for the score to exceed `theta`, into `need[n_terms + 1]`.

    A partial sum of `need[i]` or less, to which `bounds[i]`, `bounds[i + 1]`, ... are added in
    float32 in this order, does not exceed theta. Rounding is monotone: so much the less does it
    when less is added. No slack is needed, and a document that could only tie is left out.
    """
    need[n_terms] = theta
    for i in range(n_terms - 1, -1, -1):
        goal, bound = need[i + 1], bounds[i]
        partial = goal - bound
        step = max(abs(goal), bound) * ROUNDING
        while partial + bound > goal:
            partial -= step
        for _ in range(4):
            if (partial + step) + bound <= goal:
                partial += step
            step *= np.float32(0.5)
        need[i] = partial


@njit(cache=True, nogil=True)
def fill_cuts(  # type: ignore[no-untyped-def]
    theta,
    cut,
    first_term,
    n_terms,
    weights,
    bounds,
    shifts,
    blocks,
    block_max,
    low,
    size,
    cuts,
):  # pragma: no cover
    """What a sum over the essential terms must exceed, of `size` blocks of 16 documents from `low`.

    Here the others, `first_term` and on, are bounded by their blocks; `cut` is what must be
    exceeded by the bounds of their whole lists.
    """
    rest = np.float32(0.0)
    cuts[:size] = np.float32(0.0)
    for i in range(first_term, n_terms):
        if shifts[i] < 0:
            rest += bounds[i]
            continue
        wider = shifts[i] - SMALLEST_SHIFT
        weight, first = weights[i], blocks[i]
        if wider == 0:
            part = block_max[first + low : first + low + size]
            for b in range(size):
                cuts[b] += weight * part[b]
            continue
        b = np.int64(0)
        while b < size:
            block = (low + b) >> wider
            end = min(size, ((block + 1) << wider) - low)
            value = weight * block_max[first + block]
            for inside in range(b, end):
                cuts[inside] += value
            b = end
    # Sums in float32 err by less than this, in whatever order.
    error = np.float32(4 * n_terms + 8) * ROUNDING
    inflated = np.float32(1.0) + error
    lowest = theta * (np.float32(1.0) - error) - rest * inflated
    slack = error * (theta + rest)
    for b in range(size):
        cuts[b] = max(lowest - cuts[b] * inflated - slack, cut)
