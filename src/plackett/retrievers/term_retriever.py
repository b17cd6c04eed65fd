"""What retrievers by terms share: they are asked by texts or by weighted terms, and explain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.explanation import Explanation, TermContribution
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import ImpactLists, Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where

if TYPE_CHECKING:
    from plackett.retrievers.inverted.filled import FilledLists

__all__ = ["AskedTerms", "TermRetriever", "encode_weighted", "weighted_terms"]

Allowed = npt.NDArray[np.bool_]

GREATEST = float(np.finfo(np.float32).max)
"""No weight is greater, for sums are float32."""


class AskedTerms(NamedTuple):
    """Queries as weighted term codes.

    `offsets` is `int64[q + 1]`; query i asks for `terms[offsets[i]:offsets[i + 1]]`, `int32`, with
    the `weights` that stand in the same places, `float32`, 0 or more. The weights of a term that
    stands twice in a query add up.
    """

    offsets: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]


def weighted_terms(
    analyzer: Callable[[str], list[str]],
    queries: Mapping[str, Mapping[str, float]],
    *,
    analyze: bool = True,
) -> list[dict[str, float]]:
    """The terms of weighted queries and the sums of their weights, in reading order.

    Parameters
    ----------
    queries : for each query its words and their weights, 0 or more.
    analyze : whether the words are texts that the analyzer takes apart; each of their terms gets
        the weight. Else they are terms as the analyzer writes them.

    Raises
    ------
    DataError : a weight is negative or no number, a word is no text.
    """
    found = []
    for name, asked in queries.items():
        terms: dict[str, float] = {}
        for word, weight in asked.items():
            if not isinstance(word, str):
                raise DataError(f"the word {word!r} of query {name!r}", expected="a text")
            if not isinstance(weight, int | float | np.number) or not 0 <= weight <= GREATEST:
                raise DataError(
                    f"weight {weight!r} of {word!r} in query {name!r}",
                    expected=f"a number from 0 to {GREATEST:.3g}",
                )
            for term in analyzer(word) if analyze else [word]:
                terms[term] = terms.get(term, 0.0) + float(weight)
        found.append(terms)
    return found


def encode_weighted(
    index: InvertedIndex, queries: Mapping[str, Mapping[str, float]], *, analyze: bool = True
) -> AskedTerms:
    """Weighted queries as term codes; what the index lacks is left out. See `weighted_terms`."""
    codes: list[int] = []
    weights: list[float] = []
    lengths = []
    for terms in weighted_terms(index.analyzer, queries, analyze=analyze):
        known = [
            (code, weight) for term, weight in terms.items() if (code := index.term_code(term)) >= 0
        ]
        codes += [code for code, _ in known]
        weights += [weight for _, weight in known]
        lengths.append(len(known))
    return AskedTerms(
        lengths_to_offsets(lengths),
        np.array(codes, dtype=np.int32),
        np.array(weights, dtype=np.float32),
    )


class TermRetriever(Retriever):
    """A retriever over lists of impacts, whose queries are terms of one index.

    A subclass sets the attributes; one whose scores are more than sums of impacts overrides `rank`
    and `constant`.

    Attributes
    ----------
    index : the `InvertedIndex`.
    lists : what each posting adds to a score; all of it, or filled a term at a time.
    corpus : the documents, where known; runs carry it to later stages.
    run_name : the name of its runs.
    """

    index: InvertedIndex
    lists: ImpactLists | FilledLists
    corpus: Corpus | None
    run_name: str

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
        asked = AskedTerms(offsets, terms, np.ones(len(terms), dtype=np.float32))
        return self._run(queries, asked, k, where, threads, start)

    def search_terms(
        self,
        queries: Mapping[str, Mapping[str, float]],
        k: int = 1000,
        *,
        analyze: bool = True,
        where: Where | None = None,
        threads: int = 1,
    ) -> Run:
        """The `k` best documents of queries whose terms are weighted.

        A term of weight w counts as one that stands w times in a query: all that it adds to a score
        is multiplied by w. The run's queries are the words in their order.

        Parameters
        ----------
        queries : `{query: {word: weight}}`, weights of 0 or more: `{"q1": {"wing": 2.0, "lift":
            0.5}}`. A word that the index lacks is left out.
        analyze : whether words are read by the index's analyzer, as texts are ("wings" asks for
            "wing"). False for terms as the analyzer writes them, such as those of
            `Expanded.queries`.
        where, threads : as for `search`.

        Raises
        ------
        DataError : a weight is negative or no number; the index lacks a column of `where`.
        """
        start = time.perf_counter()
        asked = encode_weighted(self.index, queries, analyze=analyze)
        texts = Queries.from_texts({name: " ".join(words) for name, words in queries.items()})
        return self._run(texts, asked, k, where, threads, start)

    def _run(
        self,
        queries: Queries,
        asked: AskedTerms,
        k: int,
        where: Where | None,
        threads: int,
        start: float,
    ) -> Run:
        allowed = rows_where(self.index.metadata, where) if where else None
        return found_run(
            self,
            queries,
            self.index.document_ids,
            self.rank(asked, k, threads=threads, allowed=allowed),
            started=start,
            name=self.run_name,
            corpus=self.corpus,
        )

    def rank(
        self, asked: AskedTerms, k: int, *, threads: int = 1, allowed: Allowed | None = None
    ) -> Ranking:
        """The `k` best documents for terms; `allowed`, `bool[N]`, are those that may be results."""
        return self.lists.search(
            asked.offsets, asked.terms, asked.weights, k=k, threads=threads, allowed=allowed
        )

    def constant(self, term: int, document: int) -> float:
        """What a token of a term adds to a document beyond its posting, whether it has one."""
        return 0.0

    def explain(self, query: str, document: str) -> Explanation:
        """What each term of a query text adds to the score of the document with this id.

        The score is that of a search. A document that is no result, for nothing that it has counts
        for more than 0, has the sum of what its terms add.

        Raises
        ------
        DataError : the index has no such document.
        """
        code = int(self.index.document_ids.codes([document])[0])
        if code < 0:
            raise DataError(f"document {document!r}", expected="a document of the index")
        parts = [
            self._contribution(term, occurrences, code)
            for term, occurrences in Counter(self.index.analyzer(query)).items()
        ]
        entries = tuple(entry for _, entry in sorted(parts, key=lambda part: part[0]))
        only = np.zeros(self.index.n_documents, dtype=np.bool_)
        only[code] = True
        offsets, terms = self.index.encode_queries([query])
        asked = AskedTerms(offsets, terms, np.ones(len(terms), dtype=np.float32))
        found = self.rank(asked, 1, allowed=only).scores
        score = found[0] if len(found) else sum(np.float32(entry.contribution) for entry in entries)
        return Explanation(query, document, float(score), entries)

    def _contribution(
        self, term: str, occurrences: int, document: int
    ) -> tuple[float, TermContribution]:
        """One term's part, behind the key that orders terms as the search adds them."""
        code = self.index.term_code(term)
        if code < 0:
            return 0.0, TermContribution(term, occurrences, 0, 0, 0.0)
        lists = self.lists
        if not isinstance(lists, ImpactLists):
            lists = lists.of_terms(np.array([code], dtype=np.int32))
        documents, frequencies = self.index.postings_of(code)
        weight = np.float32(occurrences)
        added, frequency = occurrences * self.constant(code, document), 0
        place = int(np.searchsorted(documents, document))
        if place < len(documents) and documents[place] == document:
            frequency = int(frequencies[place])
            added += float(weight * lists.impacts[int(lists.offsets[code]) + place])
        entry = TermContribution(term, occurrences, frequency, len(documents), added)
        return -float(weight * lists.upper[code]), entry
