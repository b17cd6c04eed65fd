"""Files of white-space separated columns: some are ids, one is a number.

Small files are split in plain Python, large ones by compiled kernels on several threads; both give
the same columns and the same errors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from plackett.data.formats.decimals import parse_number, to_float32
from plackett.data.formats.files import numbered_lines, read_array
from plackett.data.formats.interning import IdTable, ids_of_tokens
from plackett.data.ids import Ids
from plackett.errors import DataError

__all__ = ["Columns", "Layout", "read_columns"]

COMPILED_FROM = 4 << 20
"""Bytes from which the compiled path pays for loading numba."""
_ROWS_PER_CALL = 1 << 14
_BYTES_PER_THREAD = 2 << 20


class Layout(NamedTuple):
    """What a line holds.

    Attributes
    ----------
    names : the names of the columns, for messages.
    picked : the positions of the id columns to read.
    number : the position of the number, and what it is called.
    check : says what is wrong with a number, or returns an empty string.
    """

    names: tuple[str, ...]
    picked: tuple[int, ...]
    number: int
    number_name: str
    check: Callable[[float], str]


class Columns(NamedTuple):
    """The ids and codes of every picked column, and the numbers."""

    ids: list[Ids]
    codes: list[npt.NDArray[np.int32]]
    numbers: npt.NDArray[np.float32]


class _Part(NamedTuple):
    """What one thread read."""

    tables: list[IdTable]
    codes: list[npt.NDArray[np.int32]]
    numbers: npt.NDArray[np.float32]


def read_columns(path: Path, layout: Layout, *, threads: int | None = None) -> Columns:
    """Read all rows; blank lines and lines that begin with "#" are passed over, as trec_eval does.

    Parameters
    ----------
    threads : how many to use for a large file; all cores by default. The result does not depend
        on it.

    Raises
    ------
    DataError : with file and line, at the first line that is wrong.
    """
    data = read_array(path)
    if len(data) < COMPILED_FROM:
        return _read_plain(data.tobytes(), path, layout)
    return _read_compiled(data, path, layout, threads or os.cpu_count() or 1)


def _read_plain(data: bytes, path: Path, layout: Layout) -> Columns:
    tokens: list[list[bytes]] = [[] for _ in layout.picked]
    lines: list[int] = []
    values: list[float] = []
    for number, line in numbered_lines(data):
        if line.startswith(b"#"):
            continue
        fields = line.split()
        values.append(_checked_number(fields, layout, path, number))
        lines.append(number)
        for column, position in zip(tokens, layout.picked, strict=True):
            column.append(fields[position])
    encoded = [ids_of_tokens(column, lines, path) for column in tokens]
    with np.errstate(over="ignore"):
        numbers = np.asarray(values, dtype=np.float64).astype(np.float32)
    return Columns([ids for ids, _ in encoded], [codes for _, codes in encoded], numbers)


def _checked_number(fields: list[bytes], layout: Layout, path: Path, line: int) -> float:
    """The number of a split line, or a `DataError` that says what is wrong with the line."""
    if len(fields) != len(layout.names):
        shown = b" ".join(fields)[:60].decode("utf-8", "replace")
        raise DataError(
            f"{len(fields)} column{'s' if len(fields) != 1 else ''} ({shown!r})",
            expected=f"{len(layout.names)}: {' '.join(layout.names)}",
            remedy="complete the line or remove it; ids must not hold spaces",
            path=path,
            line=line,
        )
    token = fields[layout.number]
    value = parse_number(token)
    wrong = "a number" if value is None else layout.check(value)
    if value is None or wrong:
        raise DataError(
            f"{layout.number_name} {token[:40].decode('utf-8', 'replace')!r}",
            expected=wrong,
            remedy=f"give the line a {layout.number_name} or remove it",
            path=path,
            line=line,
        )
    return value


def _read_compiled(
    data: npt.NDArray[np.uint8], path: Path, layout: Layout, threads: int
) -> Columns:
    cuts = _cut_at_lines(data, max(1, min(threads, len(data) // _BYTES_PER_THREAD)))
    ranges = list(pairwise(cuts))
    with ThreadPoolExecutor(len(ranges)) as pool:
        futures = [pool.submit(_read_part, data, a, b, path, layout) for a, b in ranges]
        # In file order, so that the first wrong line is the one reported.
        parts = [future.result() for future in futures]
    merged: list[IdTable] = parts[0].tables
    codes = []
    for column, table in enumerate(merged):
        pieces = [parts[0].codes[column]]
        pieces += [table.merge(part.tables[column])[part.codes[column]] for part in parts[1:]]
        codes.append(np.concatenate(pieces))
        if not table.is_text():
            _read_plain(data.tobytes(), path, layout)  # finds the line and raises
    numbers = np.concatenate([part.numbers for part in parts])
    return Columns([table.ids() for table in merged], codes, numbers)


def _cut_at_lines(data: npt.NDArray[np.uint8], n_parts: int) -> list[int]:
    """Positions that cut `data` in about equal parts of whole lines."""
    cuts = [0]
    for part in range(1, n_parts):
        position = max(cuts[-1], part * len(data) // n_parts)
        window = data[position : position + (1 << 16)].tobytes().find(b"\n")
        if window >= 0:
            cuts.append(position + window + 1)
    return [*cuts, len(data)]


def _read_part(
    data: npt.NDArray[np.uint8], position: int, stop: int, path: Path, layout: Layout
) -> _Part:
    """Read the lines of `data[position:stop]`, a few thousand at a time so that caches stay hot."""
    from plackett.data.formats.text_kernels import split_rows

    part = data[:stop]
    picked = np.asarray(layout.picked, dtype=np.int64)
    starts = np.empty((len(picked), _ROWS_PER_CALL), dtype=np.int64)
    lengths = np.empty((len(picked), _ROWS_PER_CALL), dtype=np.int32)
    slow = np.empty((_ROWS_PER_CALL, 3), dtype=np.int64)
    tables = [IdTable() for _ in layout.picked]
    codes: list[list[npt.NDArray[np.int32]]] = [[] for _ in layout.picked]
    numbers: list[npt.NDArray[np.float32]] = []
    wrong = False
    while position < stop and not wrong:
        values = np.empty(_ROWS_PER_CALL, dtype=np.float32)
        rows, n_slow, position, wrong = split_rows(
            part, position, len(layout.names), picked, layout.number, starts, lengths, values, slow
        )
        _settle_slow(part, slow[:n_slow], values, path, layout)
        for table, column, a, b in zip(tables, codes, starts, lengths, strict=True):
            column.append(table.encode(part, a[:rows], b[:rows]))
        numbers.append(values[:rows])
    if wrong:
        _raise_for_line(part, position, path, layout)
    return _Part(
        tables,
        [np.concatenate(column) if column else np.empty(0, np.int32) for column in codes],
        np.concatenate(numbers) if numbers else np.empty(0, np.float32),
    )


def _settle_slow(
    data: npt.NDArray[np.uint8],
    slow: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32],
    path: Path,
    layout: Layout,
) -> None:
    """Fill in the numbers that the kernel left to Python."""
    for row, start, stop in slow.tolist():
        value = parse_number(data[start:stop].tobytes())
        if value is None or layout.check(value):
            _raise_for_line(data, start, path, layout)
        else:
            values[row] = to_float32(value)


def _raise_for_line(
    data: npt.NDArray[np.uint8], position: int, path: Path, layout: Layout
) -> NoReturn:
    """Raise the error of the line around `position`."""
    before = data[:position].tobytes()
    begin = before.rfind(b"\n") + 1
    rest = data[begin:].tobytes()
    line = rest.split(b"\n", 1)[0]
    number = before.count(b"\n") + 1
    _checked_number(line.split(), layout, path, number)
    raise DataError(f"{line[:60]!r}", expected=" ".join(layout.names), path=path, line=number)
