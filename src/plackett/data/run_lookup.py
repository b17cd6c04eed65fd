"""Where the rows of one run stand in another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run

__all__ = ["rows_in"]


def rows_in(known: Run, run: Run) -> npt.NDArray[np.int64]:
    """For each row of `run`, the row of `known` with its query and document: `int64[n]`, or -1.

    >>> known = Run.from_dict({"q": {"a": 3.0, "b": 2.0}, "r": {"c": 1.0}})
    >>> rows_in(known, Run.from_dict({"r": {"a": 2.0, "c": 1.0}, "q": {"b": 1.0}}))
    array([-1,  2,  1])
    """
    query = run.query_ids.map_to(known.query_ids)[run.query][run.query_rows].astype(np.int64)
    document = run.document_ids.map_to(known.document_ids)[run.document]
    width = max(len(known.document_ids), 1)
    keys = known.query[known.query_rows].astype(np.int64) * width + known.document
    if len(keys) == 0:
        return np.full(len(document), -1, dtype=np.int64)
    wanted = np.where((query < 0) | (document < 0), -1, query * width + document)
    order = np.argsort(keys)
    place = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
    rows: npt.NDArray[np.int64] = np.where(keys[order[place]] == wanted, order[place], -1)
    return rows
