"""Grades for a dataset without judgments, from several scorers of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError, UnknownNameError
from plackett.fusion.label_model import RankingLabelModel
from plackett.fusion.preferences import Floats

__all__ = ["scored_lists", "weak_labels"]


def scored_lists(dataset: RankingDataset, scorers: Sequence[str | npt.ArrayLike]) -> list[Floats]:
    """The scorers' view of every query, as `RankingLabelModel` takes it.

    Parameters
    ----------
    scorers : each the name of a feature, or `float[rows]` in the order of the rows; higher is
        better, NaN is a row that the scorer leaves out.

    Returns
    -------
    One `float64[scorers, rows of the query]` a query, in the order of the query codes.

    Raises
    ------
    UnknownNameError : no feature has the name. DataError : no scorers, or one of another length.

    >>> data = RankingDataset([[1, 9], [2, 7], [5, 5]], [0, 0, 0], qid=[1, 1, 2])
    >>> scored_lists(data, ["1", [3, 1, 2]])[0]
    array([[1., 2.],
           [3., 1.]])
    """
    if len(scorers) == 0:
        raise DataError("no scorers", expected="at least one")
    columns = np.stack([_column(dataset, scorer) for scorer in scorers])
    if dataset.order is not None:
        columns = columns[:, dataset.order]
    return np.split(columns, dataset.offsets[1:-1], axis=1)


def _column(dataset: RankingDataset, scorer: str | npt.ArrayLike) -> npt.NDArray[np.float64]:
    if isinstance(scorer, str):
        if scorer not in dataset.feature_names:
            raise UnknownNameError("feature", scorer, dataset.feature_names)
        feature = tuple(dataset.feature_names).index(scorer)
        return dataset.X[:, feature].astype(np.float64)
    values: npt.NDArray[Any] = np.asarray(scorer, dtype=np.float64)
    if values.shape != (len(dataset),):
        raise DataError(
            f"scores of shape {values.shape}", expected=f"one of each of {len(dataset)} rows"
        )
    return values


def weak_labels(
    dataset: RankingDataset,
    scorers: Sequence[str | npt.ArrayLike],
    *,
    model: RankingLabelModel | None = None,
) -> npt.NDArray[np.float32]:
    """Grades from 1, the first of the estimated order of a query, evenly down to 0, the last.

    They order each query's rows without ties, for ListMLE or a regression; the dataset's own grades
    are not read. A query of one row gets grade 0.

    Parameters
    ----------
    scorers : as in `scored_lists`.
    model : a fitted label model of these scorers, as from another dataset's lists; by default
        `RankingLabelModel()` is fitted to this dataset.

    Returns
    -------
    `float32[rows]`, in the order of the rows.

    Raises
    ------
    UnknownNameError, DataError : as `scored_lists` and `RankingLabelModel.fit`.

    Shin, Li, Vishwakarma, Roberts & Sala, "Universalizing weak supervision", ICLR 2022.

    >>> X = [[1, 1], [2, 2], [3, 4], [4, 3]]
    >>> data = RankingDataset(X, [0, 0, 0, 0], qid=[1, 1, 1, 1])
    >>> weak_labels(data, ["1", "2", [2, 1, 3, 4]]).round(2)
    array([0.  , 0.33, 0.67, 1.  ], dtype=float32)
    """
    lists = scored_lists(dataset, scorers)
    if model is None:
        model = RankingLabelModel().fit(lists)
    grades = np.zeros(len(dataset), dtype=np.float32)
    for start, order in zip(dataset.offsets[:-1], model.predict(lists), strict=True):
        places = start + order
        rows = places if dataset.order is None else dataset.order[places]
        last = len(order) - 1
        grades[rows] = 1.0 - np.arange(last + 1) / last if last > 0 else 0.0
    return grades
