"""Lists of impacts: what every posting adds to a score, and the exact search over them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import concatenate_ranges, lengths_to_offsets
from plackett.errors import ConfigurationError, DataError

__all__ = ["ImpactLists", "Ranking"]

Floats = npt.NDArray[np.float32]
Part = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], Floats]
NOTHING: Part = (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
# At most so many results are sorted at a time.
LARGEST_PART = 1 << 22


@dataclass(frozen=True)
class Ranking:
    """The results of several queries: `documents` and `scores` of query i lie in
    `offsets[i]:offsets[i + 1]`, best first."""

    offsets: npt.NDArray[np.int64]
    documents: npt.NDArray[np.int32]
    scores: Floats


@dataclass(frozen=True)
class ImpactLists:
    """The impact of every posting of `V` terms in `N` documents, with bounds.

    The score of a document is the float32 sum of `weight * impact` over the query's distinct terms,
    added in the order of the terms' largest possible contribution, the largest first (equal ones in
    the order of the query). Only documents with a positive score are results.

    Parameters
    ----------
    offsets : `int64[V + 1]`, where each term's postings lie.
    documents : `int32[P]`, ascending inside a term.
    impacts : `float32[P]`.
    rank : `int32[N]`, how equal scores are ordered: the higher rank first.
    upper : `float32[V]`, the largest impact of a term, at least 0.
    extent : `float32[V]`, the largest absolute impact.
    floors : `float32[V, 3]`, no more than the 10th, 100th and 1000th largest; of no rows where any
        impact is negative.
    block_offsets, block_max : `int64[V + 1]` and `float32[B]`, the largest impacts in blocks of
        2^s documents (see `bound_kernels`). They make some searches faster and change none; both
        are empty by default.

    >>> lists = ImpactLists.from_postings(
    ...     offsets=np.array([0, 2, 3]), documents=np.array([0, 1, 1], dtype=np.int32),
    ...     impacts=np.array([1.0, 0.5, 2.0], dtype=np.float32), rank=np.arange(2, dtype=np.int32))
    >>> lists.search(np.array([0, 2]), np.array([0, 1], dtype=np.int32), k=10).scores
    array([2.5, 1. ], dtype=float32)
    """

    offsets: npt.NDArray[np.int64]
    documents: npt.NDArray[np.int32]
    impacts: Floats
    rank: npt.NDArray[np.int32]
    upper: Floats
    extent: Floats
    floors: Floats
    block_offsets: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    block_max: Floats = field(default_factory=lambda: np.zeros(0, np.float32))

    @classmethod
    def from_postings(
        cls,
        *,
        offsets: npt.NDArray[np.int64],
        documents: npt.NDArray[np.int32],
        impacts: Floats,
        rank: npt.NDArray[np.int32],
    ) -> ImpactLists:
        """Lists whose bounds are found here, in one pass over the impacts."""
        from plackett.retrievers.inverted.bound_kernels import bound_blocks, lay_out_blocks
        from plackett.retrievers.inverted.impact_kernels import bound_impacts

        n_terms = len(offsets) - 1
        upper, extent = np.zeros(n_terms, np.float32), np.zeros(n_terms, np.float32)
        floors = np.zeros((n_terms, 3), np.float32)
        bound_impacts(_frozen(offsets), _frozen(impacts), upper, extent, floors)
        if len(impacts) and impacts.min() < 0:
            floors = floors[:0]
        block_offsets = np.zeros(n_terms + 1, np.int64)
        lay_out_blocks(_frozen(offsets), len(rank), block_offsets)
        block_max = np.empty(block_offsets[-1], np.float32)
        bound_blocks(
            np.arange(n_terms, dtype=np.int32),
            _frozen(offsets),
            _frozen(documents),
            _frozen(impacts),
            len(rank),
            block_offsets,
            block_max,
        )
        return cls(
            offsets, documents, impacts, rank, upper, extent, floors, block_offsets, block_max
        )

    def search(
        self,
        query_offsets: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int32],
        weights: Floats | None = None,
        *,
        k: int,
        threads: int = 1,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """The `k` best documents of every query, exactly.

        Parameters
        ----------
        query_offsets, terms : `int64[q + 1]` and `int32[t]`; a term that occurs twice counts twice.
        weights : `float32[t]`, 0 or more; all 1 by default.
        k : how many documents a query, 1 or more. Where documents tie for the last places, those
            with the lowest codes are in.
        threads : queries are dealt out to so many threads; the result does not depend on it.
        allowed : `bool[N]`, the documents that may be results; all by default.

        Raises
        ------
        DataError : a weight is negative or no number, a term is none.
        """
        _check(k, threads)
        n_queries = len(query_offsets) - 1
        if weights is None:
            weights = np.ones(len(terms), dtype=np.float32)
        self._check_query(terms, weights)
        if allowed is None:
            mask = np.zeros(0, dtype=np.bool_)
        elif allowed.shape == self.rank.shape:
            mask = np.ascontiguousarray(allowed, dtype=np.bool_)
        else:
            raise DataError(f"allowed of shape {allowed.shape}", expected=str(self.rank.shape))
        k = min(k, max(len(self.rank), 1))
        # Parts are small: threads share the work evenly, and the results of one fit in memory.
        size = max(1, min(LARGEST_PART // k, -(-n_queries // (4 * threads if threads > 1 else 1))))
        parts = [query_offsets[i : i + size + 1] for i in range(0, n_queries, size)]

        def search_part(part: npt.NDArray[np.int64]) -> Part:
            return self._search_part(part, terms, weights, k, mask)

        if threads == 1 or len(parts) < 2:
            results = [search_part(part) for part in parts]
        else:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(search_part, parts))
        if len(results) == 1:
            counts, documents, scores = results[0]
            return Ranking(lengths_to_offsets(counts), documents, scores)
        results.append(NOTHING)
        return Ranking(
            lengths_to_offsets(np.concatenate([result[0] for result in results])),
            np.concatenate([result[1] for result in results]),
            np.concatenate([result[2] for result in results]),
        )

    def _check_query(self, terms: npt.NDArray[np.int32], weights: Floats) -> None:
        from plackett.retrievers.inverted.search_kernels import fault_of

        if len(terms) != len(weights):
            raise DataError(f"{len(weights)} weights", expected=f"{len(terms)}, one a term")
        fault = fault_of(_frozen(terms), _frozen(weights), len(self.upper))
        if fault == 1:
            raise DataError("an unknown term code", expected=f"0 to {len(self.upper) - 1}")
        if fault == 2:
            raise DataError("a negative or infinite weight", expected="weights of 0 or more")

    def _search_part(
        self,
        query_offsets: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int32],
        weights: Floats,
        k: int,
        allowed: npt.NDArray[np.bool_],
    ) -> Part:
        """`(counts, documents, scores)` of some queries."""
        from plackett.retrievers.inverted.search_kernels import search_queries

        n_queries = len(query_offsets) - 1
        results = np.zeros((n_queries, k), dtype=np.uint64)
        counts = np.zeros(n_queries, dtype=np.int64)
        search_queries(
            _frozen(query_offsets),
            _frozen(terms),
            _frozen(weights),
            k,
            self._arrays,
            _frozen(allowed),
            results,
            counts,
        )
        results.sort(axis=1)
        best_first = results[:, ::-1].reshape(-1)
        if not (counts == k).all():
            starts = np.arange(n_queries, dtype=np.int64) * k
            best_first = best_first[concatenate_ranges(starts, counts)]
        scores = (best_first >> np.uint64(32)).astype(np.uint32).view(np.float32)
        return counts, self._document_of_rank[best_first.astype(np.uint32)], scores

    @cached_property
    def _arrays(self) -> tuple[npt.NDArray[Any], ...]:
        arrays = (self.offsets, self.documents, self.impacts, self.rank, self.upper, self.floors)
        return tuple(_frozen(array) for array in (*arrays, self.block_offsets, self.block_max))

    @cached_property
    def _document_of_rank(self) -> npt.NDArray[np.int32]:
        inverse = np.empty(len(self.rank), dtype=np.int32)
        inverse[self.rank] = np.arange(len(self.rank), dtype=np.int32)
        return inverse


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only view: numba compiles a kernel once for each kind, and files are read-only."""
    view: npt.NDArray[Any] = array.view()
    view.flags.writeable = False
    return view


def _check(k: int, threads: int) -> None:
    for name, value in (("k", k), ("threads", threads)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ConfigurationError(f"{name} must be a whole number of 1 or more, not {value!r}")
