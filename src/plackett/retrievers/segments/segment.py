"""One segment of an index: its vectors, its ids, its columns, and which documents are deleted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import CorruptFileError
from plackett.retrievers.inverted.arrays import (
    open_array,
    open_strings,
    open_table,
    write_table,
)
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.segments.store import REMEDY, SegmentEntry
from plackett.retrievers.segments.structure import Searcher, Structure
from plackett.retrievers.segments.vectors import VectorKind

__all__ = ["IDS", "Segment", "write_metadata"]

IDS = "ids.arrow"
METADATA = "metadata.arrow"
Vectors = TypeVar("Vectors")


class Segment(Generic[Vectors]):
    """An open segment; its arrays are memory maps.

    Attributes
    ----------
    entry : as the manifest holds it.
    ids : the id of every document, `[n]` strings.
    vectors : of every document.
    live : `bool[n]`, which documents are not deleted, or None where all are live.
    searcher : finds the best documents for vectors of queries.
    """

    def __init__(
        self,
        index: Path,
        entry: SegmentEntry,
        kind: VectorKind[Vectors],
        structure: Structure[Vectors],
    ) -> None:
        self.entry, self.folder = entry, index / entry.name
        self.ids: pa.Array = open_strings(self.folder / IDS, entry.documents)
        self.vectors = kind.open(self.folder, entry.facts["vectors"])
        if kind.count(self.vectors) != entry.documents:
            raise CorruptFileError(
                f"vectors of {kind.count(self.vectors)} documents",
                expected=str(entry.documents),
                remedy=REMEDY,
                path=self.folder,
            )
        self.live = self._live()
        facts: Mapping[str, Any] = entry.facts["structure"]
        self.searcher: Searcher[Vectors] = structure.open(self.vectors, self.folder, facts)
        # Opened now: a merge removes the file, and readers keep what they have opened.
        _ = self.metadata

    def _live(self) -> npt.NDArray[np.bool_] | None:
        name = self.entry.facts.get("deleted")
        if name is None:
            return None
        deleted = open_array(self.folder / str(name), np.bool_, (self.entry.documents,))
        return ~deleted

    @property
    def live_rows(self) -> npt.NDArray[np.int64]:
        """The rows of the documents that are not deleted."""
        if self.live is None:
            return np.arange(self.entry.documents)
        return np.flatnonzero(self.live)

    @cached_property
    def metadata(self) -> pa.Table:
        """The columns that the build kept, a row a document."""
        return open_table(self.folder / METADATA, self.entry.documents)

    def allowed(self, where: Where | None) -> npt.NDArray[np.bool_] | None:
        """The documents that a search may return; None for all of them."""
        if not where:
            return self.live
        rows = rows_where(self.metadata, where)
        return rows if self.live is None else rows & self.live


def write_metadata(folder: Path, table: pa.Table) -> None:
    """Write the columns of a segment's documents."""
    write_table(folder / METADATA, table)
