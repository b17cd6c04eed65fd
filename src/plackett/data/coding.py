"""From strings or codes to `(Ids, codes)`: what every constructor of flat arrays begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.errors import DataError

Scalar = TypeVar("Scalar", bound=np.generic)

__all__ = [
    "check_equal_lengths",
    "encode_or_check",
    "finite_float32",
    "flatten_nested",
    "frozen",
    "select",
]


def encode_or_check(values: Any, ids: Ids | None, what: str) -> tuple[Ids, npt.NDArray[np.int32]]:
    """The ids and the code of every row.

    With `ids=None`, `values` are strings (or integers that serve as strings) and are encoded.
    With `ids` given, `values` are integer codes into them, and are checked to lie inside.
    """
    if ids is None:
        return Ids.encode(values)
    codes = np.asarray(values)
    if codes.size == 0:
        return ids, np.zeros(0, dtype=np.int32)
    if codes.dtype.kind not in "iu":
        raise DataError(
            f"{what} codes of type {codes.dtype}",
            expected=f"integer codes, because {what}_ids are given",
            remedy=f"leave out {what}_ids to pass strings",
        )
    low, high = int(codes.min()), int(codes.max())
    if low < 0 or high >= len(ids):
        wrong = low if low < 0 else high
        raise DataError(f"{what} code {wrong}", expected=f"a code from 0 to {len(ids) - 1}")
    return ids, codes.astype(np.int32, copy=False)


def finite_float32(values: Any, what: str, *, allow_infinite: bool) -> npt.NDArray[np.float32]:
    """`values` as `float32[n]`; NaN (and infinity, unless allowed) is an error with its row."""
    try:
        wide = np.asarray(values)
        with np.errstate(over="ignore"):
            array = wide.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what}s that are no numbers ({error})", expected="numbers") from error
    if array.ndim != 1:
        raise DataError(f"{what}s of shape {array.shape}", expected="one dimension")
    bad = np.isnan(array) if allow_infinite else ~np.isfinite(array)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{what} {wide[row]} in row {row}",
            expected="a number" if allow_infinite else "a finite number",
            remedy=f"drop the row or give it a real {what}",
        )
    return array


def check_equal_lengths(arrays: Mapping[str, Any]) -> None:
    """Raise a `DataError` that names the lengths where they differ."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise DataError(
            f"columns of unequal length: {found}", expected="one value of each in every row"
        )


def flatten_nested(
    nested: Any, what: str
) -> tuple[pa.Array, npt.NDArray[np.int64], list[str], list[Any]]:
    """Flatten `{query: {document: value}}`: query strings, list lengths, documents, values."""
    queries: list[str] = []
    lengths: list[int] = []
    documents: list[str] = []
    values: list[Any] = []
    for query, inner in nested.items():
        if not hasattr(inner, "items"):
            raise DataError(
                f"{type(inner).__name__} for query {query!r}",
                expected=f"a mapping from document to {what}",
            )
        queries.append(str(query))
        lengths.append(len(inner))
        documents.extend(str(document) for document in inner)
        values.extend(inner.values())
    return pa.array(queries, pa.string()), np.asarray(lengths, dtype=np.int64), documents, values


def frozen(array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """A read-only view of `array`; the caller's own array stays as it is."""
    view: npt.NDArray[Scalar] = array.view()
    view.flags.writeable = False
    return view


def select(
    query_ids: Ids, present: npt.NDArray[np.int32], wanted: Iterable[str]
) -> npt.NDArray[np.int64]:
    """The segments of the wanted queries, in the order wanted; an unknown query is an error."""
    names = list(wanted)
    if not names:
        return np.zeros(0, dtype=np.int64)
    codes = query_ids.codes(names)
    segment_of_code = np.full(len(query_ids), -1, dtype=np.int64)
    segment_of_code[present] = np.arange(len(present))
    segments = np.where(codes >= 0, segment_of_code[codes], -1)
    if (segments < 0).any():
        missing = names[int(np.argmax(segments < 0))]
        raise DataError(f"no query {missing!r}", expected="ids of queries that are present")
    return segments
