"""Building an inverted index as a stream: two passes over term codes, the texts read once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.data.ids import Ids, to_string_array
from plackett.data.ragged import lengths_to_offsets
from plackett.data.texts import Corpus
from plackett.errors import DataError
from plackett.retrievers.analysis import TextAnalyzer, get_analyzer
from plackett.retrievers.analysis.coding import TermCoder, coder_for
from plackett.retrievers.inverted.arrays import ArrayWriter, write_strings, write_table
from plackett.retrievers.inverted.index import METADATA, InvertedIndex
from plackett.retrievers.inverted.inverting import DEFAULT_MEMORY, memory_bytes, write_postings
from plackett.retrievers.inverted.storage import new_generation
from plackett.retrievers.inverted.term_table import build_table

__all__ = ["Accumulator", "Progress", "build_index", "open_source", "write_coded", "write_texts"]

Progress = Callable[[int, "int | None"], None]


@dataclass
class Source:
    """Record batches with the fields to index and the columns to keep.

    `ids` where they are known to be distinct.
    """

    batches: Iterator[pa.RecordBatch]
    fields: tuple[str, ...] | None
    metadata: tuple[str, ...]
    total: int | None
    ids: Ids | None


def build_index(
    corpus: Any,
    folder: str | Path,
    *,
    fields: Iterable[str] | None = None,
    analyzer: str | TextAnalyzer | Callable[[str], list[str]] = "english",
    metadata: Iterable[str] = (),
    forward: bool = True,
    progress: Progress | None = None,
    batch_rows: int = 10_000,
    memory: int | str = DEFAULT_MEMORY,
    facts: Mapping[str, Any] | None = None,
) -> InvertedIndex:
    """Build an index and open it; `InvertedIndex.build` says what the parameters are.

    `facts` go into the manifest.
    """
    if batch_rows < 1:
        raise DataError(f"batch_rows {batch_rows}", expected="1 or more")
    chosen, room = get_analyzer(analyzer), memory_bytes(memory)
    source = open_source(corpus, fields, metadata, batch_rows)
    with new_generation(folder) as generation:
        content = write_texts(source, generation.path, chosen, progress, room)
        content.update({"forward": forward, **(facts or {})})
        if not forward:
            (generation.path / "tokens.npy").unlink()
        generation.commit(content)
    return InvertedIndex.open(folder, analyzer=chosen)


def open_source(
    corpus: Any, fields: Iterable[str] | None, metadata: Iterable[str], rows: int
) -> Source:
    """The record batches of a corpus, a file or a stream, with what is to be done with them.

    Raises
    ------
    DataError : it is no corpus, or names are given as one string.
    """
    wanted = None if fields is None else _names("fields", fields)
    kept = _names("metadata", metadata)
    if isinstance(corpus, Corpus):
        texts = tuple(field for field in corpus.fields if field not in kept)
        return Source(corpus.batches(rows), wanted or texts, kept, len(corpus), corpus.ids)
    if isinstance(corpus, str | Path):
        from plackett.data import formats

        batches = iter(formats.scan_texts(corpus, kind="corpus", rows=rows))
        return Source(batches, wanted, kept, None, None)
    if not isinstance(corpus, Iterable):
        raise DataError(
            f"a corpus of type {type(corpus).__name__}",
            expected="a Corpus, a path, or Arrow record batches",
        )
    return Source(iter(corpus), wanted, kept, None, None)


def _names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise DataError(f"{what} {names!r}", expected="a list of names", remedy="use [name]")
    return tuple(names)


class Accumulator:
    """What the first pass keeps in memory: some numbers and the kept columns a document."""

    def __init__(self) -> None:
        self.n_documents = 0
        self.ids: list[pa.Array] = []
        self.columns: list[pa.Table] = []
        self.counts: list[npt.NDArray[np.int32]] = []
        self.last_document = np.full(1 << 10, -1, dtype=np.int32)
        self.document_frequency = np.zeros(1 << 10, dtype=np.int64)
        self.collection_frequency = np.zeros(1 << 10, dtype=np.int64)

    def add(
        self,
        ids: pa.Array,
        columns: pa.Table,
        tokens: npt.NDArray[np.int32],
        counts: npt.NDArray[np.int32],
        terms: int,
    ) -> None:
        """Count one batch: `counts[i]` tokens in segment i, `terms` terms known so far."""
        from plackett.retrievers.inverted.build_kernels import count_postings

        self._grow(terms)
        per_document = counts.reshape(len(ids), -1).sum(axis=1, dtype=np.int32)
        count_postings(
            tokens,
            per_document,
            self.n_documents,
            self.last_document,
            self.document_frequency,
            self.collection_frequency,
        )
        self.n_documents += len(ids)
        self.ids.append(ids)
        self.columns.append(columns)
        self.counts.append(counts)

    def _grow(self, terms: int) -> None:
        have = len(self.last_document)
        if terms <= have:
            return
        more = max(2 * have, terms) - have
        self.last_document = np.concatenate([self.last_document, np.full(more, -1, dtype=np.int32)])
        zeros = np.zeros(more, dtype=np.int64)
        self.document_frequency = np.concatenate([self.document_frequency, zeros])
        self.collection_frequency = np.concatenate([self.collection_frequency, zeros])


def write_texts(
    source: Source,
    folder: Path,
    analyzer: TextAnalyzer,
    progress: Progress | None,
    memory: int = memory_bytes(DEFAULT_MEMORY),
) -> dict[str, Any]:
    """Analyse texts and write all files of an index; returns the manifest's content."""
    coder = coder_for(analyzer)

    def read(gathered: Accumulator, tokens: ArrayWriter) -> tuple[str, ...]:
        return _read_texts(source, coder, gathered, tokens, progress)

    return write_coded(folder, read, coder.terms, analyzer, source.metadata, source.ids, memory)


def write_coded(
    folder: Path,
    read: Callable[[Accumulator, ArrayWriter], tuple[str, ...]],
    known: list[str],
    analyzer: TextAnalyzer,
    metadata: tuple[str, ...],
    distinct: Ids | None,
    memory: int = memory_bytes(DEFAULT_MEMORY),
) -> dict[str, Any]:
    """Write all files of an index; returns the manifest's content.

    Parameters
    ----------
    read : the first pass: it hands on every document's tokens, as codes, and returns the fields.
    known : the terms by their codes; it may grow while `read` reads.
    metadata : the columns that are kept.
    distinct : the ids where they are known to be distinct.
    memory : bytes for the postings that are inverted at a time.
    """
    gathered = Accumulator()
    with ArrayWriter(folder / "tokens.npy", np.int32) as tokens:
        fields = read(gathered, tokens)
    n_terms = len(known)
    counts = np.concatenate([np.zeros(0, dtype=np.int32), *gathered.counts])
    field_lengths = counts.reshape(gathered.n_documents, len(fields))
    lengths = field_lengths.sum(axis=1, dtype=np.int32)
    ids, ranks = _ranked_ids(gathered.ids, distinct)
    offsets = lengths_to_offsets(gathered.document_frequency[:n_terms])
    terms = pa.array(known, pa.large_string())
    table = build_table(terms)
    arrays = {
        "collection_frequency": gathered.collection_frequency[:n_terms],
        "field_lengths": field_lengths,
        "document_rank": ranks,
        "term_table": table,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    write_strings(folder / "terms.arrow", terms)
    write_strings(folder / "documents.arrow", ids.values)
    if metadata and gathered.columns:
        columns = pa.concat_tables(gathered.columns, promote_options="default")
        write_table(folder / METADATA, columns)
    packed = write_postings(folder, lengths, offsets, memory)
    return {
        "analyzer": analyzer.to_dict(),
        "fields": list(fields),
        "metadata": list(metadata),
        "statistics": {
            "documents": gathered.n_documents,
            "terms": n_terms,
            "postings": int(offsets[-1]),
            "tokens": int(lengths.sum(dtype=np.int64)),
            "table_slots": len(table),
            "posting_bytes": packed,
        },
    }


def _read_texts(
    source: Source,
    coder: TermCoder,
    gathered: Accumulator,
    tokens: ArrayWriter,
    progress: Progress | None,
) -> tuple[str, ...]:
    """The first pass; returns the fields."""
    fields = source.fields
    for batch in source.batches:
        if not isinstance(batch, pa.RecordBatch):
            raise DataError(
                f"a batch of type {type(batch).__name__}", expected="an Arrow record batch"
            )
        if fields is None:
            fields = _text_fields(batch.schema, source.metadata)
        columns = _kept_columns(batch, source.metadata)
        ids, texts = _ids_and_texts(batch, fields)
        coded, counts = coder.code(texts)
        tokens.append(coded)
        gathered.add(ids, columns, coded, counts, len(coder.terms))
        if progress is not None:
            progress(gathered.n_documents, source.total)
    return fields if fields is not None else ("text",)


def _kept_columns(batch: pa.RecordBatch, metadata: tuple[str, ...]) -> pa.Table:
    """The columns that filters will ask for."""
    for name in metadata:
        _check_column(batch, name)
    return pa.Table.from_batches([batch]).select(list(metadata))


def _check_column(batch: pa.RecordBatch, name: str) -> None:
    names = batch.schema.names
    if name not in names:
        raise DataError(f"no field {name!r}", expected=f"one of {', '.join(names) or 'none'}")


def _text_fields(schema: pa.Schema, metadata: tuple[str, ...]) -> tuple[str, ...]:
    """All string columns but "id" and those kept for filters."""
    return tuple(
        field.name
        for field in schema
        if field.name not in ("id", *metadata)
        and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type))
    )


def _ids_and_texts(batch: pa.RecordBatch, fields: tuple[str, ...]) -> tuple[pa.Array, pa.Array]:
    """The ids, and the texts: field f of row d is element `d * F + f`."""
    names = batch.schema.names
    for name in ("id", *fields):
        _check_column(batch, name)
    if not fields:
        raise DataError(
            f"columns {', '.join(names)}", expected="at least one text field", remedy="pass fields="
        )
    columns = [batch.column(names.index(field)) for field in fields]
    for field, column in zip(fields, columns, strict=True):
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise DataError(f"field {field!r} of type {column.type}", expected="strings")
    ids = to_string_array(batch.column(names.index("id")))
    if len(columns) == 1:
        return ids, columns[0]
    n = len(ids)
    joined = pa.concat_arrays([column.cast(pa.large_string()) for column in columns])
    interleaved = np.arange(n * len(columns)).reshape(len(columns), n).T.reshape(-1)
    return ids, joined.take(pa.array(interleaved))


def _ranked_ids(parts: list[pa.Array], distinct: Ids | None) -> tuple[Ids, npt.NDArray[np.int32]]:
    """The ids, and the rank of each in the byte order of UTF-8, `int32[n]`.

    Ids that are not known to be distinct are compared in that order, which takes a fifth of the
    memory that looking each of them up would take.
    """
    ids = pa.concat_arrays(parts) if parts else pa.array([], pa.string())
    ranks = np.arange(len(ids), dtype=np.int32)
    if len(ids) > 1 and not pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        order = pc.sort_indices(ids)
        ordered = ids.take(order)
        if distinct is None and pc.any(pc.equal(ordered[:-1], ordered[1:])).as_py():
            return Ids(ids), ranks  # which says what occurs twice
        ranks[order.to_numpy()] = np.arange(len(ids), dtype=np.int32)
    return distinct or Ids.from_distinct(ids), ranks
