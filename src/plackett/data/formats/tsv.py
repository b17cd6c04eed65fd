"""Tab-separated files: texts (`id<TAB>text`), and judgments and runs with a header line.

There is no quoting: a quotation mark is part of the text, as in the collections that use TSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.data.formats.atomic import atomic_write
from plackett.data.formats.columns import QrelsColumns, RunColumns
from plackett.data.formats.decimals import parse_number
from plackett.data.formats.files import decode, line_blocks, numbered_lines
from plackett.data.formats.registry import QRELS, RUNS, TEXTS
from plackett.data.formats.tables import (
    DOCUMENT_NAMES,
    ID_NAMES,
    LABEL_NAMES,
    QUERY_NAMES,
    find_column,
    qrels_from_table,
    run_from_table,
    table_of_qrels,
    table_of_run,
)
from plackett.errors import DataError

__all__ = ["TsvQrels", "TsvRun", "TsvTexts"]

_HEADS = frozenset((*ID_NAMES, *QUERY_NAMES, *DOCUMENT_NAMES, "pid"))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for block in line_blocks(path):
        for number, raw in numbered_lines(block.data, block.line):
            yield number, decode(raw, path, number).split("\t")


def _check_width(cells: list[str], names: list[str], path: Path, line: int) -> None:
    if len(cells) != len(names):
        raise DataError(
            f"{len(cells)} column{'s' if len(cells) != 1 else ''} ({cells[0][:40]!r} ...)",
            expected=f"{len(names)}, separated by tabs: {', '.join(names)}",
            remedy="complete the line, or replace tabs inside the text by spaces",
            path=path,
            line=line,
        )


@TEXTS.register("tsv", suffixes=(".tsv",))
class TsvTexts:
    """`id<TAB>text`, or several columns named by a header whose first cell is "id" or the like."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The texts in record batches of at most `rows` rows."""
        names: list[str] = []
        held: list[list[str]] = []
        for line, cells in _rows(path):
            if not names:
                header = cells[0].strip().lower() in _HEADS
                names = ["id", *cells[1:]] if header else ["id", "text"]
                if len(set(names)) < len(names):
                    raise DataError(
                        f"a header that names a column twice ({', '.join(cells)})",
                        expected="distinct names",
                        path=path,
                        line=line,
                    )
                if header:
                    continue
            _check_width(cells, names, path, line)
            held.append(cells)
            if len(held) == rows:
                yield _batch(names, held)
                held = []
        if held or not names:
            yield _batch(names or ["id", "text"], held)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All texts."""
        batches = list(TsvTexts.scan_texts(path, kind=kind, rows=1 << 16))
        return pa.Table.from_batches(batches) if batches else _batch_table(path)

    @staticmethod
    def write_texts(path: Path, table: pa.Table) -> None:
        """Write a header and one line a text; a tab or line end inside a text is an error."""
        with atomic_write(path) as file:
            file.write(("\t".join(table.column_names) + "\n").encode())
            for batch in table.to_batches(max_chunksize=1 << 14):
                columns = [pc.cast(column, pa.string()) for column in batch.columns]
                for name, column in zip(table.column_names, columns, strict=True):
                    row = pc.index(pc.match_substring_regex(column, r"[\t\r\n\x00]"), True).as_py()
                    if row >= 0:
                        raise DataError(
                            f"a tab, NUL or line end in {name} {column[row].as_py()[:40]!r}",
                            expected="text of one line",
                            remedy="write JSONL or Parquet, which hold any text",
                            path=path,
                        )
                cells = [pc.fill_null(column, "").to_pylist() for column in columns]
                lines = map("\t".join, zip(*cells, strict=True))
                file.write(("\n".join(lines) + "\n").encode() if len(batch) else b"")


def _batch_table(path: Path) -> pa.Table:
    """An empty table with the columns of the header, the file's only line."""
    names = ["id", *next(_rows(path))[1][1:]]
    return pa.table({name: pa.array([], pa.string()) for name in names})


def _batch(names: list[str], rows: list[list[str]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pa.record_batch([pa.array(column, pa.large_string()) for column in columns], names=names)


def _read_headed(
    path: Path, headless: dict[int, list[str]], number: tuple[str, ...]
) -> tuple[pa.Table, list[int]]:
    """A table with the columns of the header, or of `headless` by their count; and its lines."""
    names: list[str] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    for line, cells in _rows(path):
        if not names:
            if cells[0].strip().lower() in _HEADS:
                names = [cell.strip() for cell in cells]
                continue
            names = headless.get(len(cells), [])
            if not names:
                raise DataError(
                    f"{len(cells)} columns without a header",
                    expected="a header line, or "
                    + " or ".join("<TAB>".join(columns) for columns in headless.values()),
                    path=path,
                    line=line,
                )
        _check_width(cells, names, path, line)
        rows.append(cells)
        lines.append(line)
    if not names:
        names = next(iter(headless.values()))
    table = pa.Table.from_batches([_batch(names, rows)])
    name = find_column(table, number, path)
    values = []
    for line, cell in zip(lines, table.column(name).to_pylist(), strict=True):
        value = parse_number(cell.strip().encode())
        if value is None:
            raise DataError(f"{name} {cell!r}", expected="a number", path=path, line=line)
        values.append(value)
    position = table.column_names.index(name)
    return table.set_column(position, name, pa.array(values, pa.float64())), lines


@QRELS.register("tsv", suffixes=(".tsv",))
class TsvQrels:
    """BEIR's `query-id<TAB>corpus-id<TAB>score` with its header, or TREC's four columns without."""

    @staticmethod
    def read_qrels(path: Path, *, subtopics: bool) -> QrelsColumns:
        """Read judgments."""
        headless = {
            3: ["query", "document", "grade"],
            4: ["query", "subtopic", "document", "grade"],
        }
        table, lines = _read_headed(path, headless, LABEL_NAMES)
        return qrels_from_table(table, path, subtopics=subtopics, line_of_row=lines.__getitem__)

    @staticmethod
    def write_qrels(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        grade: npt.NDArray[np.float32],
        subtopic: pa.Array | None,
    ) -> None:
        """Write judgments under BEIR's header."""
        table = table_of_qrels(query, document, grade, subtopic)
        names = ["query-id", "corpus-id", "score", "subtopic"][: table.num_columns]
        TsvTexts.write_texts(path, table.rename_columns(names))


@RUNS.register("tsv", suffixes=(".tsv",))
class TsvRun:
    """Columns query, document, (rank,) score, with a header or without."""

    @staticmethod
    def read_run(path: Path) -> RunColumns:
        """Read a run."""
        headless = {
            3: ["query", "document", "score"],
            4: ["query", "document", "rank", "score"],
        }
        table, lines = _read_headed(path, headless, ("score",))
        return run_from_table(table, path, line_of_row=lines.__getitem__)

    @staticmethod
    def write_run(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        rank: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32],
        name: str,
    ) -> None:
        """Write a run under a header; its name is not kept."""
        TsvTexts.write_texts(path, table_of_run(query, document, rank, score, name))
