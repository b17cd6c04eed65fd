"""Exact top-k over lists of impacts: MaxScore in windows of documents.

The terms of a query are put in one fixed order, the one with the largest possible contribution
first, and every score is the float32 sum of its contributions in that order. So the essential terms
(those without which a document cannot enter the top k) are always the first few, and adding the
others afterwards adds in the same order as scoring everything would: scores are equal to brute
force bit for bit, whatever was skipped.

Bounds are added in the same order and rounded alike. As rounding is monotone, a bound that does not
exceed the k-th best score rules a document out without slack, one that could only tie with it too:
windows ascend, and of equal scores the lowest code is the best. Where lists are long and few
results are asked for, the sums are bounded by blocks of documents as well (`bound_kernels`).

Ding, S. and Suel, T., 2011. Faster top-k document retrieval using block-max indexes. SIGIR.
Turtle, H. and Flood, J., 1995. Query evaluation: strategies and optimizations. IP&M 31(6).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.inverted.bound_kernels import (
    SMALLEST_SHIFT,
    fill_cuts,
    fill_needs,
    shift_of,
)
from plackett.retrievers.inverted.exhaustive_kernels import LAST_CODE, add_up
from plackett.retrievers.inverted.selection_kernels import keep_best
from plackett.retrievers.inverted.window_kernels import (
    LARGEST_WINDOW,
    SMALLEST_WINDOW,
    complete,
    next_window,
    scan_window,
)

# Terms of a longer query are compared by sorting.
FEW_TERMS = 32
# A query of so many terms, with so many postings a document, is added up without skipping.
MANY_TERMS = 12
MANY_POSTINGS = 0.25
# So is a filtered one with so many postings a document.
FILTERED_POSTINGS = 1.0
# Blocks are looked at for so many results or fewer and so many postings a document or more: else
# they rule out less than their sums cost.
DEEPEST_BLOCKED = 20
BLOCKED_POSTINGS = 1.5


@njit(cache=True, nogil=True)
def fault_of(terms, weights, n_terms):  # type: ignore[no-untyped-def]  # pragma: no cover
    """1 where a term is none of `n_terms`, 2 where a weight is negative or no number, else 0."""
    for i in range(len(terms)):
        if not 0 <= terms[i] < n_terms:
            return 1
        if not 0.0 <= weights[i] < np.inf:
            return 2
    return 0


@njit(cache=True, nogil=True)
def merge_terms(terms, weights):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Put each term where it first stands, with the sum of its weights; returns how many there are.

    In place; weights are added in the order of the query.
    """
    n = 0
    if len(terms) <= FEW_TERMS:
        for i in range(len(terms)):
            known = 0
            while known < n and terms[known] != terms[i]:
                known += 1
            if known < n:
                weights[known] += weights[i]
            else:
                terms[n] = terms[i]
                weights[n] = weights[i]
                n += 1
        return n
    alike = np.argsort(terms, kind="mergesort")
    first = np.zeros(len(terms), dtype=np.bool_)
    leader = alike[0]
    for i in alike:
        if i != leader and terms[i] == terms[leader]:
            weights[leader] += weights[i]
        else:
            leader = i
            first[i] = True
    for i in range(len(terms)):
        if first[i]:
            terms[n] = terms[i]
            weights[n] = weights[i]
            n += 1
    return n


@njit(cache=True, nogil=True)
def order_terms(terms, weights, upper):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Merge equal terms, adding their weights, and sort by largest contribution.

    In place; terms of equal contributions stay in the order of the query. Returns how many terms
    are left.
    """
    n = merge_terms(terms, weights)
    if n > FEW_TERMS:
        order = np.argsort(-weights[:n] * upper[terms[:n]], kind="mergesort")
        terms[:n] = terms[order]
        weights[:n] = weights[order]
        return n
    for i in range(1, n):
        term, weight = terms[i], weights[i]
        value = weight * upper[term]
        j = i - 1
        while j >= 0 and weights[j] * upper[terms[j]] < value:
            terms[j + 1] = terms[j]
            weights[j + 1] = weights[j]
            j -= 1
        terms[j + 1] = term
        weights[j + 1] = weight
    return n


@njit(cache=True, nogil=True)
def search_one(  # type: ignore[no-untyped-def]
    terms,
    weights,
    n_terms,
    k,
    offsets,
    documents,
    impacts,
    upper,
    block_offsets,
    block_max,
    n_documents,
    floor,
    allowed,
    accumulator,
    found,
    work,
    candidates,
    partial,
    room,
):  # pragma: no cover
    """The k best documents of one query into `found`, in no order; returns how many.

    A result is one uint64, which orders as results do: the bits of the (positive) score, and
    below them the document's code, negated so that of equal scores the lowest code is the best.
    `floor` is below a score that at least k documents reach, or 0. `accumulator` is zero on entry
    and on return.
    """
    position = offsets[terms[:n_terms]]
    stop = offsets[terms[:n_terms] + 1]
    blocks = np.zeros(n_terms, dtype=np.int64)
    shifts = np.full(n_terms, -1, dtype=np.int64)
    bounds = weights[:n_terms] * upper[terms[:n_terms]]
    postings = (stop - position).sum()
    blocked = len(block_offsets) > 0 and k <= DEEPEST_BLOCKED
    blocked = blocked and postings >= BLOCKED_POSTINGS * n_documents
    if blocked:
        blocks[:] = block_offsets[terms[:n_terms]]
        for i in range(n_terms):
            shifts[i] = shift_of(block_offsets[terms[i] + 1] - blocks[i], n_documents)
    need = np.empty(n_terms + 1, dtype=np.float32)
    bits = partial.view(np.uint32)
    kth_bits = np.empty(1, dtype=np.uint32)
    count = 0
    full = k + max(k // 2, 32)
    theta = floor
    fill_needs(theta, bounds, n_terms, need)
    essential = n_terms
    growing = SMALLEST_WINDOW
    while True:
        # Documents with none of the first terms, the essential ones, do not exceed theta.
        while essential > 0 and need[essential - 1] >= 0.0:
            essential -= 1
        base, limit = next_window(essential, position, stop, documents, n_documents, growing)
        if base == n_documents:
            break
        growing = min(2 * growing, LARGEST_WINDOW)
        cuts = room[:0]
        if blocked and essential < n_terms:
            low = base >> SMALLEST_SHIFT
            cuts = room[: ((limit - 1) >> SMALLEST_SHIFT) - low + 1]
            fill_cuts(
                theta,
                need[essential],
                essential,
                n_terms,
                weights,
                bounds,
                shifts,
                blocks,
                block_max,
                low,
                len(cuts),
                cuts,
            )
        n = scan_window(
            essential,
            position,
            stop,
            weights,
            documents,
            impacts,
            base,
            limit,
            need[essential],
            cuts,
            allowed,
            accumulator,
            candidates,
            partial,
        )
        for i in range(essential, n_terms):
            n = complete(
                i,
                weights[i],
                position,
                stop,
                need[i],
                documents,
                impacts,
                base,
                limit,
                accumulator,
                candidates,
                partial,
                n,
            )
        for c in range(n):
            if partial[c] > theta:
                found[count] = (np.uint64(bits[c]) << np.uint64(32)) | np.uint64(
                    LAST_CODE - candidates[c]
                )
                count += 1
        if count >= full:
            kth_bits[0] = np.uint32(keep_best(found, count, k, work) >> np.uint64(32))
            count = k
            theta = max(theta, kth_bits.view(np.float32)[0])
            fill_needs(theta, bounds, n_terms, need)
    if count > k:
        keep_best(found, count, k, work)
        count = k
    return count


@njit(cache=True, nogil=True)
def known_floor(terms, weights, n_terms, k, floors):  # type: ignore[no-untyped-def]  # pragma: no cover
    """A score just below one that at least k documents reach by a single term, or 0.

    `floors[t]` holds the 10th, 100th and 1000th largest impact of term t, 0 where there are fewer;
    it has no rows where an impact is negative, since then one term says nothing about the sum.
    """
    if len(floors) == 0 or k > 1000:
        return np.float32(0.0)
    column = 0 if k <= 10 else (1 if k <= 100 else 2)
    best = np.float32(0.0)
    for i in range(n_terms):
        best = max(best, weights[i] * floors[terms[i], column])
    return best * np.float32(0.999999)


@njit(cache=True, nogil=True)
def skipping_pays(terms, n_terms, offsets, n_documents, filtered):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether bounds are likely to save more than they cost.

    With a filter the k-th best score is found late, and long lists are gone through for long.
    """
    postings = 0
    for i in range(n_terms):
        postings += offsets[terms[i] + 1] - offsets[terms[i]]
    if filtered and postings >= FILTERED_POSTINGS * n_documents:
        return False
    return n_terms < MANY_TERMS or postings < MANY_POSTINGS * n_documents


@njit(cache=True, nogil=True)
def search_queries(  # type: ignore[no-untyped-def]
    query_offsets,
    query_terms,
    query_weights,
    k,
    lists,
    allowed,
    results,
    counts,
):  # pragma: no cover
    """Search queries one after the other; `lists` are the arrays of `ImpactLists`, in its order.

    The results of query i go to row i of `results`, uint64[q, k], in no order: the score's bits,
    below them the document's rank. Their number goes to `counts[i]`. `allowed` is `bool[N]`, the
    documents that may be results, or empty where all may.
    """
    offsets, documents, impacts, rank, upper, floors, block_offsets, block_max = lists
    n_documents = len(rank)
    width = min(LARGEST_WINDOW, n_documents)
    capacity = k + max(k // 2, 32) + width
    accumulator = np.zeros(width, dtype=np.float32)
    found = np.empty(capacity, dtype=np.uint64)
    work = np.empty(capacity, dtype=np.uint64)
    candidates = np.empty(width, dtype=np.int32)
    partial = np.empty(width, dtype=np.float32)
    # A window that begins inside a block has one more.
    room = np.empty((width >> SMALLEST_SHIFT) + 2, dtype=np.float32)
    for query in range(len(query_offsets) - 1):
        first, end = query_offsets[query], query_offsets[query + 1]
        terms = query_terms[first:end].copy()
        weights = query_weights[first:end].copy()
        n_terms = order_terms(terms, weights, upper)
        # A floor counts documents that a filter may forbid.
        floor = np.float32(0.0)
        if len(allowed) == 0:
            floor = known_floor(terms, weights, n_terms, k, floors)
        if skipping_pays(terms, n_terms, offsets, n_documents, len(allowed) > 0):
            count = search_one(
                terms,
                weights,
                n_terms,
                k,
                offsets,
                documents,
                impacts,
                upper,
                block_offsets,
                block_max,
                n_documents,
                floor,
                allowed,
                accumulator,
                found,
                work,
                candidates,
                partial,
                room,
            )
        else:
            count = add_up(
                terms,
                weights,
                n_terms,
                k,
                offsets,
                documents,
                impacts,
                n_documents,
                floor,
                allowed,
                accumulator,
                found,
                work,
            )
        counts[query] = count
        low = np.uint64(0xFFFFFFFF)
        for i in range(count):
            document = LAST_CODE - np.int64(found[i] & low)
            results[query, i] = (found[i] & ~low) | np.uint64(rank[document])
