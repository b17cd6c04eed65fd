"""Opening files: gzip, byte-order marks, and the ways in which a file can be unreadable."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = [
    "Block",
    "decode",
    "decompressed_suffix",
    "line_blocks",
    "numbered_lines",
    "open_binary",
    "read_array",
]

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Block(NamedTuple):
    """Some whole lines of a file; `line` is the number of the first, from 1."""

    data: bytes
    line: int


def decompressed_suffix(path: str | Path) -> str:
    """The suffix that names the format, in lower case: the last one, not counting `.gz`.

    >>> decompressed_suffix("corpus.jsonl.gz"), decompressed_suffix("run")
    ('.jsonl', '')
    """
    name = Path(path).name
    if name.lower().endswith(".gz"):
        name = name[:-3]
    return Path(name).suffix.lower()


@contextmanager
def open_binary(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for reading, decompressed where its name ends in `.gz`.

    Raises
    ------
    DataError : the file is missing, a folder, not readable, or a damaged gzip file (also when that
        shows only while it is read inside the block).
    """
    target = Path(path)
    packed = target.suffix.lower() == ".gz"
    try:
        with gzip.open(target, "rb") if packed else open(target, "rb") as file:
            yield cast(BinaryIO, file)
    except FileNotFoundError as error:
        raise DataError("no such file", expected="a file", path=target) from error
    except IsADirectoryError as error:
        raise DataError("a folder", expected="a file", path=target) from error
    except EOFError as error:
        raise DataError(
            "a truncated gzip file",
            expected="a whole one",
            remedy="copy or download the file again",
            path=target,
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"a damaged gzip file ({error})",
            expected="gzip, because the name ends in .gz",
            remedy="copy the file again, or drop the .gz if it is not compressed",
            path=target,
        ) from error
    except PermissionError as error:
        raise DataError("a file without read permission", path=target) from error


def _without_mark(head: bytes, path: str | Path) -> bytes:
    """Drop a UTF-8 byte-order mark; refuse what cannot be text."""
    if head.startswith(_UTF16):
        raise DataError(
            "a UTF-16 byte-order mark",
            expected="UTF-8",
            remedy="convert the file to UTF-8, for example with iconv",
            path=path,
        )
    if head.startswith(_GZIP):
        raise DataError(
            "gzip bytes", expected="text", remedy="end the file's name in .gz", path=path
        )
    return head.removeprefix(_BOM)


def read_array(path: str | Path) -> npt.NDArray[np.uint8]:
    """All (decompressed) bytes of a text file, `uint8[n]`, without a byte-order mark."""
    with open_binary(path) as file:
        if Path(path).suffix.lower() == ".gz":
            data = np.frombuffer(file.read(), dtype=np.uint8).copy()  # writable, as the other
        else:
            data = np.fromfile(file, dtype=np.uint8)
    kept = _without_mark(data[:3].tobytes(), path)
    text: npt.NDArray[np.uint8] = data[min(len(data), 3) - len(kept) :]
    return text


def line_blocks(path: str | Path, size: int = 8 << 20) -> Iterator[Block]:
    """A text file in blocks of whole lines, of about `size` bytes; memory stays bounded.

    Only the last block may lack its newline. A line longer than `size` makes its block longer.
    """
    with open_binary(path) as file:
        pending: list[bytes] = [_without_mark(file.read(3), path)]
        line = 1
        while chunk := file.read(size):
            cut = chunk.rfind(b"\n") + 1
            if cut == 0:
                pending.append(chunk)
                continue
            data = b"".join([*pending, chunk[:cut]])
            pending = [chunk[cut:]]
            yield Block(data, line)
            line += data.count(b"\n")
        data = b"".join(pending)
        if data:
            yield Block(data, line)


def numbered_lines(data: bytes, first: int = 1) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, stripped of line ends, with their numbers.

    >>> list(numbered_lines(b"a \\r\\n\\nb"))
    [(1, b'a '), (3, b'b')]
    """
    for number, line in enumerate(data.split(b"\n"), first):
        if line.strip():
            yield number, line.rstrip(b"\r")


def decode(raw: bytes, path: str | Path, line: int) -> str:
    """UTF-8 text; anything else, and a NUL, is an error with its line."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"byte 0x{raw[error.start]:02x}, which is not UTF-8, in {raw[:40]!r}",
            expected="UTF-8",
            remedy="convert the file to UTF-8, for example with iconv",
            path=path,
            line=line,
        ) from error
    if "\0" in text:
        raise DataError(
            f"a NUL byte in {text[:40]!r}",
            expected="text",
            remedy="the file may be binary or cut; write it again",
            path=path,
            line=line,
        )
    return text
