"""Reading and writing by format name or file suffix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.formats import arrow_files, beir, jsonl, npz, smart, svmlight, trec, tsv
from plackett.data.formats.columns import DatasetColumns, QrelsColumns, RunColumns
from plackett.data.formats.registry import DATASETS, QRELS, RUNS, TEXTS, TextsFormat
from plackett.errors import ConfigurationError

__all__ = [
    "FORMATS",
    "read_dataset",
    "read_qrels",
    "read_run",
    "read_texts",
    "scan_texts",
    "write_dataset",
    "write_qrels",
    "write_run",
    "write_texts",
]

Kind = Literal["corpus", "queries"]

FORMATS = (arrow_files, beir, jsonl, npz, smart, svmlight, trec, tsv)
"""The modules whose import fills the registries."""


def read_run(path: str | Path, format: str | None = None) -> RunColumns:  # noqa: A002
    """Read a run: "trec", "tsv", "jsonl", "parquet" or "arrow".

    Raises
    ------
    UnknownNameError : an unknown format, or a suffix that tells none.
    DataError : with file and line, where the file is wrong.
    """
    return RUNS.resolve(Path(path), format).read_run(Path(path))


def write_run(
    path: str | Path,
    query: pa.Array,
    document: pa.Array,
    rank: npt.NDArray[np.int64],
    score: npt.NDArray[np.float32],
    name: str,
    format: str | None = None,  # noqa: A002 - the field's word
) -> None:
    """Write a run, atomically; columns are `[n]`, one row a result."""
    target = Path(path)
    RUNS.resolve(target, format).write_run(target, query, document, rank, score, name)


def read_qrels(
    path: str | Path,
    format: str | None = None,  # noqa: A002 - the field's word
    subtopics: bool = False,
) -> QrelsColumns:
    """Read judgments: "trec", "tsv" (BEIR), "jsonl", "parquet" or "arrow".

    Parameters
    ----------
    subtopics : read the second column of TREC's four, or the column "subtopic", as the subtopic.
    """
    return QRELS.resolve(Path(path), format).read_qrels(Path(path), subtopics=subtopics)


def write_qrels(
    path: str | Path,
    query: pa.Array,
    document: pa.Array,
    grade: npt.NDArray[np.float32],
    subtopic: pa.Array | None = None,
    format: str | None = None,  # noqa: A002 - the field's word
) -> None:
    """Write judgments, atomically; columns are `[n]`, one row a judgment."""
    target = Path(path)
    QRELS.resolve(target, format).write_qrels(target, query, document, grade, subtopic)


def _texts_format(path: Path, format: str | None) -> TextsFormat:  # noqa: A002
    if format is None and path.is_dir():
        return beir.BeirTexts()
    return TEXTS.resolve(path, format)


def read_texts(
    path: str | Path,
    kind: Kind,
    format: str | None = None,  # noqa: A002 - the field's word
) -> pa.Table:
    """Read documents or queries: a table whose column "id" holds strings.

    Formats are "jsonl", "tsv", "beir" (a folder), "smart", "smart-ordinal", "trec" (topics),
    "parquet" and "arrow" (memory-mapped).

    Parameters
    ----------
    kind : "corpus" or "queries"; a BEIR folder holds both.
    """
    return _texts_format(Path(path), format).read_texts(Path(path), kind=kind)


def scan_texts(
    path: str | Path,
    *,
    kind: Kind = "corpus",
    rows: int = 10_000,
    format: str | None = None,  # noqa: A002 - the field's word
) -> Iterator[pa.RecordBatch]:
    """The same as a stream of record batches of at most `rows` rows, for what exceeds memory.

    A batch has the columns that occur in its part of the file: "id" always, a text field where a
    row has it.
    """
    if rows < 1:
        raise ConfigurationError(f"rows={rows}; expected 1 or more.")
    return _texts_format(Path(path), format).scan_texts(Path(path), kind=kind, rows=rows)


def write_texts(path: str | Path, table: pa.Table, format: str | None = None) -> None:  # noqa: A002
    """Write a table with a column "id", atomically: "jsonl", "tsv", "parquet" or "arrow"."""
    TEXTS.resolve(Path(path), format).write_texts(Path(path), table)


def read_dataset(
    path: str | Path,
    format: str | None = None,  # noqa: A002 - the field's word
    *,
    out: str | Path | None = None,
    max_features: int = 100_000,
) -> DatasetColumns:
    """Read learning-to-rank rows: "svmlight" (LETOR), "npz", "parquet" or "arrow".

    Parameters
    ----------
    out : a new `.npy` file to hold X, which is then memory-mapped; SVMlight is streamed into it, so
        that memory stays bounded.
    max_features : the highest feature number to accept in SVMlight, as X is dense.
    """
    where = None if out is None else Path(out)
    return DATASETS.resolve(Path(path), format).read_dataset(
        Path(path), out=where, max_features=max_features
    )


def write_dataset(path: str | Path, columns: DatasetColumns, format: str | None = None) -> None:  # noqa: A002
    """Write learning-to-rank rows, atomically."""
    DATASETS.resolve(Path(path), format).write_dataset(Path(path), columns)
