"""The registries of file formats: one a kind of data, filled by the modules that read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.formats.columns import DatasetColumns, QrelsColumns, RunColumns
from plackett.data.formats.files import decompressed_suffix
from plackett.errors import UnknownNameError

__all__ = [
    "DATASETS",
    "QRELS",
    "RUNS",
    "TEXTS",
    "DatasetFormat",
    "FormatRegistry",
    "QrelsFormat",
    "RunFormat",
    "TextsFormat",
]


class RunFormat(Protocol):
    """Reads and writes runs."""

    def read_run(self, path: Path) -> RunColumns: ...

    def write_run(
        self,
        path: Path,
        query: pa.Array,
        document: pa.Array,
        rank: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32],
        name: str,
    ) -> None: ...


class QrelsFormat(Protocol):
    """Reads and writes judgments."""

    def read_qrels(self, path: Path, *, subtopics: bool) -> QrelsColumns: ...

    def write_qrels(
        self,
        path: Path,
        query: pa.Array,
        document: pa.Array,
        grade: npt.NDArray[np.float32],
        subtopic: pa.Array | None,
    ) -> None: ...


class TextsFormat(Protocol):
    """Reads documents and queries, as a stream of record batches with a column "id"."""

    def scan_texts(self, path: Path, *, kind: str, rows: int) -> Iterator[pa.RecordBatch]: ...

    def read_texts(self, path: Path, *, kind: str) -> pa.Table: ...

    def write_texts(self, path: Path, table: pa.Table) -> None: ...


class DatasetFormat(Protocol):
    """Reads and writes learning-to-rank rows; `out` is a new `.npy` file for X."""

    def read_dataset(
        self, path: Path, *, out: Path | None, max_features: int
    ) -> DatasetColumns: ...

    def write_dataset(self, path: Path, columns: DatasetColumns) -> None: ...


Format = TypeVar("Format")
Constructor = TypeVar("Constructor", bound=Callable[[], Any])


class FormatRegistry(Generic[Format]):
    """Formats by exact name, and names by exact suffix.

    Parameters
    ----------
    kind : what the files hold, as messages say it.

    >>> registry = FormatRegistry[object]("run")
    >>> @registry.register("mine", suffixes=(".mine",))
    ... class Mine: ...
    >>> type(registry.resolve(Path("a.mine.gz"), None)).__name__
    'Mine'
    >>> registry.resolve(Path("a.other"), None)
    Traceback (most recent call last):
    plackett.errors.UnknownNameError: unknown suffix of a run file (pass format= to say what it \
is) '.other'; Known: .mine.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._formats: dict[str, Format] = {}
        self._suffixes: dict[str, str] = {}

    def register(
        self, name: str, *, suffixes: tuple[str, ...] = ()
    ) -> Callable[[Constructor], Constructor]:
        """A decorator that enters a format (a class without state) under its name."""

        def enter(constructor: Constructor) -> Constructor:
            self._formats[name] = constructor()
            self._suffixes.update(dict.fromkeys(suffixes, name))
            return constructor

        return enter

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the formats, sorted."""
        return tuple(sorted(self._formats))

    def resolve(self, path: Path, name: str | None) -> Format:
        """The format of a name, or of the file's suffix where no name is given.

        Raises
        ------
        UnknownNameError : no such name, or a suffix that belongs to no format.
        """
        if name is None:
            suffix = decompressed_suffix(path)
            if suffix not in self._suffixes:
                raise UnknownNameError(
                    f"suffix of a {self.kind} file (pass format= to say what it is)",
                    suffix,
                    self._suffixes,
                )
            name = self._suffixes[suffix]
        if name not in self._formats:
            raise UnknownNameError(f"{self.kind} format", name, self._formats)
        return self._formats[name]


RUNS: FormatRegistry[RunFormat] = FormatRegistry("run")
QRELS: FormatRegistry[QrelsFormat] = FormatRegistry("qrels")
TEXTS: FormatRegistry[TextsFormat] = FormatRegistry("text")
DATASETS: FormatRegistry[DatasetFormat] = FormatRegistry("dataset")
