"""A turn of a conversation as queries that can be understood without it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.pipeline.query_writing import QueryWriter, WrittenQueries
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.query_writing.given import lists_of_column

__all__ = ["HISTORY_MODES", "History", "earlier_turns"]

HISTORY_MODES = ("raw", "first", "previous", "all")
"""What of a conversation a query holds beside the turn itself."""


class History(QueryWriter):
    """Rules that put a conversation's earlier turns behind the turn that is asked.

    | mode | text |
    |---|---|
    | raw | the turn |
    | first | the turn, then the conversation's first turn |
    | previous | the turn, then the one before |
    | all | the turn, then all before it, the latest first |

    The turn stands first and older turns later, so that an encoder that cuts long texts cuts the
    oldest. Several modes write a query each, to be fused: in `History(("raw", "all")) >> bm25 %
    1000 >> Fusing("rrf", weights=(1, 0.5))`, with a weight each. With `turns`, what follows are
    the latest `turns` earlier turns as queries of their own: with weights 1, w, w^2, ... they
    count less the older they are.

    Parameters
    ----------
    modes : one or several of the above.
    column : a column of the queries: lists of strings, the earlier turns, oldest first; or the name
        of the conversation, whose turns are then the rows of that name, in order. No turn sees a
        later one.
    turns : how many earlier turns are asked by themselves too.

    Raises
    ------
    UnknownNameError : no such mode. ConfigurationError : no modes, or turns below 0.

    Dalton, J., Xiong, C. and Callan, J., 2020. TREC CAsT 2019: the conversational assistance track
    overview.

    >>> talk = [
    ...     {"id": "1", "text": "wing lift", "conversation": "c"},
    ...     {"id": "2", "text": "how is it measured", "conversation": "c"},
    ...     {"id": "3", "text": "at what cost", "conversation": "c"},
    ... ]
    >>> queries = Queries.from_records(talk, fields=["text"])
    >>> History(["all"]).write(queries).texts[2]
    'at what cost\\nhow is it measured\\nwing lift'
    """

    def __init__(
        self,
        modes: Sequence[str] = ("raw", "first", "all"),
        *,
        column: str = "conversation",
        turns: int = 0,
    ) -> None:
        self.modes = (modes,) if isinstance(modes, str) else tuple(modes)
        if not self.modes or turns < 0:
            raise ConfigurationError(
                f"modes={self.modes}, turns={turns}; expected at least one mode, turns from 0 up."
            )
        for mode in self.modes:
            if mode not in HISTORY_MODES:
                raise UnknownNameError("mode of a history", mode, HISTORY_MODES)
        self.column, self.turns = column, turns
        self.most = len(self.modes) + turns

    def write(self, queries: Queries) -> WrittenQueries:
        """A text for each mode, and those of the earlier turns that are asked by themselves.

        Raises
        ------
        DataError : the queries lack the column.
        """
        written = []
        turns = zip(main_texts(queries), earlier_turns(queries, self.column), strict=True)
        for turn, earlier in turns:
            latest = list(reversed(earlier))
            behind = {
                "raw": [],
                "first": latest[-1:],
                "previous": latest[:1],
                "all": latest,
            }
            texts = ["\n".join([turn, *behind[mode]]) for mode in self.modes]
            written.append([*texts, *latest[: self.turns]])
        return WrittenQueries.of(written)

    def __repr__(self) -> str:
        return f"History({self.modes!r}, column={self.column!r}, turns={self.turns})"


def earlier_turns(queries: Queries, column: str) -> list[list[str]]:
    """The turns before each query, oldest first.

    Parameters
    ----------
    column : see `History`.

    Raises
    ------
    DataError : the queries lack the column, or it holds neither names nor lists of strings.

    >>> rows = [{"id": "1", "text": "a", "c": "x"}, {"id": "2", "text": "b", "c": "x"}]
    >>> earlier_turns(Queries.from_records(rows, fields=["text"]), "c")
    [[], ['a']]
    """
    kind = queries.column(column).type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [list(texts) for texts in lists_of_column(queries, column)]
    if pa.types.is_floating(kind):
        raise DataError(f"column {column!r} of type {kind}", expected="names, or lists of strings")
    spoken: dict[object, list[str]] = {}
    earlier = []
    for name, turn in zip(queries.column(column).to_pylist(), main_texts(queries), strict=True):
        # A query without a conversation is one of its own.
        before = spoken.setdefault(name, []) if name is not None else []
        earlier.append(list(before))
        before.append(turn)
    return earlier
