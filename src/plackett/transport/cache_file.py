"""The SQLite file of a cache: made, recognised, and refused where it is something else."""

from __future__ import annotations

import sqlite3
import struct
import time
from pathlib import Path

from plackett.errors import CorruptFileError, DataError

__all__ = ["FORMAT_VERSION", "open_file"]

FORMAT_VERSION = 1
APPLICATION = 0x504C414B
"""What SQLite's header says the file is: "PLAK"."""

PATIENCE = 60.0
"""Seconds to wait for another process that writes."""

_SCHEMA = """
create table if not exists answers (
    key text primary key, kind text not null, model text not null,
    answer text not null, checksum integer not null, made real not null
) without rowid
"""


def open_file(path: Path | None) -> sqlite3.Connection:
    """A connection to the cache of this path, made where absent; None is one in memory.

    Raises
    ------
    CorruptFileError : the file is something else, cut short, or of another version.
    DataError : it cannot be opened or made.
    """
    if path is not None:
        _check_length(path)
    try:
        base = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from error
    try:
        _prepare(base, path)
    except sqlite3.OperationalError as error:
        base.close()
        raise _unusable(path, error) from error
    except sqlite3.DatabaseError as error:
        base.close()
        raise CorruptFileError(
            f"no cache of answers ({error})", expected="an SQLite file", path=path
        ) from error
    except CorruptFileError:
        base.close()
        raise
    return base


def _prepare(base: sqlite3.Connection, path: Path | None) -> None:
    # One transaction: another process may be making the file between two looks at it.
    base.execute("begin")
    application = base.execute("pragma application_id").fetchone()[0]
    version = base.execute("pragma user_version").fetchone()[0]
    tables = base.execute("select count(*) from sqlite_master").fetchone()[0]
    base.execute("commit")
    if application != APPLICATION and (application or version or tables):
        raise CorruptFileError(
            "an SQLite file of another program",
            expected="a cache of answers",
            remedy="give cache= a path of its own",
            path=path,
        )
    if application == APPLICATION and version != FORMAT_VERSION:
        raise CorruptFileError(
            f"a cache of format {version}",
            expected=f"format {FORMAT_VERSION}",
            remedy="use the plackett that wrote it, or start a new file",
            path=path,
        )
    _turn_on_log(base)
    base.execute("pragma synchronous=normal")
    if application != APPLICATION:
        # Two processes may be here at once: either makes the whole file or finds it made.
        base.execute("begin immediate")
        base.execute(_SCHEMA)
        base.execute(f"pragma application_id={APPLICATION}")
        base.execute(f"pragma user_version={FORMAT_VERSION}")
        base.execute("commit")


def _turn_on_log(base: sqlite3.Connection) -> None:
    """Write-ahead logging; to switch it on, SQLite does not wait for other processes by itself."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            base.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _check_length(path: Path) -> None:
    """Refuse a file that is shorter than its own header says.

    SQLite would notice when it reads what is absent, which may be an hour into a run.
    """
    if not path.is_file():
        return
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return
    with path.open("rb") as file:
        header = file.read(100)
    size = path.stat().st_size
    if not header.startswith(b"SQLite format 3\0"):
        if size:
            raise CorruptFileError(
                "no cache of answers (the file is something else)",
                expected="an SQLite file",
                remedy="give cache= a path of its own",
                path=path,
            )
        return
    if len(header) == 100:
        page = struct.unpack(">H", header[16:18])[0]
        pages = struct.unpack(">I", header[28:32])[0]
        if size >= (65536 if page == 1 else page) * pages:
            return
    raise CorruptFileError(
        f"a cache of answers cut short at {size:,} bytes",
        expected="the whole file",
        remedy="restore it, or start a new one",
        path=path,
    )


def _unusable(path: Path | None, error: sqlite3.OperationalError) -> DataError:
    return DataError(
        f"a cache of answers that cannot be opened ({error})",
        expected="a file that can be read and written",
        path=path,
    )
