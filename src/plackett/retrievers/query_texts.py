"""What of a query a retriever reads."""

from __future__ import annotations

from plackett.data.texts import Queries
from plackett.errors import DataError

__all__ = ["main_texts"]


def main_texts(queries: Queries) -> list[str]:
    """The text of every query: the field "text", or else the first text field.

    Raises
    ------
    DataError : the queries have no text, or are no `Queries`.

    >>> main_texts(Queries.from_texts({"q1": "wing lift"}))
    ['wing lift']
    """
    if not hasattr(queries, "fields"):
        raise DataError(
            f"queries of type {type(queries).__name__}",
            expected="Queries",
            remedy='make them by Queries.from_texts({"q1": "a text"})',
        )
    if not queries.fields:
        raise DataError("queries without a text", expected='a field "text"')
    field = "text" if "text" in queries.fields else queries.fields[0]
    return [text or "" for text in queries.column(field).to_pylist()]
