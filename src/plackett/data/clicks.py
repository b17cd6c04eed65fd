"""What users saw and clicked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.coding import frozen
from plackett.data.formats.arrow_files import read_parquet, write_parquet
from plackett.data.formats.files import decompressed_suffix, line_blocks, numbered_lines
from plackett.data.formats.frames import encode_values
from plackett.data.formats.jsonl import json_object, write_json_lines
from plackett.data.ids import Ids
from plackett.data.ragged import lengths_to_offsets, positions_within, segment_of_rows
from plackett.errors import DataError, UnknownNameError

__all__ = ["ClickLog"]

_LISTS = ("documents", "clicks", "positions", "dwell", "propensities")
_NEEDED = ("query", "documents", "clicks")
_KEYS = frozenset(("session", "query", *_LISTS))

Place = Callable[[int], dict[str, Any]]


class ClickLog:
    """Sessions, each one list of results shown for a query, and what was clicked.

    Attributes
    ----------
    query_ids, document_ids : the ids behind the codes.
    session_ids : `[s]` strings, one a session; a user's session with two queries may occur twice.
    query : `int32[s]`, the query of every session.
    offsets : `int64[s + 1]`; what session i showed lies in `offsets[i]:offsets[i + 1]`.
    document : `int32[n]`, the documents shown.
    position : `int32[n]`, where they were shown, from 1.
    click : `bool[n]`.
    dwell : `float32[n]`, seconds spent on the document, or None.
    propensity : `float32[n]` in (0, 1], the probability that the position was examined (or the
        document shown there), or None.

    >>> log = ClickLog.from_sessions(
    ...     [{"query": "q1", "documents": ["a", "b"], "clicks": [0, 1]}]
    ... )
    >>> len(log), log.click.tolist(), log.position.tolist()
    (1, [False, True], [1, 2])
    """

    __slots__ = (
        "click",
        "document",
        "document_ids",
        "dwell",
        "offsets",
        "position",
        "propensity",
        "query",
        "query_ids",
        "session_ids",
    )

    def __init__(
        self,
        session_ids: pa.Array,
        query_ids: Ids,
        query: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        document_ids: Ids,
        document: npt.NDArray[np.int32],
        position: npt.NDArray[np.int32],
        click: npt.NDArray[np.bool_],
        *,
        dwell: npt.NDArray[np.float32] | None = None,
        propensity: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Wrap arrays that are right already; `ClickLog.from_sessions` checks."""
        self.session_ids, self.query_ids, self.document_ids = session_ids, query_ids, document_ids
        self.query, self.offsets, self.document = frozen(query), frozen(offsets), frozen(document)
        self.position, self.click = frozen(position), frozen(click)
        self.dwell = None if dwell is None else frozen(dwell)
        self.propensity = None if propensity is None else frozen(propensity)

    @classmethod
    def from_sessions(cls, sessions: Iterable[Mapping[str, Any]]) -> ClickLog:
        """From one mapping a session.

        Keys are "query", "documents", "clicks" (0 or 1 a document), and where known "session",
        "positions" (1, 2, ... by default), "dwell" (seconds), "propensities"; the last three in all
        sessions or in none.

        Raises
        ------
        DataError : with the session, where something is missing or is not what it must be.
        """
        return _from_sessions(cls, list(sessions), lambda number: {"where": f"session {number}"})

    @classmethod
    def read(cls, path: str | Path) -> ClickLog:
        """Read JSON lines, one session a line, or Parquet with the same keys as columns.

        Raises
        ------
        DataError : with file and line, or file and session.
        """
        source = Path(path)
        suffix = _known_suffix(source)
        if suffix == ".parquet":
            table = read_parquet(source)
            return _from_sessions(
                cls,
                table.to_pylist(),
                lambda number: {"path": source, "where": f"session {number}"},
            )
        sessions, lines = [], []
        for block in line_blocks(source):
            for line, raw in numbered_lines(block.data, block.line):
                sessions.append(json_object(raw, source, line))
                lines.append(line)
        return _from_sessions(
            cls, sessions, lambda number: {"path": source, "line": lines[number], "where": ""}
        )

    def write(self, path: str | Path) -> None:
        """Write JSON lines or Parquet by the suffix, atomically."""
        target = Path(path)
        write = write_parquet if _known_suffix(target) == ".parquet" else write_json_lines
        write(target, self.to_arrow())

    def to_arrow(self) -> pa.Table:
        """A table of one row a session, whose lists are columns."""
        offsets = pa.array(self.offsets)

        def lists(values: pa.Array) -> pa.Array:
            return pa.LargeListArray.from_arrays(offsets, values)

        columns = {
            "session": self.session_ids,
            "query": self.query_ids.strings(self.query),
            "documents": lists(self.document_ids.strings(self.document)),
            "clicks": lists(pa.array(self.click.astype(np.int8))),
            "positions": lists(pa.array(self.position)),
        }
        if self.dwell is not None:
            columns["dwell"] = lists(pa.array(self.dwell))
        if self.propensity is not None:
            columns["propensities"] = lists(pa.array(self.propensity))
        return pa.table(columns)

    def describe(self) -> dict[str, Any]:
        """Counts, and the click-through rate of every position.

        >>> log = ClickLog.from_sessions([{"query": "q", "documents": ["a"], "clicks": [1]}])
        >>> log.describe()["click-through rate by position"]
        {1: 1.0}
        """
        shown = np.bincount(self.position)
        clicked = np.bincount(self.position, weights=self.click, minlength=len(shown))
        clicks_a_session = np.bincount(
            segment_of_rows(self.offsets), weights=self.click, minlength=len(self)
        )
        return {
            "sessions": len(self),
            "queries": len(np.unique(self.query)),
            "documents": len(np.unique(self.document)),
            "impressions": len(self.document),
            "clicks": int(self.click.sum()),
            "sessions without a click": int((clicks_a_session == 0).sum()),
            "click-through rate by position": {
                int(p): float(clicked[p] / shown[p]) for p in np.flatnonzero(shown)
            },
        }

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        return (
            f"ClickLog({len(self)} sessions, {len(self.document)} impressions, "
            f"{int(self.click.sum())} clicks)"
        )


def _known_suffix(path: Path) -> str:
    suffix = decompressed_suffix(path)
    if suffix not in (".jsonl", ".parquet"):
        raise UnknownNameError("suffix of a click log", suffix, (".jsonl", ".parquet"))
    return suffix


def _error(found: str, expected: str, place: dict[str, Any]) -> DataError:
    inside = f" in {place['where']}" if place.get("where") else ""
    return DataError(
        found + inside, expected=expected, path=place.get("path"), line=place.get("line")
    )


def _from_sessions(
    cls: type[ClickLog], sessions: Sequence[Mapping[str, Any]], place: Place
) -> ClickLog:
    optional = [
        key for key in _LISTS[2:] if any(session.get(key) is not None for session in sessions)
    ]
    for number, session in enumerate(sessions):
        _check_keys(session, optional, place(number))
    lengths = [len(session["documents"]) for session in sessions]
    offsets = lengths_to_offsets(lengths)
    flat = {
        key: [value for session in sessions for value in session[key]]
        for key in ("documents", "clicks", *optional)
    }

    def at(row: int) -> dict[str, Any]:
        return place(int(np.searchsorted(offsets, row, side="right")) - 1)

    click = _numbers(flat["clicks"], "click", "0 or 1", lambda v: (v == 0) | (v == 1), at)
    position = positions_within(offsets) + 1
    if "positions" in optional:
        position = _numbers(
            flat["positions"],
            "position",
            "a whole number from 1",
            lambda v: (v >= 1) & (v == np.trunc(v)) & (v < 1 << 31),
            at,
        ).astype(np.int64)
        _check_distinct(position, offsets, at)
    dwell = propensity = None
    if "dwell" in optional:
        dwell = _numbers(
            flat["dwell"], "dwell", "seconds, 0 or more", lambda v: (v >= 0) & np.isfinite(v), at
        ).astype(np.float32)
    if "propensities" in optional:
        propensity = _numbers(
            flat["propensities"],
            "propensity",
            "a probability above 0, at most 1",
            lambda v: (v > 0) & (v <= 1),
            at,
        ).astype(np.float32)
    names = [str(session.get("session", number)) for number, session in enumerate(sessions)]
    query_ids, query = encode_values([session["query"] for session in sessions], "query id")
    document_ids, document = encode_values(flat["documents"], "document id")
    return cls(
        pa.array(names, pa.string()),
        query_ids,
        query,
        offsets,
        document_ids,
        document,
        position.astype(np.int32),
        click.astype(bool),
        dwell=dwell,
        propensity=propensity,
    )


def _check_keys(session: Mapping[str, Any], optional: list[str], place: dict[str, Any]) -> None:
    """Keys that are there, lists of equal length, ids that are ids."""
    for key in session:
        if key not in _KEYS:
            raise _error(f"key {key!r}", f"keys {', '.join(sorted(_KEYS))}", place)
    for key in (*_NEEDED, *optional):
        if session.get(key) is None:
            raise _error(f"no {key!r}", f"keys {', '.join((*_NEEDED, *optional))}", place)
    if isinstance(session["query"], bool) or not isinstance(session["query"], str | int):
        raise _error(f"query {session['query']!r}", "a string or an integer", place)
    for key in ("documents", "clicks", *optional):
        values = session[key]
        if isinstance(values, str) or not hasattr(values, "__len__"):
            raise _error(f"{key} {values!r}", "a list", place)
        if len(values) != len(session["documents"]):
            raise _error(
                f"{len(values)} {key} for {len(session['documents'])} documents",
                "one a document",
                place,
            )
    for document in session["documents"]:
        if isinstance(document, bool) or not isinstance(document, str | int | np.integer):
            raise _error(f"document {document!r}", "a string or an integer", place)


def _numbers(
    values: list[Any],
    what: str,
    expected: str,
    good: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]],
    at: Place,
) -> npt.NDArray[np.float64]:
    for row, value in enumerate(values):
        if not isinstance(value, int | float | np.generic):
            raise _error(f"{what} {value!r}", expected, at(row))
    array = np.asarray(values, dtype=np.float64)
    right = good(array)
    if not right.all():
        row = int(np.argmin(right))
        raise _error(f"{what} {values[row]!r}", expected, at(row))
    return array


def _check_distinct(
    position: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], at: Place
) -> None:
    """No two documents at one position of a session."""
    session = segment_of_rows(offsets)
    order = np.lexsort((position, session))
    again = (position[order][1:] == position[order][:-1]) & (
        session[order][1:] == session[order][:-1]
    )
    if again.any():
        row = int(order[1:][np.argmax(again)])
        raise _error(f"position {position[row]} twice", "one document a position", at(row))
