"""How many and which to keep: a selector is a stage that may leave documents out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.ragged import concatenate_ranges
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Reranker

__all__ = ["Cutoff", "JudgedList", "Selector", "check_limits", "cut", "judged_lists", "limited"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class Selector(Reranker):
    """A stage that keeps some of the documents of every query: `bm25 % 100 >> selector`.

    It never adds a document. A query of which nothing is kept stays, with an empty list.
    """

    may_drop = True


class Cutoff(Selector):
    """A selector that keeps the head of every list and decides from the scores how long it is.

    A subclass defines `cutoff` and, by its fields, a `repr` that `parse_selector` reads back.
    """

    @abstractmethod
    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many documents to keep of a list with these scores, `float[n]`, best first."""

    def cutoffs(self, run: Run) -> Longs:
        """How many documents to keep of every list: `int64[q]`."""
        bounds = run.offsets.tolist()
        scores = run.score.astype(np.float64)
        kept = [self.cutoff(scores[a:b]) for a, b in pairwise(bounds)]
        return np.array(kept, dtype=np.int64)

    def rerank(self, run: Run) -> Run:
        """The head of every list."""
        return cut(run, self.cutoffs(run))


def cut(run: Run, lengths: npt.ArrayLike) -> Run:
    """The first `lengths[i]` documents of list i, `int[q]`; what goes beyond a list is its end.

    >>> run = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 1.0}})
    >>> cut(run, [1, 0]).to_dict()
    {'q1': {'a': 2.0}, 'q2': {}}
    """
    kept = np.asarray(lengths, dtype=np.int64)
    if kept.shape != run.query.shape or (kept < 0).any():
        raise DataError(
            f"cutoffs of shape {kept.shape}, the least {kept.min(initial=0)}",
            expected=f"one of 0 or more for each of {len(run)} queries",
        )
    kept = np.minimum(kept, np.diff(run.offsets))
    rows = concatenate_ranges(run.offsets[:-1], kept)
    return run.take_rows(rows, kept)


def check_limits(at_least: int, at_most: int | None) -> None:
    """Complain of limits that no number of documents can keep.

    Raises
    ------
    ConfigurationError : a negative limit, or `at_most` below `at_least`.
    """
    if at_least < 0 or (at_most is not None and at_most < at_least):
        raise ConfigurationError(
            f"at_least={at_least}, at_most={at_most}; expected 0 <= at_least <= at_most."
        )


def limited(k: int, n: int, at_least: int, at_most: int | None) -> int:
    """`k`, no less than `at_least`, no more than `at_most`, no more than the n that there are.

    >>> limited(7, 10, at_least=1, at_most=5), limited(0, 2, at_least=3, at_most=None)
    (5, 2)
    """
    return min(max(k, at_least), n if at_most is None else min(at_most, n))


@dataclass(frozen=True, eq=False)
class JudgedList:
    """One list of a run with what is known of its documents.

    Parameters
    ----------
    query : the query's id.
    segment : which list of the run it is.
    scores : `float64[n]`, best first.
    relevant : `bool[n]`; a document without a judgment is not relevant.
    total : how many relevant documents the query has, those that the list lacks included.
    """

    query: str
    segment: int
    scores: Floats
    relevant: npt.NDArray[np.bool_]
    total: int


def judged_lists(run: Run, qrels: Qrels, *, relevant: float = 1.0) -> list[JudgedList]:
    """The lists of the judged queries of a run, in the run's order.

    Parameters
    ----------
    relevant : the lowest grade that counts as relevant.

    Raises
    ------
    DataError : no query of the run is judged.

    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    >>> judged_lists(run, Qrels.from_dict({"q": {"b": 1, "c": 2}}))[0].total
    2
    """
    flat = qrels.without_subtopics()
    queries = flat.query_ids.map_to(run.query_ids)[flat.query].astype(np.int64)
    documents = flat.document_ids.map_to(run.document_ids)[flat.document].astype(np.int64)
    width = max(1, len(run.document_ids))
    rows = queries[flat.query_rows]
    good = (flat.grade >= relevant) & (rows >= 0)
    totals = np.bincount(rows[good], minlength=len(run.query_ids))
    listed = good & (documents >= 0)
    keys = run.query[run.query_rows].astype(np.int64) * width + run.document
    marked = np.isin(keys, rows[listed] * width + documents[listed])
    judged = np.isin(run.query, queries)
    if not judged.any():
        raise DataError(
            "no query of the run among those judged", expected="judgments of the run's queries"
        )
    scores = run.score.astype(np.float64)
    bounds = run.offsets
    return [
        JudgedList(
            run.query_ids[run.query[i]],
            int(i),
            scores[bounds[i] : bounds[i + 1]],
            marked[bounds[i] : bounds[i + 1]],
            int(totals[run.query[i]]),
        )
        for i in np.flatnonzero(judged)
    ]
