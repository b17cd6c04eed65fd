"""SMART records, the format of Cranfield, CISI and their time.

A record begins with `.I <number>`; `.T`, `.A`, `.B`, `.W` begin its title, authors, bibliography
and text, each on a line of its own. Cross-references (`.X`) and other fields are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from plackett.data.formats.files import decode, numbered_lines, read_array
from plackett.data.formats.registry import TEXTS
from plackett.errors import DataError

__all__ = ["SmartTexts", "read_smart"]

_FIELDS = {"T": "title", "A": "author", "B": "bibliography", "W": "text"}
_MARK = re.compile(r"\.([A-Z])(?:[ \t]+(.*))?[ \t]*")


def read_smart(path: Path, *, ordinal_ids: bool = False) -> pa.Table:
    """The records of a file as a table of id and the fields that occur, lines joined by a space.

    Parameters
    ----------
    ordinal_ids : number the records 1, 2, ... in file order instead of taking the number after
        `.I`; Cranfield's judgments refer to its queries so.
    """
    records: list[dict[str, list[str]]] = []
    ids: list[str] = []
    field: list[str] | None = None
    for number, raw in numbered_lines(read_array(path).tobytes()):
        line = decode(raw, path, number)
        mark = _MARK.fullmatch(line)
        if mark is not None and mark[1] == "I":
            identifier = (mark[2] or "").strip()
            if not identifier:
                raise DataError(
                    "a record without a number", expected=".I 1", path=path, line=number
                )
            ids.append(identifier)
            records.append({})
            field = None
        elif not records:
            raise DataError(
                f"{line[:40]!r} before the first record", expected=".I 1", path=path, line=number
            )
        elif mark is not None and not mark[2]:
            field = records[-1].setdefault(_FIELDS.get(mark[1], ""), [])
        elif field is None:
            raise DataError(
                f"{line[:40]!r} outside a field",
                expected="a field such as .W after .I",
                path=path,
                line=number,
            )
        else:
            field.append(line.strip())
    if ordinal_ids:
        ids = [str(position) for position in range(1, len(ids) + 1)]
    used = [name for name in _FIELDS.values() if name == "text" or any(name in r for r in records)]
    columns = {"id": pa.array(ids, pa.string())}
    for name in used:
        columns[name] = pa.array([" ".join(r.get(name, ())) for r in records], pa.large_string())
    return pa.table(columns)


@TEXTS.register("smart", suffixes=(".smart", ".qry"))
class SmartTexts:
    """SMART records with the ids that `.I` gives; see `read_smart` for ordinal ids."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The records in record batches."""
        yield from read_smart(path).to_batches(max_chunksize=rows)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All records."""
        return read_smart(path)

    @staticmethod
    def write_texts(path: Path, table: pa.Table) -> None:
        """Not offered: nothing new should be written so."""
        raise DataError(
            "SMART, which plackett only reads", expected="a .jsonl or .parquet file", path=path
        )


@TEXTS.register("smart-ordinal")
class SmartOrdinalTexts(SmartTexts):
    """SMART records numbered 1, 2, ... in file order."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The records in record batches."""
        yield from read_smart(path, ordinal_ids=True).to_batches(max_chunksize=rows)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All records."""
        return read_smart(path, ordinal_ids=True)
