"""The sequential dependence model: query terms that stand together count more."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import segment_of_rows
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.best_first import Found, best_first, joined
from plackett.retrievers.explanation import Explanation, TermContribution
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.models.base import check_parameter
from plackett.retrievers.models.language import Dirichlet
from plackett.retrievers.models.lexical import Lexical
from plackett.retrievers.models.pairs import PairCounts, QueryPairs, count_pairs, pair_likelihoods
from plackett.retrievers.parameters import check_count, check_number
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.term_retriever import AskedTerms

__all__ = ["SequentialDependence"]

QUERIES_AT_ONCE = 64
ROWS_AT_ONCE = 1 << 20
DEFAULTS: dict[str, Any] = {
    "weights": (0.85, 0.10, 0.05),
    "mu": 2500.0,
    "window": 8,
    "depth": 1000,
}


@register("sequential_dependence")
class SequentialDependence(Retriever):
    """The sequential dependence model (SDM): query likelihood of terms and of adjacent pairs.

        score = w_T sum over terms t of f(t)
              + w_O sum over adjacent pairs (t, u) of f(t directly before u)
              + w_U sum over adjacent pairs (t, u) of f(t and u in a window of 8 tokens)
        f(x) = ln(1 + n / (mu p)) + ln(mu / (dl + mu)),  p = cn / |C|

    n is how often the document has x, cn the whole collection, of |C| tokens. Occurrences in a
    window do not overlap, and nothing is counted across fields. A pair that no document has is left
    out, as are words that the index lacks and pairs of a word with itself. f is `Dirichlet`'s
    formula: with w_O = w_U = 0, or a query of one term, the ranking is that of query likelihood.

    Terms are searched first. The pairs of the first documents are then counted from the index's
    tokens; how often the collection has a pair is counted exactly when it is first asked for, and
    remembered.

    Parameters
    ----------
    index : an `InvertedIndex` that was built with `forward=True`, a retriever over one, such as a
        `BM25`, or its folder. A `Lexical` by `Dirichlet` of the same `mu` is used as it is.
    weights : w_T, w_O, w_U, 0 or more.
    mu : above 0, the weight of the collection in tokens.
    window : tokens, 2 or more.
    depth : how many of the first documents are looked into for pairs; k, where that is more.
    corpus : the documents that were indexed, for later stages to find their texts.

    Attributes
    ----------
    first : the search by terms.
    counts : what is known of the collection's pairs (`PairCounts`).

    Raises
    ------
    ConfigurationError : a parameter is out of its range, or the index has no forward tokens.

    Metzler, D. and Croft, W. B., 2005. A Markov random field model for term dependencies. SIGIR.

    >>> import tempfile
    >>> from plackett.retrievers.bm25 import BM25
    >>> texts = {"d1": "layer at the boundary", "d2": "boundary layer", "d3": "heat layer"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sdm = SequentialDependence(BM25.build(Corpus.from_texts(texts), folder))
    ...     run = sdm.search(Queries.from_texts({"q": "boundary layers"}))
    ...     [name for name, _ in run["q"]]
    ['d2', 'd1', 'd3']
    """

    def __init__(
        self,
        index: Any,
        *,
        weights: Sequence[float] = (0.85, 0.10, 0.05),
        mu: float = 2500.0,
        window: int = 8,
        depth: int = 1000,
        corpus: Corpus | None = None,
    ) -> None:
        self.weights = _checked_weights(weights)
        check_parameter("mu", mu, 0.0)
        check_count("depth", depth)
        check_count("window", window, 2)
        self.mu, self.window, self.depth = float(mu), int(window), int(depth)
        fits = isinstance(index, Lexical) and index.model == Dirichlet(self.mu)
        self.first: Lexical = index if fits else Lexical(index, Dirichlet(self.mu), corpus=corpus)
        self.index = self.first.index
        self.corpus = corpus or self.first.corpus
        self.counts = PairCounts(self.index, window=window)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        weights: Sequence[float] = (0.85, 0.10, 0.05),
        mu: float = 2500.0,
        window: int = 8,
        depth: int = 1000,
        corpus: Corpus | None = None,
    ) -> SequentialDependence:
        """The model over the BM25 index in a folder; see the class for the parameters.

        Raises
        ------
        DataError : there is no index in the folder, or the corpus is not the one indexed.
        CorruptFileError : a file is missing, truncated or of another version.
        """
        return cls(folder, weights=weights, mu=mu, window=window, depth=depth, corpus=corpus)

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best of the first documents of every query.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree; see `BM25.search`.
        threads : queries are dealt out to so many threads; the result does not depend on it.
        """
        check_count("k", k)
        check_count("threads", threads)
        start = time.perf_counter()
        offsets, terms = self.index.encode_queries(main_texts(queries))
        asked = AskedTerms(offsets, terms, np.ones(len(terms), dtype=np.float32))
        allowed = rows_where(self.index.metadata, where) if where else None
        return found_run(
            self,
            queries,
            self.index.document_ids,
            self._rank(asked, k, threads, allowed),
            started=start,
            name="sdm",
            corpus=self.corpus,
        )

    def _rank(
        self,
        asked: AskedTerms,
        k: int,
        threads: int = 1,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Ranking:
        depth = min(max(k, self.depth), max(self.index.n_documents, 1))
        first = self.first.rank(asked, depth, threads=threads, allowed=allowed)
        n_queries = len(asked.offsets) - 1
        # Parts fit in memory, and are small enough for threads to share them evenly.
        size = min(QUERIES_AT_ONCE, max(1, ROWS_AT_ONCE // depth))
        if threads > 1:
            size = min(size, max(1, n_queries // (4 * threads)))
        begins = range(0, n_queries, size)

        def part(begin: int) -> list[Found]:
            bounds = asked.offsets[begin : begin + size + 1]
            row_bounds = first.offsets[begin : begin + size + 1]
            rows = slice(row_bounds[0], row_bounds[-1])
            pairs = self.counts.of_queries(bounds - bounds[0], asked.terms[bounds[0] : bounds[-1]])
            row_offsets, documents = row_bounds - row_bounds[0], first.documents[rows]
            added = self._pair_scores(pairs, row_offsets, documents)
            by_terms = self.weights[0] * first.scores[rows].astype(np.float64)
            scores = (by_terms + added.sum(axis=0)).astype(np.float32)
            return [
                best_first((documents[a:b], scores[a:b]), self.index.document_rank, k)
                for a, b in pairwise(row_offsets)
            ]

        if threads == 1 or len(begins) < 2:
            parts = [part(begin) for begin in begins]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(part, begins))
        return joined([found for found_part in parts for found in found_part])

    def _pair_scores(
        self,
        pairs: QueryPairs,
        row_offsets: npt.NDArray[np.int64],
        documents: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.float64]:
        """What pairs side by side, and pairs in a window, add to candidates: `float64[2, n]`."""
        likelihoods = pair_likelihoods(
            pairs,
            segment_of_rows(row_offsets),
            count_pairs(self.index, self.window, pairs, row_offsets, documents),
            self.index.document_lengths[documents],
            tokens=self.index.n_tokens,
            mu=self.mu,
        )
        return np.array(self.weights[1:])[:, None] * likelihoods

    def explain(self, query: str, document: str) -> Explanation:
        """What each term and each pair of a query text adds to the score of a document.

        A pair is written as Indri writes it: "#1(wing lift)" side by side, "#uw8(wing lift)" in a
        window; its `document_frequency` counts the documents that have it so. The score is that of
        a search which comes to the document.

        Raises
        ------
        DataError : the index has no such document.
        """
        by_terms = self.first.explain(query, document)
        code = int(self.index.document_ids.codes([document])[0])
        offsets, terms = self.index.encode_queries([query])
        entries = [
            replace(entry, contribution=self.weights[0] * entry.contribution)
            for entry in by_terms.terms
        ]
        pairs = self.counts.of_queries(offsets, terms)
        entries += self._pair_contributions(pairs, code)
        only = np.zeros(self.index.n_documents, dtype=np.bool_)
        only[code] = True
        asked = AskedTerms(offsets, terms, np.ones(len(terms), dtype=np.float32))
        found = self._rank(asked, 1, allowed=only).scores
        score = found[0] if len(found) else sum(entry.contribution for entry in entries)
        return Explanation(query, document, float(score), tuple(entries))

    def _pair_contributions(self, pairs: QueryPairs, document: int) -> list[TermContribution]:
        """What each pair of one query adds to a document: all side by side, then in a window."""
        found: list[list[TermContribution]] = [[], []]
        of_document = np.array([0, 1]), np.array([document], dtype=np.int32)
        for place, count in enumerate(pairs.counts):
            one = slice(place, place + 1)
            alone = QueryPairs(np.array([0, 1]), pairs.terms[one], pairs.times[one], [count])
            having = count_pairs(self.index, self.window, alone, *of_document)
            added = self._pair_scores(alone, *of_document)
            words = " ".join(self.index.terms.strings(pairs.terms[place]).to_pylist())
            for kind, (name, documents) in enumerate(
                (
                    (f"#1({words})", count.ordered_documents),
                    (f"#uw{self.window}({words})", count.unordered_documents),
                )
            ):
                times, frequency = int(pairs.times[place]), int(having[kind, 0])
                found[kind].append(
                    TermContribution(name, times, frequency, documents, float(added[kind, 0]))
                )
        return [*found[0], *found[1]]

    def describe(self) -> dict[str, Any]:
        """What an experiment file holds: `open(**description)` less "retriever"."""
        return {
            "retriever": "sequential_dependence",
            "folder": str(self.index.folder.parent),
            "weights": self.weights,
            "mu": self.mu,
            "window": self.window,
            "depth": self.depth,
        }

    def __repr__(self) -> str:
        given = [repr(str(self.index.folder.parent))]
        given += [
            f"{name}={getattr(self, name)!r}"
            for name, default in DEFAULTS.items()
            if getattr(self, name) != default
        ]
        return f"SequentialDependence({', '.join(given)})"


def _checked_weights(weights: Sequence[float]) -> tuple[float, float, float]:
    """Three weights.

    Raises
    ------
    ConfigurationError : they are not three, one is below 0 or no number, or all are 0.
    """
    found = tuple(weights)
    if len(found) != 3:
        raise ConfigurationError(
            f"weights={found!r}; expected three: of terms, of pairs side by side, and of pairs in "
            "a window."
        )
    for weight in found:
        check_number("a weight", weight)
    if not any(found):
        raise ConfigurationError("weights that are all 0; expected one above 0.")
    return float(found[0]), float(found[1]), float(found[2])
