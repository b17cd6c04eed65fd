"""The segments of a living index as one inverted index, for whatever reads one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.data.ragged import lengths_to_offsets
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.living.tied import byte_order_ranks

__all__ = ["LiveIndex"]

Counts = npt.NDArray[np.int32]


class LiveIndex(InvertedIndex):
    """Segments as one index: deleted documents, and terms that only they have, are not in it.

    All that an `InvertedIndex` has is there, of the same documents in their order; but terms have
    other codes than in an index built anew. Its terms and what is counted of them are put together
    when it is made; the postings of one term, and the tokens of some documents, are read from the
    segments; `tokens` and `posting_documents`, as features and other models read them, are put
    together in memory when they are first asked for, 4 bytes a token and 8 a posting.

    Parameters
    ----------
    folder : of the living index.
    segments : one at least.
    document_ids : of the documents that are not deleted, segment after segment.
    codes : the document code of every row of every segment; -1 for a deleted one.
    """

    def __init__(
        self,
        folder: Path,
        segments: Sequence[LiveSegment],
        analyzer: TextAnalyzer,
        document_ids: Ids,
        codes: Sequence[Counts],
    ) -> None:
        self._segments, self._codes = tuple(segments), tuple(codes)
        # What names the folder of an index takes that in which its files' folder lies.
        self.folder, self.analyzer = folder / "segments", analyzer
        self.fields = segments[0].index.fields
        self.manifest = {"fields": list(self.fields), "forward": True}
        self.document_ids, self.n_documents = document_ids, len(document_ids)
        self.n_tokens = sum(segment.n_tokens for segment in segments)
        self._found: dict[str, int] = {}
        self._name_terms()
        self.posting_offsets = lengths_to_offsets(self._counted("document_frequencies"))
        self.collection_frequency = self._counted("collection_frequencies")
        self.n_postings = int(self.posting_offsets[-1])

    def _name_terms(self) -> None:
        """Give codes to the terms of all segments that some document still has."""
        names = [segment.index.terms.values.cast(pa.large_string()) for segment in self._segments]
        have = [segment.document_frequencies > 0 for segment in self._segments]
        kept = [part.filter(pa.array(mask)) for part, mask in zip(names, have, strict=True)]
        self.terms, codes = Ids.encode(pa.chunked_array(kept, pa.large_string()))
        self.n_terms = len(self.terms)
        # The code here of every term of a segment, and the code there of every term of this index.
        self._here: list[Counts] = []
        self._there: list[Counts] = []
        start = 0
        for mask in have:
            own = codes[start : start + np.count_nonzero(mask)]
            here = np.full(len(mask), -1, dtype=np.int32)
            here[mask] = own
            there = np.full(self.n_terms, -1, dtype=np.int32)
            there[own] = np.flatnonzero(mask)
            self._here.append(here)
            self._there.append(there)
            start += len(own)

    def _counted(self, name: str) -> npt.NDArray[np.int64]:
        """The sum over segments of what they count of each term."""
        total = np.zeros(self.n_terms, dtype=np.int64)
        for segment, here in zip(self._segments, self._here, strict=True):
            total[here[here >= 0]] += getattr(segment, name)[here >= 0]
        return total

    def verify(self) -> None:
        """Nothing: the segments' files are checked where the living index is opened."""

    def term_code(self, term: str) -> int:
        """The code of a term, as the analyzer writes it, or -1."""
        for segment, here in zip(self._segments, self._here, strict=True):
            code = segment.index.term_code(term)
            if code >= 0 and here[code] >= 0:
                return int(here[code])
        return -1

    def postings_of(self, code: int) -> tuple[Counts, Counts]:
        """The documents, ascending, that hold the term of this code, and how often they do."""
        documents, frequencies = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for segment, there, codes in zip(self._segments, self._there, self._codes, strict=True):
            if there[code] >= 0:
                rows, counts = segment.index.postings_of(int(there[code]))
                live = codes[rows] >= 0
                documents.append(codes[rows][live])
                frequencies.append(counts[live].astype(np.int32))
        return np.concatenate(documents), np.concatenate(frequencies)

    def postings_between(self, first: int, end: int) -> tuple[Counts, Counts]:
        """The documents and frequencies of the terms `first:end`, one list after the other."""
        lists = [self.postings_of(code) for code in range(first, end)]
        nothing = np.zeros(0, np.int32)
        return (
            np.concatenate([nothing, *(documents for documents, _ in lists)]),
            np.concatenate([nothing, *(frequencies for _, frequencies in lists)]),
        )

    def tokens_of(self, documents: npt.NDArray[np.integer]) -> tuple[Counts, npt.NDArray[np.int64]]:
        """The terms of documents in reading order, one document after the other, and how many."""
        lengths = self.document_lengths[documents].astype(np.int64)
        offsets = lengths_to_offsets(lengths)
        tokens = np.empty(offsets[-1], dtype=np.int32)
        for place, rows in enumerate(self._rows):
            start = self._starts[place]
            mine = np.flatnonzero((documents >= start) & (documents < start + len(rows)))
            if len(mine):
                found, _ = self._segments[place].tokens_of(rows[documents[mine] - start])
                into = np.zeros(len(documents), dtype=np.bool_)
                into[mine] = True
                tokens[np.repeat(into, lengths)] = self._here[place][found]
        return tokens, lengths

    @cached_property
    def _rows(self) -> list[npt.NDArray[np.int64]]:
        return [segment.live_rows for segment in self._segments]

    @cached_property
    def _starts(self) -> npt.NDArray[np.int64]:
        return lengths_to_offsets([len(rows) for rows in self._rows])

    @cached_property
    def tokens(self) -> Counts:
        """`int32[T]`: the term of every token, as `InvertedIndex.tokens`, in memory."""
        tokens, _ = self.tokens_of(np.arange(self.n_documents))
        tokens.flags.writeable = False
        return tokens

    @cached_property
    def field_lengths(self) -> Counts:  # type: ignore[override]
        """`int32[N, F]`, tokens a field."""
        parts = [
            segment.index.field_lengths[rows]
            for segment, rows in zip(self._segments, self._rows, strict=True)
        ]
        return np.concatenate(parts).astype(np.int32)

    @cached_property
    def document_lengths(self) -> Counts:
        """`int32[N]`, tokens a document."""
        lengths: Counts = self.field_lengths.sum(axis=1, dtype=np.int32)
        return lengths

    @cached_property
    def document_rank(self) -> Counts:  # type: ignore[override]
        """`int32[N]`, the rank of a document's id in byte order."""
        return byte_order_ranks(self.document_ids.values)

    @cached_property
    def metadata(self) -> pa.Table:
        """The columns that the build kept, a row a document."""
        tables = [
            segment.metadata.take(pa.array(rows))
            for segment, rows in zip(self._segments, self._rows, strict=True)
            if segment.metadata.num_columns
        ]
        return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
