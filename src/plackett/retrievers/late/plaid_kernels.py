"""The stages of a search by centroids: near ones, candidates, rough scores (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from plackett.encoders.max_sim import LANES
from plackett.encoders.max_sim_kernels import fold_maxima, sum_of_maxima
from plackett.encoders.max_sim_tile import ROWS, tile_products

__all__ = [
    "centroid_scores",
    "mark_listed",
    "nearest_lists",
    "scores_by_centroids",
    "scores_by_residuals",
]


@njit(cache=True, nogil=True)
def centroid_scores(centroids: Any, columns: Any, scores: Any) -> None:  # pragma: no cover
    """scores[c, g] = the products of centroid c with the query tokens of group g.

    Parameters
    ----------
    centroids : `float32[c, d]`.
    columns : `float32[groups, d, LANES]`, the query's tokens.
    scores : `float32[c, groups, LANES]`, to fill.
    """
    products = np.empty((ROWS, LANES), np.float32)
    depth = centroids.shape[1]
    for start in range(0, len(centroids), ROWS):
        size = min(ROWS, len(centroids) - start)
        for group in range(len(columns)):
            tile_products(centroids[start:], columns[group], depth, size - 1, products)
            for r in range(size):
                for c in range(LANES):
                    scores[start + r, group, c] = products[r, c]


@njit(cache=True, nogil=True)
def nearest_lists(scores: Any, tokens: int, chosen: Any) -> None:  # pragma: no cover
    """The centroids with the greatest products of each query token; of equal ones the first.

    Parameters
    ----------
    scores : of `centroid_scores`.
    chosen : `int32[tokens, probes]`, to fill; there are at least so many centroids.
    """
    probes = chosen.shape[1]
    values = np.empty((tokens, probes), np.float32)
    values[:] = -np.inf
    chosen[:] = -1
    for centroid in range(len(scores)):
        for j in range(tokens):
            score = scores[centroid, j // LANES, j % LANES]
            if score > values[j, probes - 1] or chosen[j, probes - 1] < 0:
                place = probes - 1
                while place > 0 and (chosen[j, place - 1] < 0 or score > values[j, place - 1]):
                    values[j, place], chosen[j, place] = values[j, place - 1], chosen[j, place - 1]
                    place -= 1
                values[j, place], chosen[j, place] = score, centroid


@njit(cache=True, nogil=True)
def mark_listed(
    starts: Any, documents: Any, chosen: Any, seen: Any, marks: Any
) -> None:  # pragma: no cover
    """Mark the documents that stand in the lists of the chosen centroids.

    Parameters
    ----------
    starts, documents : `int64[c + 1]` and `int32[...]`, the lists.
    chosen : `int32[tokens, probes]`.
    seen, marks : `bool[c]` and `bool[n]`, false to begin.
    """
    for centroid in chosen.ravel():
        if seen[centroid]:
            continue
        seen[centroid] = True
        for place in range(starts[centroid], starts[centroid + 1]):
            marks[documents[place]] = True


@njit(cache=True, nogil=True)
def scores_by_centroids(
    codes: Any,
    offsets: Any,
    rows: Any,
    scores: Any,
    greatest: Any,
    threshold: Any,
    floor: Any,
    tokens: int,
    out: Any,
) -> None:  # pragma: no cover
    """MaxSim with the centroids of the documents' tokens in place of their vectors.

    Parameters
    ----------
    codes, offsets : the centroid of every token, and where each document's tokens are.
    rows : `int64[r]`, documents that have tokens.
    scores : of `centroid_scores`.
    greatest : `float32[c]`, the greatest product of each centroid with any query token.
    threshold : centroids whose greatest product is below it are passed over.
    floor : the product of a query token that no centroid is left for.
    """
    groups = scores.shape[1]
    best = np.empty((groups, LANES), np.float32)
    for i in range(len(rows)):
        best[:] = floor
        for t in range(offsets[rows[i]], offsets[rows[i] + 1]):
            code = codes[t]
            if greatest[code] < threshold:
                continue
            for group in range(groups):
                for c in range(LANES):
                    best[group, c] = max(best[group, c], scores[code, group, c])
        out[i] = sum_of_maxima(best, tokens)


@njit(cache=True, nogil=True, inline="always")
def _decode(
    centroid: Any, packed: Any, weights: Any, bits: int, unit: bool, into: Any
) -> None:  # pragma: no cover
    """The vector that a centroid and a packed residual stand for, of length 1 if `unit`."""
    size, mask = len(packed), np.uint8((1 << bits) - 1)
    for part in range(8 // bits):
        first, shift = part * size, np.uint8(part * bits)
        count = min(size, len(into) - first)
        bare, whole = centroid[first : first + count], into[first : first + count]
        for b in range(count):
            # An unsigned index is never counted from the end, so that many are read at once.
            whole[b] = bare[b] + weights[np.uint64((packed[b] >> shift) & mask)]
    if unit:
        total = np.float32(0)
        for i in range(len(into)):
            total += into[i] * into[i]
        if total > 0:
            factor = np.float32(1) / np.sqrt(total)
            for i in range(len(into)):
                into[i] *= factor


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def scores_by_residuals(
    codes: Any,
    offsets: Any,
    rows: Any,
    centroids: Any,
    packed: Any,
    weights: Any,
    bits: int,
    unit: bool,
    columns: Any,
    tokens: int,
    out: Any,
) -> None:  # pragma: no cover
    """MaxSim with the vectors that centroids and residuals stand for.

    Parameters
    ----------
    packed, weights : of `encode_residuals`, and the value of each bucket.
    unit : whether vectors have length 1.
    columns : `float32[groups, d, LANES]`, the query's tokens.
    """
    depth = centroids.shape[1]
    decoded = np.empty((ROWS, depth), np.float32)
    products = np.empty((ROWS, LANES), np.float32)
    best = np.empty((len(columns), LANES), np.float32)
    for i in range(len(rows)):
        best[:] = -np.inf
        begin, end = offsets[rows[i]], offsets[rows[i] + 1]
        for start in range(begin, end, ROWS):
            size = min(ROWS, end - start)
            for r in range(size):
                t = start + r
                _decode(centroids[codes[t]], packed[t], weights, bits, unit, decoded[r])
            for group in range(len(columns)):
                tile_products(decoded, columns[group], depth, size - 1, products)
                fold_maxima(products, best[group])
        out[i] = sum_of_maxima(best, tokens)
