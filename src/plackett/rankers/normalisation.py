"""Feature values on a common scale, for rankers that add them up."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.rankers.objective import GroupedRows

__all__ = ["NORMALISATIONS", "Normalisation", "Scale", "fit_scale", "normalised"]

Normalisation = Literal["query_minmax", "query_zscore", "zscore", "none"]
NORMALISATIONS = ("query_minmax", "query_zscore", "zscore", "none")


class Scale(NamedTuple):
    """The centre and the width of every feature, `float64[features]`; used by "zscore" only."""

    centre: npt.NDArray[np.float64]
    width: npt.NDArray[np.float64]


def fit_scale(X: npt.NDArray[np.float32]) -> Scale:
    """Mean and standard deviation of every feature over all rows, missing values left out.

    A feature that is constant, or always missing, has width 0.
    """
    centre, width = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for f in range(X.shape[1]):
        column = X[:, f].astype(np.float64)
        column = column[~np.isnan(column)]
        if len(column) and column.min() < column.max():
            centre[f], width[f] = column.mean(), column.std()
    return Scale(centre, width)


def normalised(
    rows: GroupedRows, normalisation: Normalisation, scale: Scale
) -> npt.NDArray[np.float32]:
    """The normalised values, `float32[features, rows]`, in the order of the grouped rows.

    "query_minmax" maps a feature to [0, 1] inside each query; "query_zscore" to mean 0 and standard
    deviation 1 inside each query; "zscore" does so over the training data; "none" leaves it. A
    missing value becomes 0 afterwards, as does a value that is constant where it is normalised.

    >>> X = np.array([[1], [3], [2], [7]], dtype=np.float32)
    >>> rows = GroupedRows(X, np.zeros(4, np.float32), np.array([0, 3, 4]), None)
    >>> normalised(rows, "query_minmax", fit_scale(X))
    array([[0. , 1. , 0.5, 0. ]], dtype=float32)
    """
    X, offsets = rows.X, rows.offsets
    Z = np.empty((X.shape[1], X.shape[0]), dtype=np.float32)
    for f in range(X.shape[1]):
        column = X[:, f].astype(np.float64)
        if normalisation == "zscore":
            column = _divided(column - scale.centre[f], scale.width[f])
        elif normalisation != "none":
            column = _within_queries(column, offsets, normalisation)
        np.copyto(column, 0.0, where=np.isnan(column))
        Z[f] = column
    return Z


def _within_queries(
    column: npt.NDArray[np.float64],
    offsets: npt.NDArray[np.int64],
    normalisation: Normalisation,
) -> npt.NDArray[np.float64]:
    starts, lengths = offsets[:-1], np.diff(offsets)
    low = np.fmin.reduceat(column, starts)
    high = np.fmax.reduceat(column, starts)
    if normalisation == "query_minmax":
        return _divided(column - np.repeat(low, lengths), np.repeat(high - low, lengths))
    present = ~np.isnan(column)
    count = np.maximum(np.add.reduceat(present.astype(np.float64), starts), 1.0)
    mean = np.add.reduceat(np.where(present, column, 0.0), starts) / count
    centred = column - np.repeat(mean, lengths)
    squares = np.add.reduceat(np.where(present, centred, 0.0) ** 2, starts)
    # Rounding gives a constant feature a tiny deviation; that it is constant shows exactly.
    deviation = np.where(high > low, np.sqrt(squares / count), 0.0)
    return _divided(centred, np.repeat(deviation, lengths))


def _divided(
    values: npt.NDArray[np.float64], widths: npt.NDArray[np.float64] | float
) -> npt.NDArray[np.float64]:
    """`values / widths`; 0 where the width is 0."""
    widths = np.broadcast_to(widths, values.shape)
    return np.divide(values, widths, out=np.zeros_like(values), where=widths > 0)
