"""A run goes in, a run comes out: stages and the operators that compose them.

`bm25 % 1000 >> ranker.on(features) % 100` is a pipeline: `%` cuts the list of every query, `>>`
passes it on, `|` joins the candidates of two retrievers, which a stage such as `Fusing("rrf")` can
then fuse. Python binds `%` more tightly than `>>`,
and `>>` more tightly than `|`, so that this one needs no parentheses.

A pipeline is itself a retriever (or a re-ranker, where it begins with one), so that pipelines
compose too. Its run carries the cost of every stage, in order.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import TypeAlias

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError
from plackett.pipeline.applying import apply_stage, timed_search
from plackett.pipeline.merging import interleave

__all__ = ["Reranker", "Retriever", "Stage"]


class Retriever(ABC):
    """Anything that finds documents for queries.

    A subclass defines `search` and a `repr` that says how to make it again; the operators come with
    this class.

    >>> class Fixed(Retriever):
    ...     def search(self, queries, k=1000):
    ...         return Run.from_dict({q: {"a": 2.0, "b": 1.0} for q, _ in queries}).head(k)
    ...
    ...     def __repr__(self):
    ...         return "Fixed()"
    >>> pipeline = Fixed() % 1
    >>> pipeline
    Fixed() % 1
    >>> run = pipeline.search(Queries.from_texts({"q": "text"}))
    >>> run.to_dict(), [cost.stage for cost in run.costs]
    ({'q': {'a': 2.0}}, ['Fixed()'])
    """

    @abstractmethod
    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `k` documents for every query, best first.

        A retriever that is composed of others finds by default what its parts leave.
        """

    def __mod__(self, k: int) -> Retriever:
        """At most `k` documents a query, which the retriever is told: it looks for no more."""
        return CutRetriever(self, k)

    def __rshift__(self, stage: Reranker) -> Retriever:
        """What this finds, re-ranked by `stage`."""
        if not isinstance(stage, Reranker):
            return NotImplemented
        return Pipeline(self, stage)

    def __or__(self, other: Retriever) -> Retriever:
        """The documents of both, taken in turn."""
        if not isinstance(other, Retriever):
            return NotImplemented
        return UnionRetriever(self, other)


class Reranker(ABC):
    """Anything that takes a run and returns a new one over the same documents.

    A subclass defines `rerank`, and changes nothing of the run it was given. Calling the stage,
    `stage(run)`, re-ranks, checks what comes back and records the cost; pipelines do that.

    Attributes
    ----------
    may_drop : whether it may leave documents out, as a cutoff or a selector does. False by default:
        losing a document is then an error, for a document that is lost cannot be found again.

    >>> class Reverse(Reranker):
    ...     def rerank(self, run):
    ...         return run.with_scores(-run.score)
    ...
    ...     def __repr__(self):
    ...         return "Reverse()"
    >>> stage = Reverse() % 1 >> Reverse()
    >>> stage
    Reverse() % 1 >> Reverse()
    >>> stage(Run.from_dict({"q": {"a": 2.0, "b": 1.0}})).to_dict()
    {'q': {'b': 1.0}}
    """

    may_drop: bool = False

    @abstractmethod
    def rerank(self, run: Run) -> Run:
        """A new run over the documents of `run`."""

    def __call__(self, run: Run) -> Run:
        """Re-rank, check and record the cost: see `apply_stage`."""
        return apply_stage(self, run)

    def __mod__(self, k: int) -> Reranker:
        """The best `k` documents of every query after this stage."""
        return CutReranker(self, k)

    def __rshift__(self, stage: Reranker) -> Reranker:
        """This stage, then the other."""
        if not isinstance(stage, Reranker):
            return NotImplemented
        return RerankerSequence(self, stage)


Stage: TypeAlias = Retriever | Reranker
"""What can stand in a pipeline."""


def _check_cutoff(k: int) -> int:
    try:
        cutoff = operator.index(k)
    except TypeError:
        cutoff = 0
    if isinstance(k, bool) or cutoff < 1:
        raise ConfigurationError(f"cutoff % {k!r} is not a positive integer.")
    return cutoff


class CutRetriever(Retriever):
    """`retriever % k`: searches for no more than k documents."""

    def __init__(self, inner: Retriever, k: int) -> None:
        self.inner, self.k = inner, _check_cutoff(k)

    def search(self, queries: Queries, k: int | None = None) -> Run:
        """At most `min(k, self.k)` documents for every query."""
        return timed_search(self.inner, queries, self.k if k is None else min(k, self.k))

    def __repr__(self) -> str:
        return f"{_grouped(self.inner)} % {self.k}"


class Pipeline(Retriever):
    """`retriever >> reranker`: the reranker sees all that the retriever found."""

    def __init__(self, first: Retriever, stage: Reranker) -> None:
        self.first, self.stage = first, stage

    def search(self, queries: Queries, k: int | None = None) -> Run:
        """At most `k` documents for every query; by default all that the last stage leaves.

        `k` cuts the end of the pipeline. How much the first stage finds is said by its own cutoff,
        `retriever % n`, or is 1,000.
        """
        ranked = apply_stage(self.stage, timed_search(self.first, queries))
        return ranked if k is None else ranked.head(k)

    def __repr__(self) -> str:
        return f"{self.first!r} >> {self.stage!r}"


class UnionRetriever(Retriever):
    """`a | b`: the documents of both, taken in turn from the two lists.

    The rank of a document is that of its first appearance in a1, b1, a2, b2, ...; its score is
    minus that rank, because scores of two retrievers cannot be compared. The run's `parts` are the
    lists of each, those of `a`, `b` and `c` in `a | b | c`, for a later stage to fuse.
    """

    def __init__(self, first: Retriever, second: Retriever) -> None:
        self.first, self.second = first, second

    def search(self, queries: Queries, k: int | None = None) -> Run:
        """At most `k` documents for every query; by default all that either finds."""
        found = [timed_search(side, queries) for side in (self.first, self.second)]
        parts: list[Run] = []
        for side, run in zip((self.first, self.second), found, strict=True):
            parts += run.parts if isinstance(side, UnionRetriever) else (run,)
        joined = interleave(*found).replace(parts=tuple(parts))
        return joined if k is None else joined.head(k)

    def __repr__(self) -> str:
        return f"({self.first!r} | {self.second!r})"


class CutReranker(Reranker):
    """`reranker % k`: keeps the best k documents of every query."""

    may_drop = True

    def __init__(self, inner: Reranker, k: int) -> None:
        self.inner, self.k = inner, _check_cutoff(k)

    def rerank(self, run: Run) -> Run:
        """The first `k` of the re-ranked lists."""
        return apply_stage(self.inner, run).head(self.k)

    def __repr__(self) -> str:
        return f"{_grouped(self.inner)} % {self.k}"


class RerankerSequence(Reranker):
    """`a >> b`: b re-ranks what a returns."""

    def __init__(self, first: Reranker, second: Reranker) -> None:
        self.first, self.second = first, second
        self.may_drop = first.may_drop or second.may_drop

    def rerank(self, run: Run) -> Run:
        """The run after both stages."""
        return apply_stage(self.second, apply_stage(self.first, run))

    def __repr__(self) -> str:
        return f"{self.first!r} >> {self.second!r}"


def _grouped(stage: Stage) -> str:
    composed = isinstance(stage, (Pipeline, RerankerSequence))
    return f"({stage!r})" if composed else repr(stage)
