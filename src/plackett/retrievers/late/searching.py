"""What searches over token vectors share: queries dealt out to threads, and exact scores."""

from __future__ import annotations

from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import max_sim
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.best import best_of_rows
from plackett.retrievers.segments.structure import Allowed, Searcher

__all__ = ["Found", "TokenSearcher", "allowed_rows", "best_by_max_sim", "best_rows"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Found = tuple[npt.NDArray[np.int32], Floats]


class TokenSearcher(Searcher[TokenVectors]):
    """Finds documents for one query's token vectors; several queries are dealt out to threads."""

    @abstractmethod
    def found(self, query: Floats, k: int, allowed: Allowed | None, threads: int) -> Found:
        """Rows and scores of the `k` best documents for `float32[m, d]`, best first."""

    def search(
        self,
        queries: TokenVectors,
        k: int,
        *,
        allowed: Allowed | None,
        threads: int,
    ) -> Ranking:
        """The `k` best documents of every query."""
        numbers = range(len(queries))
        if threads == 1 or len(queries) < threads:
            each = [self.found(queries[number], k, allowed, threads) for number in numbers]
        else:
            with ThreadPoolExecutor(threads) as pool:
                tasks = pool.map(lambda i: self.found(queries[i], k, allowed, 1), numbers)
                each = list(tasks)
        lengths = np.array([len(rows) for rows, _ in each], dtype=np.int64)
        return Ranking(
            lengths_to_offsets(lengths),
            np.concatenate([np.zeros(0, np.int32), *(rows for rows, _ in each)]),
            np.concatenate([np.zeros(0, np.float32), *(scores for _, scores in each)]),
        )


def best_rows(rows: npt.NDArray[Any], scores: Floats, k: int) -> Found:
    """The `k` best of some rows, best first; of equal scores the lower row is first.

    >>> best_rows(np.array([4, 2, 9]), np.array([1, 1, 2], np.float32), 2)
    (array([9, 2], dtype=int32), array([2., 1.], dtype=float32))
    """
    best, values = best_of_rows(rows.astype(np.int32)[None, :], scores[None, :], k)
    return best[0], values[0]


def best_by_max_sim(
    query: Floats, documents: TokenVectors, rows: npt.NDArray[Any], k: int, *, threads: int
) -> Found:
    """The `k` best of some documents by their whole vectors, which are read where they are."""
    return best_rows(rows, max_sim(query, documents, rows, threads=threads), k)


def allowed_rows(documents: TokenVectors, allowed: Allowed | None) -> Rows:
    """The documents that may be results.

    >>> two = TokenVectors(np.eye(2, dtype=np.float32), np.array([0, 1, 2]))
    >>> allowed_rows(two, None), allowed_rows(two, np.array([False, True]))
    (array([0, 1]), array([1]))
    """
    return np.arange(len(documents)) if allowed is None else np.flatnonzero(allowed)
