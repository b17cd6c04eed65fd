"""What a full disk does to an index that is being written: one clear error, and nothing is lost."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["full_disk_told"]

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def full_disk_told(folder: Path) -> Iterator[None]:
    """Say what happened, and that the index stands, where a write inside finds no room.

    Raises
    ------
    OSError : of the same number, with the folder and what to do in its message.

    >>> with full_disk_told(Path("index")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] no room for the index; free some and repeat: what was there is ...: 'index'
    """
    try:
        yield
    except OSError as error:
        # What numpy raises for an array that is written in part has no number.
        cut = error.errno is None and "requested and" in str(error)
        if not cut and error.errno not in FULL:
            raise
        raise OSError(
            error.errno or errno.ENOSPC,
            "no room for the index; free some and repeat: what was there is as it was",
            str(folder),
        ) from error
