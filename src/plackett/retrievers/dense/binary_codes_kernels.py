"""Signs of components packed in words: how many differ, and the nearest of all (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

ROWS = 512
"""Codes that are compared with one query after the other; they stay in the nearest memory."""
WORD, BYTE = 64, 8
_PAIRS = np.uint64(0x5555555555555555)
_FOURS = np.uint64(0x3333333333333333)
_EIGHTS = np.uint64(0x0F0F0F0F0F0F0F0F)
_ONES = np.uint64(0x0101010101010101)
_ONE, _TWO, _FOUR = np.uint64(1), np.uint64(2), np.uint64(4)
_TOP, _BYTE_MASK = np.uint64(56), np.uint64(255)


@njit(cache=True, nogil=True, inline="always")
def _set_bits(word: Any) -> Any:  # pragma: no cover
    """How many bits of a word are set; the compiler knows these steps as one instruction."""
    word = word - ((word >> _ONE) & _PAIRS)
    word = (word & _FOURS) + ((word >> _TWO) & _FOURS)
    word = (word + (word >> _FOUR)) & _EIGHTS
    return (word * _ONES) >> _TOP


@njit(cache=True, nogil=True)
def pack_signs(vectors: Any, into: Any) -> None:  # pragma: no cover
    """Set bit j of a row where component j is not below 0.

    Parameters
    ----------
    vectors : `float32[n, d]`.
    into : `uint64[n, w]` of zeros, `w` = d / 64 rounded up.
    """
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            if vectors[i, j] >= 0:
                into[i, j // WORD] |= _ONE << np.uint64(j % WORD)


@njit(cache=True, nogil=True)
def _distances(
    codes: Any, start: int, stop: int, query: Any, into: Any
) -> None:  # pragma: no cover
    """How many bits of each of some codes differ from the query's."""
    for i in range(start, stop):
        differing = np.uint64(0)
        for j in range(len(query)):
            differing += _set_bits(codes[i, j] ^ query[j])
        into[i - start] = differing


@njit(cache=True, nogil=True)
def _shrink(
    rows: Any, distances: Any, held: int, kept: int, counts: Any
) -> int:  # pragma: no cover
    """Keep the `kept` nearest of `held` rows, in the order they are in; give back the worst's.

    Of equal distances the rows that come first stay.
    """
    counts[:] = 0
    for i in range(held):
        counts[distances[i]] += 1
    before, limit = 0, 0
    while before + counts[limit] < kept:
        before += counts[limit]
        limit += 1
    room, place = kept - before, 0
    for i in range(held):
        distance = distances[i]
        if distance > limit or (distance == limit and room == 0):
            continue
        if distance == limit:
            room -= 1
        rows[place], distances[place] = rows[i], distance
        place += 1
    return limit


@njit(cache=True, nogil=True)
def nearest_codes(codes: Any, allowed: Any, queries: Any, found: Any) -> None:  # pragma: no cover
    """The rows whose codes differ least from each query's, ascending by row.

    Of equal distances the lower rows are taken. A row enters only where it is nearer than the worst
    of the best so far; up to as many again are held before the worst are dropped by counting.

    Parameters
    ----------
    codes : `uint64[n, w]`.
    allowed : `bool[n]`, which rows may be found, or of length 0 for all.
    queries : `uint64[q, w]`.
    found : `int64[q, m]`, to fill; at least `m` rows are allowed.
    """
    n, wanted = len(codes), found.shape[1]
    bits = WORD * codes.shape[1]
    room = 2 * wanted + ROWS
    rows = np.empty((len(queries), room), dtype=np.int64)
    held_distances = np.empty((len(queries), room), dtype=np.int32)
    held = np.zeros(len(queries), dtype=np.int64)
    limits = np.full(len(queries), bits + 1, dtype=np.int64)
    counts = np.empty(bits + 1, dtype=np.int64)
    distances = np.empty(ROWS, dtype=np.int32)
    filtered = len(allowed) > 0
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        for q in range(len(queries)):
            _distances(codes, start, stop, queries[q], distances)
            place, limit = held[q], limits[q]
            for i in range(stop - start):
                if distances[i] < limit and (not filtered or allowed[start + i]):
                    rows[q, place], held_distances[q, place] = start + i, distances[i]
                    place += 1
            if place >= 2 * wanted:
                limits[q] = _shrink(rows[q], held_distances[q], place, wanted, counts)
                place = wanted
            held[q] = place
    for q in range(len(queries)):
        _shrink(rows[q], held_distances[q], held[q], wanted, counts)
        found[q] = rows[q, :wanted]


@njit(cache=True, nogil=True)
def _sign_table(query: Any, table: Any) -> None:  # pragma: no cover
    """The products of a query with every byte of signs: `table[b, v]` for value v of byte b."""
    for b in range(len(table)):
        stop = min(len(query), BYTE * (b + 1))
        total = np.float32(0)
        for j in range(BYTE * b, stop):
            total += query[j]
        table[b, 0] = -total
        for value in range(1, 256):
            lowest = 0
            while not value >> lowest & 1:
                lowest += 1
            j = BYTE * b + lowest
            more = np.float32(2) * query[j] if j < stop else np.float32(0)
            table[b, value] = table[b, value & (value - 1)] + more


@njit(cache=True, nogil=True)
def sign_products(codes: Any, queries: Any, rows: Any, scores: Any) -> None:  # pragma: no cover
    """The product of each query with the signs, 1 or -1, of its own rows.

    Parameters
    ----------
    codes : `uint64[n, w]`.
    queries : `float32[q, d]`, `w` = d / 64 rounded up.
    rows : `int64[q, m]`.
    scores : `float32[q, m]`, to fill.
    """
    words = codes.shape[1]
    each = WORD // BYTE
    table = np.empty((each * words, 256), dtype=np.float32)
    for q in range(len(queries)):
        _sign_table(queries[q], table)
        for i in range(rows.shape[1]):
            score = np.float32(0)
            for w in range(words):
                word = codes[rows[q, i], w]
                for b in range(each):
                    score += table[each * w + b, (word >> np.uint64(BYTE * b)) & _BYTE_MASK]
            scores[q, i] = score
