"""BM25 asked with signs: required and excluded terms, phrases, prefixes, near spellings."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.bm25 import BM25
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.syntax.matching import Matcher, Matches
from plackett.retrievers.syntax.parsing import parse_query

__all__ = ["SyntaxSearch"]

Found = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


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

    def __init__(self, bm25: BM25, *, most_terms: int = 50) -> None:
        if most_terms < 1:
            raise ConfigurationError(f"most_terms={most_terms}; expected 1 or more.")
        self.bm25, self.most_terms = bm25, most_terms
        self._matcher = Matcher(bm25.index, most_terms)

    def search(self, queries: Queries, k: int = 1000, *, where: Where | None = None) -> Run:
        """The `k` best documents of every query.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree; see `BM25.search`.
        """
        start = time.perf_counter()
        index = self.bm25.index
        among = rows_where(index.metadata, where) if where else np.ones(index.n_documents, np.bool_)
        found = [self._found(text, k, among) for text in main_texts(queries)]
        ranking = Ranking(
            lengths_to_offsets([len(documents) for documents, _ in found]),
            np.concatenate([np.zeros(0, np.int32), *(documents for documents, _ in found)]),
            np.concatenate([np.zeros(0, np.float32), *(scores for _, scores in found)]),
        )
        return found_run(
            self,
            queries,
            self.bm25.index.document_ids,
            ranking,
            started=start,
            name="syntax",
            corpus=self.bm25.corpus,
        )

    def _found(self, text: str, k: int, among: npt.NDArray[np.bool_]) -> Found:
        matches = [
            match for match in map(self._matcher.match, parse_query(text)) if match is not None
        ]
        allowed = among & self._allowed(matches)
        asked = [match for match in matches if match.clause.need != "must_not"]
        phrases = [match for match in asked if match.frequencies is not None]
        extra = self._phrase_scores(phrases)
        with_phrase = np.zeros(len(allowed), dtype=np.bool_)
        for match in phrases:
            with_phrase[match.documents] = allowed[match.documents]
        # What has no phrase is ranked by its terms; what has one, and those are few, is scored
        # whole. The best of both are the best of all.
        documents, scores = self._by_terms(asked, allowed & ~with_phrase, k)
        rows = np.flatnonzero(with_phrase)
        if len(rows):
            own, sums = self._by_terms(asked, with_phrase, len(rows))
            total = extra[rows].astype(np.float32)
            total[np.searchsorted(rows, own)] += sums
            documents = np.concatenate([documents, rows.astype(np.int32)])
            scores = np.concatenate([scores, total])
        best = np.lexsort((documents, -scores))[:k]
        rank = self.bm25.index.document_rank[documents[best]]
        best = best[np.lexsort((-rank, -scores[best]))]
        return documents[best], scores[best]

    def _allowed(self, matches: list[Matches]) -> npt.NDArray[np.bool_]:
        allowed = np.ones(self.bm25.index.n_documents, dtype=np.bool_)
        for match in matches:
            inside = np.zeros(len(allowed), dtype=np.bool_)
            inside[match.documents] = True
            if match.clause.need == "must":
                allowed &= inside
            elif match.clause.need == "must_not":
                allowed &= ~inside
        return allowed

    def _by_terms(self, asked: list[Matches], allowed: npt.NDArray[np.bool_], k: int) -> Found:
        """The documents by their terms, phrases left out."""
        single = [match for match in asked if match.frequencies is None]
        terms = np.concatenate([np.zeros(0, np.int32), *(match.terms for match in single)])
        weights = np.concatenate([np.zeros(0, np.float32), *(match.weights for match in single)])
        if not len(terms):
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        ranking = self.bm25.lists.search(
            np.array([0, len(terms)]), terms, weights, k=k, allowed=allowed
        )
        return ranking.documents, ranking.scores

    def _phrase_scores(self, phrases: list[Matches]) -> npt.NDArray[np.float64]:
        """What phrases add to every document."""
        index, weighting = self.bm25.index, self.bm25.weighting
        total = np.zeros(index.n_documents)
        for match in phrases:
            idf = weighting.idf(index.n_documents, index.document_frequency[match.terms]).sum()
            norm = weighting.length_norm(index.document_lengths[match.documents], index.mean_length)
            tf = np.asarray(match.frequencies, dtype=np.float64)
            saturated = tf / (tf + weighting.k1 * norm)
            total[match.documents] += match.clause.weight * idf * saturated
        return total

    def __repr__(self) -> str:
        options = "" if self.most_terms == 50 else f", most_terms={self.most_terms}"
        return f"SyntaxSearch({self.bm25!r}{options})"
