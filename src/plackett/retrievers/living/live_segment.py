"""One segment of a living index: an inverted index, and which of its documents are deleted."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import CorruptFileError
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.inverted.arrays import open_array
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.segments.metadata import Where, rows_where
from plackett.retrievers.segments.store import REMEDY, SegmentEntry

__all__ = ["LiveSegment"]

ROWS_AT_A_TIME = 10_000


class LiveSegment:
    """An open segment; its arrays are memory maps.

    Attributes
    ----------
    entry : as the manifest holds it.
    index : the inverted index of all its documents, deleted ones included.
    live : `bool[n]`, which documents are not deleted, or None where all are live.
    """

    def __init__(self, folder: Path, entry: SegmentEntry, analyzer: TextAnalyzer) -> None:
        self.entry, self.folder = entry, folder / entry.name
        content = entry.facts.get("index")
        if not isinstance(content, dict):
            raise CorruptFileError("no inverted index", remedy=REMEDY, path=self.folder)
        self.index = InvertedIndex(self.folder, content, analyzer)
        if self.index.n_documents != entry.documents:
            raise CorruptFileError(
                f"{self.index.n_documents} documents",
                expected=str(entry.documents),
                remedy=REMEDY,
                path=self.folder,
            )
        self.live: npt.NDArray[np.bool_] | None = None
        # Opened now: a merge removes the files, and readers keep what they have opened.
        _ = self.index.metadata, self.index.tokens
        name = entry.facts.get("deleted")
        if name is not None:
            self.live = ~open_array(self.folder / str(name), np.bool_, (entry.documents,))

    @property
    def live_rows(self) -> npt.NDArray[np.int64]:
        """The rows of the documents that are not deleted."""
        if self.live is None:
            return np.arange(self.entry.documents)
        return np.flatnonzero(self.live)

    @property
    def n_tokens(self) -> int:
        """Tokens of the documents that are not deleted."""
        if self.live is None:
            return self.index.n_tokens
        return int(self.index.document_lengths[self.live].sum(dtype=np.int64))

    @cached_property
    def _gone(self) -> npt.NDArray[np.int64]:
        """`int64[2, V]`: in how many deleted documents each term occurs, and how often."""
        terms = max(self.index.n_terms, 1)
        gone = np.zeros((2, terms), dtype=np.int64)
        rows = np.zeros(0, np.int64) if self.live is None else np.flatnonzero(~self.live)
        for start in range(0, len(rows), ROWS_AT_A_TIME):
            tokens, lengths = self.tokens_of(rows[start : start + ROWS_AT_A_TIME])
            owners = np.repeat(np.arange(len(lengths)), lengths)
            pairs, counts = np.unique(owners * terms + tokens, return_counts=True)
            np.add.at(gone, (0, pairs % terms), 1)
            np.add.at(gone, (1, pairs % terms), counts)
        return gone

    def document_frequency(self, term: int) -> int:
        """In how many documents that are not deleted a term of this segment occurs."""
        count = int(self.index.posting_offsets[term + 1] - self.index.posting_offsets[term])
        return count if self.live is None else count - int(self._gone[0, term])

    @property
    def document_frequencies(self) -> npt.NDArray[np.int64]:
        """`int64[V]`, in how many documents that are not deleted each term occurs."""
        return self.index.document_frequency - self._gone[0, : self.index.n_terms]

    @property
    def collection_frequencies(self) -> npt.NDArray[np.int64]:
        """`int64[V]`, how often each term occurs in documents that are not deleted."""
        return self.index.collection_frequency - self._gone[1, : self.index.n_terms]

    def tokens_of(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The terms of documents in reading order, one document after the other, and how many."""
        return self.index.tokens_of(rows)

    @property
    def metadata(self) -> pa.Table:
        """The columns that the build kept, a row a document."""
        return self.index.metadata

    def allowed(self, where: Where | None) -> npt.NDArray[np.bool_] | None:
        """The documents that a search may return; None for all of them."""
        if not where:
            return self.live
        rows = rows_where(self.metadata, where)
        return rows if self.live is None else rows & self.live

    def facts(self) -> dict[str, Any]:
        """What the manifest holds of its index."""
        return dict(self.entry.facts["index"])
