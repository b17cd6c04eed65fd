"""JSON lines: one object a line. Texts (also BEIR's), runs and judgments.

Arrow's parser reads blocks of lines; a block that it refuses, or that holds something it would
interpret (dates, ids of mixed types), is read again line by line in Python, which either agrees
or says which line is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.formats.atomic import atomic_write
from plackett.data.formats.columns import QrelsColumns, RunColumns
from plackett.data.formats.files import Block, decode, line_blocks, numbered_lines
from plackett.data.formats.registry import QRELS, RUNS, TEXTS
from plackett.data.formats.tables import (
    DOCUMENT_NAMES,
    ID_NAMES,
    QUERY_NAMES,
    qrels_from_table,
    rename_id,
    run_from_table,
    table_of_qrels,
    table_of_run,
)
from plackett.errors import DataError

__all__ = ["JsonlQrels", "JsonlRun", "JsonlTexts", "json_object", "write_json_lines"]

_TEXT_FIELDS = frozenset(("title", "text"))
_DEEPEST = 500
"""Brackets on one line from which Arrow is not asked: its parser recurses without a limit."""


def scan_objects(path: Path, *, id_names: tuple[str, ...]) -> Iterator[pa.Table]:
    """The objects of a file in tables of a few megabytes; columns `id_names` become strings."""
    for block in line_blocks(path):
        table = _parse_fast(block, id_names)
        if table is None:
            table = _parse_slowly(block, path, id_names)
        if len(table):
            yield table


def _parse_fast(block: Block, id_names: tuple[str, ...]) -> pa.Table | None:
    """The block as Arrow reads it, or None where Python must decide."""
    from pyarrow import json as arrow_json

    lines = [line for line in block.data.split(b"\n") if line.strip()]
    if any(line.count(b"[") + line.count(b"{") > _DEEPEST for line in lines):
        return None
    try:
        schema = _schema_of_first(block.data)
        table = arrow_json.read_json(
            pa.BufferReader(block.data),
            # A line must fit in one of Arrow's own blocks.
            read_options=arrow_json.ReadOptions(block_size=max(1 << 20, *map(len, lines)) + 2),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema),
        )
        table.validate(full=True)
    except (pa.ArrowInvalid, ValueError, RecursionError):
        return None
    names = table.column_names
    if len(table) != len(lines) or len(set(names)) < len(names):
        return None
    for position, field in enumerate(table.schema):
        if _holds_time(field.type):
            return None
        if field.name in id_names:
            if table.column(position).null_count:
                return None
            if pa.types.is_integer(field.type):
                cast = table.column(position).cast(pa.string())
                table = table.set_column(position, field.name, cast)
            elif not pa.types.is_string(field.type):
                return None
        elif field.name in _TEXT_FIELDS and not _is_textual(field.type):
            return None
    if not set(names) & set(id_names):
        return None
    return _tidy(table)


def _schema_of_first(data: bytes) -> pa.Schema:
    """Keep the strings of the first object strings: Arrow would turn some into dates."""
    first = data.lstrip().split(b"\n", 1)[0]
    record = json.loads(first)
    if not isinstance(record, dict):
        raise ValueError("no object")
    return pa.schema(
        [(key, pa.string()) for key, value in record.items() if isinstance(value, str)]
    )


def _holds_time(kind: pa.DataType) -> bool:
    if pa.types.is_temporal(kind):
        return True
    return any(_holds_time(kind.field(i).type) for i in range(kind.num_fields))


def _is_textual(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_null(kind))


def _tidy(table: pa.Table) -> pa.Table:
    """Text columns are strings also where all are null; columns of empty objects hold nothing."""
    for position, field in enumerate(table.schema):
        if field.name in _TEXT_FIELDS and pa.types.is_null(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(pa.string()))
    empty = [f.name for f in table.schema if pa.types.is_struct(f.type) and f.type.num_fields == 0]
    return table.drop_columns(empty) if empty else table


def _distinct_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} twice")
    return record


def json_object(raw: bytes, path: Path, line: int) -> dict[str, Any]:
    """The object that a line holds."""
    text = decode(raw, path, line)
    try:
        record = json.loads(text, object_pairs_hook=_distinct_pairs)
    except RecursionError as error:
        raise DataError("JSON nested too deep", path=path, line=line) from error
    except ValueError as error:
        raise DataError(
            f"{text[:60]!r} ({error})",
            expected="one JSON object on the line",
            remedy="write each object on a line of its own and complete the last one",
            path=path,
            line=line,
        ) from error
    if not isinstance(record, dict):
        raise DataError(
            f"a JSON {type(record).__name__} ({text[:40]!r})",
            expected="an object on every line",
            path=path,
            line=line,
        )
    return record


def _parse_slowly(block: Block, path: Path, id_names: tuple[str, ...]) -> pa.Table:
    records, lines = [], []
    for number, raw in numbered_lines(block.data, block.line):
        record = json_object(raw, path, number)
        _check_record(record, id_names, path, number)
        records.append(record)
        lines.append(number)
    columns = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record.get(name) for record in records]
        if name in id_names:
            values = [None if value is None else str(value) for value in values]
        columns[name] = _column(name, values, lines, path)
    return _tidy(pa.table(columns))


def _check_record(record: dict[str, Any], id_names: tuple[str, ...], path: Path, line: int) -> None:
    present = [name for name in id_names if name in record]
    if not present:
        raise DataError(
            f"no id among the keys {', '.join(record) or 'none'}",
            expected=f"a key {' or '.join(map(repr, id_names))}",
            path=path,
            line=line,
        )
    for name in present:
        if isinstance(record[name], bool) or not isinstance(record[name], str | int):
            raise DataError(
                f"{name} {json.dumps(record[name])[:40]}",
                expected="a string or an integer",
                path=path,
                line=line,
            )
    for name in _TEXT_FIELDS & record.keys():
        if record[name] is not None and not isinstance(record[name], str):
            raise DataError(
                f"{name} {json.dumps(record[name])[:40]}",
                expected="a string",
                remedy="join the parts into one string",
                path=path,
                line=line,
            )


def _column(name: str, values: list[Any], lines: list[int], path: Path) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError) as error:
        kind = type(next(value for value in values if value is not None))
        others = (
            line
            for value, line in zip(values, lines, strict=True)
            if value is not None and type(value) is not kind
        )
        raise DataError(
            f"key {name!r} with values of several types ({error})",
            expected="one type in the whole file",
            path=path,
            line=next(others, None),
        ) from error


def _concatenate(tables: list[pa.Table], path: Path) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"keys whose values change their type ({error})",
            expected="one type in the whole file",
            path=path,
        ) from error


@TEXTS.register("jsonl", suffixes=(".jsonl", ".ndjson"))
class JsonlTexts:
    """One object a line with "_id" or "id" (a string or an integer) and texts; others are kept."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The texts in record batches of at most `rows` rows.

        Columns are those that the batch's part of the file has.
        """
        for table in scan_objects(path, id_names=ID_NAMES):
            yield from rename_id(table, path).to_batches(max_chunksize=rows)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All texts."""
        tables = [rename_id(table, path) for table in scan_objects(path, id_names=ID_NAMES)]
        if not tables:
            return pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
        return _concatenate(tables, path)

    @staticmethod
    def write_texts(path: Path, table: pa.Table) -> None:
        """Write one object a line."""
        write_json_lines(path, table)


def write_json_lines(path: Path, table: pa.Table) -> None:
    """Write a table, one object a row, values that are null included."""
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
    row = 0
    with atomic_write(path) as file:
        for batch in table.to_batches(max_chunksize=1 << 13):
            try:
                for record in batch.to_pylist():
                    file.write(encoder.encode(record).encode() + b"\n")
                    row += 1
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"a value in row {row} that JSON cannot hold ({error})",
                    expected="strings, finite numbers, booleans, lists, objects",
                    remedy="write Parquet",
                    path=path,
                ) from error


def _read_rows(path: Path) -> pa.Table:
    names = (*QUERY_NAMES, *DOCUMENT_NAMES)
    tables = list(scan_objects(path, id_names=names))
    if tables:
        return _concatenate(tables, path)
    return pa.table({n: pa.array([], pa.string()) for n in ("query", "document", "score")})


def _line_of_row(path: Path, row: int) -> int:
    lines = (n for block in line_blocks(path) for n, _ in numbered_lines(block.data, block.line))
    return next(line for position, line in enumerate(lines) if position == row)


@RUNS.register("jsonl", suffixes=(".jsonl", ".ndjson"))
class JsonlRun:
    """`{"query": ..., "document": ..., "score": ...}` a line."""

    @staticmethod
    def read_run(path: Path) -> RunColumns:
        """Read a run."""
        return run_from_table(_read_rows(path), path, lambda row: _line_of_row(path, row))

    @staticmethod
    def write_run(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        rank: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32],
        name: str,
    ) -> None:
        """Write a run; infinite scores and its name are not held by JSON."""
        write_json_lines(path, table_of_run(query, document, rank, score, name))


@QRELS.register("jsonl", suffixes=(".jsonl", ".ndjson"))
class JsonlQrels:
    """`{"query": ..., "document": ..., "grade": ...}` a line."""

    @staticmethod
    def read_qrels(path: Path, *, subtopics: bool) -> QrelsColumns:
        """Read judgments."""
        return qrels_from_table(
            _read_rows(path),
            path,
            subtopics=subtopics,
            line_of_row=lambda row: _line_of_row(path, row),
        )

    @staticmethod
    def write_qrels(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        grade: npt.NDArray[np.float32],
        subtopic: pa.Array | None,
    ) -> None:
        """Write judgments."""
        write_json_lines(path, table_of_qrels(query, document, grade, subtopic))
