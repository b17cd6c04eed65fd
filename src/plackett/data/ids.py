"""Strings at the door, `int32` codes inside."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.errors import DataError

__all__ = ["Ids", "distinct_union", "to_string_array", "to_text_array"]

Codes = npt.NDArray[np.int32]


def to_text_array(values: Any, kind: pa.DataType | None = None) -> pa.Array:
    """An Arrow array of values that may be texts.

    Raises
    ------
    DataError : a text holds half of a surrogate pair, which is no character.

    >>> to_text_array(["wing", "\\ud800"])
    Traceback (most recent call last):
    plackett.errors.DataError: found the text '\\ud800'; expected characters that UTF-8 can hold.
    """
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text {error.object!r:.60}", expected="characters that UTF-8 can hold"
        ) from error


def to_string_array(values: Any) -> pa.Array:
    """An Arrow string array of `values`: strings, or integers written in decimal.

    Accepts an Arrow array, a numpy array, a pandas or polars series, or any iterable.

    Raises
    ------
    DataError : a value is missing, a float, or anything else that is no id.

    >>> to_string_array([7, 8]).to_pylist()
    ['7', '8']
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        if isinstance(values, np.ndarray) and values.dtype.kind in "US":
            values = values.tolist()
        elif not hasattr(values, "__array__") and not isinstance(values, list):
            values = list(values)
        try:
            values = to_text_array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"ids of mixed types ({error})", expected="all strings or all integers"
            ) from error
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type) and len(values) == 0:
        values = values.cast(pa.string())
    if values.null_count:
        raise DataError(
            f"{values.null_count} missing ids, the first at position "
            f"{pc.index(values.is_null(), True).as_py()}",
            expected="an id in every row",
        )
    if pa.types.is_binary(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    if pa.types.is_integer(values.type):
        values = values.cast(pa.string())
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise DataError(
            f"ids of type {values.type}",
            expected="strings or integers",
            remedy="convert the ids to strings",
        )
    return values


class Ids:
    """A set of distinct strings, each with an `int32` code: its position.

    The strings lie in one Arrow array, so that ten million ids take well under 1 GB. An `Ids` never
    changes; two objects that share one `Ids` share their codes.

    Parameters
    ----------
    values : distinct strings (or integers, written in decimal).

    Raises
    ------
    DataError : an id occurs twice or is missing.

    >>> ids = Ids(["d1", "d2", "d10"])
    >>> ids.codes(["d10", "unknown"])
    array([ 2, -1], dtype=int32)
    >>> ids[2], len(ids), "d2" in ids
    ('d10', 3, True)
    """

    __slots__ = ("__weakref__", "_maps", "values")

    values: pa.Array

    def __init__(self, values: Any) -> None:
        strings = to_string_array(values)
        encoded = strings.dictionary_encode()
        if len(encoded.dictionary) != len(strings):
            codes = encoded.indices.to_numpy()
            seen = np.zeros(len(encoded.dictionary), dtype=bool)
            for position, code in enumerate(codes.tolist()):
                if seen[code]:
                    raise DataError(
                        f"id {strings[position].as_py()!r} twice (again at position {position})",
                        expected="distinct ids",
                    )
                seen[code] = True
        self._adopt(strings)

    def _adopt(self, distinct: pa.Array) -> None:
        self.values = distinct
        self._maps: weakref.WeakKeyDictionary[Ids, Codes] = weakref.WeakKeyDictionary()

    @classmethod
    def from_distinct(cls, values: pa.Array) -> Ids:
        """Wrap an Arrow string array whose values are known to be distinct; nothing is checked."""
        ids = cls.__new__(cls)
        ids._adopt(values)
        return ids

    @classmethod
    def encode(cls, values: Any) -> tuple[Ids, Codes]:
        """Distinct ids in order of first appearance, and the code of each value.

        >>> ids, codes = Ids.encode(["b", "a", "b"])
        >>> list(ids), codes
        (['b', 'a'], array([0, 1, 0], dtype=int32))
        """
        encoded = to_string_array(values).dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
        return cls.from_distinct(encoded.dictionary), codes

    def codes(self, values: Any) -> Codes:
        """The code of each value, `int32[n]`; -1 for a value that is not in the set."""
        strings = to_string_array(values)
        found = pc.index_in(strings, value_set=self.values.cast(strings.type))
        codes: Codes = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        return codes.astype(np.int32, copy=False)

    def strings(self, codes: npt.ArrayLike | None = None) -> pa.Array:
        """The strings of `codes`, `int[n]`, as an Arrow array; all of them by default."""
        if codes is None:
            return self.values
        return self.values.take(pa.array(np.asarray(codes)))

    def map_to(self, other: Ids) -> Codes:
        """For each of our codes the code of the same string in `other`, or -1: `int32[len(self)]`.

        The answer is kept for as long as both sets live.

        >>> Ids(["a", "b"]).map_to(Ids(["b", "c"]))
        array([-1,  0], dtype=int32)
        """
        if other is self:
            return np.arange(len(self), dtype=np.int32)
        known = self._maps.get(other)
        if known is not None:
            return known
        if len(self) >= len(other):
            mapped = other.codes(self.values)
        else:  # the hash table goes over the smaller side
            reverse = self.codes(other.values)
            theirs = np.flatnonzero(reverse >= 0)
            mapped = np.full(len(self), -1, dtype=np.int32)
            mapped[reverse[theirs]] = theirs
        mapped.flags.writeable = False
        self._maps[other] = mapped
        return mapped

    def union(self, other: Ids) -> Ids:
        """Our ids, with unchanged codes, followed by those of `other` that we lack."""
        if other is self:
            return self
        new = np.flatnonzero(other.map_to(self) < 0)
        if len(new) == 0:
            return self
        added = other.strings(new).cast(self.values.type)
        return Ids.from_distinct(pa.concat_arrays([self.values, added]))

    def lexical_ranks(self, codes: Codes) -> npt.NDArray[np.int64]:
        """The rank of each code's string, `int64[n]`, in the byte order of UTF-8 (as strcmp)."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        order = pc.sort_indices(self.strings(distinct)).to_numpy()
        ranks = np.empty(len(distinct), dtype=np.int64)
        ranks[order] = np.arange(len(distinct))
        return ranks[inverse]

    def equals(self, other: Ids) -> bool:
        """Whether both hold the same strings in the same order."""
        return other is self or self.values.cast(pa.large_string()).equals(
            other.values.cast(pa.large_string())
        )

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, code: int) -> str:
        return str(self.values[int(code)].as_py())

    def __iter__(self) -> Iterator[str]:
        return iter(self.values.to_pylist())

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and bool(self.codes([value])[0] >= 0)

    def __repr__(self) -> str:
        shown = ", ".join(repr(value) for value in self.values[:3].to_pylist())
        return f"Ids({len(self)}: {shown}{', ...' if len(self) > 3 else ''})"


def distinct_union(sets: Iterable[Ids]) -> Ids:
    """The union of several sets of ids; the codes of the first stay."""
    result: Ids | None = None
    for ids in sets:
        result = ids if result is None else result.union(ids)
    return Ids.from_distinct(pa.array([], pa.string())) if result is None else result
