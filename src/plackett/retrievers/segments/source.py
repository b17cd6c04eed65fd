"""The documents that an index is made of, as a stream of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from plackett.data.ids import to_string_array
from plackett.data.texts import Corpus
from plackett.errors import DataError

__all__ = ["Documents", "documents_of"]


class Documents(NamedTuple):
    """Some documents.

    Attributes
    ----------
    ids : `[n]` strings.
    texts : one a document, its fields joined by newlines.
    columns : the columns to keep, a row a document.
    """

    ids: pa.Array
    texts: list[str]
    columns: pa.Table


def documents_of(
    corpus: Any, *, fields: Iterable[str] | None, metadata: Iterable[str], rows: int
) -> tuple[Iterator[Documents], int | None]:
    """Batches of at most `rows` documents, and their number where it is known.

    Parameters
    ----------
    corpus : a `Corpus`, the path of a corpus file (read as a stream), or record batches.
    fields : the text fields, in reading order; all string columns that are not `metadata` by
        default.
    metadata : the columns to keep for filters.

    Raises
    ------
    DataError : a column is missing, or the corpus is none.
    """
    kept = tuple(metadata)
    if isinstance(corpus, Corpus):
        total: int | None = len(corpus)
        batches: Iterable[pa.RecordBatch] = corpus.batches(rows)
        texts = [field for field in corpus.fields if field not in kept]
        wanted: tuple[str, ...] | None = tuple(texts if fields is None else fields)
    else:
        if isinstance(corpus, str | Path):
            from plackett.data import formats

            batches = formats.scan_texts(corpus, kind="corpus", rows=rows)
        elif isinstance(corpus, Iterable):
            batches = corpus
        else:
            raise DataError(
                f"a corpus of type {type(corpus).__name__}",
                expected="a Corpus, a path, or Arrow record batches",
            )
        total, wanted = None, None if fields is None else tuple(fields)
    return _batches(batches, wanted, kept, rows), total


def _batches(
    batches: Iterable[pa.RecordBatch],
    fields: tuple[str, ...] | None,
    metadata: tuple[str, ...],
    rows: int,
) -> Iterator[Documents]:
    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise DataError(
                f"a batch of type {type(batch).__name__}", expected="an Arrow record batch"
            )
        for start in range(0, len(batch), rows):
            yield _documents(pa.Table.from_batches([batch.slice(start, rows)]), fields, metadata)


def _documents(
    table: pa.Table, fields: tuple[str, ...] | None, metadata: tuple[str, ...]
) -> Documents:
    names = table.column_names
    if fields is None:
        fields = tuple(
            field.name
            for field in table.schema
            if field.name not in ("id", *metadata)
            and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type))
        )
    for name in ("id", *fields, *metadata):
        if name not in names:
            raise DataError(f"no field {name!r}", expected=f"one of {', '.join(names) or 'none'}")
    columns = [table.column(field).to_pylist() for field in fields]
    texts = ["\n".join(part for part in parts if part) for parts in zip(*columns, strict=True)]
    ids = to_string_array(table.column("id"))
    return Documents(ids, texts or [""] * len(table), table.select(list(metadata)))
