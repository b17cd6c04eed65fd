"""BM25 asked with signs: required and excluded terms, phrases, prefixes, near spellings."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.best_first import Found, best_first, joined
from plackett.retrievers.bm25 import BM25
from plackett.retrievers.found_run import found_run
from plackett.retrievers.living.live_bm25 import LiveBM25
from plackett.retrievers.parameters import check_count
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.syntax.matching import Matcher, Matches
from plackett.retrievers.syntax.parsing import parse_query

__all__ = ["SyntaxSearch"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@register("syntax")
class SyntaxSearch(Retriever):
    """BM25 for queries with signs: `+wing -heat "boundary layer" aero* vicsous~ lift^2`.

    See `parse_query` for the signs. A document is a result if it matches all clauses with `+`, none
    with `-`, and any of those that are not excluded. Its score is the sum over clauses of weight
    times BM25, where

    - a phrase counts as one term whose idf is the sum of its terms' and whose frequency is how
      often the words follow one another;
    - a prefix stands for the most frequent terms that begin so, each counted for itself;
    - a fuzzy word stands for the nearest terms, each by 1 - edits / length.

    Parameters
    ----------
    bm25 : the index; phrases need one that was built with `forward=True`.
    most_terms : how many terms a prefix or a fuzzy word stands for at most.

    Raises
    ------
    ConfigurationError : `most_terms` is below 1.

    >>> import tempfile
    >>> from plackett.data.texts import Corpus
    >>> texts = {"d1": "boundary layer", "d2": "layer at the boundary", "d3": "heat layer"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     signs = SyntaxSearch(BM25.build(Corpus.from_texts(texts), folder))
    ...     asked = {"phrase": '"boundary layer"', "without": "layer -heat", "near": "boundray~"}
    ...     run = signs.search(Queries.from_texts(asked))
    ...     {query: [name for name, _ in run[query]] for query in asked}
    {'phrase': ['d1'], 'without': ['d2', 'd1'], 'near': ['d2', 'd1']}
    """

    def __init__(self, bm25: BM25 | LiveBM25, *, most_terms: int = 50) -> None:
        check_count("most_terms", most_terms)
        self.bm25, self.most_terms = bm25, most_terms
        self._matcher = Matcher(bm25.index, most_terms)

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best documents of every query.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree; see `BM25.search`.
        threads : queries are dealt out to so many threads; the result does not depend on it.
        """
        start = time.perf_counter()
        check_count("k", k)
        check_count("threads", threads)
        index = self.bm25.index
        among = rows_where(index.metadata, where) if where else np.ones(index.n_documents, np.bool_)
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(lambda text: self._found(text, k, among), main_texts(queries)))
        return found_run(
            self,
            queries,
            self.bm25.index.document_ids,
            joined(found),
            started=start,
            name="syntax",
            corpus=self.bm25.corpus,
        )

    def _found(self, text: str, k: int, among: Mask) -> Found:
        clauses = parse_query(text)
        known = {clause: self._matcher.match(clause) for clause in dict.fromkeys(clauses)}
        matches = [match for clause in clauses if (match := known[clause]) is not None]
        allowed = among & self._allowed(matches)
        asked = [match for match in matches if match.clause.need != "must_not"]
        terms, weights = _single_terms(asked)
        phrases = [match for match in asked if match.frequencies is not None]
        with_phrase = np.zeros(len(allowed), dtype=np.bool_)
        for match in phrases:
            with_phrase[match.documents] = allowed[match.documents]
        # What has no phrase is ranked by its terms; what has one, and those are few, is scored
        # whole. The best of both are the best of all.
        ranking = self.bm25.lists.search(
            np.array([0, len(terms)]), terms, weights, k=k, allowed=allowed & ~with_phrase
        )
        rows = np.flatnonzero(with_phrase)
        scores = self._phrase_scores(rows, phrases) + self._term_scores(rows, terms, weights)
        documents = np.concatenate([ranking.documents, rows[scores > 0].astype(np.int32)])
        both = np.concatenate([ranking.scores, scores[scores > 0]])
        return best_first((documents, both), self.bm25.index.document_rank, k)

    def _allowed(self, matches: list[Matches]) -> Mask:
        allowed = np.ones(self.bm25.index.n_documents, dtype=np.bool_)
        for match in matches:
            if match.clause.need == "should":
                continue
            inside = np.zeros(len(allowed), dtype=np.bool_)
            inside[match.documents] = True
            allowed &= inside if match.clause.need == "must" else ~inside
        return allowed

    def _impacts(self, idf: float, documents: Codes, frequencies: npt.ArrayLike) -> Floats:
        """What a term of this idf adds to documents that have it so often."""
        index = self.bm25.index
        saturation = self.bm25.weighting.saturation(
            index.document_lengths[documents], index.mean_length
        )
        return (idf * saturation.of(frequencies)).astype(np.float32)

    def _phrase_scores(self, rows: npt.NDArray[np.int64], phrases: list[Matches]) -> Floats:
        """What phrases add to some documents, ascending: `float32[n]`."""
        index = self.bm25.index
        total = np.zeros(len(rows))
        for match in phrases:
            rarity = index.document_frequency[match.terms]
            idf = float(self.bm25.weighting.idf(index.n_documents, rarity).sum())
            tf = np.asarray(match.frequencies)
            impacts = self._impacts(idf, match.documents, tf)
            found, place = _among(rows, match.documents)
            total[found] += match.clause.weight * impacts[place].astype(np.float64)
        return total.astype(np.float32)

    def _term_scores(self, rows: npt.NDArray[np.int64], terms: Codes, weights: Floats) -> Floats:
        """What terms add to some documents, ascending: `float32[n]`, summed as a search does."""
        index = self.bm25.index
        total = np.zeros(len(rows), dtype=np.float32)
        parts = []
        for code in np.unique(terms) if len(rows) else ():
            weight = weights[terms == code].sum()
            documents, frequencies = index.postings_of(int(code))
            idf = float(self.bm25.weighting.idf(index.n_documents, [len(documents)])[0])
            impacts = weight * self._impacts(idf, documents, frequencies)
            parts.append((-impacts.max(initial=0.0), code, *_among(rows, documents), impacts))
        for _, _, found, place, impacts in sorted(parts, key=lambda part: part[:2]):
            total[found] += impacts[place]
        return total

    def __repr__(self) -> str:
        options = "" if self.most_terms == 50 else f", most_terms={self.most_terms}"
        return f"SyntaxSearch({self.bm25!r}{options})"


def _single_terms(asked: list[Matches]) -> tuple[Codes, Floats]:
    """The terms of clauses that are no phrases, and their weights."""
    single = [match for match in asked if match.frequencies is None]
    return (
        np.concatenate([np.zeros(0, np.int32), *(match.terms for match in single)]),
        np.concatenate([np.zeros(0, np.float32), *(match.weights for match in single)]),
    )


def _among(
    rows: npt.NDArray[np.int64], documents: Codes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which of `rows` are among the documents, both ascending: their places in the one and in the
    other."""
    place = np.minimum(np.searchsorted(documents, rows), max(len(documents) - 1, 0))
    found = np.flatnonzero(documents[place] == rows) if len(documents) else place[:0]
    return found, place[found]
