"""From whatever holds numbers in rows and columns to a checked `float32` matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.formats.frames import frame_names, is_frame, table_of_columns
from plackett.errors import DataError

__all__ = ["as_matrix", "check_feature_names", "check_features"]

_CELLS_AT_A_TIME = 1 << 22


def as_matrix(X: Any) -> tuple[npt.NDArray[np.float32], tuple[str, ...] | None]:
    """`float32[rows, features]`, C-contiguous, and the names of a frame's columns.

    Accepts a numpy array, a nested list, a pandas or polars frame, an Arrow table, a SciPy sparse
    matrix. A float32 array that is contiguous already, memory-mapped or not, is not copied.
    """
    names: tuple[str, ...] | None = None
    if is_frame(X):
        names = frame_names(X)
        table = table_of_columns(X, names)
        matrix = np.empty((table.num_rows, len(names)), dtype=np.float32)
        for position, name in enumerate(names):
            column = table.column(position)
            values = np.asarray(column.to_numpy())
            if values.dtype.kind not in "fiub" and column.null_count < len(column):
                raise DataError(
                    f"feature {name!r} of type {column.type}",
                    expected="numbers",
                    remedy="drop the column or encode it as numbers",
                )
            _narrow_into(matrix[:, position], values)
        return matrix, names
    if hasattr(X, "toarray"):
        X = X.toarray()
    try:
        wide = np.asanyarray(X)
        if wide.dtype.kind not in "fiub":
            wide = wide.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"features that are no numbers ({error})", expected="numbers") from error
    if wide.ndim != 2:
        raise DataError(
            f"features of shape {wide.shape}",
            expected="two dimensions, rows and features",
            remedy="reshape one feature with X.reshape(-1, 1)",
        )
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(wide, dtype=np.float32), None


def _narrow_into(target: npt.NDArray[np.float32], values: npt.NDArray[Any]) -> None:
    with np.errstate(over="ignore"):
        target[:] = values


def check_feature_names(names: tuple[str, ...], n_features: int) -> None:
    """One distinct name a feature."""
    if len(names) != n_features:
        raise DataError(
            f"{len(names)} feature names for {n_features} features",
            expected="one name a feature",
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"feature name {twice!r} twice", expected="distinct names")


def check_features(X: npt.NDArray[np.float32], names: tuple[str, ...], missing: str) -> None:
    """Refuse infinity, and NaN where it does not mean missing; reads a few megabytes at a time."""
    rows = max(1, _CELLS_AT_A_TIME // max(1, X.shape[1]))
    for start in range(0, len(X), rows):
        part = X[start : start + rows]
        bad = ~np.isfinite(part) if missing == "zero" else np.isinf(part)
        if not bad.any():
            continue
        row, feature = np.unravel_index(int(np.argmax(bad)), bad.shape)
        value = part[row, feature]
        raise DataError(
            f"{value} in row {start + int(row)}, feature {names[int(feature)]!r}",
            expected="finite numbers" + ("" if missing == "zero" else ", or nan for missing"),
            remedy='pass missing="nan" to let nan mean missing'
            if np.isnan(value)
            else "replace infinity, and rescale values beyond float32 (3.4e38)",
        )
