"""A re-ranker of texts: one query or many, blocking or awaited, or a whole run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.run_texts import document_texts, query_texts
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Reranker
from plackett.rerankers.ranked import Candidates, Ordering, Ranked, RankedDocument, run_scores
from plackett.transport.event_loop import run_blocking, run_on_loop

__all__ = ["Documents", "Outcome", "TextReranker", "candidates_of"]

Documents: TypeAlias = Sequence[str] | Mapping[str, str] | Candidates
"""Texts, or texts by id, in first-stage order."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one query came to: its ordering and what it cost."""

    ordering: Ordering
    calls: int = 0
    cached_calls: int = 0
    tokens: int = 0
    truncated: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class TextReranker(Reranker, ABC):
    """Anything that orders the texts of a query.

    A subclass defines `_order_many`, which orders the candidates of many queries, and a `repr` that
    `plackett.rerankers.parse` reads back. What every one of them keeps to: its order is a
    permutation of what it was given (a part of it, where `may_drop`); nothing it was given is
    changed; no documents are no call; equal scores stay in first-stage order.

    Attributes
    ----------
    watcher : told of every query's outcome as it is ready, for a progress bar; None for nobody.
    scores_one : whether a document that is alone in its list is asked about too, for its score; its
        place needs no question.
    """

    watcher: Callable[[Outcome], None] | None = None
    scores_one: bool = False

    @abstractmethod
    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        """One outcome a query, in order; runs on plackett's event loop."""

    def _tell(self, outcome: Outcome) -> None:
        if self.watcher is not None:
            self.watcher(outcome)

    def rank(
        self,
        query: str,
        documents: Documents,
        k: int | None = None,
        *,
        ids: Sequence[str] | None = None,
    ) -> Ranked:
        """Order the documents of one query.

        Parameters
        ----------
        query : the query's text.
        documents : texts in first-stage order, texts by id, or `Candidates`.
        k : keep the best k of the result; all by default. All are looked at in either case.
        ids : what texts without ids are called; "0", "1", ... by default.

        Raises
        ------
        DataError : an id twice, or a text or query that is no string.

        >>> from plackett.rerankers import Reranker
        >>> ranked = Reranker("word-overlap").rank("red wine", ["white bread", "wine, red"], k=1)
        >>> ranked[0].id, ranked[0].score
        ('1', 1.0)
        """
        return self.rank_many([query], [_candidates(documents, ids)], k)[0]

    async def arank(
        self,
        query: str,
        documents: Documents,
        k: int | None = None,
        *,
        ids: Sequence[str] | None = None,
    ) -> Ranked:
        """`rank`, awaited."""
        return (await self.arank_many([query], [_candidates(documents, ids)], k))[0]

    def rank_many(
        self, queries: Sequence[str], documents: Sequence[Documents], k: int | None = None
    ) -> list[Ranked]:
        """Order the documents of many queries at once, which shares batches and connections."""
        return run_blocking(self._ranked_many(queries, documents, k))

    async def arank_many(
        self, queries: Sequence[str], documents: Sequence[Documents], k: int | None = None
    ) -> list[Ranked]:
        """`rank_many`, awaited; the same path, limits and cache."""
        return await run_on_loop(self._ranked_many(queries, documents, k))

    def rerank(self, run: Run) -> Run:
        """A new run over the documents of `run`, whose texts it finds by `run.queries` and
        `run.corpus`.

        Scores of the new run are the strategy's own, set apart where they are equal (see
        `run_scores`), or n to 1 where the strategy gives an order only.

        Raises
        ------
        DataError : the run has no texts, or lacks one of them.
        """
        queries, candidates = candidates_of(run)
        outcomes = run_blocking(self._checked(queries, candidates))
        parts = [run_scores(o.ordering, len(c)) for o, c in zip(outcomes, candidates, strict=True)]
        starts = run.offsets[:-1].tolist()
        rows = [
            start + position
            for start, outcome in zip(starts, outcomes, strict=True)
            for position in outcome.ordering.order
        ]
        cost = Cost(
            repr(self),
            max((outcome.seconds for outcome in outcomes), default=0.0),
            len(run),
            len(run.document),
            calls=sum(outcome.calls for outcome in outcomes),
            tokens=sum(outcome.tokens for outcome in outcomes),
        )
        ranked = run.take_rows(
            np.array(rows, dtype=np.int64),
            np.array([len(part) for part in parts], dtype=np.int64),
            np.concatenate([np.zeros(0, dtype=np.float32), *parts]),
        )
        return ranked.replace(costs=(*run.costs, cost))

    async def _ranked_many(
        self, queries: Sequence[str], documents: Sequence[Documents], k: int | None
    ) -> list[Ranked]:
        if k is not None and (isinstance(k, bool) or k < 1):
            raise ConfigurationError(f"k = {k!r}; expected a positive integer, or None for all.")
        if len(queries) != len(documents):
            raise DataError(
                f"{len(queries)} queries and {len(documents)} lists of documents",
                expected="one list a query",
            )
        candidates = [_candidates(given, None) for given in documents]
        outcomes = await self._checked(queries, candidates)
        return [
            _ranked(query, given, outcome, k)
            for query, given, outcome in zip(queries, candidates, outcomes, strict=True)
        ]

    async def _checked(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        for query in queries:
            if not isinstance(query, str):
                raise DataError(f"query {query!r}", expected="a string")
        busy = [i for i, given in enumerate(candidates) if len(given)]
        outcomes = [Outcome(Ordering(()))] * len(queries)
        if busy:
            found = await self._order_many(
                [queries[i] for i in busy], [candidates[i] for i in busy]
            )
            for i, outcome in zip(busy, found, strict=True):
                _check_order(self, outcome.ordering, len(candidates[i]))
                outcomes[i] = outcome
        return outcomes


def _candidates(documents: Documents, ids: Sequence[str] | None) -> Candidates:
    if isinstance(documents, Candidates):
        return documents
    if isinstance(documents, str):
        raise DataError("one string for documents", expected="a list of texts")
    if isinstance(documents, Mapping):
        names, texts = tuple(documents), tuple(documents.values())
    else:
        texts = tuple(documents)
        names = tuple(ids) if ids is not None else tuple(str(i) for i in range(len(texts)))
    for name, text in zip(names, texts, strict=False):
        if not isinstance(text, str):
            raise DataError(f"document {name!r} of type {type(text).__name__}", expected="a string")
    return Candidates(names, texts)


def candidates_of(run: Run) -> tuple[list[str], list[Candidates]]:
    """The text of every query of a run, and its documents with their texts.

    Raises
    ------
    DataError : the run has no texts, or lacks one of them.
    """
    texts, bodies = query_texts(run), document_texts(run)
    documents = run.document_ids.strings(run.document).to_pylist()
    bounds = run.offsets.tolist()
    candidates = [
        Candidates(
            tuple(documents[a:b]),
            tuple(bodies[a:b]),
            run.score[a:b].astype(np.float64),
            query_id=name,
        )
        for name, a, b in zip(run.query_names, bounds[:-1], bounds[1:], strict=True)
    ]
    return texts, candidates


def _check_order(reranker: TextReranker, ordering: Ordering, n: int) -> None:
    order = ordering.order
    valid = len(set(order)) == len(order) and all(0 <= position < n for position in order)
    if not valid or (len(order) < n and not reranker.may_drop):
        raise DataError(
            f"an order of {len(order)} places from {reranker!r}",
            expected=f"each of {n} documents once",
        )


def _ranked(query: str, given: Candidates, outcome: Outcome, k: int | None) -> Ranked:
    ordering = outcome.ordering
    n = len(given)
    own = np.arange(n, 0, -1, dtype=np.float64)
    documents = tuple(
        RankedDocument(
            given.ids[position],
            given.texts[position],
            float(own[place] if ordering.scores is None else ordering.scores[position]),
            place + 1,
            position,
        )
        for place, position in enumerate(ordering.order[:k])
    )
    return Ranked(
        query,
        documents,
        "rank" if ordering.scores is None else ordering.score_kind,
        calls=outcome.calls,
        cached_calls=outcome.cached_calls,
        tokens=outcome.tokens,
        truncated=outcome.truncated,
        answers=dict(outcome.answers),
        seconds=outcome.seconds,
    )
