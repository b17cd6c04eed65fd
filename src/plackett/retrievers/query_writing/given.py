"""Queries that were taken apart beforehand: in a file, a mapping or a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.query_writing import QueryWriter, WrittenQueries
from plackett.retrievers.query_texts import main_texts

__all__ = ["GivenQueries", "distinct_texts", "lists_of_column"]


class GivenQueries(QueryWriter):
    """Each query's parts, or other wordings, that somebody wrote.

    Parameters
    ----------
    written : `{query id: texts}`; a query without any is asked as it is.
    column : in the place of `written`, a column of the queries that holds lists of strings.
    original : ask the query itself too, first.

    A text that is empty or there already is left out.

    >>> writer = GivenQueries({"q1": ["wing lift", "wing drag"]})
    >>> writer.write(Queries.from_texts({"q1": "lift and drag of wings", "q2": "heat"})).texts
    ('lift and drag of wings', 'wing lift', 'wing drag', 'heat')
    """

    def __init__(
        self,
        written: Mapping[str, Sequence[str]] | None = None,
        *,
        column: str | None = None,
        original: bool = True,
    ) -> None:
        if (written is None) == (column is None):
            raise ConfigurationError("expected either written texts or the name of a column.")
        self.written = None if written is None else {q: tuple(t) for q, t in written.items()}
        self.column, self.original = column, original
        self.path: Path | None = None

    @classmethod
    def read(cls, path: str | Path, *, original: bool = True) -> GivenQueries:
        """From a file of JSON lines, `{"id": "q1", "queries": ["wing lift", "wing drag"]}` each.

        Raises
        ------
        DataError : a line is something else, or an id comes twice.
        """
        written: dict[str, list[str]] = {}
        with Path(path).open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    name, texts = _entry(line, Path(path), number)
                    if name in written:
                        raise DataError(
                            f"query {name!r} twice", expected="once", path=path, line=number
                        )
                    written[name] = texts
        made = cls(written, original=original)
        made.path = Path(path)
        return made

    def write(self, queries: Queries) -> WrittenQueries:
        """What was given for each query."""
        asked = main_texts(queries)
        if self.column is not None:
            given: list[Sequence[str]] = lists_of_column(queries, self.column)
        else:
            known = self.written or {}
            given = [known.get(name, ()) for name in queries.ids]
        return WrittenQueries.of(
            [
                distinct_texts([query, *texts] if self.original else texts) or [query]
                for query, texts in zip(asked, given, strict=True)
            ]
        )

    def __repr__(self) -> str:
        rest = "" if self.original else ", original=False"
        if self.path is not None:
            return f"GivenQueries.read({str(self.path)!r}{rest})"
        if self.column is not None:
            return f"GivenQueries(column={self.column!r}{rest})"
        return f"GivenQueries({self.written!r}{rest})"


def _entry(line: str, path: Path, number: int) -> tuple[str, list[str]]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise DataError(f"no JSON ({error})", expected="{...}", path=path, line=number) from error
    name = entry.get("id") if isinstance(entry, dict) else None
    texts = entry.get("queries") if isinstance(entry, dict) else None
    right = isinstance(name, str) and isinstance(texts, list)
    if not right or not all(isinstance(text, str) for text in texts or ()):
        raise DataError(
            f"{line.strip()[:60]!r}",
            expected='{"id": "q1", "queries": ["...", "..."]}',
            path=path,
            line=number,
        )
    return str(name), list(texts or ())


def distinct_texts(texts: Iterable[str]) -> list[str]:
    """Texts that are not empty, the first of those that differ only in case and spaces.

    >>> distinct_texts(["Wing lift", "", "wing  lift", "drag"])
    ['Wing lift', 'drag']
    """
    kept: dict[str, str] = {}
    for text in texts:
        words = text.split()
        if words:
            kept.setdefault(" ".join(words).casefold(), text)
    return list(kept.values())


def lists_of_column(queries: Queries, name: str) -> list[Sequence[str]]:
    """A column of lists of strings, a list a query; none where the value is missing.

    Raises
    ------
    DataError : there is no such column, or it holds something else.
    """
    column: Any = queries.column(name)
    kind = column.type
    if not (_is_list(kind) and _is_string(kind.value_type)):
        raise DataError(f"column {name!r} of type {kind}", expected="lists of strings")
    return [[text for text in texts or () if text] for texts in column.to_pylist()]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_string(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    )
