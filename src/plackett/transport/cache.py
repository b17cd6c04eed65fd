"""Answers kept by content: asked again, a question is not paid for again.

One SQLite file holds JSON answers under a key that is a digest of all that determines the answer.
Each answer is committed when it arrives, so that a run that was killed goes on where it stopped.
Several processes may use one file at once.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from plackett.errors import ConfigurationError, CorruptFileError, DataError, PlackettError
from plackett.transport.cache_file import open_file

__all__ = ["AnswerCache", "CacheGroup", "CachedAnswer", "MissingAnswerError", "content_key"]


class MissingAnswerError(PlackettError, LookupError):
    """An answer is not in the cache, and nothing else may be asked."""


class CachedAnswer(NamedTuple):
    """One answer of a cache: its key, what was asked of which model, the answer, and its date in
    seconds since 1970."""

    key: str
    kind: str
    model: str
    answer: dict[str, Any]
    made: float


class CacheGroup(NamedTuple):
    """The answers of one kind and model: how many, how many bytes, the oldest and the newest."""

    kind: str
    model: str
    answers: int
    size: int
    oldest: float
    newest: float


def content_key(content: Mapping[str, Any]) -> str:
    """The SHA-256 digest of JSON content, whatever the order of its keys.

    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """JSON answers by key, in a file or in memory.

    Parameters
    ----------
    path : the SQLite file, made where absent; None keeps the answers in memory.
    offline : whether only what is kept may be had: those who ask raise `MissingAnswerError` where
        an answer is absent, instead of asking a model.

    Raises
    ------
    CorruptFileError : the file is no cache, cut short, or of another version.
    DataError : the file cannot be opened, or is absent and `offline` is on.

    >>> cache = AnswerCache()
    >>> cache.put("k", {"text": "yes"}, kind="generate", model="a model")
    >>> cache.get("k"), cache.get("other")
    ({'text': 'yes'}, None)
    >>> [(group.kind, group.model, group.answers) for group in cache.stats()]
    [('generate', 'a model', 1)]
    """

    def __init__(self, path: str | Path | None = None, *, offline: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self.offline = offline
        self._forget()
        if self.path is not None:
            if offline and not self.path.exists():
                raise DataError(
                    "no cache of answers",
                    expected="the file of an earlier run, as offline is on",
                    remedy="run once with offline off",
                    path=self.path,
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
        self._base = open_file(self.path)

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer under `key`, or None.

        Raises
        ------
        CorruptFileError : the answer was altered, or the file is damaged.
        """
        with self._open() as base:
            query = "select answer, checksum from answers where key = ?"
            row = base.execute(query, (key,)).fetchone()
        if row is None:
            return None
        answer = _content(*row)
        if answer is None:
            raise CorruptFileError(
                f"a damaged answer under {key}",
                expected="the answer that was kept",
                remedy="`plackett cache verify --drop` removes what is damaged",
                path=self.path,
            )
        return answer

    def put(self, key: str, answer: Mapping[str, Any], *, kind: str, model: str = "") -> None:
        """Keep an answer to a question of this kind to this model; a kill does not lose it."""
        text = json.dumps(answer, ensure_ascii=True)
        row = (key, kind, model, text, zlib.crc32(text.encode()), time.time())
        with self._open() as base:
            base.execute("insert or replace into answers values (?, ?, ?, ?, ?, ?)", row)

    def stats(self) -> list[CacheGroup]:
        """What is kept, by kind and model, the largest first."""
        with self._open() as base:
            rows = base.execute(
                "select kind, model, count(*), sum(length(answer)), min(made), max(made) "
                "from answers group by kind, model order by 4 desc, kind, model"
            ).fetchall()
        return [CacheGroup(*row) for row in rows]

    def answers(self) -> Iterator[CachedAnswer]:
        """All that is kept and sound, the oldest first; what is kept meanwhile may be left out."""
        after: tuple[float, str] = (float("-inf"), "")
        while True:
            with self._open() as base:
                rows = base.execute(
                    "select key, kind, model, answer, checksum, made from answers "
                    "where (made, key) > (?, ?) order by made, key limit 1000",
                    after,
                ).fetchall()
            if not rows:
                return
            for key, kind, model, text, checksum, made in rows:
                answer = _content(text, checksum)
                if answer is not None:
                    yield CachedAnswer(key, kind, model, answer, made)
            after = (rows[-1][-1], rows[-1][0])

    def prune(self, *, older_than: float | None = None, largest_size: int | None = None) -> int:
        """Remove the oldest answers, and give the room back.

        Parameters
        ----------
        older_than : remove what is older than so many seconds.
        largest_size : remove the oldest until the answers have at most so many bytes together.

        Returns
        -------
        How many were removed.

        Raises
        ------
        ConfigurationError : a negative number.
        """
        for name, value in (("older_than", older_than), ("largest_size", largest_size)):
            if value is not None and not value >= 0:
                raise ConfigurationError(f"{name} = {value!r}; expected 0 or more.")
        removed = 0
        with self._open() as base:
            if older_than is not None:
                query = "delete from answers where made < ?"
                removed += base.execute(query, (time.time() - older_than,)).rowcount
            if largest_size is not None:
                query = (
                    "delete from answers where key in (select key from (select key, "
                    "sum(length(answer)) over (order by made desc, key) as total from answers) "
                    "where total > ?)"
                )
                removed += base.execute(query, (largest_size,)).rowcount
            base.execute("vacuum")
            base.execute("pragma wal_checkpoint(truncate)")
        return removed

    def verify(self, *, drop: bool = False) -> list[str]:
        """The keys of all answers that are damaged; `drop` removes them.

        Raises
        ------
        CorruptFileError : the file itself is damaged.
        """
        with self._open() as base:
            found = base.execute("pragma integrity_check").fetchall()
            if found != [("ok",)]:
                raise CorruptFileError(
                    f"a damaged file ({found[0][0]})",
                    expected="a whole SQLite file",
                    remedy="restore a copy of it, or start a new file",
                    path=self.path,
                )
            rows = base.execute("select key, answer, checksum from answers")
            damaged = [key for key, text, checksum in rows if _content(text, checksum) is None]
            if drop:
                base.executemany("delete from answers where key = ?", [(key,) for key in damaged])
        return damaged

    def __len__(self) -> int:
        with self._open() as base:
            return int(base.execute("select count(*) from answers").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        path = None if self.path is None else str(self.path)
        return f"AnswerCache({path!r}{', offline=True' if self.offline else ''})"

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        if self._process != os.getpid():
            # SQLite's connections must not cross a fork, nor be closed on this side of it.
            self._inherited = self._base
            self._forget()
            if self.path is not None:
                self._base = open_file(self.path)
        with self._lock:
            try:
                yield self._base
            except sqlite3.ProgrammingError as error:
                raise DataError(f"a cache that is closed ({error})", path=self.path) from error
            except sqlite3.OperationalError as error:
                raise DataError(
                    f"a cache of answers that cannot be used ({error})",
                    expected="a file that can be read and written",
                    path=self.path,
                ) from error
            except sqlite3.DatabaseError as error:
                raise CorruptFileError(
                    f"a damaged cache of answers ({error})",
                    expected="a whole SQLite file",
                    remedy="restore a copy of it, or start a new file",
                    path=self.path,
                ) from error


def _content(text: object, checksum: object) -> dict[str, Any] | None:
    """The answer that was kept, or None where it was altered."""
    if not isinstance(text, str) or zlib.crc32(text.encode("utf-8", "surrogatepass")) != checksum:
        return None
    content = json.loads(text)
    return content if isinstance(content, dict) else None
