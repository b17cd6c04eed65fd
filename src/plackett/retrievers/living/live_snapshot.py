"""A living index as it was when it was opened: it is searched, explained and read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.explanation import Explanation
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.living.background import BackgroundMerging
from plackett.retrievers.living.live_editing import opened_segments
from plackett.retrievers.living.live_index import LiveIndex
from plackett.retrievers.living.live_lists import CodedLists, LiveLists
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where
from plackett.retrievers.segments.store import IndexManifest
from plackett.retrievers.term_retriever import weighted_terms
from plackett.retrievers.weighting import Weighting

__all__ = ["LiveSnapshot"]


class LiveSnapshot(Retriever):
    """The segments of one manifest, open: what others change later is not seen.

    The files are opened here, so that it goes on answering when a merge has removed them.

    Attributes
    ----------
    folder, manifest : of the index.
    analyzer, weighting, corpus : as for `LiveBM25`.
    segments : in the order in which they were added.
    document_ids : the ids of the documents that are not deleted, segment after segment.
    merging : the thread that merges, where there is one.
    """

    def __init__(
        self,
        folder: Path,
        manifest: IndexManifest,
        analyzer: TextAnalyzer,
        weighting: Weighting,
        corpus: Corpus | None = None,
        *,
        known: Sequence[LiveSegment] = (),
        merging: BackgroundMerging | None = None,
    ) -> None:
        """Open the segments of a manifest, but for those that are `known` open."""
        self.folder, self.manifest, self.corpus = folder, manifest, corpus
        self.analyzer, self.weighting, self.merging = analyzer, weighting, merging
        self.segments = opened_segments(folder, manifest, analyzer, known)
        ids = [
            segment.index.document_ids.values.take(pa.array(segment.live_rows))
            for segment in self.segments
        ]
        strings = [part.cast(pa.large_string()) for part in ids]
        self.document_ids = Ids.from_distinct(
            pa.chunked_array(strings, pa.large_string()).combine_chunks()
        )
        self._lists = LiveLists(self.segments, weighting, self.document_ids)

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best documents of every query; see `BM25.search`."""
        start = time.perf_counter()
        asked = [self.analyzer(text) for text in main_texts(queries)]
        terms = [term for terms in asked for term in terms]
        lengths = [len(terms) for terms in asked]
        return self._run(queries, lengths, terms, None, k, where, threads, start)

    def search_terms(
        self,
        queries: Mapping[str, Mapping[str, float]],
        k: int = 1000,
        *,
        analyze: bool = True,
        where: Where | None = None,
        threads: int = 1,
    ) -> Run:
        """The `k` best documents of queries whose terms are weighted; see `BM25.search_terms`."""
        start = time.perf_counter()
        asked = weighted_terms(self.analyzer, queries, analyze=analyze)
        texts = Queries.from_texts({name: " ".join(words) for name, words in queries.items()})
        terms = [term for weighted in asked for term in weighted]
        weights = np.array([w for weighted in asked for w in weighted.values()], dtype=np.float32)
        lengths = [len(weighted) for weighted in asked]
        return self._run(texts, lengths, terms, weights, k, where, threads, start)

    def _run(
        self,
        queries: Queries,
        lengths: list[int],
        terms: list[str],
        weights: npt.NDArray[np.float32] | None,
        k: int,
        where: Where | None,
        threads: int,
        start: float,
    ) -> Run:
        ranking = self._lists.search(
            lengths_to_offsets(lengths),
            terms,
            weights,
            k=k,
            threads=threads,
            allowed=[segment.allowed(where) for segment in self.segments],
        )
        return found_run(
            self,
            queries,
            self.document_ids,
            ranking,
            started=start,
            name="bm25",
            corpus=self.corpus,
        )

    def explain(self, query: str, document: str) -> Explanation:
        """What each term of a query text adds to the score of the document with this id.

        Raises
        ------
        DataError : the index has no such document, or it is deleted.
        """
        code = int(self.document_ids.codes([document])[0])
        if code < 0:
            raise DataError(f"document {document!r}", expected="a document of the index")
        held = np.cumsum([len(segment.live_rows) for segment in self.segments])
        place = int(np.searchsorted(held, code, side="right"))
        row = int(np.flatnonzero(self._lists.codes[place] == code)[0])
        counts = Counter(self.analyzer(query))
        entries = self._lists.contributions(counts.items(), place, row)
        score = np.float32(0.0)
        for entry in entries:
            score = np.float32(score + np.float32(entry.contribution))
        return Explanation(query, document, float(score), tuple(entries))

    @cached_property
    def index(self) -> InvertedIndex:
        """The segments as one inverted index, for features, other models and longer queries.

        A merged index is the segment's. Of several, their terms are put together when this is first
        asked for, and postings and tokens as they are read; see `LiveIndex`.

        Raises
        ------
        ConfigurationError : the index has never held a document.
        """
        if not self.segments:
            raise ConfigurationError("an index without documents has no terms yet; add some.")
        if len(self.segments) == 1 and self.segments[0].live is None:
            return self.segments[0].index
        return LiveIndex(
            self.folder, self.segments, self.analyzer, self.document_ids, self._lists.codes
        )

    @cached_property
    def lists(self) -> CodedLists:
        """What each posting adds to a score, by the codes of `index`."""
        return CodedLists(self.index, self._lists)

    def __len__(self) -> int:
        """How many documents the index holds, deleted ones not counted."""
        return len(self.document_ids)
