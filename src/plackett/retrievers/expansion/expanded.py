"""Search in two passes: the first documents make the query longer, which then searches again."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.bm25 import BM25
from plackett.retrievers.expansion.base import Expansion, WeightedTerms, parse_expansion
from plackett.retrievers.expansion.feedback import read_feedback
from plackett.retrievers.found_run import found_run
from plackett.retrievers.living.live_bm25 import LiveBM25
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where, rows_where

__all__ = ["Expanded"]

HEAVIEST = 1e30
"""Times an impact, the greatest weight is still a float32."""


@register("expanded")
class Expanded(Retriever):
    """BM25 asked twice: with the query, and with the query that the first documents made of it.

    Parameters
    ----------
    first : the index, which must have been built with `forward=True`; a living one always is.
    expansion : how to expand, or its description: "RM3", "Bo1(documents=5)".

    Raises
    ------
    UnknownNameError : no expansion has that name.

    >>> import tempfile
    >>> from plackett.data.texts import Corpus
    >>> from plackett.retrievers.expansion import RM3
    >>> texts = {"d1": "wing lift flap", "d2": "flap hinge", "d3": "heat", "d4": "heat flow"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(Corpus.from_texts(texts), folder)
    ...     longer = Expanded(bm25, RM3(documents=1, common=1.0))
    ...     run = longer.search(Queries.from_texts({"q": "wings"}))
    ...     [name for name, _ in run["q"]], longer.queries(["wings"])[0]
    (['d1', 'd2'], {'wing': 0.666..., 'flap': 0.166..., 'lift': 0.166...})
    """

    def __init__(self, first: BM25 | LiveBM25, expansion: Expansion | str) -> None:
        self.first = first
        self.expansion = parse_expansion(expansion) if isinstance(expansion, str) else expansion

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best documents of every expanded query.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree, in both passes; see `BM25.search`.
        threads : queries are dealt out to so many threads; the result does not depend on it.
        """
        start = time.perf_counter()
        allowed = rows_where(self.first.index.metadata, where) if where else None
        expanded = self._expanded(main_texts(queries), threads, allowed)
        offsets = lengths_to_offsets([len(query.terms) for query in expanded])
        terms = np.concatenate([np.zeros(0, np.int32), *(query.terms for query in expanded)])
        weights = np.concatenate([np.zeros(0), *(query.weights for query in expanded)])
        weights = np.minimum(weights, HEAVIEST)
        ranking = self.first.lists.search(
            offsets, terms, weights.astype(np.float32), k=k, threads=threads, allowed=allowed
        )
        return found_run(
            self,
            queries,
            self.first.index.document_ids,
            ranking,
            started=start,
            name=f"bm25+{type(self.expansion).__name__.lower()}",
            corpus=self.first.corpus,
        )

    def queries(self, texts: list[str]) -> list[dict[str, float]]:
        """The expanded queries: the weight of every term, the heaviest first."""
        names = self.first.index.terms
        found = []
        for query in self._expanded(texts, 1):
            pairs = zip(names.strings(query.terms).to_pylist(), query.weights, strict=True)
            ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
            found.append({name: float(weight) for name, weight in ordered})
        return found

    def _expanded(
        self, texts: list[str], threads: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> list[WeightedTerms]:
        index = self.first.index
        offsets, terms = index.encode_queries(texts)
        ranking = self.first.lists.search(
            offsets, terms, k=self.expansion.documents, threads=threads, allowed=allowed
        )
        made = []
        for number in range(len(texts)):
            own, counts = np.unique(
                terms[offsets[number] : offsets[number + 1]], return_counts=True
            )
            rows = slice(ranking.offsets[number], ranking.offsets[number + 1])
            feedback = read_feedback(index, ranking.documents[rows], ranking.scores[rows])
            query = WeightedTerms(own, counts.astype(np.float64))
            made.append(self.expansion.expand(index, query, feedback))
        return made

    def __repr__(self) -> str:
        return f"Expanded({self.first!r}, {self.expansion!r})"
