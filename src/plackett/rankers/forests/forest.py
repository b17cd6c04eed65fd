"""A forest of decision trees, laid out for scoring."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["Forest"]

_BLOCKS = 64  # blocks of documents that a thread takes at a time


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees whose leaf values are added up: `score(x) = base + factor * sum over trees of leaf(x)`.

    A document's leaf in a tree is found by striking out leaves, not by walking: a split whose
    answer is "right" strikes out the leaves to its left, and the first leaf that none has struck
    out is the document's. Splits are gone through by feature in the order of their thresholds, so
    that those that a group of documents all answers with "left" are not looked at; 32 leaves are
    struck out by one operation, for 64 documents side by side.

    `read_lightgbm`, `read_xgboost` and `read_catboost` make forests.

    Parameters
    ----------
    features : how many features a document has.
    feature, reading : `int32[c]`, `int8[c]`: a column is what splits read, a feature in a certain
        way; see `Reading`.
    category_starts, categories : `int64[c + 1]`, `uint32[w]`: the set of a column that reads
        categories, a bit each.
    trees : `int64[g + 1]`: group i, which is scored at a time, has trees `trees[i]` to
        `trees[i + 1]`.
    split_starts : `int64[g c + 1]`: the splits of group i that read column j start at `g c + j`.
    thresholds, rows, masks : `float32[s]`, `int32[s]`, `int32[s]`: a document that reads more than
        the threshold keeps of the leaves of this row, counted within the group, those of the mask.
    tree_rows : `int64[t + 1]`: tree i has rows of 32 leaves from `tree_rows[i]`.
    tree_leaves, values : `int64[t + 1]`, `float64[l]`: where the leaf values of each tree start.
    base, factor : of the sum.

    Reference: Lucchese, C. et al., 2015. QuickScorer: a fast algorithm to rank documents with
    additive ensembles of regression trees. SIGIR. Ye, T. et al., 2018. RapidScorer. KDD.

    >>> from plackett.rankers.forests import read_lightgbm
    >>> import lightgbm
    >>> X = np.arange(40, dtype=np.float32)[:, None]
    >>> data = lightgbm.Dataset(X, (X[:, 0] > 20).astype(float))
    >>> booster = lightgbm.train({"verbosity": -1, "min_data_in_leaf": 5}, data, 10)
    >>> forest = read_lightgbm(booster.model_to_string())
    >>> bool(np.allclose(forest.score(X), booster.predict(X), rtol=1e-6))
    True
    """

    features: int
    feature: npt.NDArray[np.int32]
    reading: npt.NDArray[np.int8]
    category_starts: npt.NDArray[np.int64]
    categories: npt.NDArray[np.uint32]
    trees: npt.NDArray[np.int64]
    split_starts: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int32]
    masks: npt.NDArray[np.int32]
    tree_rows: npt.NDArray[np.int64]
    tree_leaves: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    base: float = 0.0
    factor: float = 1.0

    def score(self, X: npt.ArrayLike, *, threads: int = 1) -> npt.NDArray[np.float64]:
        """The score of every row: `float64[n]`.

        Parameters
        ----------
        X : `float32[n, f]`; NaN is a missing value.
        threads : rows are dealt out to so many; the result does not depend on it.

        Raises
        ------
        DataError : `X` has another number of features.
        ConfigurationError : no threads.
        """
        from plackett.rankers.forests.forest_kernels import WIDTH, add_scores

        if threads < 1:
            raise ConfigurationError(f"threads={threads}; expected 1 or more.")
        rows = np.asarray(X, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise DataError(
                f"features of shape {rows.shape}", expected=f"rows of {self.features} features"
            )
        out = np.zeros(len(rows), dtype=np.float64)

        def add(start: int) -> None:
            stop = start + step
            add_scores(
                np.ascontiguousarray(rows[start:stop]),
                self.feature,
                self.reading,
                self.category_starts,
                self.categories,
                self.split_starts,
                self.thresholds,
                self.rows,
                self.masks,
                self.trees,
                self.tree_rows,
                self.tree_leaves,
                self.values,
                out[start:stop],
            )

        step = WIDTH * _BLOCKS
        starts = range(0, len(rows), step)
        if threads == 1 or len(starts) < 2:
            for start in starts:
                add(start)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(add, starts))
        return self.base + self.factor * out

    def __len__(self) -> int:
        """How many trees there are."""
        return len(self.tree_leaves) - 1
