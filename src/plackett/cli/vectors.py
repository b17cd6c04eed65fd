"""What the commands over indexes of vectors share: opening them, and filters as texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from plackett.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    import pyarrow as pa

    from plackett.retrievers import LiveBM25
    from plackett.retrievers.segments.base import SegmentedRetriever

__all__ = ["columns_of", "open_changing", "open_vectors", "parse_where"]


def open_vectors(folder: Path, encoder: str | None = None) -> SegmentedRetriever[Any]:
    """The index of vectors in a folder, with the encoder of a description where one is given.

    Raises
    ------
    ConfigurationError : the index has no vectors.
    """
    from plackett.retrievers import BM25
    from plackett.retrievers.descriptions import described_encoder
    from plackett.retrievers.opening import index_kind, vector_retriever

    kind = index_kind(folder)
    if kind == "bm25":
        BM25.open(folder)  # where there is no index at all, that is what to say
        raise ConfigurationError(
            f"{folder} is an index of kind 'bm25', whose documents are not changed one by one: "
            "make it anew with plackett index, where the old one stays in use until the new one is "
            "whole, or make one that lives with --kind live-bm25."
        )
    retriever = vector_retriever(kind)
    made = None if encoder is None else described_encoder(encoder, retriever.vectors.name)
    return retriever.open(folder, encoder=made)


def open_changing(folder: Path, encoder: str | None = None) -> SegmentedRetriever[Any] | LiveBM25:
    """An index whose documents change: of vectors, or a living BM25.

    Raises
    ------
    ConfigurationError : the index is another, or an encoder is given for words.
    """
    from plackett.retrievers import LiveBM25
    from plackett.retrievers.living.live_facts import KIND
    from plackett.retrievers.opening import index_kind

    if index_kind(folder) != KIND:
        return open_vectors(folder, encoder)
    if encoder is not None:
        raise ConfigurationError(f"--encoder is for an index of vectors; {folder} has words.")
    return LiveBM25.open(folder)


def columns_of(index: SegmentedRetriever[Any] | LiveBM25) -> dict[str, pa.DataType]:
    """The columns that an index can be filtered by, and their types."""
    return {
        field.name: field.type for segment in index.segments for field in segment.metadata.schema
    }


def parse_where(settings: list[str], columns: dict[str, pa.DataType]) -> dict[str, Any]:
    """Filters as `search(where=...)` takes them.

    `year=1990` is a value, `language=en|de` one of several, `year=1990..2000` from one to the
    other, and `year=1990..` has an open end. Values are read as the column's type.

    Raises
    ------
    ConfigurationError : no such form, no value of the column's type, or a column twice.
    UnknownNameError : the index has no such column.

    >>> import pyarrow as pa
    >>> columns = {"year": pa.int64(), "language": pa.string()}
    >>> parse_where(["year=1990..", "language=en|de"], columns)
    {'year': (1990, None), 'language': ['en', 'de']}
    """
    where: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not name or not value:
            raise ConfigurationError(
                f"cannot read the filter {setting!r}; write column=value, column=a|b or "
                "column=low..high."
            )
        if name in where:
            raise ConfigurationError(f"{name!r} is filtered twice; leave one out.")
        if name not in columns:
            raise UnknownNameError("column", name, columns)
        where[name] = _wanted(name, value, columns[name])
    return where


def _wanted(name: str, value: str, kind: pa.DataType) -> Any:
    low, range_mark, high = value.partition("..")
    if range_mark:
        return tuple(
            _value(name, end.strip(), kind) if end.strip() else None for end in (low, high)
        )
    if "|" in value:
        return [_value(name, part.strip(), kind) for part in value.split("|")]
    return _value(name, value, kind)


def _value(name: str, text: str, kind: pa.DataType) -> Any:
    """A text as a value of the column."""
    import pyarrow as pa

    try:
        return pa.scalar(text, pa.string()).cast(kind).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigurationError(f"{name!r} is a column of {kind}; {text!r} is none.") from error
