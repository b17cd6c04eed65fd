"""Products of queries and vectors, with the best of each query kept in a heap (compiled).

A product is always that of four queries and one decoded vector, by one loop: its value depends on
neither the other queries, nor the other documents, nor the threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

TILE = 4
"""Queries whose products with one vector are taken together."""
BLOCK = 8
"""Vectors that are decoded at a time; they stay in the processor's nearest memory."""
HALF_SCALE = np.float32(2.0**112)
"""The exponent of a half-precision number, moved to single precision, is short by 112."""


@njit(cache=True, nogil=True, inline="always")
def is_worse(score: Any, row: Any, other_score: Any, other_row: Any) -> Any:  # pragma: no cover
    return score < other_score or (score == other_score and row > other_row)


@njit(cache=True, nogil=True)
def sift_down(scores: Any, rows: Any, size: int) -> None:  # pragma: no cover
    """Put the first entry of a heap, whose worst is first, where it belongs."""
    score, row, place = scores[0], rows[0], 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and is_worse(scores[other], rows[other], scores[child], rows[child]):
            child = other
        if not is_worse(scores[child], rows[child], score, row):
            break
        scores[place], rows[place] = scores[child], rows[child]
        place = child
    scores[place], rows[place] = score, row


@njit(cache=True, nogil=True)
def push(scores: Any, rows: Any, size: int, score: Any, row: Any) -> None:  # pragma: no cover
    """Add an entry to a heap of `size` entries that has room for it."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if not is_worse(score, row, scores[parent], rows[parent]):
            break
        scores[place], rows[place] = scores[parent], rows[parent]
        place = parent
    scores[place], rows[place] = score, row


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _decode(codes: Any, scale: Any, half: bool, into: Any) -> None:  # pragma: no cover
    """Write the numbers that the codes of one vector stand for."""
    if half:
        for j in range(len(codes)):
            # All of it in 32 bits, for many numbers to be decoded at once.
            bits = np.int32(codes[j])
            sign = (bits & np.int32(0x8000)) << np.int32(16)
            rest = (bits & np.int32(0x7FFF)) << np.int32(13)
            into[j] = np.int32(sign | rest).view(np.float32) * HALF_SCALE
    else:
        for j in range(len(codes)):
            into[j] = np.float32(codes[j]) * scale


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _four_products(queries: Any, vector: Any, into: Any) -> None:  # pragma: no cover
    """The products of four queries, `[4, d]`, with one vector."""
    first = second = third = fourth = np.float32(0)
    for j in range(len(vector)):
        value = vector[j]
        first += queries[0, j] * value
        second += queries[1, j] * value
        third += queries[2, j] * value
        fourth += queries[3, j] * value
    into[0], into[1], into[2], into[3] = first, second, third, fourth


@njit(cache=True, nogil=True)
def scan(
    queries: Any,
    codes: Any,
    scales: Any,
    half: bool,
    rows: Any,
    real: int,
    best_scores: Any,
    best_rows: Any,
) -> None:  # pragma: no cover
    """Keep the best of some rows for every query, as a heap whose worst is first.

    Parameters
    ----------
    queries : `float32[q, d]`, of which `q` is a multiple of four.
    codes : `[n, d]` float32, int8, or the bits of float16 as uint16.
    scales : `float32[n]` that the codes are multiplied with, or of length 0 for 1.
    half : whether the codes are bits of float16.
    rows : `int64[m]`, which rows to look at; distinct.
    real : how many of the queries are no padding.
    best_scores, best_rows : `float32[q, k]`, `int32[q, k]`, to fill; `k` is at most `m`.
    """
    kept = best_scores.shape[1]
    block = np.empty((BLOCK, codes.shape[1]), dtype=np.float32)
    products = np.empty(TILE, dtype=np.float32)
    for start in range(0, len(rows), BLOCK):
        size = min(BLOCK, len(rows) - start)
        for i in range(size):
            row = rows[start + i]
            scale = scales[row] if len(scales) else np.float32(1)
            _decode(codes[row], scale, half, block[i])
        for tile in range(0, real, TILE):
            for i in range(size):
                _four_products(queries[tile : tile + TILE], block[i], products)
                held, row = start + i, np.int32(rows[start + i])
                for t in range(min(TILE, real - tile)):
                    q = tile + t
                    if held < kept:
                        push(best_scores[q], best_rows[q], held, products[t], row)
                    elif is_worse(best_scores[q, 0], best_rows[q, 0], products[t], row):
                        best_scores[q, 0], best_rows[q, 0] = products[t], row
                        sift_down(best_scores[q], best_rows[q], kept)


@njit(cache=True, nogil=True)
def scan_own(
    queries: Any,
    codes: Any,
    scales: Any,
    half: bool,
    rows: Any,
    counts: Any,
    best_scores: Any,
    best_rows: Any,
) -> None:  # pragma: no cover
    """Keep the best of each query's own rows.

    Parameters
    ----------
    queries : `float32[q, d]`.
    rows, counts : `int64[q, m]` and `int64[q]`; the first `counts[q]` of a row are looked at.
    best_scores, best_rows : `[q, k]`, to fill with at most `counts[q]` entries.
    """
    padded = np.zeros((TILE, queries.shape[1]), dtype=np.float32)
    for q in range(len(queries)):
        padded[0] = queries[q]
        kept = min(best_scores.shape[1], counts[q])
        scan(
            padded,
            codes,
            scales,
            half,
            rows[q, : counts[q]],
            1,
            best_scores[q : q + 1, :kept],
            best_rows[q : q + 1, :kept],
        )
