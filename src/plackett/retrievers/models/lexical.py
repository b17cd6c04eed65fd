"""The retriever over an inverted index by any model of terms."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import ImpactLists, Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import TermModel, parse_term_model
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where

__all__ = ["Lexical"]


@register("lexical")
class Lexical(Retriever):
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

    >>> import tempfile
    >>> from plackett.retrievers.bm25 import BM25
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "wing and wing", "d3": "heat"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder)
    ...     run = Lexical(bm25, "Dirichlet(mu=10)").search(Queries.from_texts({"q": "wings"}))
    ...     [(name, round(score, 3)) for name, score in run["q"]]
    [('d2', 0.105), ('d1', -0.028)]
    """

    def __init__(self, index: Any, model: TermModel | str, *, corpus: Corpus | None = None) -> None:
        opened = (
            InvertedIndex.open(index, corpus=corpus) if isinstance(index, (str, Path)) else index
        )
        self.index: InvertedIndex = getattr(opened, "index", opened)
        self.corpus: Corpus | None = corpus or getattr(opened, "corpus", None)
        self.model = parse_term_model(model) if isinstance(model, str) else model
        self.lists = ImpactLists.from_postings(
            offsets=self.index.posting_offsets,
            documents=self.index.posting_documents,
            impacts=self.model.impacts(self.index),
            rank=self.index.document_rank,
        )
        self.constants = self.model.constants(self.index)

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
        offsets, terms = self.index.encode_queries(main_texts(queries))
        allowed = rows_where(self.index.metadata, where) if where else None
        if self.constants is None:
            ranking = self.lists.search(offsets, terms, k=k, threads=threads, allowed=allowed)
        else:
            ranking = self._smoothed(offsets, terms, self.constants, k, threads, allowed)
        return found_run(
            self,
            queries,
            self.index.document_ids,
            ranking,
            started=start,
            name=type(self.model).__name__.lower(),
            corpus=self.corpus,
        )

    def _smoothed(
        self,
        offsets: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int32],
        constants: npt.NDArray[np.float32],
        k: int,
        threads: int,
        allowed: npt.NDArray[np.bool_] | None,
    ) -> Ranking:
        """The best documents where each adds a constant for every token of the query.

        The search by postings alone goes as deep as it must: a document that it has not come to
        has no more than the last one's sum and the greatest constant.
        """
        having = self.index.document_lengths > 0
        greatest = float(constants[having].max(initial=-np.inf))
        pending = np.arange(len(offsets) - 1)
        found: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]] = [
            (np.zeros(0, np.int32), np.zeros(0, np.float32)) for _ in pending
        ]
        depth = min(4 * k, max(1, self.index.n_documents))
        while len(pending):
            lengths = np.diff(offsets)[pending]
            rows = np.concatenate(
                [np.zeros(0, np.int64), *(np.arange(*offsets[q : q + 2]) for q in pending)]
            )
            ranking = self.lists.search(
                lengths_to_offsets(lengths), terms[rows], k=depth, threads=threads, allowed=allowed
            )
            left = []
            for place, query in enumerate(pending):
                part = slice(ranking.offsets[place], ranking.offsets[place + 1])
                documents, sums = ranking.documents[part], ranking.scores[part]
                scores = sums + np.float32(lengths[place]) * constants[documents]
                order = np.lexsort((documents, -scores))[:k]
                order = order[
                    np.lexsort((-self.index.document_rank[documents[order]], -scores[order]))
                ]
                limit = sums[-1] + lengths[place] * greatest if len(sums) == depth else -np.inf
                found[query] = documents[order], scores[order]
                if (
                    depth < self.index.n_documents
                    and scores[order[-1:]].min(initial=np.inf) <= limit
                ):
                    left.append(query)
            pending = np.array(left, dtype=np.int64)
            depth = min(4 * depth, max(1, self.index.n_documents))
        return Ranking(
            lengths_to_offsets([len(documents) for documents, _ in found]),
            np.concatenate([np.zeros(0, np.int32), *(documents for documents, _ in found)]),
            np.concatenate([np.zeros(0, np.float32), *(scores for _, scores in found)]),
        )

    def __repr__(self) -> str:
        return f"Lexical({str(self.index.folder.parent)!r}, {self.model!r})"
