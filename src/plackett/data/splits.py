"""Splits that keep the rows of a query together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["QueryKFold", "fold_of_groups", "holdout_groups"]


def holdout_groups(
    n_groups: int, share: float, seed: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draw `share` of the groups 0, ..., n_groups - 1; both parts ascending, neither empty.

    The first part has `round(share * n_groups)` groups, at least 1 and at most `n_groups - 1`.

    Raises
    ------
    ConfigurationError : a share that is not inside (0, 1).
    DataError : fewer than two groups.

    >>> first, second = holdout_groups(5, 0.8, seed=1)
    >>> len(first), len(second), sorted([*first.tolist(), *second.tolist()])
    (4, 1, [0, 1, 2, 3, 4])
    """
    if not 0 < share < 1:
        raise ConfigurationError(f"share={share}; expected a number between 0 and 1, such as 0.8.")
    if n_groups < 2:
        raise DataError(f"{n_groups} queries", expected="at least 2 to split")
    size = min(max(round(share * n_groups), 1), n_groups - 1)
    order = np.random.default_rng(seed).permutation(n_groups)
    return np.sort(order[:size]), np.sort(order[size:])


def fold_of_groups(sizes: npt.ArrayLike, n_folds: int, seed: int) -> npt.NDArray[np.int64]:
    """The fold of every group, `int64[groups]`: as many groups a fold as can be, in random order.

    The numbers of groups differ by at most 1. Groups are dealt in rounds of `n_folds`, largest
    first, each round in a random order of the folds, so that the rows are balanced too: two folds
    differ by at most the rows of the largest group.

    Parameters
    ----------
    sizes : `int[groups]`, the rows of every group.

    >>> np.bincount(fold_of_groups([3, 1, 1, 3], 2, seed=0))
    array([2, 2])
    """
    rows = np.asarray(sizes, dtype=np.int64)
    if n_folds < 2:
        raise ConfigurationError(f"n_splits={n_folds}; expected 2 or more.")
    if len(rows) < n_folds:
        raise DataError(
            f"{len(rows)} queries", expected=f"at least {n_folds}, one for each of the folds"
        )
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(rows))
    by_size = shuffled[np.argsort(-rows[shuffled], kind="stable")]
    fold = np.empty(len(rows), dtype=np.int64)
    totals = np.zeros(n_folds, dtype=np.int64)
    for start in range(0, len(by_size), n_folds):
        dealt = by_size[start : start + n_folds]
        lightest = np.lexsort((generator.random(n_folds), totals))[: len(dealt)]
        fold[dealt] = lightest
        totals[lightest] += rows[dealt]
    return fold


class QueryKFold:
    """A scikit-learn splitter into folds of whole queries, seeded and balanced.

    Parameters
    ----------
    n_splits : how many folds.
    seed : decides which queries share a fold.

    >>> folds = QueryKFold(2, seed=0).split(np.zeros((4, 1)), groups=["a", "b", "a", "b"])
    >>> sorted(test.tolist() for train, test in folds)
    [[0, 2], [1, 3]]
    """

    def __init__(self, n_splits: int = 5, seed: int = 0) -> None:
        self.n_splits = n_splits
        self.seed = seed

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Row numbers `(train, test)` of every fold, ascending.

        Parameters
        ----------
        X : a `RankingDataset`, whose queries are the groups, or anything with rows.
        groups : `[rows]`, the query of every row; needed unless X knows its own.
        """
        groups = getattr(X, "groups", None) if groups is None else groups
        if groups is None:
            raise DataError(
                "no groups", expected="the query of every row", remedy="pass groups=qid"
            )
        _, codes, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        fold = fold_of_groups(sizes, self.n_splits, self.seed)[codes]
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def __repr__(self) -> str:
        return f"QueryKFold(n_splits={self.n_splits}, seed={self.seed})"
