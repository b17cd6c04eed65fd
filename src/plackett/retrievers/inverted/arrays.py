"""Arrays and strings on disk: `.npy` written as a stream, read as a memory map."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import CorruptFileError

__all__ = ["ArrayWriter", "open_array", "open_strings", "write_strings"]

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
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()

    def __enter__(self) -> ArrayWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


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
    table = pa.table({"value": values})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def open_strings(path: Path, length: int) -> pa.Array:
    """The array that `write_strings` wrote, memory-mapped.

    Raises
    ------
    CorruptFileError : the file cannot be read, or holds another number of strings.
    """
    try:
        column = pa.ipc.open_file(pa.memory_map(str(path))).read_all().column("value")
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
