"""Encoded texts kept by content, in one file: asked again, a text is not encoded again."""

from __future__ import annotations

import hashlib
import math
import sqlite3
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.errors import CorruptFileError

__all__ = ["Arrays", "Entry", "VectorCache", "through_cache"]

Arrays = tuple[npt.NDArray[Any], ...]
Entry = tuple[Arrays, int, bool]

_SCHEMA = """
create table if not exists vectors (
    key blob primary key, tokens integer not null, truncated integer not null,
    data blob not null, checksum integer not null
) without rowid
"""
_AT_ONCE = 500
_NUMBER = struct.Struct("<q")


class VectorCache:
    """Arrays by the identity of an encoder and a text.

    The key is a SHA-256 digest of both, so that another model, prompt or limit is another entry.
    Each entry has a checksum. Entries of a batch are on disk when `put_many` returns.

    Parameters
    ----------
    path : the SQLite file, made where absent; None keeps the entries in memory.

    Raises
    ------
    CorruptFileError : the file is no such cache.

    >>> cache = VectorCache(None)
    >>> cache.put_many("m", {"a text": ((np.ones(2, dtype=np.float32),), 3, False)})
    >>> cache.get_many("m", ["a text", "another"])
    {'a text': ((array([1., 1.], dtype=float32),), 3, False)}
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._base = sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                timeout=60.0,
                isolation_level=None,
                check_same_thread=False,
            )
            self._base.execute("pragma journal_mode=wal")
            self._base.execute("pragma synchronous=normal")
            self._base.execute(_SCHEMA)
            self._base.execute("select key, tokens, truncated, data, checksum from vectors limit 0")
        except sqlite3.DatabaseError as error:
            raise CorruptFileError(
                f"no cache of vectors ({error})", expected="an SQLite file", path=self.path
            ) from error

    def get_many(self, identity: str, texts: Iterable[str]) -> dict[str, Entry]:
        """The entries of those of the texts that have one; their arrays cannot be written to.

        Raises
        ------
        CorruptFileError : an entry is not what was written.
        """
        keys = {_key(identity, text): text for text in texts}
        wanted, found = list(keys), {}
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            with self._lock:
                rows = self._base.execute(
                    f"select * from vectors where key in ({marks})", part
                ).fetchall()
            for key, tokens, truncated, data, checksum in rows:
                if zlib.crc32(data) != checksum:
                    raise CorruptFileError(
                        f"entry {key.hex()} with a wrong checksum",
                        remedy="delete the file; it is made anew",
                        path=self.path,
                    )
                found[keys[key]] = (_unpacked(data), int(tokens), bool(truncated))
        return found

    def put_many(self, identity: str, entries: Mapping[str, Entry]) -> None:
        """Keep entries by text."""
        rows = []
        for text, (arrays, tokens, truncated) in entries.items():
            data = _packed(arrays)
            rows.append((_key(identity, text), int(tokens), int(truncated), data, zlib.crc32(data)))
        with self._lock:
            self._base.execute("begin")
            try:
                self._base.executemany("insert or replace into vectors values (?,?,?,?,?)", rows)
            except BaseException:
                self._base.execute("rollback")
                raise
            self._base.execute("commit")

    def __len__(self) -> int:
        with self._lock:
            return int(self._base.execute("select count(*) from vectors").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> VectorCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def through_cache(
    cache: VectorCache | None,
    identity: str,
    texts: Sequence[str],
    compute: Callable[[list[str]], Mapping[str, Entry]],
) -> tuple[list[Arrays], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The arrays of each text, the tokens read, and whether some were cut off.

    Parameters
    ----------
    cache : what is known already; None where nothing is.
    identity : of the encoder.
    texts : each distinct one is computed once.
    compute : the entries of the texts that are not known. It keeps them in the cache itself, as
        they come, so that a run that is killed goes on where it stopped.

    >>> _, tokens, _ = through_cache(
    ...     None, "m", ["a", "b", "a"], lambda new: {text: ((), 1, False) for text in new}
    ... )
    >>> tokens.tolist()
    [1, 1, 1]
    """
    distinct = list(dict.fromkeys(texts))
    known = {} if cache is None else cache.get_many(identity, distinct)
    missing = [text for text in distinct if text not in known]
    if missing:
        known.update(compute(missing))
    found = [known[text] for text in texts]
    return (
        [arrays for arrays, _, _ in found],
        np.array([tokens for _, tokens, _ in found], dtype=np.int64),
        np.array([truncated for _, _, truncated in found], dtype=bool),
    )


def _key(identity: str, text: str) -> bytes:
    return hashlib.sha256(f"{identity}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _packed(arrays: Arrays) -> bytes:
    parts = [np.array([len(arrays)], dtype="<i8").tobytes()]
    for array in arrays:
        kind = array.dtype.newbyteorder("<").str.encode().ljust(8)
        shape = np.array([array.ndim, *array.shape], dtype="<i8").tobytes()
        parts += [kind, shape, np.ascontiguousarray(array).astype(kind.decode().strip()).tobytes()]
    return b"".join(parts)


def _unpacked(data: bytes) -> Arrays:
    """The arrays of an entry, as views into its bytes where their order is this machine's."""
    (count,) = _NUMBER.unpack_from(data)
    place, arrays = 8, []
    for _ in range(count):
        dtype = _dtype(data[place : place + 8])
        (ndim,) = _NUMBER.unpack_from(data, place + 8)
        shape = struct.unpack_from(f"<{ndim}q", data, place + 16)
        place += 16 + 8 * ndim
        size = math.prod(shape)
        values = np.frombuffer(data, dtype=dtype, count=size, offset=place)
        arrays.append(values.reshape(shape).astype(dtype.newbyteorder("="), copy=False))
        place += size * dtype.itemsize
    return tuple(arrays)


@lru_cache(maxsize=64)
def _dtype(name: bytes) -> np.dtype[Any]:
    return np.dtype(name.decode().strip())
