"""Arrays, strings and tables on disk: `.npy` written as a stream, read as a memory map."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import CorruptFileError

__all__ = [
    "ArrayWriter",
    "create_array",
    "open_array",
    "open_strings",
    "open_table",
    "write_strings",
    "write_table",
]

HEADER_BYTES = 128


class ArrayWriter:
    """A one-dimensional `.npy` file, written piece by piece.

    Its header has room for any length, so that it can be put right at the end.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.length = 0
        self._file = open(path, "wb")  # noqa: SIM115 - closed by `close`
        self._file.write(self._header())

    def _header(self) -> bytes:
        fields = (
            f"{{'descr': '{self.dtype.str}', 'fortran_order': False, 'shape': ({self.length},), }}"
        )
        body = fields.ljust(HEADER_BYTES - 11) + "\n"
        return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body.encode("ascii")

    def append(self, values: npt.NDArray[Any]) -> None:
        """Write some more values."""
        self._file.write(np.ascontiguousarray(values, dtype=self.dtype).data)
        self.length += len(values)

    def close(self) -> None:
        """Put the length into the header."""
        with self._file:  # is closed even where the disk is full
            self._file.seek(0)
            self._file.write(self._header())

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def create_array(path: Path, dtype: npt.DTypeLike, length: int) -> npt.NDArray[Any]:
    """A new one-dimensional `.npy` file, memory-mapped for writing, with its room reserved.

    Without that a page which finds the disk full would end the process, with no error to be told.

    Raises
    ------
    OSError : there is no room for it.
    """
    array: npt.NDArray[Any] = np.lib.format.open_memmap(path, "w+", dtype, (length,))
    if hasattr(os, "posix_fallocate"):
        with open(path, "rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def open_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A `.npy` file as a read-only array, memory-mapped.

    Raises
    ------
    CorruptFileError : the file holds another type or shape, or is no array.
    """
    try:
        array = (
            np.load(path, mmap_mode="r", allow_pickle=False) if 0 not in shape else np.load(path)
        )
    except (ValueError, EOFError, OSError) as error:
        raise CorruptFileError(
            f"no array ({error})", remedy="build the index again", path=path
        ) from error
    if array.dtype != np.dtype(dtype) or array.shape != shape:
        raise CorruptFileError(
            f"{array.dtype} of shape {array.shape}",
            expected=f"{np.dtype(dtype)} of shape {shape}",
            remedy="build the index again",
            path=path,
        )
    array.flags.writeable = False
    return np.asarray(array)


def write_strings(path: Path, values: pa.Array) -> None:
    """Write an Arrow string array as an Arrow file of one column."""
    write_table(path, pa.table({"value": values}))


def open_strings(path: Path, length: int) -> pa.Array:
    """The array that `write_strings` wrote, memory-mapped.

    Raises
    ------
    CorruptFileError : the file cannot be read, or holds another number of strings.
    """
    try:
        column = pa.ipc.open_file(pa.memory_map(str(path))).read_all().column("value")
        # Compiled code reads where the offsets point to.
        column.validate(full=True)
    except (pa.ArrowException, KeyError, OSError) as error:
        raise CorruptFileError(
            f"no Arrow strings ({error})", remedy="build the index again", path=path
        ) from error
    values = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if len(values) != length:
        raise CorruptFileError(
            f"{len(values)} strings",
            expected=str(length),
            remedy="build the index again",
            path=path,
        )
    return values


def write_table(path: Path, table: pa.Table) -> None:
    """Write the columns of documents, a row a document, as an Arrow file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def open_table(path: Path, rows: int) -> pa.Table:
    """The table that `write_table` wrote, memory-mapped; one without columns has no rows.

    Raises
    ------
    CorruptFileError : the file cannot be read, or holds another number of rows.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise CorruptFileError(
            f"no table ({error})", remedy="build the index again", path=path
        ) from error
    if len(table) != rows and table.num_columns:
        raise CorruptFileError(
            f"{len(table)} rows", expected=str(rows), remedy="build the index again", path=path
        )
    return table
