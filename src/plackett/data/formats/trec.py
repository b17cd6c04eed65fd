"""TREC files: runs, judgments and topics.

A run is `query Q0 document rank score tag`, a judgment `query iteration document grade`, a topic
either `<top> <num> ... <title> ... </top>` or `query<TAB>text`. Ranks are not read: the order is
the scores', as in trec_eval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.data.formats.atomic import atomic_write
from plackett.data.formats.columns import QrelsColumns, RunColumns
from plackett.data.formats.files import decode, line_blocks, numbered_lines, read_array
from plackett.data.formats.registry import QRELS, RUNS, TEXTS
from plackett.data.formats.tsv import TsvTexts
from plackett.data.formats.whitespace import Layout, read_columns
from plackett.errors import DataError

__all__ = ["TrecQrels", "TrecRun", "TrecTopics", "number_strings"]


def _check_score(value: float) -> str:
    return "a number" if math.isnan(value) else ""


def _check_grade(value: float) -> str:
    return "" if abs(value) <= float(np.finfo(np.float32).max) else "a finite number"


_RUN = Layout(("query", "Q0", "document", "rank", "score", "tag"), (0, 2), 4, "score", _check_score)
_QRELS = Layout(("query", "iteration", "document", "grade"), (0, 2), 3, "grade", _check_grade)
_DIVERSE = Layout(("query", "subtopic", "document", "grade"), (0, 2, 1), 3, "grade", _check_grade)
_ROWS_PER_WRITE = 1 << 16


@RUNS.register("trec", suffixes=(".txt", ".trec", ".run"))
class TrecRun:
    """`query Q0 document rank score tag`, separated by any white space."""

    @staticmethod
    def read_run(path: Path) -> RunColumns:
        """Read a run; 10 million lines take under two seconds on two threads."""
        (query_ids, document_ids), (query, document), score = read_columns(path, _RUN)
        name = _first_tag(path) if len(score) else ""
        return RunColumns(query_ids, query, document_ids, document, score, name)

    @staticmethod
    def write_run(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        rank: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32],
        name: str,
    ) -> None:
        """Write a run; ids that hold white space are an error."""
        _check_tokens(query, "query id", path, starts_line=True)
        _check_tokens(document, "document id", path)
        tag = name or "run"
        _check_tokens(pa.array([tag]), "run name", path)
        scores = number_strings(pa.array(np.asarray(score, np.float32)), fraction=True)
        columns = [query, repeat("Q0"), document, pa.array(np.asarray(rank)), scores, repeat(tag)]
        _write_columns(path, columns, len(query), " ")


@QRELS.register("trec", suffixes=(".txt", ".trec", ".qrels", ".qrel"))
class TrecQrels:
    """`query iteration document grade`; for diversity the second column is the subtopic."""

    @staticmethod
    def read_qrels(path: Path, *, subtopics: bool) -> QrelsColumns:
        """Read judgments; grades may be fractions and negative, but finite."""
        ids, codes, grade = read_columns(path, _DIVERSE if subtopics else _QRELS)
        columns = QrelsColumns(ids[0], codes[0], ids[1], codes[1], grade)
        if not subtopics:
            return columns
        return columns._replace(subtopic_ids=ids[2], subtopic=codes[2])

    @staticmethod
    def write_qrels(
        path: Path,
        query: pa.Array,
        document: pa.Array,
        grade: npt.NDArray[np.float32],
        subtopic: pa.Array | None,
    ) -> None:
        """Write judgments; whole grades as integers."""
        _check_tokens(query, "query id", path, starts_line=True)
        _check_tokens(document, "document id", path)
        if subtopic is not None:
            _check_tokens(subtopic, "subtopic", path)
        grades = number_strings(pa.array(np.asarray(grade, np.float32)), fraction=False)
        second = repeat("0") if subtopic is None else subtopic
        _write_columns(path, [query, second, document, grades], len(query), " ")


@TEXTS.register("trec", suffixes=(".topics", ".trec", ".txt"))
class TrecTopics:
    """Topics: `<top>` records with fields num, title, desc, narr; or lines of `query<TAB>text`."""

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The topics in record batches."""
        if kind != "queries":
            raise DataError(
                "a topics file, which holds queries",
                expected="documents",
                remedy="give documents as JSONL, TSV, SMART or Parquet, or pass format=",
                path=path,
            )
        data = read_array(path).tobytes()
        if not data.lstrip().startswith(b"<"):
            yield from TsvTexts.scan_texts(path, kind=kind, rows=rows)
            return
        yield from _read_topics(data, path).to_batches(max_chunksize=rows)

    @staticmethod
    def read_texts(path: Path, *, kind: str) -> pa.Table:
        """All topics; the title is the field "text"."""
        return pa.Table.from_batches(TrecTopics.scan_texts(path, kind=kind, rows=1 << 16))

    @staticmethod
    def write_texts(path: Path, table: pa.Table) -> None:
        """Write `query<TAB>text` lines."""
        TsvTexts.write_texts(path, table)


_FIELD = re.compile(r"<(num|title|desc|narr)>", re.IGNORECASE)
_LABEL = re.compile(r"^\s*(number|topic|description|narrative)\s*:", re.IGNORECASE)


def _read_topics(data: bytes, path: Path) -> pa.Table:
    names = {"num": "id", "title": "text", "desc": "description", "narr": "narrative"}
    rows: list[dict[str, str]] = []
    opened = 0
    for number, raw in numbered_lines(data):
        line = decode(raw, path, number)
        if "<top>" in line.lower():
            if opened:
                raise _unclosed(path, opened)
            opened, body = number, []
        if opened:
            body.append(line)
        if "</top>" in line.lower() and opened:
            parts = _FIELD.split(re.sub(r"</?\w+>\s*$|</?top>", "", "\n".join(body)))
            row = {
                names[tag.lower()]: " ".join(_closed(text).split())
                for tag, text in zip(parts[1::2], parts[2::2], strict=True)
            }
            if not row.get("id"):
                raise DataError("a topic without <num>", expected="<num>", path=path, line=opened)
            if not row.get("text"):
                raise DataError(
                    "a topic without <title>", expected="<title>", path=path, line=opened
                )
            rows.append(row)
            opened = 0
    if opened:
        raise _unclosed(path, opened)
    used = [
        name for name in names.values() if name in ("id", "text") or any(name in r for r in rows)
    ]
    return pa.table({name: pa.array([r.get(name) for r in rows], pa.string()) for name in used})


def _closed(text: str) -> str:
    return _LABEL.sub("", re.sub(r"</\w+>", "", text))


def _unclosed(path: Path, line: int) -> DataError:
    return DataError("a <top> that is not closed", expected="</top>", path=path, line=line)


def _first_tag(path: Path) -> str:
    for block in line_blocks(path, 1 << 16):
        for number, line in numbered_lines(block.data, block.line):
            if not line.startswith(b"#"):
                return decode(line.split()[-1], path, number)
    return ""


def _check_tokens(values: pa.Array, what: str, path: Path, *, starts_line: bool = False) -> None:
    """Refuse what would not be read back: white space, NUL, nothing, or a comment sign."""
    pattern = r"[ \t\n\r\x0b\x0c\x00]|^$" + ("|^#" if starts_line else "")
    bad = pc.match_substring_regex(values, pattern)
    row = pc.index(bad, True).as_py()
    if row >= 0:
        raise DataError(
            f"{what} {values[row].as_py()!r} in row {row}",
            expected="no white space"
            + (", nothing empty, and no # at its beginning" if starts_line else ", nothing empty"),
            remedy="replace the character, or write Parquet or JSONL, which hold any id",
            path=path,
        )


def number_strings(values: pa.Array, *, fraction: bool) -> pa.Array:
    """The shortest decimals that read back as the same float32; 2 as "2.0" if `fraction`.

    >>> number_strings(pa.array([2, 0.1, -1e-12], pa.float32()), fraction=True).to_pylist()
    ['2.0', '0.1', '-1e-12']
    """
    texts = pc.cast(values, pa.string())
    if not fraction:
        return texts
    whole = pc.invert(pc.match_substring_regex(texts, r"[.einfa]"))
    return pc.if_else(whole, pc.binary_join_element_wise(texts, "0", "."), texts)


def _write_columns(path: Path, columns: list[Any], n_rows: int, separator: str) -> None:
    """Write rows of `columns`: Arrow arrays, or a `repeat` of one string."""
    with atomic_write(path) as file:
        for start in range(0, n_rows, _ROWS_PER_WRITE):
            size = min(_ROWS_PER_WRITE, n_rows - start)
            lists = [
                repeat(next(column), size)
                if isinstance(column, repeat)
                else pc.cast(column.slice(start, size), pa.string()).to_pylist()
                for column in columns
            ]
            lines = map(separator.join, zip(*lists, strict=True))
            file.write(("\n".join(lines) + "\n").encode())
