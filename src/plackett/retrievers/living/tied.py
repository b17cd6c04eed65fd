"""The order of documents with equal scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.data.ids import Ids
from plackett.data.ragged import segment_of_rows
from plackett.retrievers.inverted.impacts import Ranking

__all__ = ["byte_order_ranks", "in_order_of_ids"]


def in_order_of_ids(ranking: Ranking, ids: Ids) -> Ranking:
    """The ranking with equal scores in the order of ids, the last in byte order first.

    Only ids of documents with equal scores are compared, so that nothing depends on how many
    documents there are.

    >>> tied = Ranking(np.array([0, 2]), np.array([0, 1], np.int32), np.ones(2, np.float32))
    >>> in_order_of_ids(tied, Ids(["a", "b"])).documents.tolist()
    [1, 0]
    """
    query = segment_of_rows(ranking.offsets)
    same = (ranking.scores[1:] == ranking.scores[:-1]) & (query[1:] == query[:-1])
    if not bool(same.any()):
        return ranking
    tied = np.zeros(len(query), dtype=np.bool_)
    tied[1:] = same
    tied[:-1] |= same
    rows = np.flatnonzero(tied)
    names = [name.encode() for name in ids.strings(ranking.documents[rows]).to_pylist()]
    places = np.empty(len(rows), dtype=np.int64)
    places[sorted(range(len(rows)), key=names.__getitem__, reverse=True)] = np.arange(len(rows))
    order = np.arange(len(query))
    order[rows] = rows[np.lexsort((places, -ranking.scores[rows], query[rows]))]
    return Ranking(ranking.offsets, ranking.documents[order], ranking.scores[order])


def byte_order_ranks(ids: pa.Array) -> npt.NDArray[np.int32]:
    """The rank of each id in the byte order of UTF-8, `int32[n]`.

    >>> byte_order_ranks(pa.array(["b", "a", "c"]))
    array([1, 0, 2], dtype=int32)
    """
    ranks = np.empty(len(ids), dtype=np.int32)
    ranks[pc.sort_indices(ids).to_numpy()] = np.arange(len(ids), dtype=np.int32)
    return ranks
