"""Seeded damage to a dataset, to see how much a ranker's lists depend on single data points.

Every function returns a new dataset and leaves the given one as it is. The same seed damages the
same rows; a share is of the number of queries, rows or judgments, rounded.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError
from plackett.rankers.parameters import check_number

__all__ = [
    "add_feature_noise",
    "delete_documents",
    "delete_judgments",
    "delete_queries",
    "flip_grades",
]

Rows = npt.NDArray[np.int64]


def _drawn(count: int, share: float, seed: int) -> Rows:
    check_number("share", share, low=0, high=1)
    check_number("seed", seed, low=0, integer=True)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(count, size=round(share * count), replace=False)).astype(np.int64)


def _with_grades(dataset: RankingDataset, y: npt.NDArray[np.float32]) -> RankingDataset:
    return RankingDataset.from_columns(dataset.columns._replace(y=y), missing=dataset.missing)


def delete_queries(dataset: RankingDataset, share: float, *, seed: int = 0) -> RankingDataset:
    """Leave out a share of the queries, with all their rows.

    Raises
    ------
    ConfigurationError : a share outside 0 to 1.

    >>> data = RankingDataset([[1], [2], [3], [4]], [0, 1, 0, 1], qid=[1, 1, 2, 2])
    >>> delete_queries(data, 0.5).n_queries
    1
    """
    gone = _drawn(dataset.n_queries, share, seed)
    return dataset.take_rows(~np.isin(dataset.query, gone))


def delete_documents(dataset: RankingDataset, share: float, *, seed: int = 0) -> RankingDataset:
    """Leave out a share of the rows; a query that loses all of them goes too.

    Raises
    ------
    ConfigurationError : a share outside 0 to 1.

    >>> data = RankingDataset([[1], [2], [3], [4]], [0, 1, 0, 1], qid=[1, 1, 2, 2])
    >>> len(delete_documents(data, 0.25))
    3
    """
    kept = np.ones(len(dataset), dtype=bool)
    kept[_drawn(len(dataset), share, seed)] = False
    return dataset.take_rows(kept)


def delete_judgments(dataset: RankingDataset, share: float, *, seed: int = 0) -> RankingDataset:
    """Give a share of the rows with a grade above 0 the grade 0, as if nobody had judged them.

    Raises
    ------
    ConfigurationError : a share outside 0 to 1.

    >>> data = RankingDataset([[1], [2], [3], [4]], [2, 1, 0, 1], qid=[1, 1, 2, 2])
    >>> delete_judgments(data, 1.0).y
    array([0., 0., 0., 0.], dtype=float32)
    """
    judged = np.flatnonzero(dataset.y > 0)
    y = dataset.y.copy()
    y[judged[_drawn(len(judged), share, seed)]] = 0.0
    return _with_grades(dataset, y)


def flip_grades(dataset: RankingDataset, share: float, *, seed: int = 0) -> RankingDataset:
    """Give a share of the rows another one of the dataset's grades, each as likely.

    Raises
    ------
    DataError : the dataset has rows, but only one grade.
    ConfigurationError : a share outside 0 to 1.

    >>> data = RankingDataset([[1], [2], [3], [4]], [1, 1, 0, 1], qid=[1, 1, 2, 2])
    >>> flip_grades(data, 1.0).y
    array([0., 0., 1., 0.], dtype=float32)
    """
    rows = _drawn(len(dataset), share, seed)
    if len(rows) == 0:
        return _with_grades(dataset, dataset.y.copy())
    grades, code = np.unique(dataset.y, return_inverse=True)
    if len(grades) < 2:
        raise DataError(f"grade {grades[0]:g} in every row", expected="at least two grades")
    # A step of 1 ... levels - 1 around the circle of grades reaches each other grade once.
    rng = np.random.default_rng([seed, 1])
    steps = rng.integers(1, len(grades), size=len(rows))
    y = dataset.y.copy()
    y[rows] = grades[(code[rows] + steps) % len(grades)]
    return _with_grades(dataset, y)


def add_feature_noise(dataset: RankingDataset, scale: float, *, seed: int = 0) -> RankingDataset:
    """Add to every value Gaussian noise of `scale` times its feature's standard deviation.

    Missing values stay missing, and a constant feature stays constant.

    Raises
    ------
    ConfigurationError : a scale below 0.

    >>> data = RankingDataset([[1, 5], [2, 5], [np.nan, 5]], [0, 1, 0], qid=[1, 1, 1])
    >>> noisy = add_feature_noise(data, 0.1)
    >>> bool(np.isnan(noisy.X[2, 0])), noisy.X[:, 1], bool((noisy.X[:2, 0] != [1, 2]).all())
    (True, array([5., 5., 5.], dtype=float32), True)
    """
    check_number("scale", scale, low=0)
    check_number("seed", seed, low=0, integer=True)
    rng = np.random.default_rng(seed)
    limit = float(np.finfo(np.float32).max)
    X = np.array(dataset.X)
    for feature in range(X.shape[1]):
        column = X[:, feature].astype(np.float64)
        known = column[~np.isnan(column)]
        # Drawn for every feature, so that one feature's noise does not hang on another's values.
        noise = rng.normal(size=len(column))
        if len(known) and known.min() < known.max():
            X[:, feature] = np.clip(column + scale * known.std() * noise, -limit, limit)
    columns = dataset.columns._replace(X=X)
    return RankingDataset.from_columns(columns, missing=dataset.missing)
