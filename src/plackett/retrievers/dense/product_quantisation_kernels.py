"""Vectors in parts, each a byte that names a centroid: assigning, and scoring (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from plackett.retrievers.dense.scan_kernels import is_worse, push, sift_down

BLOCK = 1_024
"""Codes lie in blocks of so many documents, part by part: those of one part are read at once."""
FOUR = 4


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def rotate(vectors: Any, rotation: Any, into: Any) -> None:  # pragma: no cover
    """Write `vectors @ rotation`; a row depends on no other row.

    Parameters
    ----------
    vectors, rotation, into : `float32[n, d]`, `float32[d, e]`, `float32[n, e]`.
    """
    n, d = vectors.shape
    into[:] = 0
    for start in range(0, n, FOUR):
        stop = min(start + FOUR, n)
        for j in range(d):
            row = rotation[j]
            for i in range(start, stop):
                value = vectors[i, j]
                target = into[i]
                for c in range(len(row)):
                    target[c] += value * row[c]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def nearest_centroids(
    vectors: Any, centroids: Any, halves: Any, bounds: Any, codes: Any
) -> None:  # pragma: no cover
    """The nearest centroid of each part of each vector; of equally near ones the first.

    Parameters
    ----------
    vectors : `float32[n, d]`.
    centroids : `float32[d, c]`, component j of every centroid of the part that j is in.
    halves : `float32[m, c]`, half the square of each centroid's length.
    bounds : `int64[m + 1]`: part p is the components from `bounds[p]` to `bounds[p + 1]`.
    codes : `uint8[n, m]`, to fill.
    """
    distances = np.empty(centroids.shape[1], dtype=np.float32)
    for i in range(len(vectors)):
        for p in range(len(bounds) - 1):
            distances[:] = halves[p]
            for j in range(bounds[p], bounds[p + 1]):
                value = vectors[i, j]
                row = centroids[j]
                for c in range(len(distances)):
                    distances[c] -= value * row[c]
            least = np.float32(np.inf)
            for c in range(len(distances)):
                least = min(least, distances[c])
            best = 0
            while distances[best] != least:
                best += 1
            codes[i, p] = best


@njit(cache=True, nogil=True)
def centroid_sums(
    vectors: Any, codes: Any, bounds: Any, sums: Any, counts: Any
) -> None:  # pragma: no cover
    """Add up the parts of the vectors that are assigned to each centroid.

    Parameters
    ----------
    sums, counts : `float64[c, d]`, `int64[m, c]`, of zeros.
    """
    for i in range(len(vectors)):
        for p in range(len(bounds) - 1):
            code = codes[i, p]
            counts[p, code] += 1
            for j in range(bounds[p], bounds[p + 1]):
                sums[code, j] += vectors[i, j]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def product_table(query: Any, centroids: Any, bounds: Any, table: Any) -> None:  # pragma: no cover
    """The products of each part of a query with every centroid of the part, `float32[m, c]`."""
    for p in range(len(bounds) - 1):
        table[p] = 0
        for j in range(bounds[p], bounds[p + 1]):
            row = centroids[j]
            for c in range(len(row)):
                table[p, c] += query[j] * row[c]


@njit(cache=True, nogil=True)
def _block_scores(codes: Any, table: Any, scores: Any) -> None:  # pragma: no cover
    """The sums of a table's entries for the codes of one block, `uint8[m, BLOCK]`."""
    parts = len(codes)
    whole = parts - parts % FOUR
    scores[:] = 0
    for p in range(0, whole, FOUR):
        for i in range(BLOCK):
            first = table[p, codes[p, i]] + table[p + 1, codes[p + 1, i]]
            second = table[p + 2, codes[p + 2, i]] + table[p + 3, codes[p + 3, i]]
            scores[i] += first + second
    for p in range(whole, parts):
        for i in range(BLOCK):
            scores[i] += table[p, codes[p, i]]


@njit(cache=True, nogil=True)
def scan_codes(
    blocks: Any, n: int, allowed: Any, tables: Any, best_scores: Any, best_rows: Any
) -> None:  # pragma: no cover
    """Keep the best rows of each query, as a heap whose worst is first.

    Parameters
    ----------
    blocks : `uint8[b, m, BLOCK]`, the codes of `n` documents; what is beyond them is not looked at.
    allowed : `bool[n]`, which rows may be found, or of length 0 for all.
    tables : `float32[q, m, c]`, of `product_table`.
    best_scores, best_rows : `float32[q, k]`, `int32[q, k]`, to fill; at least `k` are allowed.
    """
    scores = np.empty(BLOCK, dtype=np.float32)
    kept = best_scores.shape[1]
    held = np.zeros(len(tables), dtype=np.int64)
    filtered = len(allowed) > 0
    for b in range(len(blocks)):
        start = b * BLOCK
        size = min(BLOCK, n - start)
        for q in range(len(tables)):
            _block_scores(blocks[b], tables[q], scores)
            mine, rows, full = best_scores[q], best_rows[q], held[q]
            for i in range(size):
                row = np.int32(start + i)
                if filtered and not allowed[row]:
                    continue
                if full < kept:
                    push(mine, rows, full, scores[i], row)
                    full += 1
                elif is_worse(mine[0], rows[0], scores[i], row):
                    mine[0], rows[0] = scores[i], row
                    sift_down(mine, rows, kept)
            held[q] = full
