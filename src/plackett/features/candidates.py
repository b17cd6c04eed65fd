"""The candidates of some queries and what the index says about them: what a feature is computed on.

The terms of a query make a ragged table: one *entry* for each row and each distinct known term of
its query. A formula is written over entries and summed by row.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import (
    concatenate_ranges,
    lengths_to_offsets,
    positions_within,
    segment_of_rows,
)
from plackett.data.run import Run
from plackett.features.statistics import ForwardIndex, Statistics

__all__ = ["BM25_B", "BM25_K1", "Candidates", "Matches", "QueryTerms"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

BM25_K1, BM25_B = 1.2, 0.75
WINDOW = 20
PAIR_WINDOW = 8
FEW_DOCUMENTS, MANY_DOCUMENTS, NEIGHBOURS = 5, 10, 10
EXPANSION_LIMIT = 0.1  # a term in more of the documents than this does not expand a query
CHUNKS_A_THREAD = 4


@dataclass(frozen=True, eq=False)
class QueryTerms:
    """The terms of `q` queries.

    Attributes
    ----------
    offsets, terms, count : the distinct known terms of each query, `int32`, in ascending order of
        their code, and how often each occurs in the query.
    sequence_offsets, sequence : the known terms in reading order, as places in the query's `terms`.
    pair_offsets, pairs : `int32[p, 2]`, the distinct adjacent pairs of different terms, as places.
    """

    offsets: Integers
    terms: npt.NDArray[np.int32]
    count: npt.NDArray[np.int64]
    sequence_offsets: Integers
    sequence: npt.NDArray[np.int32]
    pair_offsets: Integers
    pairs: npt.NDArray[np.int32]

    @classmethod
    def of(cls, offsets: Integers, codes: npt.NDArray[np.int32]) -> QueryTerms:
        """Take apart queries given as term codes in reading order, `offsets` `int64[q + 1]`."""
        bounds = offsets.tolist()
        terms: list[npt.NDArray[np.int32]] = []
        counts, sequences, pairs = [], [], []
        for begin, end in pairwise(bounds):
            distinct, places, count = np.unique(
                codes[begin:end], return_inverse=True, return_counts=True
            )
            places = places.reshape(-1).tolist()
            adjacent = dict.fromkeys(pair for pair in pairwise(places) if pair[0] != pair[1])
            terms.append(distinct)
            counts.append(count)
            sequences.extend(places)
            pairs.append(list(adjacent))
        return cls(
            lengths_to_offsets([len(distinct) for distinct in terms]),
            np.concatenate([np.zeros(0, np.int32), *terms]).astype(np.int32),
            np.concatenate([np.zeros(0, np.int64), *counts]).astype(np.int64),
            np.asarray(offsets, dtype=np.int64),
            np.asarray(sequences, dtype=np.int32),
            lengths_to_offsets([len(adjacent) for adjacent in pairs]),
            np.array([p for adjacent in pairs for p in adjacent], dtype=np.int32).reshape(-1, 2),
        )


@dataclass(frozen=True, eq=False)
class Matches:
    """What one pass over the candidates' tokens found.

    Attributes
    ----------
    frequency : `int32[F, entries]`, occurrences of the term in each field.
    attraction : `float64[entries]`; neighbouring occurrences of different query terms t, u at
        distance x inside a field add `idf(u) / x^2` to t and `idf(t) / x^2` to u.
    ordered, unordered : `int32[pair entries]`, how often an adjacent pair of query terms stands
        side by side in its order, and how often within 8 tokens in any order without overlap.
    first : `int32[rows]`, the position of the first query term in the document, -1 without one.
    best_window : `float64[rows]`, the largest idf sum of distinct terms within 20 tokens.
    phrase : `int32[rows]`, terms of the longest piece of the query that occurs word by word.
    """

    frequency: npt.NDArray[np.int32]
    attraction: Floats
    ordered: npt.NDArray[np.int32]
    unordered: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    best_window: Floats
    phrase: npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Candidates:
    """A run of `q` queries and `n` rows over an index; features read it, user functions too.

    Attributes
    ----------
    run : the candidates, best first; rows of query i at `run.offsets[i]:run.offsets[i + 1]`.
    texts : the query texts, one a segment of the run.
    index, statistics : the index and its statistics.
    document : `int64[n]`, the index's code of each row's document.
    query_terms : the terms of the queries.
    threads : how many threads may work.
    """

    run: Run
    texts: tuple[str, ...]
    index: ForwardIndex
    statistics: Statistics
    document: Integers
    query_terms: QueryTerms
    threads: int = 1
    _shared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def shared(self, key: Any, compute: Callable[[], Any]) -> Any:
        """What several features read: `compute()`, called once for a key; an array may not be
        written to."""
        if key not in self._shared:
            found = compute()
            if isinstance(found, np.ndarray):
                found.flags.writeable = False
            self._shared[key] = found
        return self._shared[key]

    @property
    def n_rows(self) -> int:
        """Rows of the run."""
        return len(self.document)

    @cached_property
    def rows_query(self) -> Integers:
        """The query (segment) of every row, `int64[n]`."""
        return segment_of_rows(self.run.offsets)

    @cached_property
    def entry_offsets(self) -> Integers:
        """Where the entries of each row begin, `int64[n + 1]`."""
        return lengths_to_offsets(np.diff(self.query_terms.offsets)[self.rows_query])

    @cached_property
    def entry_row(self) -> Integers:
        """The row of every entry."""
        return segment_of_rows(self.entry_offsets)

    @cached_property
    def entry_place(self) -> Integers:
        """Where the term of every entry lies in `query_terms.terms`."""
        starts = self.query_terms.offsets[self.rows_query]
        return concatenate_ranges(starts, np.diff(self.entry_offsets))

    @cached_property
    def entry_term(self) -> npt.NDArray[np.int32]:
        """The term code of every entry."""
        return self.query_terms.terms[self.entry_place]

    @cached_property
    def entry_count(self) -> Floats:
        """How often the entry's term occurs in the query."""
        return self.query_terms.count[self.entry_place].astype(np.float64)

    @cached_property
    def pair_entry_offsets(self) -> Integers:
        """Where the pairs of each row begin, `int64[n + 1]`."""
        return lengths_to_offsets(np.diff(self.query_terms.pair_offsets)[self.rows_query])

    def sum_by_row(self, values: Floats) -> Floats:
        """The sum over the entries of each row, `float64[n]`; 0 for a query without known terms."""
        sums = np.zeros(self.n_rows)
        if len(values):
            starts, filled = self._filled_rows
            sums[filled] = np.add.reduceat(values, starts)
        return sums

    @cached_property
    def _filled_rows(self) -> tuple[Integers, Integers]:
        """Where the entries begin of the rows that have any, and these rows."""
        filled = np.flatnonzero(np.diff(self.entry_offsets))
        return self.entry_offsets[filled], filled

    def sum_by_query(self, values: Floats) -> Floats:
        """Per row, the sum over its query's distinct terms of `values`, `float64[terms]`."""
        sums = np.bincount(
            segment_of_rows(self.query_terms.offsets),
            weights=values,
            minlength=len(self.query_terms.offsets) - 1,
        )
        return sums.astype(np.float64, copy=False)[self.rows_query]

    def frequency(self, field: str | None = None) -> Floats:
        """tf of every entry, in the whole document or in one field."""

        def compute() -> Floats:
            counts = self.matches.frequency
            if field is None:
                total: Floats = counts.sum(axis=0, dtype=np.float64)
                return total
            one: Floats = counts[self.index.fields.index(field)].astype(np.float64)
            return one

        found: Floats = self.shared(("frequency", field), compute)
        return found

    def length(self, field: str | None = None) -> Floats:
        """Tokens of every row's document, or of one field of it, `float64[n]`."""
        if field is None:
            return self.index.document_lengths[self.document].astype(np.float64)
        column = self.index.fields.index(field)
        one: Floats = self.index.field_lengths[self.document, column].astype(np.float64)
        return one

    def mean_length(self, field: str | None = None) -> float:
        """Mean tokens of a document of the collection, or of one field."""
        if field is None:
            return self.statistics.mean_length
        return float(self.statistics.mean_field_lengths[self.index.fields.index(field)])

    @cached_property
    def rank(self) -> Floats:
        """The 1-based rank of every row in its list."""
        return positions_within(self.run.offsets).astype(np.float64) + 1.0

    @cached_property
    def matches(self) -> Matches:
        """Counts, positions and proximity of the query terms; computed once."""
        from plackett.features.match_kernels import match_candidates

        found = Matches(
            np.zeros((len(self.index.fields), len(self.entry_row)), np.int32),
            np.zeros(len(self.entry_row)),
            np.zeros(int(self.pair_entry_offsets[-1]), np.int32),
            np.zeros(int(self.pair_entry_offsets[-1]), np.int32),
            np.full(self.n_rows, -1, np.int32),
            np.zeros(self.n_rows),
            np.zeros(self.n_rows, np.int32),
        )
        terms = self.query_terms

        def work(first: int, last: int) -> None:
            match_candidates(
                first,
                last,
                self.run.offsets,
                self.document,
                terms.offsets,
                terms.terms,
                self.statistics.idf,
                terms.sequence_offsets,
                terms.sequence,
                terms.pair_offsets,
                terms.pairs,
                self.entry_offsets,
                self.pair_entry_offsets,
                self.index.tokens,
                self.index.token_offsets,
                len(self.index.fields),
                self.index.n_terms,
                WINDOW,
                PAIR_WINDOW,
                found.frequency,
                found.attraction,
                found.ordered,
                found.unordered,
                found.first,
                found.best_window,
                found.phrase,
            )

        self.over_queries(work)
        return found

    @cached_property
    def bm25(self) -> Floats:
        """BM25 (Lucene's, k1 1.2, b 0.75) of every row over the whole document."""
        return self.sum_by_row(self.entry_count * self.bm25_weights())

    def bm25_weights(self, field: str | None = None) -> Floats:
        """`idf tf / (tf + k1 (1 - b + b dl / avgdl))` of every entry."""
        tf = self.frequency(field)
        saturation = self.saturation(field)[self.entry_row]
        weights: Floats = self.statistics.idf[self.entry_term] * tf / (tf + saturation)
        return weights

    def saturation(self, field: str | None = None) -> Floats:
        """`k1 (1 - b + b dl / avgdl)` of every row."""
        mean = max(self.mean_length(field), 1e-12)
        saturation: Floats = BM25_K1 * (1.0 - BM25_B + BM25_B * self.length(field) / mean)
        return saturation

    @cached_property
    def feedback(self) -> Floats:
        """`float64[n, 5]`, the pseudo-relevance feedback scores of `feedback_kernels`."""
        from plackett.features.feedback_kernels import feedback_scores

        out = np.zeros((self.n_rows, 5))
        saturation, score = self.saturation(), self.bm25
        stats = self.statistics
        expands = stats.document_frequency <= EXPANSION_LIMIT * stats.n_documents

        def work(first: int, last: int) -> None:
            feedback_scores(
                first,
                last,
                self.run.offsets,
                self.document,
                score,
                saturation,
                stats.idf,
                stats.log_idf,
                expands,
                self.index.tokens,
                self.index.token_offsets,
                len(self.index.fields),
                FEW_DOCUMENTS,
                MANY_DOCUMENTS,
                NEIGHBOURS,
                out,
            )

        self.over_queries(work)
        return out

    def over_queries(self, work: Callable[[int, int], None]) -> None:
        """Call `work(first, last)` on ranges of queries; each row is written by one call only."""
        queries = len(self.run)
        if self.threads == 1 or queries < 2:
            work(0, queries)
            return
        parts = min(queries, self.threads * CHUNKS_A_THREAD)
        bounds = np.linspace(0, queries, parts + 1).astype(int).tolist()
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, bounds[:-1], bounds[1:]))
