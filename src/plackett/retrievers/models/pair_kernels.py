"""How often two terms stand side by side, or near each other, in documents.

Side by side means one directly before the other. Near each other means within a window of tokens in
any order, without overlap: the field is read from left to right, and as soon as the last places of
both terms lie within the window they count once and are used up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["count_everywhere", "count_in_candidates"]


@njit(cache=True, nogil=True)
def count_everywhere(  # pragma: no cover
    first: int,
    second: int,
    first_documents: npt.NDArray[np.int32],
    second_documents: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    fields: int,
    window: int,
    counts: npt.NDArray[np.int64],
) -> None:
    """Count a pair in all documents that have both of its terms, which differ.

    Parameters
    ----------
    first_documents, second_documents : those that have each term, ascending.
    tokens, token_offsets : `int32[T]`, `int64[N F + 1]`, the terms of each document's fields.
    counts : `int64[6]`, 0 at first; gets the occurrences of first before second, of second before
        first, and of both near each other, then in how many documents there are any of each.
    """
    i = j = 0
    while i < len(first_documents) and j < len(second_documents):
        if first_documents[i] < second_documents[j]:
            i += 1
            continue
        if first_documents[i] > second_documents[j]:
            j += 1
            continue
        base = np.int64(first_documents[i]) * fields
        forward = backward = near = 0
        for field in range(fields):
            begin, end = token_offsets[base + field], token_offsets[base + field + 1]
            last_first = last_second = begin - window
            before_first = before_second = begin - 2
            for at in range(begin, end):
                term = tokens[at]
                if term == first:
                    backward += before_second == at - 1
                    before_first = last_first = at
                elif term == second:
                    forward += before_first == at - 1
                    before_second = last_second = at
                else:
                    continue
                if min(last_first, last_second) >= begin and abs(last_first - last_second) < window:
                    near += 1
                    last_first = last_second = begin - window
        counts[0] += forward
        counts[1] += backward
        counts[2] += near
        counts[3] += forward > 0
        counts[4] += backward > 0
        counts[5] += near > 0
        i += 1
        j += 1


@njit(cache=True, nogil=True)
def count_in_candidates(  # pragma: no cover
    pair_offsets: npt.NDArray[np.int64],
    pairs: npt.NDArray[np.int32],
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int32],
    entry_offsets: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    fields: int,
    n_terms: int,
    window: int,
    ordered: npt.NDArray[np.int32],
    unordered: npt.NDArray[np.int32],
) -> None:
    """Count the pairs of queries in their candidates.

    Parameters
    ----------
    pair_offsets, pairs : `int64[q + 1]`, `int32[p, 2]`: each query's pairs of different terms.
    row_offsets, documents : `int64[q + 1]`, `int32[n]`: each query's candidates.
    entry_offsets : `int64[n + 1]`, where the pairs of each candidate begin in the outputs.
    ordered, unordered : `int32[e]`, 0 at first: how often the first term stands directly before the
        second, and how often both near each other.
    """
    slot_of_term = np.full(n_terms, -1, np.int32)
    longest = 0
    for row in range(len(documents)):
        for field in range(fields):
            segment = np.int64(documents[row]) * fields + field
            longest = max(longest, token_offsets[segment + 1] - token_offsets[segment])
    hit_at = np.empty(longest, np.int64)
    hit_term = np.empty(longest, np.int32)
    for q in range(len(pair_offsets) - 1):
        own = pairs[pair_offsets[q] : pair_offsets[q + 1]]
        for p in range(len(own)):
            slot_of_term[own[p, 0]] = 0
            slot_of_term[own[p, 1]] = 0
        for row in range(row_offsets[q], row_offsets[q + 1]):
            for field in range(fields):
                segment = np.int64(documents[row]) * fields + field
                hits = 0
                for at in range(token_offsets[segment], token_offsets[segment + 1]):
                    if slot_of_term[tokens[at]] >= 0:
                        hit_at[hits] = at
                        hit_term[hits] = tokens[at]
                        hits += 1
                for p in range(len(own)):
                    first, second = own[p, 0], own[p, 1]
                    entry = entry_offsets[row] + p
                    last_first = last_second = np.int64(-1)
                    for h in range(hits):
                        if hit_term[h] == first:
                            last_first = hit_at[h]
                        elif hit_term[h] == second:
                            side = h > 0 and hit_term[h - 1] == first
                            ordered[entry] += side and hit_at[h - 1] == hit_at[h] - 1
                            last_second = hit_at[h]
                        else:
                            continue
                        if (
                            min(last_first, last_second) >= 0
                            and abs(last_first - last_second) < window
                        ):
                            unordered[entry] += 1
                            last_first = last_second = np.int64(-1)
        for p in range(len(own)):
            slot_of_term[own[p, 0]] = -1
            slot_of_term[own[p, 1]] = -1
