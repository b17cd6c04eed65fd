"""Which rows of a dataset are meant: checks of row numbers, masks, queries and indices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from plackett.data.ids import Ids
from plackett.errors import DataError

__all__ = ["checked_queries", "checked_rows", "rows_of_index"]


def checked_rows(rows: Any, n_rows: int) -> Any:
    """`rows` as a slice, a boolean mask `[n_rows]` or row numbers, or a `DataError`.

    >>> checked_rows([2, 0], 3)
    array([2, 0])
    """
    if isinstance(rows, slice):
        return rows
    array = np.asarray(rows)
    if array.size == 0 and array.ndim == 1:
        return array.astype(np.int64) if array.dtype.kind != "b" else _checked_mask(array, n_rows)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise DataError(
            f"rows of shape {array.shape} and type {array.dtype}",
            expected="row numbers, a boolean mask or a slice",
        )
    if array.dtype.kind == "b":
        return _checked_mask(array, n_rows)
    wrong = (array >= n_rows) | (array < -n_rows)
    if wrong.any():
        raise DataError(f"row {array[np.argmax(wrong)]}", expected=f"row numbers below {n_rows}")
    return array


def _checked_mask(mask: npt.NDArray[Any], n_rows: int) -> npt.NDArray[Any]:
    if len(mask) != n_rows:
        raise DataError(f"a mask of {len(mask)} rows", expected=f"{n_rows}")
    return mask


def rows_of_index(index: Any) -> Any:
    """What `dataset[index]` asks for; `dataset[rows, ...]` too, as scikit-learn writes it."""
    if isinstance(index, tuple) and len(index) == 2 and index[1] in (Ellipsis, slice(None)):
        index = index[0]
    if isinstance(index, tuple | int | np.integer):
        raise DataError(
            f"index {index!r}", expected="row numbers, a boolean mask or a slice of rows"
        )
    return index


def checked_queries(queries: npt.ArrayLike | Iterable[str], ids: Ids) -> npt.NDArray[np.int64]:
    """The codes of some queries, given as codes or as ids.

    >>> checked_queries(["b"], Ids(["a", "b"])), checked_queries([0], Ids(["a", "b"]))
    (array([1]), array([0]))
    """
    wanted: Any = queries if isinstance(queries, np.ndarray) else list(cast(Any, queries))
    if len(wanted) and isinstance(wanted[0], str):
        codes = ids.codes(wanted).astype(np.int64)
        if (codes < 0).any():
            raise DataError(
                f"no query {wanted[int(np.argmax(codes < 0))]!r}",
                expected="ids of queries that have rows",
            )
        return codes
    codes = np.asarray(wanted, dtype=np.int64)
    wrong = (codes < 0) | (codes >= len(ids))
    if wrong.any():
        raise DataError(f"query code {codes[np.argmax(wrong)]}", expected=f"codes below {len(ids)}")
    return codes
