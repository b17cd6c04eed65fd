"""The documents of an index of cross-encoder scores: their texts, and their scores as vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import DataError
from plackett.retrievers.dense.retriever import Dense
from plackett.retrievers.segments.metadata import Where
from plackett.retrievers.segments.source import documents_of

__all__ = ["KIND", "TEXT", "ScoredDocuments", "with_texts"]

KIND = "cross-encoder"
TEXT = "text that is scored"
Codes = npt.NDArray[np.int32]


def with_texts(
    corpus: Any, *, fields: list[str] | None, metadata: tuple[str, ...], rows: int
) -> tuple[Iterator[pa.RecordBatch], int | None]:
    """A corpus as batches of ids, the joined text of each document, and columns to filter by.

    Raises
    ------
    DataError : a column is missing, or the corpus is none.
    """
    if TEXT in metadata:
        raise DataError(f"a column {TEXT!r}", expected="another name, for this one is taken")
    documents, total = documents_of(corpus, fields=fields, metadata=metadata, rows=rows)

    def batches() -> Iterator[pa.RecordBatch]:
        for part in documents:
            table = part.columns.append_column(TEXT, pa.array(part.texts, pa.large_string()))
            yield from table.append_column("id", part.ids).combine_chunks().to_batches()

    return batches(), total


class ScoredDocuments(Dense):
    """An index of vectors, each the scores of a document for the anchor queries.

    The texts are kept as a column, because whoever asks the cross-encoder needs them.
    """

    kind: ClassVar[str] = KIND

    def texts(self, codes: Codes) -> list[str]:
        """The texts of documents, in order."""
        texts = [""] * len(codes)
        for number, places, rows in self._places(codes):
            column = self.segments[number].metadata.column(TEXT).take(pa.array(rows))
            for place, text in zip(places.tolist(), column.to_pylist(), strict=True):
                texts[place] = text
        return texts

    def scores(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Their scores for the anchor queries: `float32[n, m]`."""
        taken = np.zeros((len(codes), self.dimension or 0), dtype=np.float32)
        for number, places, rows in self._places(codes):
            taken[places] = self.segments[number].vectors[rows]
        return taken

    def allowed(self, where: Where | None) -> Codes:
        """The codes of the documents that a filter lets through, ascending."""
        parts = [np.zeros(0, dtype=np.int32)]
        for segment, codes in zip(self.segments, self.codes, strict=True):
            kept = segment.allowed(where)
            parts.append(codes if kept is None else codes[kept])
        return np.concatenate(parts)

    def _places(
        self, codes: Codes
    ) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """For each segment: its number, which of the codes are its documents, and their rows."""
        first = 0
        for number, segment in enumerate(self.segments):
            live = segment.live_rows
            places = np.flatnonzero((codes >= first) & (codes < first + len(live)))
            if len(places):
                yield number, places, live[codes[places] - first]
            first += len(live)
