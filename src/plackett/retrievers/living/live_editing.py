"""Changes to a living index: each is one new manifest."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from plackett.retrievers.inverted.inverting import memory_bytes
from plackett.retrievers.living.live_facts import same_documents
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.segments.aside import Aside
from plackett.retrievers.segments.store import Change, IndexManifest, SegmentEntry, changing
from plackett.retrievers.segments.writing import mark_deleted

__all__ = [
    "added_segment",
    "check_held",
    "edited",
    "merged_segment",
    "opened_segments",
    "with_segment",
    "without",
]

PATIENCE = 5.0  # seconds that a change waits for another one to end
Progress = Callable[[int, "int | None"], None]


@contextmanager
def edited(
    folder: Path, manifest: IndexManifest, analyzer: TextAnalyzer, segments: Sequence[LiveSegment]
) -> Iterator[tuple[Change, tuple[LiveSegment, ...]]]:
    """Change an index that was opened earlier: the change, and the segments as they are now.

    Merges that others have committed since do no harm: they change no document. Of another change
    the caller knows nothing, and is told to open the index again.

    Raises
    ------
    DataError : documents were added or deleted since, or somebody else is changing the index.
    """
    with changing(folder, create=False, wait=PATIENCE) as change:
        now = change.before
        if now is None or not same_documents(now, manifest):
            raise DataError(
                "an index that has changed since it was opened",
                expected="the index as it was",
                remedy="open it again, and repeat the change",
                path=folder,
            )
        yield change, opened_segments(folder, now, analyzer, segments)


def opened_segments(
    folder: Path,
    manifest: IndexManifest,
    analyzer: TextAnalyzer,
    known: Iterable[LiveSegment] = (),
) -> tuple[LiveSegment, ...]:
    """The segments of a manifest; those that are open already are not opened again."""
    have = {segment.entry.name: segment for segment in known}
    return tuple(
        have[entry.name]
        if entry.name in have and have[entry.name].entry == entry
        else LiveSegment(folder, entry, analyzer)
        for entry in manifest.segments
    )


def added_segment(
    change: Change,
    corpus: Any,
    analyzer: TextAnalyzer,
    fields: Iterable[str] | None,
    metadata: Iterable[str],
    batch_rows: int,
    memory: int | str,
    progress: Progress | None,
) -> SegmentEntry | None:
    """Analyse documents and write them as a segment; None where there are none."""
    source = open_source(corpus, fields, metadata, batch_rows)
    folder = change.new_segment()
    texts = write_texts(source, folder, analyzer, progress, memory_bytes(memory))
    return _entry(change, folder, {**texts, "forward": True})


def _entry(room: Change | Aside, folder: Path, content: dict[str, Any]) -> SegmentEntry | None:
    documents = content["statistics"]["documents"]
    return room.entry(folder, documents, {"index": content}) if documents else None


def merged_segment(
    room: Change | Aside,
    segments: Sequence[LiveSegment],
    analyzer: TextAnalyzer,
    batch_rows: int,
    memory: int | str,
    progress: Progress | None,
) -> SegmentEntry | None:
    """Write the documents that are not deleted to one segment; no text is analysed again.

    Documents are read `batch_rows` at a time, and postings inverted in `memory`, so that what a
    merge needs does not grow with its tokens.
    """
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

    folder = room.new_segment()
    content = write_coded(folder, read, known, analyzer, metadata, None, memory_bytes(memory))
    return _entry(room, folder, {**content, "forward": True})


def _name_new(
    segment: LiveSegment,
    tokens: npt.NDArray[np.int32],
    code_of_term: npt.NDArray[np.int32],
    codes: dict[str, int],
    known: list[str],
) -> None:
    """Give codes to the terms that were not met before, in the order of their first token."""
    terms, first = np.unique(tokens[code_of_term[tokens] < 0], return_index=True)
    ordered = terms[np.argsort(first)]
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


def check_held(ids: Ids, names: pa.Array) -> None:
    """Refuse to delete what is not there.

    Raises
    ------
    DataError : a name is none of the ids.
    """
    # Asked this way round: few names are looked up, not all documents made a table.
    wanted = Ids.encode(names)[0]
    found = np.unique(wanted.codes(ids.values))
    if np.count_nonzero(found >= 0) < len(wanted):
        lost = np.setdiff1d(np.arange(len(wanted)), found)[0]
        raise DataError(f"document {wanted[int(lost)]!r}", expected="a document of the index")


def without(
    folder: Path, segments: Sequence[LiveSegment], names: pa.Array
) -> tuple[SegmentEntry, ...]:
    """The segments with some documents marked as deleted; one without any other goes."""
    gone = Ids.encode(names)[0]
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
