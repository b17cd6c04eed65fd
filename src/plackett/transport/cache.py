"""Answers kept by content: asked again, a question is not paid for again.

One SQLite file holds JSON answers under a key that is a digest of all that determines the answer.
Each answer is committed when it arrives, so that a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plackett.errors import CorruptFileError

__all__ = ["AnswerCache", "content_key"]

_SCHEMA = """
create table if not exists answers (
    key text primary key, kind text not null, answer text not null, made real not null
) without rowid
"""


def content_key(content: Mapping[str, Any]) -> str:
    """The SHA-256 digest of JSON content, whatever the order of its keys.

    >>> content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class AnswerCache:
    """JSON answers by key, in a file or in memory.

    Parameters
    ----------
    path : the SQLite file, made where absent; None keeps the answers in memory.

    Raises
    ------
    CorruptFileError : the file is no cache.

    >>> cache = AnswerCache()
    >>> cache.put("k", {"text": "yes"}, kind="generate")
    >>> cache.get("k"), cache.get("other")
    ({'text': 'yes'}, None)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._lock = threading.Lock()
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._base = sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                timeout=60.0,
                isolation_level=None,
                check_same_thread=False,
            )
            self._base.execute("pragma journal_mode=wal")
            self._base.execute("pragma synchronous=normal")
            self._base.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise CorruptFileError(
                f"no cache of answers ({error})", expected="an SQLite file", path=self.path
            ) from error

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer under `key`, or None."""
        with self._lock:
            row = self._base.execute("select answer from answers where key = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def put(self, key: str, answer: Mapping[str, Any], *, kind: str) -> None:
        """Keep an answer; it is on disk when this returns."""
        text = json.dumps(answer, ensure_ascii=True)
        with self._lock:
            self._base.execute(
                "insert or replace into answers values (?, ?, ?, ?)", (key, kind, text, time.time())
            )

    def __len__(self) -> int:
        with self._lock:
            return int(self._base.execute("select count(*) from answers").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> AnswerCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
