"""The retriever over an inverted index by any model of terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import concatenate_ranges, lengths_to_offsets, segment_of_rows
from plackett.data.texts import Corpus
from plackett.errors import ConfigurationError
from plackett.retrievers.base import register
from plackett.retrievers.best_first import Found, best_first, joined
from plackett.retrievers.inverted.impacts import ImpactLists, Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import TermModel, parse_term_model
from plackett.retrievers.parameters import check_count
from plackett.retrievers.term_retriever import AskedTerms, TermRetriever

__all__ = ["Lexical"]


@register("lexical")
class Lexical(TermRetriever):
    """Documents by a model of terms other than BM25: the exact top k.

    The index is the one that BM25 builds; what the model's postings add is computed when the
    retriever is made, and kept in memory. Only documents that have a term of the query, and to
    whose score the postings add more than 0, are results; where documents tie for the last of the
    k places, those first in the corpus are in.

    Parameters
    ----------
    index : an `InvertedIndex`, a `BM25`, or the folder of one.
    model : the model, or its description: "DPH", "Dirichlet(mu=2000)".
    corpus : the documents that were indexed, for later stages to find their texts.

    Raises
    ------
    UnknownNameError : no model has that name.
    ConfigurationError : parameters so extreme that a posting would add no finite number.

    >>> import tempfile
    >>> from plackett.data.texts import Queries
    >>> from plackett.retrievers.bm25 import BM25
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "wing and wing", "d3": "heat"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder)
    ...     likelihood = Lexical(bm25, "Dirichlet(mu=10)")
    ...     run = likelihood.search(Queries.from_texts({"q": "wings"}))
    ...     weighted = likelihood.search_terms({"q": {"wings": 2.0}})
    ...     [(name, round(score, 3)) for name, score in run["q"]], weighted["q"][0][0]
    ([('d2', 0.105), ('d1', -0.028)], 'd2')
    """

    def __init__(self, index: Any, model: TermModel | str, *, corpus: Corpus | None = None) -> None:
        opened = (
            InvertedIndex.open(index, corpus=corpus) if isinstance(index, (str, Path)) else index
        )
        self.index: InvertedIndex = getattr(opened, "index", opened)
        self.corpus: Corpus | None = corpus or getattr(opened, "corpus", None)
        self.model = parse_term_model(model) if isinstance(model, str) else model
        # What overflows is told below, not warned of.
        with np.errstate(all="ignore"):
            impacts = self.model.impacts(self.index)
            self.constants = self.model.constants(self.index)
            self.term_constants = self.model.term_constants(self.index)
        for added in (impacts, self.constants, self.term_constants):
            if added is not None and not np.isfinite(added).all():
                raise ConfigurationError(f"{self.model!r} adds what is no finite number.")
        self.lists = ImpactLists.from_postings(
            offsets=self.index.posting_offsets,
            documents=self.index.posting_documents,
            impacts=impacts,
            rank=self.index.document_rank,
        )
        self.run_name = type(self.model).__name__.lower()

    def rank(
        self,
        asked: AskedTerms,
        k: int,
        *,
        threads: int = 1,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """The `k` best documents for terms; `allowed`, `bool[N]`, are those that may be results."""
        if self.constants is None:
            ranking = super().rank(asked, k, threads=threads, allowed=allowed)
        else:
            ranking = self._smoothed(asked, self.constants, k, threads, allowed)
        if self.term_constants is None:
            return ranking
        return self._raised(asked, ranking, self.term_constants)

    def constant(self, term: int, document: int) -> float:
        """What smoothing, and a model's constant of the term, add."""
        added = 0.0 if self.constants is None else float(self.constants[document])
        return added if self.term_constants is None else added + float(self.term_constants[term])

    def _smoothed(
        self,
        asked: AskedTerms,
        constants: npt.NDArray[np.float32],
        k: int,
        threads: int,
        allowed: npt.NDArray[np.bool_] | None,
    ) -> Ranking:
        """The best documents where each adds a constant for every token of the query.

        The search by postings alone goes as deep as it must: a document that it has not come to
        has no more than the last one's sum and the greatest constant.
        """
        check_count("k", k)
        having = self.index.document_lengths > 0
        greatest = constants[having].max(initial=np.float32(-np.inf))
        totals = _sums_of_queries(asked, asked.weights)
        pending = np.arange(len(totals))
        found: list[Found] = [(np.zeros(0, np.int32), np.zeros(0, np.float32)) for _ in pending]
        documents_in_all = max(1, self.index.n_documents)
        depth = min(4 * k, documents_in_all)
        while len(pending):
            ranking = self.lists.search(
                *_chosen(asked, pending), k=depth, threads=threads, allowed=allowed
            )
            left = []
            for place, query in enumerate(pending):
                part = slice(ranking.offsets[place], ranking.offsets[place + 1])
                documents, sums = ranking.documents[part], ranking.scores[part]
                scores = sums + totals[query] * constants[documents]
                found[query] = best_first((documents, scores), self.index.document_rank, k)
                if len(sums) == depth < documents_in_all:
                    # In float32, as scores are: rounding then keeps the order of the bounds.
                    limit = sums[-1] + totals[query] * greatest
                    if found[query][1][-1] <= limit:
                        left.append(query)
            pending = np.array(left, dtype=np.int64)
            depth = min(4 * depth, documents_in_all)
        return joined(found)

    def _raised(
        self, asked: AskedTerms, ranking: Ranking, constants: npt.NDArray[np.float32]
    ) -> Ranking:
        """Every score of a query with what its terms add to all documents."""
        added = _sums_of_queries(asked, asked.weights * constants[asked.terms])
        query = segment_of_rows(ranking.offsets)
        scores = ranking.scores + added[query]
        # Rounding may make scores equal that were not.
        order = np.lexsort((-self.index.document_rank[ranking.documents], -scores, query))
        return Ranking(ranking.offsets, ranking.documents[order], scores[order])

    def __repr__(self) -> str:
        return f"Lexical({str(self.index.folder.parent)!r}, {self.model!r})"


def _sums_of_queries(asked: AskedTerms, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The sum of the values of each query's terms: `float32[q]`."""
    queries = len(asked.offsets) - 1
    sums = np.bincount(segment_of_rows(asked.offsets), weights=values, minlength=queries)
    return sums.astype(np.float32)


def _chosen(asked: AskedTerms, queries: npt.NDArray[np.int64]) -> AskedTerms:
    """Some of the queries."""
    lengths = np.diff(asked.offsets)[queries]
    rows = concatenate_ranges(asked.offsets[queries], lengths)
    return AskedTerms(lengths_to_offsets(lengths), asked.terms[rows], asked.weights[rows])
