"""Several segments as one: the codes of their documents, and the best of what they found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets, segment_of_rows
from plackett.retrievers.inverted.impacts import Ranking

__all__ = ["codes_of_rows", "joined"]


def codes_of_rows(
    live: Sequence[npt.NDArray[np.int64]], documents: Sequence[int]
) -> list[npt.NDArray[np.int32]]:
    """The document code of every row of every segment; -1 for a deleted one.

    Parameters
    ----------
    live : the rows of each segment that are not deleted, ascending.
    documents : how many rows each segment has.

    >>> codes_of_rows([np.array([0, 2]), np.array([0])], [3, 1])
    [array([ 0, -1,  1], dtype=int32), array([2], dtype=int32)]
    """
    codes, start = [], 0
    for rows, count in zip(live, documents, strict=True):
        code = np.full(count, -1, dtype=np.int32)
        code[rows] = np.arange(start, start + len(rows), dtype=np.int32)
        codes.append(code)
        start += len(rows)
    return codes


def joined(
    found: Sequence[Ranking], codes: Sequence[npt.NDArray[np.int32]], queries: int, k: int
) -> Ranking:
    """The `k` best documents of every query; of equal scores the lower code is first.

    Parameters
    ----------
    found : what each segment found.
    codes : `int32[n]`, the document code of each segment's rows.

    >>> first = Ranking(np.array([0, 2]), np.array([1, 0], np.int32), np.array([3, 1], np.float32))
    >>> other = Ranking(np.array([0, 1]), np.array([0], np.int32), np.array([2], np.float32))
    >>> joined([first, other], [np.array([0, 1], np.int32), np.array([2], np.int32)], 1, 2)
    Ranking(offsets=array([0, 2]), documents=array([1, 2], dtype=int32), scores=array([3., 2.], ...
    """
    if len(found) == 1:  # in order already
        return Ranking(found[0].offsets, codes[0][found[0].documents], found[0].scores)
    query = np.concatenate([np.zeros(0, np.int64), *(segment_of_rows(r.offsets) for r in found)])
    document = np.concatenate(
        [np.zeros(0, np.int32), *(c[r.documents] for r, c in zip(found, codes, strict=True))]
    )
    score = np.concatenate([np.zeros(0, np.float32), *(r.scores for r in found)])
    order = np.lexsort((document, -score, query))
    counts = np.bincount(query, minlength=queries)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    kept = order[np.arange(len(order)) - starts < k]
    offsets = lengths_to_offsets(np.minimum(counts, min(k, len(order))))
    return Ranking(offsets, document[kept], score[kept])
