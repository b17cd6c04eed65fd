"""Searching by centroids: ever finer scores of ever fewer documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import LANES, in_lanes, read_only
from plackett.retrievers.late.searching import (
    Floats,
    Found,
    Rows,
    TokenSearcher,
    allowed_rows,
    best_by_max_sim,
    best_rows,
)
from plackett.retrievers.segments.structure import Allowed

if TYPE_CHECKING:
    from plackett.retrievers.late.plaid import Depths

__all__ = ["Compressed", "PlaidSearcher"]

MOST_PROBES = 64
"""More nearest centroids than these are found by sorting all."""


@dataclass(frozen=True, eq=False)
class Compressed:
    """Tokens as centroids and residuals.

    Parameters
    ----------
    centroids : `float32[c, d]`.
    codes : `uint16[t]` or `int32[t]`, the centroid of every token.
    residuals : `uint8[t, d * bits / 8]`, the buckets of what is left of it.
    weights : `float32[2**bits]`, what each bucket stands for.
    starts, listed : `int64[c + 1]`, `int32[...]`, the documents of each centroid.
    bits : of a component's bucket.
    unit : whether vectors have length 1.
    """

    centroids: Floats
    codes: npt.NDArray[Any]
    residuals: npt.NDArray[np.uint8]
    weights: Floats
    starts: npt.NDArray[np.int64]
    listed: npt.NDArray[np.int32]
    bits: int
    unit: bool


class _Asked:
    """One query: its products with all centroids, and rough scores of documents by them."""

    def __init__(
        self, query: Floats, compressed: Compressed, offsets: npt.NDArray[np.int64]
    ) -> None:
        from plackett.retrievers.late.plaid_kernels import centroid_scores

        self._held, self._offsets, self._tokens = compressed, offsets, len(query)
        self._columns = in_lanes(np.asarray(query, dtype=np.float32))
        count = len(compressed.centroids)
        self._scores = np.empty((count, len(self._columns), LANES), dtype=np.float32)
        centroid_scores(compressed.centroids, self._columns, self._scores)
        self._products = self._scores.reshape(count, -1)[:, : self._tokens]
        self._greatest = self._products.max(axis=1)

    def nearest(self, probes: int) -> npt.NDArray[np.int32]:
        """The nearest centroids of each query token, `[tokens, probes]`, or all, `[1, c]`."""
        from plackett.retrievers.late.plaid_kernels import nearest_lists

        count = len(self._products)
        if probes >= count:
            return np.arange(count, dtype=np.int32)[None, :]
        if probes > MOST_PROBES:
            order = np.argsort(-self._products, axis=0, kind="stable")[:probes]
            return np.ascontiguousarray(order.T.astype(np.int32))
        chosen = np.empty((self._tokens, probes), dtype=np.int32)
        nearest_lists(self._scores, self._tokens, chosen)
        return chosen

    def by_centroids(self, rows: Rows, threshold: float | None) -> Floats:
        """MaxSim with centroids in place of vectors, those below the threshold passed over."""
        from plackett.retrievers.late.plaid_kernels import scores_by_centroids

        out = np.empty(len(rows), dtype=np.float32)
        limit, least = (-np.inf, -np.inf) if threshold is None else (threshold, 0.0)
        scores_by_centroids(
            self._held.codes,
            self._offsets,
            rows,
            self._scores,
            self._greatest,
            np.float32(limit),
            np.float32(least),
            self._tokens,
            out,
        )
        return out

    def by_residuals(self, rows: Rows) -> Floats:
        """MaxSim with the vectors that centroids and residuals stand for."""
        from plackett.retrievers.late.plaid_kernels import scores_by_residuals

        out = np.empty(len(rows), dtype=np.float32)
        scores_by_residuals(
            self._held.codes,
            self._offsets,
            rows,
            self._held.centroids,
            self._held.residuals,
            self._held.weights,
            self._held.bits,
            self._held.unit,
            self._columns,
            self._tokens,
            out,
        )
        return out


class PlaidSearcher(TokenSearcher):
    """Looks closely at few documents.

    Parameters
    ----------
    vectors : whole.
    compressed : the same as centroids and residuals.
    depths : how much a search for k documents looks at, given whether vectors have length 1.
    """

    def __init__(
        self, vectors: TokenVectors, compressed: Compressed, depths: Callable[..., Depths]
    ) -> None:
        self._vectors, self._depths, self._compressed = vectors, depths, compressed
        self._offsets = read_only(np.asarray(vectors.offsets))
        self._filled = np.diff(self._offsets) > 0

    def found(self, query: Floats, k: int, allowed: Allowed | None, threads: int) -> Found:
        """The `k` best documents that were looked at closely."""
        rows = allowed_rows(self._vectors, allowed)
        k = min(k, len(rows))
        depths = self._depths(max(k, 1), unit=self._compressed.unit)
        nothing = len(query) == 0 or len(self._compressed.centroids) == 0
        if len(rows) <= depths.decompressed or nothing:
            return best_by_max_sim(query, self._vectors, rows, k, threads=threads)
        asked = _Asked(query, self._compressed, self._offsets)
        candidates = self._listed(asked, rows, k, depths.probes)
        if depths.threshold is not None:
            rough = partial(asked.by_centroids, threshold=depths.threshold)
            candidates = _best(candidates, rough, depths.candidates)
        rough = partial(asked.by_centroids, threshold=None)
        candidates = _best(candidates, rough, depths.decompressed)
        candidates = _best(candidates, asked.by_residuals, depths.rescored)
        # A document without tokens scores 0, and may come before one whose score is below.
        empty = rows[~self._filled[rows]][:k]
        final = np.sort(np.concatenate([candidates, empty]))
        return best_by_max_sim(query, self._vectors, final, k, threads=threads)

    def _listed(self, asked: _Asked, rows: Rows, k: int, probes: int) -> Rows:
        """The allowed documents at the nearest centroids, at least k where there are so many."""
        from plackett.retrievers.late.plaid_kernels import mark_listed

        held = self._compressed
        needed = min(k, int(np.count_nonzero(self._filled[rows])))
        seen = np.zeros(len(held.centroids), dtype=np.bool_)
        marks = np.zeros(len(self._vectors), dtype=np.bool_)
        while True:
            mark_listed(held.starts, held.listed, asked.nearest(probes), seen, marks)
            candidates: Rows = rows[marks[rows]]
            if len(candidates) >= needed:
                return candidates
            probes *= 4


def _best(candidates: Rows, score: Callable[[Rows], Floats], count: int) -> Rows:
    """The candidates with the best scores, in the order of their rows; all where they are few."""
    if len(candidates) <= count:
        return candidates
    return np.sort(best_rows(candidates, score(candidates), count)[0]).astype(np.int64)
