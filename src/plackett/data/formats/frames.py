"""Columns of pandas and polars frames and Arrow tables, without importing pandas or polars."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids, to_string_array
from plackett.errors import DataError

__all__ = ["column_of", "encode_values", "frame_names", "is_frame", "table_of_columns"]


def is_frame(values: Any) -> bool:
    """Whether `values` is a table with named columns (pandas, polars, Arrow)."""
    return hasattr(values, "column_names") or (
        hasattr(values, "columns") and hasattr(values, "__getitem__")
    )


def frame_names(frame: Any) -> tuple[str, ...]:
    """The names of the columns, as strings."""
    names = frame.column_names if hasattr(frame, "column_names") else frame.columns
    return tuple(str(name) for name in names)


def column_of(frame: Any, name: str) -> Any:
    """One column; an unknown one is an error that lists the known.

    >>> column_of(pa.table({"a": [1]}), "b")
    Traceback (most recent call last):
    plackett.errors.DataError: found no column 'b'; expected one of a.
    """
    names = frame.column_names if hasattr(frame, "column_names") else list(frame.columns)
    for known in names:
        if str(known) == name:
            return frame[known]
    raise DataError(f"no column {name!r}", expected=f"one of {', '.join(map(str, names))}")


def table_of_columns(frame: Any, names: Sequence[str]) -> pa.Table:
    """Some columns as an Arrow table."""
    arrays = []
    for name in names:
        column = column_of(frame, name)
        if hasattr(column, "to_arrow"):
            column = column.to_arrow()
        try:
            arrays.append(column if isinstance(column, pa.ChunkedArray) else pa.array(column))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"column {name!r} of mixed types ({error})", expected="numbers"
            ) from error
    return pa.table(dict(zip(names, arrays, strict=True)))


def encode_values(values: Any, what: str) -> tuple[Ids, npt.NDArray[np.int32]]:
    """Ids and codes of a column of any usual type.

    Strings, integers, whole floats, UUIDs, categories; Arrow, numpy, pandas, polars or a list.

    Raises
    ------
    DataError : a missing value, or one that is no id, with its row.

    >>> encode_values([uuid.UUID(int=1), "b"], "query id")[1]
    array([0, 1], dtype=int32)
    """
    if hasattr(values, "to_arrow"):
        values = values.to_arrow()
    dtype = getattr(values, "dtype", None)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        if pa.types.is_floating(values.type):
            return _encode_floats(values.to_numpy(), what)
    elif isinstance(dtype, np.dtype) and dtype.kind == "f":
        return _encode_floats(np.asarray(values), what)
    elif not isinstance(dtype, np.dtype) or dtype.kind == "O":
        listed = values.tolist() if hasattr(values, "tolist") else list(values)
        return Ids.encode(
            pa.array([_text(v, row, what) for row, v in enumerate(listed)], pa.string())
        )
    return Ids.encode(to_string_array(values))


def _encode_floats(values: npt.NDArray[Any], what: str) -> tuple[Ids, npt.NDArray[np.int32]]:
    """Whole numbers that a frame holds as floats, as it does beside missing values."""
    bad = ~np.isfinite(values) | (values != np.trunc(values))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{what} {values[row]} in row {row}",
            expected="strings or whole numbers",
            remedy="drop rows without an id, or convert the ids to strings",
        )
    return Ids.encode(values.astype(np.int64))


def _text(value: Any, row: int, what: str) -> str:
    if isinstance(value, str | uuid.UUID):
        return str(value)
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise DataError(
        f"{what} {value!r} in row {row}",
        expected="a string, an integer or a UUID",
        remedy="convert the ids to strings",
    )
