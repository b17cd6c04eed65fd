"""What every measure reads: the judged documents of each ranked list, and all judgments.

A run of ten million rows is reduced once to its hits: the retrieved documents that have a grade.
Every measure is then a few array operations over the hits.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.ragged import lengths_to_offsets, positions_within, segment_of_rows
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError

__all__ = ["JudgedLists", "Subtopics", "Ties", "Unjudged"]

Ties = Literal["trec_eval", "error", "average"]
Unjudged = Literal["nonrelevant", "remove"]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Below this many rows the join is done in numpy: compiling or loading a kernel would take longer.
_ROWS_FOR_KERNEL = 300_000


@dataclass(frozen=True, eq=False)
class Subtopics:
    """Judgments by subtopic, for diversity measures; one row a query, document and subtopic.

    `offsets` are `int64[q + 1]`; `rank[n]` is 0 where the document was not retrieved.
    """

    offsets: Longs
    document: npt.NDArray[np.int32]
    subtopic: npt.NDArray[np.int32]
    grade: Floats
    rank: Longs


@dataclass(frozen=True, eq=False)
class JudgedLists:
    """The judged part of q ranked lists.

    Attributes
    ----------
    retrieved : `int64[q]`, the length of each list; 0 where a query has no results.
    offsets : `int64[q + 1]` over the h hits, the retrieved documents that have a grade.
    rank : `int64[h]`, from 1, ascending inside a query.
    grade : `float64[h]`. A negative grade means in the pool but not judged, as in trec_eval.
    judged_offsets, judged_grade : all judgments of each query, `int64[q + 1]` and `float64[j]`.
    tie_first, tie_last : `int64[h]`, the first and last rank of the hit's group of equal scores,
        where measures are to be averaged over the orders of ties; None otherwise.
    subtopics : the judgments by subtopic, where the qrels have them.

    >>> lists = JudgedLists.from_scores([0.1, 0.9], [2, 0], np.array([0, 2]))
    >>> lists.rank, lists.grade
    (array([1, 2]), array([0., 2.]))
    """

    retrieved: Longs
    offsets: Longs
    rank: Longs
    grade: Floats
    judged_offsets: Longs
    judged_grade: Floats
    tie_first: Longs | None = None
    tie_last: Longs | None = None
    subtopics: Subtopics | None = None

    @classmethod
    def from_run(
        cls,
        run: Run,
        qrels: Qrels,
        *,
        ties: Ties = "trec_eval",
        unjudged: Unjudged = "nonrelevant",
    ) -> JudgedLists:
        """The lists of `run` for the queries of `qrels`, in the order of `qrels`.

        Parameters
        ----------
        ties : "trec_eval" takes the order of the run (equal scores by document id, descending);
            "error" refuses lists with equal scores; "average" marks groups of equal scores, over
            whose orders a measure is then averaged.
        unjudged : "nonrelevant" leaves them in the list; "remove" takes them out before ranks are
            counted (condensed lists, trec_eval's -J).
        """
        _check_choice("ties", ties, ("trec_eval", "error", "average"))
        _check_choice("unjudged", unjudged, ("nonrelevant", "remove"))
        flat = qrels.without_subtopics()
        start, stop = _list_bounds(run, flat)
        if ties == "error":
            _refuse_ties(run)
        rows, rank, counts = _join(run, flat, start, stop)
        grades = flat.grade.astype(np.float64)
        hit_rank = np.zeros(len(flat.document), dtype=np.int64)
        hit_rank[rows] = rank
        tie_first, tie_last = (None, None)
        if ties == "average":
            tie_first, tie_last = _tie_groups(run, start, rank, counts)
        lists = cls(
            stop - start,
            lengths_to_offsets(counts),
            rank,
            grades[rows],
            flat.offsets,
            grades,
            tie_first,
            tie_last,
            _subtopics(qrels, hit_rank),
        )
        return lists.condensed() if unjudged == "remove" else lists

    @classmethod
    def from_scores(
        cls,
        scores: npt.ArrayLike,
        y: npt.ArrayLike,
        offsets: Longs,
        order: Longs | None = None,
    ) -> JudgedLists:
        """Lists in which every document is judged: rows of a dataset ranked by their scores.

        Parameters
        ----------
        scores, y : `[n]`, the scores and grades of the rows.
        offsets, order : the rows of list i are `order[offsets[i]:offsets[i + 1]]`; without `order`
            they lie together.

        Equal scores keep the order of the rows.
        """
        score = np.asarray(scores, dtype=np.float64)
        grade = np.asarray(y, dtype=np.float64)
        if order is not None:
            score, grade = score[order], grade[order]
        ranked = np.lexsort((-score, segment_of_rows(offsets)))
        return cls(
            np.diff(offsets),
            offsets,
            positions_within(offsets) + 1,
            grade[ranked],
            offsets,
            grade,
        )

    def __len__(self) -> int:
        return len(self.retrieved)

    @cached_property
    def segment(self) -> Longs:
        """The list of each hit, `int64[h]`."""
        return segment_of_rows(self.offsets)

    @cached_property
    def judged_segment(self) -> Longs:
        """The list of each judgment, `int64[j]`."""
        return segment_of_rows(self.judged_offsets)

    def sums(self, values: Floats, hits: npt.NDArray[np.bool_] | None = None) -> Floats:
        """The sum of `values[h]` over the hits of every list (those that `hits` marks)."""
        segment = self.segment if hits is None else self.segment[hits]
        weights = values if hits is None else values[hits]
        return np.bincount(segment, weights=weights, minlength=len(self)).astype(np.float64)

    def counts(self, hits: npt.NDArray[np.bool_]) -> Floats:
        """How many hits of every list `hits[h]` marks."""
        return np.bincount(self.segment[hits], minlength=len(self)).astype(np.float64)

    def relevant_counts(self, level: float) -> Floats:
        """How many judgments of every list have a grade of at least `level`: `float64[q]`."""
        relevant = self.judged_grade >= level
        return np.bincount(self.judged_segment[relevant], minlength=len(self)).astype(np.float64)

    def before(self, marked: npt.NDArray[np.bool_]) -> Floats:
        """How many marked hits of the same list stand before each hit: `float64[h]`."""
        running = np.zeros(len(marked) + 1)
        np.cumsum(marked, out=running[1:])
        return running[:-1] - running[self.offsets[self.segment]]

    def position_weights(self, weight: Callable[[Longs], Floats], cutoff: int | None) -> Floats:
        """The weight of each hit's rank, 0 beyond the cutoff: `float64[h]`.

        `weight` maps ranks to weights. With averaged ties it is the mean weight over the ranks of
        the hit's group, which is its expectation over all orders of the group.
        """
        if self.tie_first is None or self.tie_last is None:
            weights = weight(self.rank)
            return weights if cutoff is None else np.where(self.rank <= cutoff, weights, 0.0)
        longest = int(self.tie_last.max(initial=0))
        table = weight(np.arange(1, longest + 1))
        if cutoff is not None:
            table[cutoff:] = 0.0
        running = np.concatenate([[0.0], np.cumsum(table)])
        size = self.tie_last - self.tie_first + 1
        return np.asarray((running[self.tie_last] - running[self.tie_first - 1]) / size)

    def condensed(self) -> JudgedLists:
        """The same lists without the documents that are not judged."""
        if self.tie_first is not None:
            raise ConfigurationError(
                'ties="average" and unjudged="remove" cannot be combined: choose one.'
            )
        judged = self.grade >= 0
        offsets = lengths_to_offsets(np.bincount(self.segment[judged], minlength=len(self)))
        subtopics = self.subtopics
        if subtopics is not None:
            raise ConfigurationError('unjudged="remove" is not defined for subtopic judgments.')
        return JudgedLists(
            np.diff(offsets),
            offsets,
            positions_within(offsets) + 1,
            self.grade[judged],
            self.judged_offsets,
            self.judged_grade,
        )


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigurationError(f"{name}={value!r} is not one of {', '.join(known)}.")


def _list_bounds(run: Run, qrels: Qrels) -> tuple[Longs, Longs]:
    """Where the list of each judged query lies in the run; empty where it has none."""
    start_of = np.zeros(len(run.query_ids), dtype=np.int64)
    stop_of = np.zeros(len(run.query_ids), dtype=np.int64)
    start_of[run.query], stop_of[run.query] = run.offsets[:-1], run.offsets[1:]
    codes = qrels.query_ids.map_to(run.query_ids)[qrels.query]
    known = codes >= 0
    start = np.zeros(len(codes), dtype=np.int64)
    stop = np.zeros(len(codes), dtype=np.int64)
    start[known], stop[known] = start_of[codes[known]], stop_of[codes[known]]
    return start, stop


def _join(run: Run, qrels: Qrels, start: Longs, stop: Longs) -> tuple[Longs, Longs, Longs]:
    """The hits in list order: their row in `qrels`, their rank, and their number a list."""
    judged = qrels.document_ids.map_to(run.document_ids)[qrels.document]
    if int((stop - start).sum()) < _ROWS_FOR_KERNEL:
        return _join_small(run, qrels, start, stop, judged)
    return _join_large(run, qrels, start, stop, judged)


def _join_small(
    run: Run, qrels: Qrels, start: Longs, stop: Longs, judged: npt.NDArray[np.int32]
) -> tuple[Longs, Longs, Longs]:
    """The join in numpy: look every listed document up among the sorted judgments."""
    n_documents = len(run.document_ids)
    known = np.flatnonzero(judged >= 0)
    keys = segment_of_rows(qrels.offsets)[known] * n_documents + judged[known]
    order = np.argsort(keys, kind="stable")
    keys, known = keys[order], known[order]
    offsets = lengths_to_offsets(stop - start)
    within = positions_within(offsets)
    segment = segment_of_rows(offsets)
    listed = run.document[start[segment] + within]
    wanted = segment * n_documents + listed
    place = np.searchsorted(keys, wanted)
    hit = np.zeros(len(wanted), dtype=bool)
    inside = place < len(keys)
    hit[inside] = keys[place[inside]] == wanted[inside]
    counts = np.bincount(segment[hit], minlength=len(start)).astype(np.int64)
    return known[place[hit]], within[hit] + 1, counts


def _join_large(
    run: Run, qrels: Qrels, start: Longs, stop: Longs, judged: npt.NDArray[np.int32]
) -> tuple[Longs, Longs, Longs]:
    """The join in a compiled loop, on two threads."""
    from plackett.metrics.join_kernels import find_judged

    n_queries = len(start)
    rows = np.empty(len(judged), dtype=np.int64)
    ranks = np.empty(len(judged), dtype=np.int64)
    counts = np.zeros(n_queries, dtype=np.int64)

    def work(first: int, last: int) -> None:
        table = np.zeros(len(run.document_ids), dtype=np.int32)
        find_judged(
            first,
            last,
            start,
            stop,
            run.document,
            qrels.offsets,
            judged,
            table,
            rows,
            ranks,
            counts,
        )

    half = n_queries // 2
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, 0, half), pool.submit(work, half, n_queries)]:
            done.result()
    filled = positions_within(qrels.offsets) < np.repeat(counts, np.diff(qrels.offsets))
    return rows[filled], ranks[filled], counts


def _same_score_as_next(run: Run) -> npt.NDArray[np.bool_]:
    """Whether each row but the last has the score and the query of the next."""
    tied = run.score[1:] == run.score[:-1]
    ends = run.offsets[1:-1]
    ends = ends[(ends > 0) & (ends < len(run.score))]
    tied[ends - 1] = False
    return np.asarray(tied)


def _refuse_ties(run: Run) -> None:
    tied = _same_score_as_next(run)
    if not tied.any():
        return
    row = int(np.argmax(tied))
    segment = int(np.searchsorted(run.offsets, row, side="right")) - 1
    raise DataError(
        f"equal scores of {run.document_ids[run.document[row]]!r} and "
        f"{run.document_ids[run.document[row + 1]]!r} for query "
        f"{run.query_ids[run.query[segment]]!r} in run {run.name!r}",
        expected='no ties, because ties="error"',
        remedy='break them, or pass ties="trec_eval" or ties="average"',
    )


def _tie_groups(run: Run, start: Longs, rank: Longs, counts: Longs) -> tuple[Longs, Longs]:
    """The first and the last rank of every hit's group of equal scores."""
    tied = _same_score_as_next(run)
    n_rows = len(run.score)
    begins = np.ones(n_rows, dtype=bool)
    begins[1:] = ~tied
    group = np.cumsum(begins) - 1
    first_row = np.flatnonzero(begins)
    last_row = np.append(first_row[1:], n_rows) - 1
    list_start = np.repeat(start, counts)
    groups = group[list_start + rank - 1]
    return first_row[groups] - list_start + 1, last_row[groups] - list_start + 1


def _subtopics(qrels: Qrels, hit_rank: Longs) -> Subtopics | None:
    """The judgments by subtopic; `hit_rank` is the rank of each judged document, 0 if none."""
    if qrels.subtopic is None:
        return None
    segment = qrels.query_rows
    first = np.ones(len(segment), dtype=bool)
    first[1:] = (segment[1:] != segment[:-1]) | (qrels.document[1:] != qrels.document[:-1])
    return Subtopics(
        qrels.offsets,
        qrels.document,
        qrels.subtopic,
        qrels.grade.astype(np.float64),
        hit_rank[np.cumsum(first) - 1],
    )
