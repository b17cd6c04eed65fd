"""Putting scored documents in the order of results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.retrievers.inverted.impacts import Ranking

__all__ = ["Found", "best_first", "joined"]

Found = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""The documents of one query, `int32[n]`, and their scores, `float32[n]`."""


def best_first(found: Found, rank: npt.NDArray[np.int32], k: int) -> Found:
    """The `k` best of one query's documents, best first.

    Of documents that tie for the last of the k places, those with the lowest codes are in; equal
    scores are then ordered by `rank`, `int32[N]`, the higher rank first.

    >>> documents, scores = np.array([2, 0, 1], np.int32), np.array([1.0, 2.0, 1.0], np.float32)
    >>> best_first((documents, scores), np.arange(3, dtype=np.int32), 2)[0].tolist()
    [0, 1]
    """
    documents, scores = found
    if len(scores) > 2 * k:  # most are not worth sorting
        fit = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
        documents, scores = documents[fit], scores[fit]
    best = np.lexsort((documents, -scores))[:k]
    best = best[np.lexsort((-rank[documents[best]], -scores[best]))]
    return documents[best], scores[best]


def joined(parts: Sequence[Found]) -> Ranking:
    """The results of several queries as one ranking."""
    return Ranking(
        lengths_to_offsets([len(documents) for documents, _ in parts]),
        np.concatenate([np.zeros(0, np.int32), *(documents for documents, _ in parts)]),
        np.concatenate([np.zeros(0, np.float32), *(scores for _, scores in parts)]),
    )
