"""BM25: exact search over an inverted index."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.base import register
from plackett.retrievers.bm25_impacts import (
    compute_impacts,
    open_impacts,
    save_impacts,
    saved_weighting,
)
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.build import build_index
from plackett.retrievers.inverted.impacts import ImpactLists
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.weighting import Weighting

__all__ = ["BM25", "Explanation", "TermContribution"]


@dataclass(frozen=True)
class TermContribution:
    """What one term of the query adds to a document's score.

    Parameters
    ----------
    term : as the analyzer writes it.
    occurrences : how often the query holds it.
    frequency : how often the document holds it.
    document_frequency : how many documents hold it; 0 where the index lacks the term.
    contribution : what it adds.
    """

    term: str
    occurrences: int
    frequency: int
    document_frequency: int
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a document has its score; `terms` are in the order in which they are added."""

    query: str
    document: str
    score: float
    terms: tuple[TermContribution, ...]

    def __str__(self) -> str:
        lines = [f"{self.score:.6f}  {self.document}"]
        lines += [
            f"{entry.contribution:10.6f}  {entry.term}  (in the query {entry.occurrences}, in the "
            f"document {entry.frequency}, in {entry.document_frequency} documents)"
            for entry in self.terms
        ]
        return "\n".join(lines)


@register("bm25")
class BM25(Retriever):
    """BM25 over an inverted index on disk: the exact top k.

    The score of a document is the sum over the query's terms of idf * tfc; by default, as Lucene,
    idf = ln(1 + (N - df + 0.5) / (df + 0.5)) and tfc = tf / (k1 (1 - b + b dl / avgdl) + tf). See
    `plackett.retrievers.weighting` for the variants. Only documents with a positive score are
    results; where documents tie for the last of the k places, those first in the corpus are in.

    Robertson, S. et al., 1994. Okapi at TREC-3. Kamphuis, C. et al., 2020. Which BM25 do you mean?
    A large-scale reproducibility study of scoring variants. ECIR.

    Attributes
    ----------
    index : the `InvertedIndex`.
    weighting : the variant and its parameters.
    lists : what each posting adds to a score (`ImpactLists`).
    corpus : the documents, where known; runs carry it to later stages.

    >>> import tempfile
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "heat transfer"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder)
    ...     run = bm25.search(Queries.from_texts({"q1": "wings", "q2": "moon"}))
    ...     [(name, run[name]) for name in run.query_names]
    [('q1', [('d1', 0.315066...)]), ('q2', [])]
    """

    def __init__(
        self,
        index: InvertedIndex,
        weighting: Weighting,
        lists: ImpactLists,
        corpus: Corpus | None = None,
    ) -> None:
        """Put the parts together; `build` and `open` make them."""
        self.index, self.weighting, self.lists, self.corpus = index, weighting, lists, corpus

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        fields: Iterable[str] | None = None,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] = "english",
        metadata: Iterable[str] = (),
        k1: float = 1.2,
        b: float = 0.75,
        variant: str = "lucene",
        delta: float | None = None,
        forward: bool = True,
        progress: Callable[[int, int | None], None] | None = None,
        batch_rows: int = 10_000,
    ) -> BM25:
        """Index a corpus in `folder` and open it.

        Parameters
        ----------
        corpus : a `Corpus`, the path of a corpus file (read as a stream), or an iterable of Arrow
            record batches with a column "id".
        folder : where the index goes. An index that is there stays in use until the new one is
            complete, and stays for good where the build is killed.
        fields : the text fields, in reading order; by default all that are not `metadata`.
        analyzer : "english" (Porter's stems), "english_unstemmed", "unicode", "whitespace", an
            `Analyzer`, or a function `text -> list of terms`.
        metadata : columns to keep, by which `search(where=...)` can filter.
        k1, b, variant, delta : see `Weighting`.
        forward : keep each document's terms in reading order, as features need.
        progress : called as `progress(documents done, documents in total or None)`.
        batch_rows : how many documents are analysed at a time.

        Raises
        ------
        DataError : an id occurs twice or is missing; no text field or no such column; the folder
            holds other things.
        ConfigurationError : a parameter out of its range.
        """
        weighting = Weighting(variant, k1, b, delta)
        build_index(
            corpus,
            folder,
            fields=fields,
            analyzer=analyzer,
            metadata=metadata,
            forward=forward,
            progress=progress,
            batch_rows=batch_rows,
            finish=lambda index: save_impacts(index, weighting),
        )
        return cls.open(
            folder,
            analyzer=None if isinstance(analyzer, str) else analyzer,
            corpus=corpus if isinstance(corpus, Corpus) else None,
        )

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        k1: float | None = None,
        b: float | None = None,
        variant: str | None = None,
        delta: float | None = None,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] | None = None,
        corpus: Corpus | None = None,
    ) -> BM25:
        """Open an index that `build` made.

        Parameters
        ----------
        k1, b, variant, delta : those of the build by default; with others, the impacts are computed
            anew, in memory.
        analyzer : only for an index that was built with a function, which cannot be saved.
        corpus : the documents that were indexed, for later stages to find their texts.

        Raises
        ------
        DataError : there is no index in the folder, or the corpus is not the one indexed.
        CorruptFileError : a file is missing, truncated or of another version.
        """
        index = InvertedIndex.open(folder, analyzer=analyzer, corpus=corpus)
        saved = saved_weighting(index)
        # Another variant has another default.
        saved_delta = saved.delta if variant in (None, saved.variant) else None
        weighting = Weighting(
            saved.variant if variant is None else variant,
            saved.k1 if k1 is None else k1,
            saved.b if b is None else b,
            saved_delta if delta is None else delta,
        )
        lists = open_impacts(index) if weighting == saved else compute_impacts(index, weighting)
        return cls(index, weighting, lists, corpus)

    def with_parameters(
        self,
        *,
        k1: float | None = None,
        b: float | None = None,
        variant: str | None = None,
        delta: float | None = None,
    ) -> BM25:
        """The same index searched with other parameters; the impacts are computed in memory."""
        changes = {"k1": k1, "b": b, "variant": variant, "delta": delta}
        given: dict[str, Any] = {
            name: value for name, value in changes.items() if value is not None
        }
        if variant is not None and variant != self.weighting.variant:
            given.setdefault("delta", None)
        weighting = replace(self.weighting, **given)
        return BM25(self.index, weighting, compute_impacts(self.index, weighting), self.corpus)

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best documents of every query.

        A query without results keeps an empty list. The run carries the queries, the corpus where
        it is known, and the cost.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree: `{"year": (1990, None), "language": "en"}`,
            a value, a list of values, or a pair of limits. Scores are those of the whole index.
        threads : queries are dealt out to so many threads; the result does not depend on it.

        Raises
        ------
        DataError : the index lacks a column of `where`.
        """
        start = time.perf_counter()
        offsets, terms = self.index.encode_queries(main_texts(queries))
        allowed = rows_where(self.index.metadata, where) if where else None
        ranking = self.lists.search(offsets, terms, k=k, threads=threads, allowed=allowed)
        return found_run(
            self,
            queries,
            self.index.document_ids,
            ranking,
            started=start,
            name="bm25",
            corpus=self.corpus,
        )

    def explain(self, query: str, document: str) -> Explanation:
        """What each term of a query text adds to the score of the document with this id.

        Raises
        ------
        DataError : the index has no such document.
        """
        code = int(self.index.document_ids.codes([document])[0])
        if code < 0:
            raise DataError(f"document {document!r}", expected="a document of the index")
        counts: dict[str, int] = {}
        for term in self.index.analyzer(query):
            counts[term] = counts.get(term, 0) + 1
        entries = [
            self._contribution(term, occurrences, code) for term, occurrences in counts.items()
        ]
        entries.sort(key=lambda pair: pair[0])
        score = np.float32(0.0)
        for _, entry in entries:
            score = np.float32(score + np.float32(entry.contribution))
        return Explanation(query, document, float(score), tuple(entry for _, entry in entries))

    def _contribution(
        self, term: str, occurrences: int, document: int
    ) -> tuple[tuple[float, int], TermContribution]:
        """One term's part, behind the key that orders terms as the search adds them."""
        code = self.index.term_code(term)
        if code < 0:
            return (0.0, len(self.lists.upper)), TermContribution(term, occurrences, 0, 0, 0.0)
        weight = np.float32(occurrences)
        start, end = (int(bound) for bound in self.lists.offsets[code : code + 2])
        place = start + int(np.searchsorted(self.lists.documents[start:end], document))
        frequency, impact = 0, np.float32(0.0)
        if place < end and self.lists.documents[place] == document:
            frequency = int(self.index.posting_frequencies[place])
            impact = self.lists.impacts[place]
        entry = TermContribution(term, occurrences, frequency, end - start, float(weight * impact))
        return (-float(weight * self.lists.upper[code]), code), entry

    def describe(self) -> dict[str, Any]:
        """What an experiment file holds: `BM25.open(**description)` less "retriever"."""
        weighting = self.weighting
        description: dict[str, Any] = {
            "retriever": "bm25",
            "folder": str(self.index.folder.parent),
            "variant": weighting.variant,
            "k1": weighting.k1,
            "b": weighting.b,
        }
        if weighting.delta is not None:
            description["delta"] = weighting.delta
        return description

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        values = self.describe()
        del values["retriever"]
        folder = values.pop("folder")
        options = ", ".join(f"{name}={value!r}" for name, value in values.items())
        return f"BM25.open({folder!r}, {options})"
