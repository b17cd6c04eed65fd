"""Which documents a search may return, by their columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.errors import DataError

__all__ = ["Where", "condition", "rows_where"]

Where = Mapping[str, Any]
"""A column to a value, a list of values, or a pair (lowest, highest) with None for an open end."""


def condition(where: Where) -> pc.Expression:
    """What a filter demands, as an Arrow expression; all of its columns must agree.

    >>> condition({"year": (1990, None), "language": ["en", "de"]})
    <pyarrow.compute.Expression ...>
    """
    joined = pc.scalar(True)
    for name, wanted in where.items():
        column = pc.field(name)
        if isinstance(wanted, tuple):
            if len(wanted) != 2:
                raise DataError(
                    f"a filter {wanted!r} on {name!r}", expected="a pair (lowest, highest)"
                )
            low, high = wanted
            if low is not None:
                joined = joined & (column >= pc.scalar(low))
            if high is not None:
                joined = joined & (column <= pc.scalar(high))
        elif isinstance(wanted, list | set | frozenset):
            # An empty list has no type that could be compared with the column's.
            joined = joined & (column.isin(pa.array(list(wanted))) if wanted else pc.scalar(False))
        else:
            joined = joined & (column == pc.scalar(wanted))
    return joined


def rows_where(table: pa.Table, where: Where) -> npt.NDArray[np.bool_]:
    """Which rows of a table agree with a filter, `bool[n]`; a missing value never does.

    Raises
    ------
    DataError : the filter is no mapping, the table has no such column, or a value of another type.

    >>> rows_where(pa.table({"year": [1989, 1991, None]}), {"year": (1990, None)})
    array([False,  True, False])
    """
    if not isinstance(where, Mapping):
        raise DataError(f"a filter {where!r}", expected="a mapping of columns to values")
    for name in where:
        if name not in table.column_names:
            raise DataError(
                f"a filter on {name!r}",
                expected=f"one of {', '.join(table.column_names) or 'none'}",
                remedy="build the index with metadata=[...] that names the column",
            )
    numbered = table.append_column("row number", pa.array(np.arange(len(table))))
    try:
        kept = numbered.filter(condition(where)).column("row number").to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise DataError(
            f"a filter {dict(where)!r} ({error})", expected="values of the columns' types"
        ) from error
    mask = np.zeros(len(table), dtype=bool)
    mask[kept] = True
    return mask
