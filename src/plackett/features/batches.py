"""A run in parts of whole queries, so that what is computed at a time stays small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run

__all__ = ["batches", "lists_of"]


def batches(offsets: npt.NDArray[np.int64], rows: int) -> Iterator[tuple[int, int]]:
    """Ranges of queries, of at most `rows` rows or of one query.

    >>> list(batches(np.array([0, 2, 3, 8, 9]), 3))
    [(0, 2), (2, 3), (3, 4)]
    """
    first, queries = 0, len(offsets) - 1
    while first < queries:
        last = int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1
        last = min(max(last, first + 1), queries)
        yield first, last
        first = last


def lists_of(run: Run, first: int, last: int) -> Run:
    """The lists `first..last - 1` of a run."""
    rows = slice(int(run.offsets[first]), int(run.offsets[last]))
    return Run(
        run.query_ids,
        run.document_ids,
        run.query[first:last],
        run.offsets[first : last + 1] - run.offsets[first],
        run.document[rows],
        run.score[rows],
        name=run.name,
        queries=run.queries,
        corpus=run.corpus,
        parts=run.parts,
    )
