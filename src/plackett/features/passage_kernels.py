"""The best passage of each candidate, and the weight of its distinct terms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["best_passages", "distinct_mass"]


@njit(cache=True, nogil=True)
def best_passages(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    term_offsets: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    idf: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    windows: tuple[int, int, int],
    half: float,
    out: npt.NDArray[np.float64],
) -> None:
    """out[row, w] = max over passages of `windows[w]` tokens of sum of idf c / (c + half).

    c is how often the term occurs in the passage, which lies in one field.
    """
    slot_of_term = np.full(len(idf), -1, np.int32)
    for q in range(first_query, last_query):
        base, slots = term_offsets[q], term_offsets[q + 1] - term_offsets[q]
        for slot in range(slots):
            slot_of_term[terms[base + slot]] = slot
        weight = idf[terms[base : base + slots]]
        for row in range(row_offsets[q], row_offsets[q + 1]):
            for f in range(n_fields):
                segment = documents[row] * n_fields + f
                begin, end = token_offsets[segment], token_offsets[segment + 1]
                hits = np.empty((end - begin, 2), np.int64)
                n_hits = 0
                for at in range(begin, end):
                    if slot_of_term[tokens[at]] >= 0:
                        hits[n_hits, 0], hits[n_hits, 1] = at - begin, slot_of_term[tokens[at]]
                        n_hits += 1
                for w in range(len(windows)):
                    found = _best(hits[:n_hits], weight, windows[w], half)
                    out[row, w] = max(out[row, w], found)
        for slot in range(slots):
            slot_of_term[terms[base + slot]] = -1


@njit(cache=True, nogil=True)
def _best(  # pragma: no cover
    hits: npt.NDArray[np.int64], weight: npt.NDArray[np.float64], window: int, half: float
) -> float:
    """The score of the best passage of one field; `hits` are positions and slots."""
    counts = np.zeros(len(weight), np.int64)
    best, tail = 0.0, 0
    for h in range(len(hits)):
        counts[hits[h, 1]] += 1
        while hits[h, 0] - hits[tail, 0] >= window:
            counts[hits[tail, 1]] -= 1
            tail += 1
        score = 0.0
        for slot in range(len(weight)):
            score += weight[slot] * counts[slot] / (counts[slot] + half)
        best = max(best, score)
    return best


@njit(cache=True, nogil=True)
def distinct_mass(  # pragma: no cover
    documents: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    mass: npt.NDArray[np.float64],
) -> None:
    """mass[f, i] = the sum of idf over the distinct terms of field f of document i.

    The last row of `mass` `[F + 1, n]` is that of the whole document.
    """
    latest = np.full((len(idf), 2), -1, np.int32)  # the document, and the field of a document
    for i in range(len(documents)):
        whole = 0.0
        for f in range(n_fields):
            segment = documents[i] * n_fields + f
            total = 0.0
            for at in range(token_offsets[segment], token_offsets[segment + 1]):
                term = tokens[at]
                if latest[term, 0] != i:
                    latest[term, 0], latest[term, 1] = i, -1
                    whole += idf[term]
                if latest[term, 1] != f:
                    latest[term, 1] = f
                    total += idf[term]
            mass[f, i] = total
        mass[n_fields, i] = whole
