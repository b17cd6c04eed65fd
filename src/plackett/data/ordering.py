"""The order of a ranked list: by score, and by document id where scores are equal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.ids import Ids

__all__ = ["first_duplicate", "ranked_order", "sort_key"]


def ranked_order(
    query: npt.NDArray[np.int32],
    document: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    document_ids: Ids,
) -> npt.NDArray[np.int64] | None:
    """The permutation that sorts rows by query code, then score descending, then document id
    *descending* in byte order, which is how trec_eval orders equal scores.

    Arrays are `[n]`. Returns None where the rows are in that order already.
    """
    if len(score) < 2:
        return None
    order: npt.NDArray[np.int64] | None = None
    same_query = query[1:] == query[:-1]
    in_order = (query[1:] > query[:-1]) | (same_query & (score[1:] <= score[:-1]))
    if not in_order.all():
        order = np.argsort(sort_key(query, score), kind="stable")
        query, document, score = query[order], document[order], score[order]
        same_query = query[1:] == query[:-1]
    tied = same_query & (score[1:] == score[:-1])
    if not tied.any():
        return order
    return _order_ties(tied, document, document_ids, order)


def sort_key(
    query: npt.NDArray[np.int32], score: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint64]:
    """One integer a row whose ascending order is (query ascending, score descending)."""
    # IEEE floats order as integers once negative ones are flipped; + 0.0 makes -0.0 equal to 0.0.
    bits = (score + np.float32(0.0)).view(np.uint32)
    ascending = np.where(bits >> 31 == 1, ~bits, bits | np.uint32(0x80000000))
    high: npt.NDArray[np.uint64] = query.astype(np.uint64) << np.uint64(32)
    key: npt.NDArray[np.uint64] = high | (~ascending).astype(np.uint64)
    return key


def _order_ties(
    tied: npt.NDArray[np.bool_],
    document: npt.NDArray[np.int32],
    document_ids: Ids,
    order: npt.NDArray[np.int64] | None,
) -> npt.NDArray[np.int64] | None:
    """Sort the rows of every group of ties; `tied[i]` says that row i + 1 ties with row i."""
    member = np.zeros(len(document), dtype=bool)
    member[1:] |= tied
    member[:-1] |= tied
    rows = np.flatnonzero(member)
    starts_group = np.ones(len(document), dtype=bool)
    starts_group[1:] = ~tied
    group = np.cumsum(starts_group[rows])
    descending = -document_ids.lexical_ranks(document[rows])
    sorted_rows = rows[np.lexsort((descending, group))]
    if np.array_equal(rows, sorted_rows):
        return order
    result = np.arange(len(document), dtype=np.int64) if order is None else order.copy()
    result[rows] = result[sorted_rows]
    return result


def first_duplicate(
    group: npt.NDArray[np.int32], member: npt.NDArray[np.int32], n_members: int
) -> int | None:
    """A row whose (group, member) pair occurred in an earlier row, or None. Arrays are `[n]`."""
    if len(group) < 2:
        return None
    keys = group.astype(np.int64) * n_members + member
    ordered = np.sort(keys)
    repeated = ordered[1:] == ordered[:-1]
    if not repeated.any():
        return None
    return int(np.flatnonzero(keys == ordered[1:][np.argmax(repeated)])[1])
