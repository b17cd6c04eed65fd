"""Token vectors and their nearest centroids: k-means, codes, residuals, lists (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from plackett.encoders.max_sim import LANES
from plackett.encoders.max_sim_tile import ROWS, tile_products

__all__ = ["add_up", "encode_residuals", "fill_lists", "list_lengths", "nearest"]

BLOCK = 16 * ROWS
"""So many vectors stay in the processor's memory while the centroids pass by."""


@njit(cache=True, nogil=True)
def nearest(values: Any, columns: Any, half_squares: Any, codes: Any) -> None:  # pragma: no cover
    """codes[t] = the centroid c that is nearest to values[t]: the greatest x . c - |c|^2 / 2.

    Of equally near ones the first is taken.

    Parameters
    ----------
    values : `float32[t, d]`.
    columns : `float32[groups, d, LANES]`, the centroids.
    half_squares : `float32[groups, LANES]`, half of their squared lengths, infinite for padding.
    codes : `int32[t]`, to fill.
    """
    depth = values.shape[1]
    products = np.empty((ROWS, LANES), np.float32)
    best = np.empty((BLOCK, LANES), np.float32)
    group_of_best = np.empty((BLOCK, LANES), np.int32)
    for first in range(0, len(values), BLOCK):
        size = min(BLOCK, len(values) - first)
        best[:] = -np.inf
        group_of_best[:] = 0
        for group in range(len(columns)):
            for start in range(0, size, ROWS):
                block = values[first + start :]
                tile_products(block, columns[group], depth, size - start - 1, products)
                for r in range(min(ROWS, size - start)):
                    for c in range(LANES):
                        score = products[r, c] - half_squares[group, c]
                        better = score > best[start + r, c]
                        best[start + r, c] = score if better else best[start + r, c]
                        group_of_best[start + r, c] = (
                            np.int32(group) if better else group_of_best[start + r, c]
                        )
        for i in range(size):
            chosen, greatest = np.int32(0), np.float32(-np.inf)
            for c in range(LANES):
                code = group_of_best[i, c] * np.int32(LANES) + np.int32(c)
                score = best[i, c]
                if score > greatest or (score == greatest and code < chosen):
                    chosen, greatest = code, score
            codes[first + i] = chosen


@njit(cache=True, nogil=True)
def add_up(values: Any, codes: Any, sums: Any, counts: Any) -> None:  # pragma: no cover
    """Add every vector to the sum of its centroid, `float64[c, d]`, and count it."""
    for t in range(len(values)):
        code = codes[t]
        counts[code] += 1
        for i in range(values.shape[1]):
            sums[code, i] += values[t, i]


@njit(cache=True, nogil=True)
def encode_residuals(
    values: Any, codes: Any, centroids: Any, cutoffs: Any, bits: int, packed: Any
) -> None:  # pragma: no cover
    """The bucket of every component of x - c, `bits` bits each.

    Byte b of a vector holds the components b, b + B, b + 2 B ... of it, the first in its lowest
    bits, B being the number of bytes: neighbours are decoded together.

    Parameters
    ----------
    cutoffs : `float32[2**bits - 1]`, ascending; a bucket is how many of them are at most its value.
    packed : `uint8[t, B]`, zeros, to fill.
    """
    size = packed.shape[1]
    for t in range(len(values)):
        centroid = centroids[codes[t]]
        for i in range(values.shape[1]):
            residual = values[t, i] - centroid[i]
            bucket = 0
            for cutoff in cutoffs:
                if residual >= cutoff:
                    bucket += 1
            packed[t, i % size] |= np.uint8(bucket << (i // size * bits))


@njit(cache=True, nogil=True)
def list_lengths(codes: Any, offsets: Any, lengths: Any) -> None:  # pragma: no cover
    """lengths[c] = how many documents have a token of centroid c, `int64[c]`, zeros to begin."""
    seen = np.full(len(lengths), -1, np.int64)
    for document in range(len(offsets) - 1):
        for t in range(offsets[document], offsets[document + 1]):
            code = codes[t]
            if seen[code] != document:
                seen[code] = document
                lengths[code] += 1


@njit(cache=True, nogil=True)
def fill_lists(codes: Any, offsets: Any, ends: Any, documents: Any) -> None:  # pragma: no cover
    """The documents of each centroid's list, ascending.

    Parameters
    ----------
    ends : `int64[c]`, where each list begins; where it ends afterwards.
    documents : `int32[sum of lengths]`, to fill.
    """
    seen = np.full(len(ends), -1, np.int64)
    for document in range(len(offsets) - 1):
        for t in range(offsets[document], offsets[document + 1]):
            code = codes[t]
            if seen[code] != document:
                seen[code] = document
                documents[ends[code]] = document
                ends[code] += 1
