"""One pass over each candidate's tokens: counts, positions and proximity of the query's terms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["match_candidates"]


@njit(cache=True, nogil=True)
def match_candidates(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    term_offsets: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    idf: npt.NDArray[np.float64],
    sequence_offsets: npt.NDArray[np.int64],
    sequence: npt.NDArray[np.int32],
    pair_offsets: npt.NDArray[np.int64],
    pairs: npt.NDArray[np.int32],
    entry_offsets: npt.NDArray[np.int64],
    pair_entry_offsets: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    n_terms: int,
    window: int,
    pair_window: int,
    frequency: npt.NDArray[np.int32],
    attraction: npt.NDArray[np.float64],
    ordered: npt.NDArray[np.int32],
    unordered: npt.NDArray[np.int32],
    first: npt.NDArray[np.int32],
    best_window: npt.NDArray[np.float64],
    phrase: npt.NDArray[np.int32],
) -> None:
    """Fill the outputs for the rows of queries `first_query..last_query - 1`.

    `terms` are the distinct terms of each query, its slots; `sequence` its terms in reading order
    as slots; `pairs` `[p, 2]` its distinct adjacent slots. `entry_offsets` and
    `pair_entry_offsets` say where the terms and pairs of a row begin in the outputs.
    """
    slot_of_term = np.full(n_terms, -1, np.int32)
    longest = 0
    for row in range(row_offsets[first_query], row_offsets[last_query]):
        for f in range(n_fields):
            segment = documents[row] * n_fields + f
            longest = max(longest, token_offsets[segment + 1] - token_offsets[segment])
    hits = np.empty((longest, 2), np.int64)  # position in the field, slot
    for q in range(first_query, last_query):
        base = term_offsets[q]
        n_slots = term_offsets[q + 1] - base
        n_pairs = pair_offsets[q + 1] - pair_offsets[q]
        query = sequence[sequence_offsets[q] : sequence_offsets[q + 1]]
        for slot in range(n_slots):
            slot_of_term[terms[base + slot]] = slot
        runs = np.zeros((2, len(query) + 1), np.int32)
        counts = np.zeros(n_slots, np.int64)
        for row in range(row_offsets[q], row_offsets[q + 1]):
            entry = entry_offsets[row]
            start_of_document = token_offsets[documents[row] * n_fields]
            for f in range(n_fields):
                segment = documents[row] * n_fields + f
                begin, end = token_offsets[segment], token_offsets[segment + 1]
                n_hits = 0
                for at in range(begin, end):
                    slot = slot_of_term[tokens[at]]
                    if slot >= 0:
                        if first[row] < 0:
                            first[row] = at - start_of_document
                        frequency[f, entry + slot] += 1
                        hits[n_hits, 0] = at - begin
                        hits[n_hits, 1] = slot
                        n_hits += 1
                # Different terms that follow each other attract by the inverse square of distance.
                for h in range(1, n_hits):
                    left, right = hits[h - 1, 1], hits[h, 1]
                    if left != right:
                        distance = hits[h, 0] - hits[h - 1, 0]
                        strength = 1.0 / (distance * distance)
                        attraction[entry + left] += strength * idf[terms[base + right]]
                        attraction[entry + right] += strength * idf[terms[base + left]]
                # The heaviest set of distinct terms in any window.
                counts[:] = 0
                mass, tail = 0.0, 0
                for h in range(n_hits):
                    slot = hits[h, 1]
                    if counts[slot] == 0:
                        mass += idf[terms[base + slot]]
                    counts[slot] += 1
                    while hits[h, 0] - hits[tail, 0] >= window:
                        leaving = hits[tail, 1]
                        counts[leaving] -= 1
                        if counts[leaving] == 0:
                            mass -= idf[terms[base + leaving]]
                        tail += 1
                    best_window[row] = max(best_window[row], mass)
                # The longest piece of the query that stands in the document word by word.
                runs[:] = 0
                for h in range(n_hits):
                    now, before = h & 1, 1 - (h & 1)
                    if h and hits[h, 0] != hits[h - 1, 0] + 1:
                        runs[before, :] = 0
                    for j in range(len(query)):
                        runs[now, j + 1] = runs[before, j] + 1 if query[j] == hits[h, 1] else 0
                        phrase[row] = max(phrase[row], runs[now, j + 1])
                for p in range(n_pairs):
                    left = pairs[pair_offsets[q] + p, 0]
                    right = pairs[pair_offsets[q] + p, 1]
                    at = pair_entry_offsets[row] + p
                    last_left, last_right = -1, -1
                    for h in range(n_hits):
                        slot, position = hits[h, 1], hits[h, 0]
                        if slot == left:
                            last_left = position
                        elif slot == right:
                            if h and hits[h - 1, 1] == left and hits[h - 1, 0] == position - 1:
                                ordered[at] += 1
                            last_right = position
                        else:
                            continue
                        close = abs(last_left - last_right) < pair_window
                        if last_left >= 0 and last_right >= 0 and close:
                            unordered[at] += 1
                            last_left, last_right = -1, -1
        for slot in range(n_slots):
            slot_of_term[terms[base + slot]] = -1
