"""One stage at work: its cost, the texts it hands on, and what it may do to a run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import DataError

if TYPE_CHECKING:
    from plackett.pipeline.base import Reranker, Retriever

__all__ = ["apply_stage", "timed_search"]


def timed_search(retriever: Retriever, queries: Queries, k: int | None = None) -> Run:
    """Search, with the queries linked to the run and the cost recorded if the stage did not.

    Without `k` the retriever finds as many as it does by default.
    """
    started = time.perf_counter()
    run = retriever.search(queries) if k is None else retriever.search(queries, k)
    seconds = time.perf_counter() - started
    costs = run.costs or (Cost(repr(retriever), seconds, len(run), len(run.document)),)
    return run.replace(queries=run.queries or queries, costs=costs)


def apply_stage(stage: Reranker, run: Run) -> Run:
    """Re-rank, check what comes back, and add the cost to those of the stages before.

    Raises
    ------
    DataError : the stage returned other queries, a document that it was not given, one twice, or
        fewer than it was given although it is no stage that may drop any.
    """
    started = time.perf_counter()
    ranked = stage.rerank(run)
    seconds = time.perf_counter() - started
    _check_queries(stage, run, ranked)
    _check_documents(stage, run, ranked)
    before = run.costs
    # A stage that hands the costs on has added its own to them; others have only their own.
    own = ranked.costs[len(before) :] if ranked.costs[: len(before)] == before else ranked.costs
    if not own:
        own = (Cost(repr(stage), seconds, len(run), len(run.document)),)
    return ranked.replace(
        queries=ranked.queries or run.queries,
        corpus=ranked.corpus or run.corpus,
        costs=(*before, *own),
        parts=ranked.parts or run.parts,
    )


def _check_queries(stage: Reranker, before: Run, after: Run) -> None:
    if not np.array_equal(after.query_ids.map_to(before.query_ids)[after.query], before.query):
        raise DataError(
            f"other queries from {stage!r} than it was given",
            expected="the same queries, in order, also where a list is empty",
        )


def _check_documents(stage: Reranker, before: Run, after: Run) -> None:
    documents = after.document_ids.map_to(before.document_ids)[after.document]
    # Where a document stood in the list that was looked at last: one entry a document, so that each
    # query costs its own length and nothing is sorted.
    place = np.full(max(1, len(before.document_ids)), -1, dtype=np.int64)
    bounds = zip(
        before.offsets[:-1], before.offsets[1:], after.offsets[:-1], after.offsets[1:], strict=True
    )
    for segment, (start, end, first, last) in enumerate(bounds):
        given, returned = before.document[start:end], documents[first:last]
        place[given] = np.arange(start, end)
        found = place[returned]
        if (returned < 0).any() or (found < start).any():
            row = int(first) + int(np.argmax((returned < 0) | (found < start)))
            document = after.document_ids[after.document[row]]
            problem = f"document {document!r}, which it was not given,"
            _complain(stage, before, segment, problem, "documents of the run it re-ranks")
        again = _first_repeated(found - start, len(given))
        if again is not None:
            problem = f"document {before.document_ids[given[again]]!r} twice"
            _complain(stage, before, segment, problem, "each document once")
        if len(returned) < len(given) and not stage.may_drop:
            lost = np.setdiff1d(given, returned)
            problem = (
                f"{len(lost)} of {len(given)} documents lost, "
                f"{before.document_ids[lost[0]]!r} among them,"
            )
            _complain(stage, before, segment, problem, "all documents of the run it re-ranks")


def _first_repeated(places: npt.NDArray[np.int64], length: int) -> int | None:
    """A place that occurs twice, or None."""
    counts = np.bincount(places, minlength=length)
    return int(np.argmax(counts)) if length and counts.max() > 1 else None


def _complain(stage: Reranker, run: Run, segment: int, problem: str, expected: str) -> None:
    query = run.query_ids[run.query[segment]]
    raise DataError(f"{problem} in the list of query {query!r} from {stage!r}", expected=expected)
