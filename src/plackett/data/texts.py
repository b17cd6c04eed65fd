"""Texts with ids: the documents and the queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids, to_string_array, to_text_array
from plackett.errors import DataError

__all__ = ["Corpus", "Queries"]

Texts = TypeVar("Texts", bound="_TextTable")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class _TextTable:
    """An Arrow table with a column "id" of distinct strings; string columns are its text fields."""

    __slots__ = ("__weakref__", "fields", "ids", "table")

    _kind: ClassVar[Literal["corpus", "queries"]] = "corpus"

    def __init__(self, table: pa.Table, *, fields: Iterable[str] | None = None) -> None:
        if "id" not in table.column_names:
            raise DataError(
                f"columns {', '.join(table.column_names) or 'none'}", expected='a column "id"'
            )
        strings = to_string_array(table.column("id"))
        self.ids = Ids(strings)
        position = table.column_names.index("id")
        self.table = table.set_column(position, "id", strings)
        texts = [
            field.name for field in table.schema if field.name != "id" and _is_text(field.type)
        ]
        self.fields = tuple(texts if fields is None else fields)
        for field in self.fields:
            if field not in texts:
                raise DataError(
                    f"no text field {field!r}", expected=f"one of {', '.join(texts) or 'none'}"
                )

    @classmethod
    def from_table(cls: type[Texts], table: Any, *, fields: Iterable[str] | None = None) -> Texts:
        """Wrap an Arrow table, or a pandas or polars frame, that has a column "id".

        Parameters
        ----------
        fields : the text fields in reading order; all string columns by default.
        """
        if not isinstance(table, pa.Table):
            table = (
                table.to_arrow()
                if hasattr(table, "to_arrow")
                else pa.Table.from_pandas(table, preserve_index=False)
            )
        return cls(table, fields=fields)

    @classmethod
    def from_records(
        cls: type[Texts],
        records: Iterable[Mapping[str, Any]],
        *,
        fields: Iterable[str] | None = None,
    ) -> Texts:
        """From one mapping a text, each with an "id" (or "_id").

        >>> Corpus.from_records([{"id": "d1", "title": "Wings", "text": "Lift and drag."}]).fields
        ('title', 'text')
        """
        rows = [
            {
                ("id" if key == "_id" and "id" not in record else key): value
                for key, value in record.items()
            }
            for record in records
        ]
        for position, row in enumerate(rows):
            if "id" not in row:
                raise DataError(f"no id in record {position}", expected='a key "id" or "_id"')
        if not rows:
            return cls(
                pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
            )
        names = list(dict.fromkeys(name for row in rows for name in row))
        columns = {}
        for name in names:
            values = [row.get(name) for row in rows]
            columns[name] = to_string_array(values) if name == "id" else to_text_array(values)
        return cls(pa.table(columns), fields=fields)

    @classmethod
    def from_texts(cls: type[Texts], texts: Mapping[str, str] | Iterable[tuple[str, str]]) -> Texts:
        """From `{id: text}` or `(id, text)` pairs.

        >>> Queries.from_texts({"q1": "laminar flow"}).text("q1")
        'laminar flow'
        """
        pairs = list(texts.items() if isinstance(texts, Mapping) else texts)
        ids = [identifier for identifier, _ in pairs]
        table = pa.table(
            {
                "id": to_string_array(ids),
                "text": to_text_array([text for _, text in pairs], pa.large_string()),
            }
        )
        return cls(table)

    @classmethod
    def read(
        cls: type[Texts],
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 - the field's word
        fields: Iterable[str] | None = None,
    ) -> Texts:
        """Read JSONL, a BEIR folder, TSV, TREC topics, SMART records, Parquet or Arrow.

        Parameters
        ----------
        format : a name of `plackett.data.formats`; by default the suffix decides.
        fields : the text fields in reading order; all string columns by default.

        Arrow files are memory-mapped; the others are held as Arrow arrays. To index a collection
        that does not fit in memory, pass the file itself to `BM25.build`, which streams it.
        """
        from plackett.data import formats

        return cls(formats.read_texts(path, kind=cls._kind, format=format), fields=fields)

    def write(self, path: str | Path) -> None:
        """Write the table, atomically: `.jsonl`, `.parquet` or `.arrow` by the suffix."""
        from plackett.data import formats

        formats.write_texts(path, self.table)

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the table."""
        if name not in self.table.column_names:
            raise DataError(
                f"no column {name!r}", expected=f"one of {', '.join(self.table.column_names)}"
            )
        return self.table.column(name)

    def text(self, identifier: str) -> str:
        """The text of one id: its fields that are not empty, joined by a newline."""
        code = int(self.ids.codes([identifier])[0])
        if code < 0:
            raise DataError(f"no id {identifier!r}", expected="an id that is present")
        return self.texts([code])[0]

    def texts(self, codes: npt.ArrayLike | None = None) -> list[str]:
        """The texts of some codes, or of all: fields that are not empty, joined by newlines."""
        table = self.table if codes is None else self.table.take(pa.array(codes))
        columns = [table.column(field).to_pylist() for field in self.fields]
        return [
            "\n".join(part for part in parts if part) for parts in zip(*columns, strict=True)
        ] or [""] * len(table)

    def batches(self, rows: int = 10_000) -> Iterator[pa.RecordBatch]:
        """The table in record batches of at most `rows` rows, without a copy."""
        yield from self.table.to_batches(max_chunksize=rows)

    def select(self: Texts, identifiers: Iterable[str]) -> Texts:
        """The texts of some ids, in the order given; an unknown id is an error."""
        wanted = list(identifiers)
        codes = self.ids.codes(wanted)
        if (codes < 0).any():
            raise DataError(
                f"no id {wanted[int((codes < 0).argmax())]!r}", expected="ids that are present"
            )
        return type(self)(self.table.take(pa.array(codes)), fields=self.fields)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """`(id, text)` of every row."""
        for batch in self.batches():
            part = pa.Table.from_batches([batch])
            columns = [part.column(field).to_pylist() for field in self.fields]
            texts = zip(*columns, strict=True) if columns else iter([()] * len(part))
            for identifier, parts in zip(part.column("id").to_pylist(), texts, strict=True):
                yield identifier, "\n".join(piece for piece in parts if piece)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self)} texts, fields {', '.join(self.fields) or 'none'})"
        )


class Corpus(_TextTable):
    """The documents: an id, text fields, and any other column.

    The table is Arrow's, memory-mapped where it is an Arrow file on disk. String columns are its
    text fields, in the table's order unless `fields` says otherwise.

    Attributes
    ----------
    table : the Arrow table; column "id" holds distinct strings.
    ids : the ids; a document's code is its row.
    fields : the names of the text fields.

    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "heat transfer"})
    >>> len(corpus), corpus.text("d2")
    (2, 'heat transfer')
    """

    __slots__ = ()

    _kind = "corpus"


class Queries(_TextTable):
    """The queries: an id, a text, and any other column, as `Corpus`.

    >>> Queries.from_texts([("q1", "wing lift")])
    Queries(1 texts, fields text)
    """

    __slots__ = ()

    _kind = "queries"
