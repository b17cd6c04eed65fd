"""Changes to a living index: each is one new manifest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.errors import DataError
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.inverted.arrays import ArrayWriter, open_strings
from plackett.retrievers.inverted.build import (
    Accumulator,
    open_source,
    write_coded,
    write_texts,
)
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.segments.store import Change, IndexManifest, SegmentEntry
from plackett.retrievers.segments.writing import mark_deleted

__all__ = ["added_segment", "check_current", "merged_segment", "with_segment", "without"]

Progress = Callable[[int, "int | None"], None]


def added_segment(
    change: Change,
    corpus: Any,
    analyzer: TextAnalyzer,
    fields: Iterable[str] | None,
    metadata: Iterable[str],
    batch_rows: int,
    progress: Progress | None,
) -> SegmentEntry | None:
    """Analyse documents and write them as a segment; None where there are none."""
    source = open_source(corpus, fields, metadata, batch_rows)
    folder = change.new_segment()
    content = {**write_texts(source, folder, analyzer, progress), "forward": True}
    return _entry(change, folder, content)


def _entry(change: Change, folder: Path, content: dict[str, Any]) -> SegmentEntry | None:
    documents = content["statistics"]["documents"]
    return change.entry(folder, documents, {"index": content}) if documents else None


def merged_segment(
    change: Change,
    segments: Sequence[LiveSegment],
    analyzer: TextAnalyzer,
    batch_rows: int,
    progress: Progress | None,
) -> SegmentEntry | None:
    """Write the documents that are not deleted to one segment; no text is analysed again."""
    if not segments:
        return None
    fields, metadata = segments[0].index.fields, tuple(segments[0].facts()["metadata"])
    total = sum(len(segment.live_rows) for segment in segments)
    codes: dict[str, int] = {}
    known: list[str] = []

    def read(gathered: Accumulator, tokens: ArrayWriter) -> tuple[str, ...]:
        for segment in segments:
            code_of_term = np.full(segment.index.n_terms, -1, dtype=np.int32)
            rows = segment.live_rows
            for start in range(0, len(rows), batch_rows):
                part = rows[start : start + batch_rows]
                found, _ = segment.tokens_of(part)
                _name_new(segment, found, code_of_term, codes, known)
                coded = code_of_term[found]
                tokens.append(coded)
                lengths = segment.index.field_lengths[part].reshape(-1).astype(np.int32)
                gathered.add(*_texts_of(segment, part, metadata), coded, lengths, len(known))
                if progress is not None:
                    progress(gathered.n_documents, total)
        return fields

    folder = change.new_segment()
    content = write_coded(folder, read, known, analyzer, metadata, None)
    return _entry(change, folder, {**content, "forward": True})


def _name_new(
    segment: LiveSegment,
    tokens: npt.NDArray[np.int32],
    code_of_term: npt.NDArray[np.int32],
    codes: dict[str, int],
    known: list[str],
) -> None:
    """Give codes to the terms that were not met before, in the order of their first token."""
    terms, first = np.unique(tokens, return_index=True)
    fresh = code_of_term[terms] < 0
    ordered = terms[fresh][np.argsort(first[fresh])]
    names = segment.index.terms.strings(ordered).to_pylist()
    for term, name in zip(ordered, names, strict=True):
        code = codes.setdefault(name, len(known))
        if code == len(known):
            known.append(name)
        code_of_term[term] = code


def _texts_of(
    segment: LiveSegment, rows: npt.NDArray[np.int64], metadata: tuple[str, ...]
) -> tuple[pa.Array, pa.Table]:
    """The ids and the columns of documents."""
    taken = pa.array(rows)
    ids = segment.index.document_ids.values.take(taken)
    return ids, segment.index.metadata.take(taken) if metadata else pa.table({})


def without(
    folder: Path, segments: Sequence[LiveSegment], names: pa.Array
) -> tuple[SegmentEntry, ...]:
    """The segments with some documents marked as deleted; one without any other goes."""
    gone = Ids(names)
    entries = []
    for segment in segments:
        hit = gone.codes(segment.index.document_ids.values) >= 0
        if segment.live is not None:
            hit &= segment.live
        if not bool(hit.any()):
            entries.append(segment.entry)
            continue
        deleted = hit if segment.live is None else hit | ~segment.live
        if not bool(deleted.all()):
            name = f"deleted-{secrets.token_hex(4)}.npy"
            entries.append(mark_deleted(folder, segment.entry, deleted, name))
    return tuple(entries)


def with_segment(
    folder: Path, segments: Sequence[LiveSegment], entry: SegmentEntry
) -> tuple[SegmentEntry, ...]:
    """The segments with another one, whose documents replace those of the same ids."""
    added = open_strings(folder / entry.name / "documents.arrow", entry.documents)
    return (*without(folder, segments, added), entry)


def check_current(folder: Path, manifest: IndexManifest, change: Change) -> None:
    """Refuse to change an index that has changed since it was opened."""
    if change.before != manifest:
        raise DataError(
            "an index that has changed since it was opened",
            expected="the index as it was",
            remedy="open it again, and repeat the change",
            path=folder,
        )
