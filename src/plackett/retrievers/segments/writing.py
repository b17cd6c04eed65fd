"""Writing one segment: texts are encoded as they come, and memory holds one batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.errors import DataError
from plackett.retrievers.inverted.arrays import write_strings
from plackett.retrievers.segments.segment import IDS, write_metadata
from plackett.retrievers.segments.store import Change, SegmentEntry
from plackett.retrievers.segments.structure import Structure
from plackett.retrievers.segments.vectors import VectorKind, VectorWriter

__all__ = ["Encoded", "mark_deleted", "write_segment"]

Vectors = TypeVar("Vectors")
Progress = Callable[[int, "int | None"], None]


class Encoded(NamedTuple):
    """Some documents with their vectors.

    Attributes
    ----------
    ids : `[n]` strings.
    vectors : of each.
    columns : the columns to keep, a row a document.
    truncated : how many of them the encoder did not read to the end.
    """

    ids: pa.Array
    vectors: Any
    columns: pa.Table
    truncated: int = 0


def write_segment(
    change: Change,
    batches: Iterable[Encoded],
    kind: VectorKind[Vectors],
    structure: Structure[Vectors],
    *,
    dimension: int | None,
    total: int | None = None,
    progress: Progress | None = None,
) -> SegmentEntry | None:
    """Write the files of a segment; None where there is no document.

    Parameters
    ----------
    dimension : that of the vectors the index has already.
    total : how many documents there will be, where known.
    progress : called as `progress(documents done, total)`.

    Raises
    ------
    DataError : an id occurs twice, or vectors do not fit.
    """
    folder = change.new_segment()
    ids: list[pa.Array] = []
    columns: list[pa.Table] = []
    written = truncated = 0
    with ExitStack() as opened:
        writer: VectorWriter[Vectors] | None = None
        for batch in batches:
            if len(batch.ids) == 0:
                continue
            vectors = _checked(batch, kind, dimension)
            if writer is None:
                dimension = kind.dimension(vectors)
                writer = opened.enter_context(closing(kind.writer(folder, dimension)))
            writer.append(vectors)
            ids.append(batch.ids.cast(pa.large_string()))
            columns.append(batch.columns)
            written, truncated = written + len(batch.ids), truncated + batch.truncated
            if progress is not None:
                progress(written, total)
        if writer is None:
            return None
        facts: dict[str, Any] = {"vectors": writer.facts(), "truncated": truncated}
    names = pa.chunked_array(ids).combine_chunks()
    Ids(names)  # an id that occurs twice is an error here
    write_strings(folder / IDS, names)
    write_metadata(folder, pa.concat_tables(columns, promote_options="default"))
    made = kind.open(folder, facts["vectors"])
    facts["structure"] = structure.build(made, folder, progress=None)
    return change.entry(folder, written, facts)


def _checked(batch: Encoded, kind: VectorKind[Vectors], dimension: int | None) -> Vectors:
    vectors = kind.check(batch.vectors, dimension=dimension, what="vectors of documents")
    if kind.count(vectors) != len(batch.ids):
        raise DataError(
            f"{kind.count(vectors)} vectors", expected=f"one of each of {len(batch.ids)} ids"
        )
    return vectors


def mark_deleted(
    index: Path, entry: SegmentEntry, deleted: npt.NDArray[np.bool_], name: str
) -> SegmentEntry:
    """Write which documents of a segment are deleted, under a new file name; says how many are
    left."""
    path = index / entry.name / name
    np.save(path, deleted)
    left = entry.documents - int(np.count_nonzero(deleted))
    return entry.with_file(path, {"deleted": name, "left": left})
