"""A segment that is written while others change the index.

Its files lie in a folder of their own, which no change sweeps away while its writer lives: the
writer holds a lock on it, which the system frees when the process ends. Only the beginning and the
end of such a work are changes of the index.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plackett.data.formats.atomic import sync_folder
from plackett.retrievers.segments.store import (
    ASIDE,
    ASIDE_LOCK,
    Change,
    SegmentEntry,
    at_work,
    entry_of,
    take_lock,
)

__all__ = ["Aside"]


class Aside:
    """Room for one new segment that outlives the change in which it was made.

    Made by `begin`; `adopt` puts the segment into the index in another change, and `close` removes
    what is left.
    """

    def __init__(self, index: Path) -> None:
        self.index = index
        self.folder = index / f"merging-{secrets.token_hex(4)}"
        self.folder.mkdir()
        self._handle = os.open(self.folder / ASIDE_LOCK, os.O_CREAT | os.O_RDWR)
        take_lock(self._handle)

    @classmethod
    def begin(cls, change: Change) -> Aside | None:
        """Room in the index that is being changed; None where another work goes on already."""
        for path in change.folder.iterdir():
            if ASIDE.fullmatch(path.name) and at_work(path):
                return None
        return cls(change.folder)

    def new_segment(self) -> Path:
        """An empty folder for the files of the segment."""
        path = self.folder / f"segment-{secrets.token_hex(4)}"
        path.mkdir()
        return path

    def entry(self, path: Path, documents: int, facts: Mapping[str, Any]) -> SegmentEntry:
        """The entry of a segment whose files are complete; they are on disk when it returns."""
        return entry_of(path, documents, facts)

    def adopt(self, entry: SegmentEntry) -> None:
        """Move the segment to where the manifest will name it; only while the index is changed."""
        os.rename(self.folder / entry.name, self.index / entry.name)
        sync_folder(self.index)

    def close(self) -> None:
        """Remove the folder, and free the lock."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._handle)
