"""A run goes in, a run comes out: stages and the operators that compose them.

`bm25 % 1000 >> ranker.on(features) % 100` is a pipeline: `%` cuts the list of every query, `>>`
passes it on, `|` joins the candidates of two retrievers. Python binds `%` more tightly than `>>`,
and `>>` more tightly than `|`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.ordering import first_duplicate
from plackett.data.ragged import positions_within
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError

__all__ = ["Reranker", "Retriever", "apply_stage", "interleave", "timed_search"]


class Retriever(ABC):
    """Anything that finds documents for queries.

    A subclass defines `search`; the operators come with it.

    >>> class Fixed(Retriever):
    ...     def search(self, queries, k=1000):
    ...         return Run.from_dict({q: {"a": 2.0, "b": 1.0} for q in queries.ids}).head(k)
    ...
    ...     def __repr__(self):
    ...         return "Fixed()"
    >>> pipeline = Fixed() % 1
    >>> pipeline
    Fixed() % 1
    >>> pipeline.search(Queries.from_texts({"q": "text"})).to_dict()
    {'q': {'a': 2.0}}
    """

    @abstractmethod
    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `k` documents for every query, best first."""

    def __mod__(self, k: int) -> Retriever:
        return CutRetriever(self, k)

    def __rshift__(self, stage: Reranker) -> Retriever:
        if not isinstance(stage, Reranker):
            return NotImplemented
        return Pipeline(self, stage)

    def __or__(self, other: Retriever) -> Retriever:
        if not isinstance(other, Retriever):
            return NotImplemented
        return UnionRetriever(self, other)


class Reranker(ABC):
    """Anything that takes a run and returns a new one with the same documents, or fewer.

    A subclass defines `rerank`, and changes nothing of the run it was given.
    """

    @abstractmethod
    def rerank(self, run: Run) -> Run:
        """A new run over documents of `run`."""

    def __mod__(self, k: int) -> Reranker:
        return CutReranker(self, k)

    def __rshift__(self, stage: Reranker) -> Reranker:
        if not isinstance(stage, Reranker):
            return NotImplemented
        return RerankerSequence(self, stage)


def _check_cutoff(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ConfigurationError(f"cutoff % {k!r} is not a positive integer.")
    return int(k)


class CutRetriever(Retriever):
    """`retriever % k`: searches for no more than k documents."""

    def __init__(self, inner: Retriever, k: int) -> None:
        self.inner, self.k = inner, _check_cutoff(k)

    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `min(k, self.k)` documents for every query."""
        return self.inner.search(queries, min(k, self.k))

    def __repr__(self) -> str:
        return f"{_grouped(self.inner)} % {self.k}"


class Pipeline(Retriever):
    """`retriever >> reranker`: the reranker sees all that the retriever found."""

    def __init__(self, first: Retriever, stage: Reranker) -> None:
        self.first, self.stage = first, stage

    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `k` documents for every query. A cutoff inside the pipeline is not changed."""
        found = timed_search(self.first, queries)
        return apply_stage(self.stage, found).head(k)

    def __repr__(self) -> str:
        return f"{self.first!r} >> {self.stage!r}"


class UnionRetriever(Retriever):
    """`a | b`: the documents of both, taken in turn from the two lists.

    The rank of a document is that of its first appearance in a1, b1, a2, b2, ...; its score is
    minus that rank, because scores of two retrievers cannot be compared.
    """

    def __init__(self, first: Retriever, second: Retriever) -> None:
        self.first, self.second = first, second

    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `k` documents for every query."""
        found = [timed_search(part, queries) for part in (self.first, self.second)]
        return interleave(found[0], found[1]).head(k)

    def __repr__(self) -> str:
        return f"({self.first!r} | {self.second!r})"


class CutReranker(Reranker):
    """`reranker % k`: keeps the best k documents of every query."""

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

    def rerank(self, run: Run) -> Run:
        """The run after both stages."""
        return apply_stage(self.second, apply_stage(self.first, run))

    def __repr__(self) -> str:
        return f"{self.first!r} >> {self.second!r}"


def _grouped(stage: Retriever | Reranker) -> str:
    composed = isinstance(stage, (Pipeline, RerankerSequence))
    return f"({stage!r})" if composed else repr(stage)


def timed_search(retriever: Retriever, queries: Queries, k: int = 1000) -> Run:
    """Search, with the queries linked to the run and the cost recorded if the stage did not."""
    started = time.perf_counter()
    run = retriever.search(queries, k)
    seconds = time.perf_counter() - started
    costs = run.costs or (Cost(repr(retriever), seconds, len(run), len(run.document)),)
    return run.replace(queries=run.queries or queries, costs=costs)


def apply_stage(stage: Reranker, run: Run) -> Run:
    """Re-rank, check that only documents of `run` come back, and record the cost.

    Raises
    ------
    DataError : the stage returned other queries, a document that it was not given, or one twice.
    """
    started = time.perf_counter()
    ranked = stage.rerank(run)
    seconds = time.perf_counter() - started
    _check_documents(stage, run, ranked)
    costs = ranked.costs
    if len(costs) <= len(run.costs):
        costs = (*run.costs, Cost(repr(stage), seconds, len(run), len(run.document)))
    return ranked.replace(
        queries=ranked.queries or run.queries, corpus=ranked.corpus or run.corpus, costs=costs
    )


def _check_documents(stage: Reranker, before: Run, after: Run) -> None:
    query_map = after.query_ids.map_to(before.query_ids)[after.query]
    if not np.array_equal(query_map, before.query):
        raise DataError(
            f"other queries from {stage!r} than it was given", expected="the same queries, in order"
        )
    documents = after.document_ids.map_to(before.document_ids)[after.document]
    rows = after.query_rows.astype(np.int32)
    given = _keys(before.query_rows, before.document, before.document_ids)
    returned = _keys(rows.astype(np.int64), documents, before.document_ids)
    strange = ~np.isin(returned, given) | (documents < 0)
    if strange.any():
        row = int(np.argmax(strange))
        raise DataError(
            f"document {after.document_ids[after.document[row]]!r} for query "
            f"{after.query_ids[after.query[rows[row]]]!r} from {stage!r}, which was not given it",
            expected="documents of the run it re-ranks",
        )
    if first_duplicate(rows, documents, len(before.document_ids)) is not None:
        raise DataError(f"a document twice from {stage!r}", expected="each at most once")


def _keys(
    rows: npt.NDArray[np.int64], documents: npt.NDArray[np.int32], ids: Ids
) -> npt.NDArray[np.int64]:
    keys: npt.NDArray[np.int64] = rows * np.int64(len(ids)) + documents
    return keys


def interleave(first: Run, second: Run) -> Run:
    """The documents of two runs, taken in turn; the score of a document is minus its rank.

    Queries of either run are kept; costs are those of both.

    >>> a = Run.from_dict({"q": {"x": 2.0, "y": 1.0}})
    >>> b = Run.from_dict({"q": {"y": 9.0, "z": 8.0}})
    >>> interleave(a, b).to_dict()
    {'q': {'x': -1.0, 'y': -2.0, 'z': -3.0}}
    """
    query_ids = first.query_ids.union(second.query_ids)
    document_ids = first.document_ids.union(second.document_ids)
    both = (first, second)
    queries = np.concatenate(
        [run.query_ids.map_to(query_ids)[run.query][run.query_rows] for run in both]
    )
    documents = np.concatenate(
        [run.document_ids.map_to(document_ids)[run.document] for run in both]
    )
    turns = np.concatenate(
        [2 * positions_within(run.offsets) + place for place, run in enumerate(both)]
    )
    order = np.lexsort((turns, queries))
    keys = _keys(queries[order].astype(np.int64), documents[order], document_ids)
    kept = order[np.sort(np.unique(keys, return_index=True)[1])]
    counts = np.bincount(queries[kept], minlength=len(query_ids))
    starts = np.concatenate([[0], np.cumsum(counts)])
    ranks = np.arange(len(kept)) - starts[queries[kept]] + 1
    return Run.from_arrays(
        queries[kept],
        documents[kept],
        -ranks,
        query_ids=query_ids,
        document_ids=document_ids,
        all_queries=True,
        name=f"{first.name}|{second.name}",
        queries=first.queries or second.queries,
        corpus=first.corpus or second.corpus,
        costs=(*first.costs, *second.costs),
    )
