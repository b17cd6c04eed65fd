"""Distinct byte strings and their codes, for the compiled readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.formats.files import decode
from plackett.data.ids import Ids

__all__ = ["IdTable", "ids_of_tokens"]


class IdTable:
    """A growing hash table from byte strings to codes 0, 1, ... in order of first appearance.

    Holds the bytes of the distinct ids one after the other, as Arrow does, so that the finished
    `Ids` shares them without a copy.
    """

    def __init__(self) -> None:
        self.count = 0
        self._table = np.full(1 << 12, -1, dtype=np.int32)
        self._keys = np.empty((1 << 11, 2), dtype=np.uint64)
        self._offsets = np.zeros((1 << 11) + 1, dtype=np.int64)
        self._store = np.empty(1 << 15, dtype=np.uint8)

    def encode(
        self,
        data: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.int32]:
        """The codes, `int32[n]`, of the tokens `data[starts[i]:starts[i] + lengths[i]]`."""
        from plackett.data.formats.text_kernels import intern_tokens

        self._reserve(len(starts), int(lengths.sum(dtype=np.int64)))
        codes = np.empty(len(starts), dtype=np.int32)
        self.count = intern_tokens(
            data,
            starts,
            lengths,
            self._table,
            self._keys,
            self._offsets,
            self._store,
            self.count,
            codes,
        )
        return codes

    def merge(self, other: IdTable) -> npt.NDArray[np.int32]:
        """Enter all ids of `other`; the code here of each of its codes, `int32[other.count]`."""
        offsets = other._offsets[: other.count + 1]
        lengths = np.diff(offsets).astype(np.int32)
        return self.encode(other._store, offsets[:-1], lengths)

    def _reserve(self, entries: int, size: int) -> None:
        """Make room for so many more ids and bytes, should all of them be new."""
        from plackett.data.formats.text_kernels import rebuild_table

        needed = self.count + entries
        if needed > len(self._keys):
            capacity = max(needed, 2 * len(self._keys))
            self._keys = np.concatenate(
                [self._keys[: self.count], np.empty((capacity - self.count, 2), dtype=np.uint64)]
            )
            self._offsets = np.concatenate(
                [self._offsets[: self.count + 1], np.empty(capacity - self.count, dtype=np.int64)]
            )
        if 2 * needed > len(self._table):
            self._table = np.full(1 << (2 * needed - 1).bit_length(), -1, dtype=np.int32)
            rebuild_table(self._table, self._keys, self.count)
        used = int(self._offsets[self.count])
        if used + size > len(self._store):
            grown = np.empty(max(used + size, 2 * len(self._store)), dtype=np.uint8)
            grown[:used] = self._store[:used]
            self._store = grown

    def is_text(self) -> bool:
        """Whether all ids are UTF-8 without a NUL, so that `ids` can be taken."""
        if bool((self._store[: self._offsets[self.count]] == 0).any()):
            return False
        try:
            self._strings().validate(full=True)
        except pa.ArrowInvalid:
            return False
        return True

    def _strings(self) -> pa.Array:
        size = int(self._offsets[self.count])
        store = pa.py_buffer(self._store[:size])
        if size < 1 << 31:
            offsets = pa.py_buffer(self._offsets[: self.count + 1].astype(np.int32))
            return pa.StringArray.from_buffers(self.count, offsets, store)
        offsets = pa.py_buffer(self._offsets[: self.count + 1])
        return pa.LargeStringArray.from_buffers(self.count, offsets, store)

    def ids(self) -> Ids:
        """The distinct ids; a code is a position."""
        return Ids.from_distinct(self._strings())


def ids_of_tokens(
    tokens: list[bytes], lines: list[int], path: Path
) -> tuple[Ids, npt.NDArray[np.int32]]:
    """The same for a list of tokens and their line numbers, in plain Python."""
    known: dict[bytes, int] = {}
    codes = np.fromiter(
        (known.setdefault(token, len(known)) for token in tokens), np.int32, len(tokens)
    )
    if not b"".join(known).isascii() or any(b"\0" in token for token in known):
        for token, line in zip(tokens, lines, strict=True):
            decode(token, path, line)
    strings = pa.array([token.decode() for token in known], pa.string())
    return Ids.from_distinct(strings), codes
