"""Parquet and Arrow IPC files of texts, runs, judgments and datasets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.formats.atomic import atomic_write
from plackett.data.formats.columns import DatasetColumns, QrelsColumns, RunColumns
from plackett.data.formats.files import open_binary
from plackett.data.formats.memmap import move_to_file
from plackett.data.formats.registry import DATASETS, QRELS, RUNS, TEXTS
from plackett.data.formats.tables import (
    dataset_from_table,
    qrels_from_table,
    rename_id,
    run_from_table,
    table_of_dataset,
    table_of_qrels,
    table_of_run,
)
from plackett.errors import DataError

__all__ = ["ArrowFormat", "ParquetFormat", "read_parquet", "write_parquet"]


@contextmanager
def _whole(path: Path, what: str) -> Iterator[None]:
    """Turn Arrow's complaints about a file into ours."""
    with open_binary(path):
        pass
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"no readable {what} file ({reason})",
            expected=f"a whole {what} file",
            remedy="write or copy the file again",
            path=path,
        ) from error


def read_parquet(path: Path) -> pa.Table:
    """A Parquet file as a table."""
    from pyarrow import parquet

    with _whole(path, "Parquet"):
        return parquet.ParquetFile(path).read()


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet, atomically."""
    from pyarrow import parquet

    with atomic_write(path) as file:
        parquet.write_table(table, file)


def _read_arrow(path: Path) -> pa.Table:
    """An Arrow IPC file as a memory-mapped table."""
    with _whole(path, "Arrow"):
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _write_arrow(path: Path, table: pa.Table) -> None:
    with atomic_write(path) as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _moved(columns: DatasetColumns, out: Path | None) -> DatasetColumns:
    return columns if out is None else columns._replace(X=move_to_file(columns.X, out))


class _TableFormat(ABC):
    """A format that holds any Arrow table; columns are found by name."""

    @staticmethod
    @abstractmethod
    def read_table(path: Path) -> pa.Table:
        """The whole file."""

    @staticmethod
    @abstractmethod
    def write_table(path: Path, table: pa.Table) -> None:
        """Write the whole file, atomically."""

    @classmethod
    def read_texts(cls, path: Path, *, kind: str) -> pa.Table:
        """All texts."""
        return rename_id(cls.read_table(path), path)

    @classmethod
    def write_texts(cls, path: Path, table: pa.Table) -> None:
        """Write the table."""
        cls.write_table(path, table)

    @classmethod
    def read_run(cls, path: Path) -> RunColumns:
        """Columns query, document, score."""
        return run_from_table(cls.read_table(path), path)

    @classmethod
    def write_run(
        cls,
        path: Path,
        query: pa.Array,
        document: pa.Array,
        rank: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32],
        name: str,
    ) -> None:
        """Write columns query, document, rank, score."""
        cls.write_table(path, table_of_run(query, document, rank, score, name))

    @classmethod
    def read_qrels(cls, path: Path, *, subtopics: bool) -> QrelsColumns:
        """Columns query, document, grade (and subtopic)."""
        return qrels_from_table(cls.read_table(path), path, subtopics=subtopics)

    @classmethod
    def write_qrels(
        cls,
        path: Path,
        query: pa.Array,
        document: pa.Array,
        grade: npt.NDArray[np.float32],
        subtopic: pa.Array | None,
    ) -> None:
        """Write columns query, document, grade (and subtopic)."""
        cls.write_table(path, table_of_qrels(query, document, grade, subtopic))

    @classmethod
    def read_dataset(cls, path: Path, *, out: Path | None, max_features: int) -> DatasetColumns:
        """Columns label, query, perhaps document; the others are features."""
        return _moved(dataset_from_table(cls.read_table(path), path), out)

    @classmethod
    def write_dataset(cls, path: Path, columns: DatasetColumns) -> None:
        """Write columns label, query, document, and one a feature."""
        cls.write_table(path, table_of_dataset(columns))


@TEXTS.register("parquet", suffixes=(".parquet",))
@DATASETS.register("parquet", suffixes=(".parquet",))
@QRELS.register("parquet", suffixes=(".parquet",))
@RUNS.register("parquet", suffixes=(".parquet",))
class ParquetFormat(_TableFormat):
    """Parquet files; columns are found by name."""

    read_table = staticmethod(read_parquet)
    write_table = staticmethod(write_parquet)

    @staticmethod
    def scan_texts(path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The texts in record batches of at most `rows` rows."""
        from pyarrow import parquet

        with _whole(path, "Parquet"):
            for batch in parquet.ParquetFile(path).iter_batches(batch_size=rows):
                yield from rename_id(pa.Table.from_batches([batch]), path).to_batches()


@TEXTS.register("arrow", suffixes=(".arrow", ".feather", ".ipc"))
@DATASETS.register("arrow", suffixes=(".arrow", ".feather", ".ipc"))
@QRELS.register("arrow", suffixes=(".arrow", ".feather", ".ipc"))
@RUNS.register("arrow", suffixes=(".arrow", ".feather", ".ipc"))
class ArrowFormat(_TableFormat):
    """Arrow IPC files, memory-mapped; columns are found by name."""

    read_table = staticmethod(_read_arrow)
    write_table = staticmethod(_write_arrow)

    @classmethod
    def scan_texts(cls, path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The texts in record batches of at most `rows` rows."""
        yield from cls.read_texts(path, kind=kind).to_batches(max_chunksize=rows)
