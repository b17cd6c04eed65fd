"""The greatest product of each query token within each document, summed (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from plackett.encoders.max_sim import LANES
from plackett.encoders.max_sim_tile import ROWS, tile_products

__all__ = ["fold_maxima", "half_to_single", "max_sim_of_halves", "max_sim_of_rows", "sum_of_maxima"]

HALF_SCALE = np.float32(2.0**112)
"""The exponent of a half-precision number, moved to single precision, is short by 112."""


@njit(cache=True, nogil=True, inline="always")
def fold_maxima(products: Any, best: Any) -> None:  # pragma: no cover
    """best[c] = the greatest of best[c] and products[r, c] over the rows r of a tile."""
    for r in range(ROWS):
        for c in range(LANES):
            best[c] = max(best[c], products[r, c])


@njit(cache=True, nogil=True)
def sum_of_maxima(best: Any, tokens: int) -> Any:  # pragma: no cover
    """The sum of the first `tokens` numbers of `[groups, LANES]`, in double precision."""
    total = 0.0
    for j in range(tokens):
        total += best[j // LANES, j % LANES]
    return np.float32(total)


@njit(cache=True, nogil=True, inline="always")
def half_to_single(bits: Any, into: Any) -> None:  # pragma: no cover
    """The numbers whose half-precision bits, `uint16[d]`, are given; finite ones."""
    for i in range(len(bits)):
        # All of it in 32 bits, for many numbers to be decoded at once.
        whole = np.int32(bits[i])
        sign = (whole & np.int32(0x8000)) << np.int32(16)
        rest = (whole & np.int32(0x7FFF)) << np.int32(13)
        into[i] = np.int32(sign | rest).view(np.float32) * HALF_SCALE


@njit(cache=True, nogil=True)
def max_sim_of_rows(
    values: Any, offsets: Any, rows: Any, columns: Any, tokens: int, out: Any
) -> None:  # pragma: no cover
    """out[i] = the sum over query tokens of the maximum over the tokens of document rows[i].

    Parameters
    ----------
    values : `float32[t, d]`, the vectors of all documents' tokens, one document after the other.
    offsets : `int64[n + 1]`, where each document's tokens are.
    rows : `int64[r]`, the documents to score.
    columns : `float32[groups, d, LANES]`, the query's tokens, of which `tokens` are no padding.
    out : `float32[r]`; 0 for a document without tokens.
    """
    depth = values.shape[1]
    products = np.empty((ROWS, LANES), np.float32)
    best = np.empty((len(columns), LANES), np.float32)
    for i in range(len(rows)):
        begin, end = offsets[rows[i]], offsets[rows[i] + 1]
        out[i] = 0.0
        if begin == end:
            continue
        best[:] = -np.inf
        for start in range(begin, end, ROWS):
            for group in range(len(columns)):
                tile_products(values[start:], columns[group], depth, end - start - 1, products)
                fold_maxima(products, best[group])
        out[i] = sum_of_maxima(best, tokens)


@njit(cache=True, nogil=True)
def max_sim_of_halves(
    bits: Any, offsets: Any, rows: Any, columns: Any, tokens: int, out: Any
) -> None:  # pragma: no cover
    """`max_sim_of_rows` of half-precision vectors, given by their bits, `uint16[t, d]`."""
    depth = bits.shape[1]
    decoded = np.empty((ROWS, depth), np.float32)
    products = np.empty((ROWS, LANES), np.float32)
    best = np.empty((len(columns), LANES), np.float32)
    for i in range(len(rows)):
        begin, end = offsets[rows[i]], offsets[rows[i] + 1]
        out[i] = 0.0
        if begin == end:
            continue
        best[:] = -np.inf
        for start in range(begin, end, ROWS):
            size = min(ROWS, end - start)
            for r in range(size):
                half_to_single(bits[start + r], decoded[r])
            for group in range(len(columns)):
                tile_products(decoded, columns[group], depth, size - 1, products)
                fold_maxima(products, best[group])
        out[i] = sum_of_maxima(best, tokens)
