"""Texts and grades for the rows of a run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import DataError

__all__ = ["grades_of", "texts_of"]


def texts_of(run: Run, queries: Queries | None) -> tuple[str, ...]:
    """The text of every query of `run`, from `queries` or else from `run.queries`.

    Raises
    ------
    DataError : there are no texts, or none for one of the queries.
    """
    known = run.queries if queries is None else queries
    if known is None:
        raise DataError(
            f"run {run.name!r} without the texts of its queries",
            expected="query texts, which features are computed from",
            remedy="pass queries=, or run.replace(queries=...)",
        )
    codes = run.query_ids.map_to(known.ids)[run.query]
    if (codes < 0).any():
        missing = run.query_ids[run.query[int(np.argmax(codes < 0))]]
        raise DataError(
            f"no text for query {missing!r}",
            expected="a text for every query of the run",
            remedy="pass the queries that the run was made from as queries=",
        )
    if "text" in known.fields:
        column = known.column("text").combine_chunks().take(codes.astype(np.int64)).to_pylist()
        return tuple(text or "" for text in column)
    return tuple(known.texts(codes))


def grades_of(run: Run, qrels: Qrels | None) -> npt.NDArray[np.float32]:
    """The grade of every row, `float32[rows]`: 0 where it is negative or unjudged."""
    grades = np.zeros(len(run.document), dtype=np.float32)
    if qrels is None or len(qrels.grade) == 0 or len(grades) == 0:
        return grades
    judged = qrels.without_subtopics()
    query = judged.query_ids.map_to(run.query_ids)[judged.query[judged.query_rows]]
    document = judged.document_ids.map_to(run.document_ids)[judged.document]
    known = (query >= 0) & (document >= 0)
    if not known.any():
        return grades
    width = len(run.document_ids)
    keys = query[known].astype(np.int64) * width + document[known]
    order = np.argsort(keys)
    keys, values = keys[order], judged.grade[known][order]
    wanted = run.query[run.query_rows].astype(np.int64) * width + run.document
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit = keys[places] == wanted
    grades[hit] = np.maximum(values[places[hit]], 0.0)
    return grades
