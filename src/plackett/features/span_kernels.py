"""The shortest stretch that holds what a candidate has of the query, and exact copies of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["measure_spans"]


@njit(cache=True, nogil=True)
def shortest_span(hits, n_hits, counts):  # type: ignore[no-untyped-def]  # pragma: no cover
    """`(distinct slots, tokens of the shortest stretch that holds them all)` of one field's hits.

    `hits` `[n, 2]` are positions and slots, positions ascending; `counts`, one a slot, are changed.
    """
    counts[:] = 0
    distinct = 0
    for h in range(n_hits):
        distinct += counts[hits[h, 1]] == 0
        counts[hits[h, 1]] += 1
    counts[:] = 0
    inside, tail, best = 0, 0, 0
    for h in range(n_hits):
        inside += counts[hits[h, 1]] == 0
        counts[hits[h, 1]] += 1
        while inside == distinct:
            width = hits[h, 0] - hits[tail, 0] + 1
            if best == 0 or width < best:
                best = width
            counts[hits[tail, 1]] -= 1
            inside -= counts[hits[tail, 1]] == 0
            tail += 1
    return distinct, best


@njit(cache=True, nogil=True)
def measure_spans(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    term_offsets: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    sequence_offsets: npt.NDArray[np.int64],
    sequence: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    n_terms: int,
    density: npt.NDArray[np.float64],
    copies: npt.NDArray[np.bool_],
) -> None:
    """Fill `density[rows]` and `copies[F, rows]` for queries `first_query..last_query - 1`.

    The density is that of the field where most distinct query terms stand, and among those in the
    shortest stretch: the terms over the tokens of the stretch, 0 for less than two. A copy is a
    field whose tokens are those of the query in its order.
    """
    slot_of_term = np.full(n_terms, -1, np.int32)
    longest = 0
    for row in range(row_offsets[first_query], row_offsets[last_query]):
        for f in range(n_fields):
            segment = documents[row] * n_fields + f
            longest = max(longest, token_offsets[segment + 1] - token_offsets[segment])
    hits = np.empty((longest, 2), np.int64)
    for q in range(first_query, last_query):
        base = term_offsets[q]
        n_slots = term_offsets[q + 1] - base
        query = sequence[sequence_offsets[q] : sequence_offsets[q + 1]]
        for slot in range(n_slots):
            slot_of_term[terms[base + slot]] = slot
        counts = np.zeros(n_slots, np.int64)
        for row in range(row_offsets[q], row_offsets[q + 1]):
            most = 1
            for f in range(n_fields):
                segment = documents[row] * n_fields + f
                begin, end = token_offsets[segment], token_offsets[segment + 1]
                n_hits = 0
                same = end - begin == len(query) and len(query) > 0
                for at in range(begin, end):
                    slot = slot_of_term[tokens[at]]
                    if same and slot != query[at - begin]:
                        same = False
                    if slot >= 0:
                        hits[n_hits, 0] = at - begin
                        hits[n_hits, 1] = slot
                        n_hits += 1
                copies[f, row] = same
                distinct, width = shortest_span(hits, n_hits, counts)
                if distinct > most or (distinct == most and distinct > 1):
                    value = distinct / width
                    density[row] = value if distinct > most else max(density[row], value)
                    most = distinct
        for slot in range(n_slots):
            slot_of_term[terms[base + slot]] = -1
