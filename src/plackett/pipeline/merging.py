"""The candidates of several runs in one list."""

from __future__ import annotations

import numpy as np

from plackett.data.ragged import lengths_to_offsets, positions_within
from plackett.data.run import Run

__all__ = ["interleave"]


def interleave(first: Run, *others: Run) -> Run:
    """The documents of runs, taken in turn; the score of a document is minus its rank.

    The lists of a query are read as first 1, second 1, first 2, second 2, ..., and a document
    stands where it appears first. Queries of any run are kept; costs are those of all, and `parts`
    holds the runs, so that a later stage can fuse them.

    >>> a = Run.from_dict({"q": {"x": 2.0, "y": 1.0}})
    >>> b = Run.from_dict({"q": {"y": 9.0, "z": 8.0}})
    >>> both = interleave(a, b)
    >>> both.to_dict(), [part.to_dict()["q"]["y"] for part in both.parts]
    ({'q': {'x': -1.0, 'y': -2.0, 'z': -3.0}}, [1.0, 9.0])
    """
    runs = (first, *others)
    query_ids, document_ids = first.query_ids, first.document_ids
    for run in others:
        query_ids = query_ids.union(run.query_ids)
        document_ids = document_ids.union(run.document_ids)
    queries = np.concatenate(
        [run.query_ids.map_to(query_ids)[run.query][run.query_rows] for run in runs]
    )
    documents = np.concatenate(
        [run.document_ids.map_to(document_ids)[run.document] for run in runs]
    )
    turns = np.concatenate(
        [len(runs) * positions_within(run.offsets) + place for place, run in enumerate(runs)]
    )
    order = np.lexsort((turns, queries))
    keys = queries[order].astype(np.int64) * len(document_ids) + documents[order]
    kept = order[np.sort(np.unique(keys, return_index=True)[1])]
    starts = lengths_to_offsets(np.bincount(queries[kept], minlength=len(query_ids)))
    ranks = np.arange(len(kept)) - starts[queries[kept]] + 1
    joined = Run.from_arrays(
        queries[kept],
        documents[kept],
        -ranks,
        query_ids=query_ids,
        document_ids=document_ids,
        all_queries=True,
        name="|".join(run.name for run in runs),
        queries=next((run.queries for run in runs if run.queries is not None), None),
        corpus=next((run.corpus for run in runs if run.corpus is not None), None),
        costs=tuple(cost for run in runs for cost in run.costs),
    )
    asked = [name for run in runs for name in run.query_names]
    return joined.select(dict.fromkeys(asked)).replace(parts=runs)
