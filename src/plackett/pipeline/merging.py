"""The candidates of two runs in one list."""

from __future__ import annotations

import numpy as np

from plackett.data.ragged import positions_within
from plackett.data.run import Run

__all__ = ["interleave"]


def interleave(first: Run, second: Run) -> Run:
    """The documents of two runs, taken in turn; the score of a document is minus its rank.

    The lists of a query are read as first 1, second 1, first 2, second 2, ..., and a document
    stands where it appears first. Queries of either run are kept; costs are those of both.

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
    keys = queries[order].astype(np.int64) * len(document_ids) + documents[order]
    kept = order[np.sort(np.unique(keys, return_index=True)[1])]
    counts = np.bincount(queries[kept], minlength=len(query_ids))
    starts = np.concatenate([[0], np.cumsum(counts)])
    ranks = np.arange(len(kept)) - starts[queries[kept]] + 1
    joined = Run.from_arrays(
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
    asked = [*first.query_names, *second.query_names]
    return joined.select(dict.fromkeys(asked))
