"""Several runs side by side: a row a run, a column a document of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.data.ids import Ids
from plackett.data.ordering import sort_key
from plackett.data.run import Run
from plackett.fusion.preferences import Floats
from plackett.fusion.run_normalisation import Normalisation, Ties, mean_ranks, normalised

__all__ = ["JoinedRuns"]


@dataclass(frozen=True, eq=False)
class JoinedRuns:
    """The documents that any of some runs found, and where each run has them.

    Attributes
    ----------
    given : the runs.
    query_ids, document_ids : the ids of all of them.
    places : for each run, `int64[its rows]`: the column of each row.
    query, document : `int32[columns]`, codes into these ids, sorted by query.
    """

    given: tuple[Run, ...]
    query_ids: Ids
    document_ids: Ids
    places: tuple[npt.NDArray[np.int64], ...]
    query: npt.NDArray[np.int32]
    document: npt.NDArray[np.int32]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> JoinedRuns:
        """The runs side by side, under common codes."""
        query_ids, document_ids = runs[0].query_ids, runs[0].document_ids
        for run in runs[1:]:
            query_ids = query_ids.union(run.query_ids)
            document_ids = document_ids.union(run.document_ids)
        size = max(len(document_ids), 1)
        keys = [
            run.query_ids.map_to(query_ids)[run.query][run.query_rows].astype(np.int64) * size
            + run.document_ids.map_to(document_ids)[run.document]
            for run in runs
        ]
        columns, place = np.unique(np.concatenate(keys), return_inverse=True)
        bounds = np.cumsum([len(part) for part in keys])[:-1]
        return cls(
            tuple(runs),
            query_ids,
            document_ids,
            tuple(np.split(place, bounds)),
            (columns // size).astype(np.int32),
            (columns % size).astype(np.int32),
        )

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return len(self.given)

    @property
    def pairs(self) -> int:
        """How many columns there are."""
        return len(self.query)

    def lists(self) -> Iterator[npt.NDArray[np.int64]]:
        """The columns of every query that has documents, `int64[documents]`.

        They stand in the order in which a Run has equal scores, so that a method that must choose
        between equal documents chooses the same whatever the order of the runs.
        """
        ranks = -self.document_ids.lexical_ranks(self.document)
        columns = np.lexsort((ranks, self.query))
        starts = np.flatnonzero(np.diff(self.query, prepend=-1))
        yield from np.split(columns, starts[1:]) if len(columns) else ()

    def _spread(self, values: Sequence[Floats]) -> Floats:
        """Numbers of the rows of each run as `float64[runs, pairs]`, NaN where a run has none."""
        matrix = np.full((self.runs, self.pairs), np.nan)
        for line, place, row in zip(matrix, self.places, values, strict=True):
            line[place] = row
        return matrix

    def ranks(self, ties: Ties) -> Floats:
        """The rank of every document in every run, from 1: `float64[runs, pairs]`."""
        return self._spread([mean_ranks(run.score, run.offsets, ties) for run in self.given])

    def stretch(self) -> Floats:
        """The longest list of a query over the length of the run's own: `float64[runs, pairs]`."""
        lengths = self._spread(
            [np.diff(run.offsets)[run.query_rows].astype(np.float64) for run in self.given]
        )
        longest = np.zeros(int(self.query.max(initial=-1)) + 1)
        for line in lengths:
            has = ~np.isnan(line)
            np.maximum.at(longest, self.query[has], line[has])
        return np.asarray(longest[self.query] / lengths)

    def normalised(self, method: Normalisation, ties: Ties) -> Floats:
        """The scores of every run on a common scale: `float64[runs, pairs]`."""
        if method == "borda":
            size = np.bincount(self.query)[self.query]
            return np.asarray((size - self.ranks(ties) + 1.0) / size)
        return self._spread(
            [normalised(run.score, run.offsets, method, ties=ties) for run in self.given]
        )

    def filled_with_minimum(self, values: Floats) -> Floats:
        """`values` with the least of its run and query where a run lacks a document."""
        result: Floats = values.copy()
        for line in result:
            has = ~np.isnan(line)
            least = np.full(int(self.query.max(initial=-1)) + 1, np.inf)
            np.minimum.at(least, self.query[has], line[has])
            fill = least[self.query]
            missing = ~has & np.isfinite(fill)
            line[missing] = fill[missing]
        return result

    def run(self, scores: Floats, *, name: str) -> Run:
        """The run with these scores, `float64[pairs]`, over the queries of all runs in order."""
        fused = Run.from_arrays(
            self.query,
            self.document,
            _float32(self.query, scores),
            query_ids=self.query_ids,
            document_ids=self.document_ids,
            all_queries=True,
            name=name,
            queries=next((run.queries for run in self.given if run.queries is not None), None),
            corpus=next((run.corpus for run in self.given if run.corpus is not None), None),
            costs=tuple(cost for run in self.given for cost in run.costs),
        )
        asked = [name for run in self.given for name in run.query_names]
        return fused.select(dict.fromkeys(asked))


def _float32(query: npt.NDArray[np.int32], scores: Floats) -> npt.NDArray[np.float32]:
    """Scores as a Run keeps them; those that differ go on to differ, those that are equal not."""
    order = _best_first(query, scores)
    exact, rows = scores[order], query[order]
    values = exact.astype(np.float32)
    lower = (exact[1:] < exact[:-1]) & (rows[1:] == rows[:-1])
    for first in (np.flatnonzero(lower & (values[1:] >= values[:-1])) + 1).tolist():
        i = first  # moving one score down may push those that follow
        while i < len(values) and rows[i] == rows[i - 1]:
            below = np.nextafter(values[i - 1], np.float32(-np.inf))
            moved = min(values[i], below) if exact[i] < exact[i - 1] else values[i - 1]
            if moved == values[i]:
                break
            values[i] = moved
            i += 1
    result = np.empty_like(values)
    result[order] = values
    return result


def _best_first(query: npt.NDArray[np.int32], scores: Floats) -> npt.NDArray[np.int64]:
    """The rows by query, then by score, best first.

    One sort of whole numbers made of the query and of the score's first 32 bits, and then of those
    few rows that these bits leave equal: several times as fast as a sort by both.
    """
    keys = sort_key(query, scores.astype(np.float32))
    order = np.argsort(keys)
    keys, exact = keys[order], scores[order]
    same = keys[1:] == keys[:-1]
    if bool((same & (exact[1:] != exact[:-1])).any()):
        shared = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
        order[shared] = order[shared][np.lexsort((-exact[shared], keys[shared]))]
    return order
