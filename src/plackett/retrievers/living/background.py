"""Merging in the background, while the index is read and changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.inverted.arrays import open_array
from plackett.retrievers.living.live_editing import merged_segment
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.living.merge_policy import MergePolicy
from plackett.retrievers.segments.aside import Aside
from plackett.retrievers.segments.store import (
    Change,
    IndexBusyError,
    IndexManifest,
    SegmentEntry,
    changing,
    open_as_it_is,
)
from plackett.retrievers.segments.writing import mark_deleted

__all__ = ["BackgroundMerging"]

TURN = 0.1  # seconds to wait for a change of others, before looking whether to stop


class _GivenUpError(Exception):
    """The merge is to be given up."""


class BackgroundMerging:
    """Merges neighbouring segments of a living index in a thread, when it is woken.

    The index is locked while a merge begins and while it ends, some milliseconds each. What is
    added meanwhile comes behind the merged segment; what is deleted meanwhile is deleted in it.
    Every ranking stays what it was. A process that is killed leaves the index as it was, or merged.

    Parameters
    ----------
    folder : of the index.
    analyzer : of the index.
    policy : which segments are merged, and when.
    batch_rows : how many documents are read at a time.
    memory : for the postings that are inverted at a time, in bytes or as "500MB".

    Raises
    ------
    ConfigurationError : the system has no file locks of POSIX.
    """

    def __init__(
        self,
        folder: Path,
        analyzer: TextAnalyzer,
        policy: MergePolicy,
        *,
        batch_rows: int,
        memory: int | str,
    ) -> None:
        if os.name != "posix":  # pragma: no cover
            raise ConfigurationError("merging in the background needs a system of POSIX; merge().")
        self.folder, self.analyzer, self.policy = folder, analyzer, policy
        self._batch_rows, self._memory = batch_rows, memory
        self._stop = Event()
        self._jobs: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="plackett-merge")

    def wake(self) -> None:
        """Look what is to be merged, now or when the merge under way has ended; once it is closed,
        do nothing."""
        if self._stop.is_set():
            return
        # One under way and one that waits: that one sees all that has been committed until now.
        if sum(not job.done() for job in self._jobs) < 2:
            self._jobs.append(self._pool.submit(self._work))

    def tell(self) -> None:
        """Raise the error of a merge that failed, once; the next `wake` tries again."""
        done = [job for job in self._jobs if job.done()]
        self._jobs = [job for job in self._jobs if job not in done]
        for job in done:
            if not job.cancelled():
                job.result()

    def wait(self) -> None:
        """Wait until nothing is left to merge; raises the error of a merge that failed."""
        self.wake()
        for job in tuple(self._jobs):
            if not job.cancelled():
                job.exception()
        self.tell()

    def close(self, *, finish: bool = True) -> None:
        """End the thread.

        Parameters
        ----------
        finish : wait for the merge under way; else it is given up, and leaves nothing.

        Raises
        ------
        Exception : the error of a merge that failed.
        """
        if not finish:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stop.set()
        self.tell()

    def _work(self) -> None:
        """Merge until nothing is left to merge."""
        try:
            while self._merge_once():
                pass
        except _GivenUpError:
            return

    def _merge_once(self) -> bool:
        """Merge some neighbours; whether there may be more to do."""
        if open_as_it_is(self.folder, self._chosen) is None:
            return False
        begun = self._begun()
        if begun is None:
            return False
        room, sources = begun
        with closing(room):
            entry = merged_segment(
                room, sources, self.analyzer, self._batch_rows, self._memory, self._go_on
            )
            if entry is not None:
                self._commit(room, sources, entry)
        return entry is not None

    def _go_on(self, done: int, total: int | None) -> None:
        if self._stop.is_set():
            raise _GivenUpError

    def _chosen(self, manifest: IndexManifest) -> range | None:
        entries = manifest.segments
        left = [int(entry.facts.get("left", entry.documents)) for entry in entries]
        return self.policy.choose([entry.documents for entry in entries], left)

    def _begun(self) -> tuple[Aside, list[LiveSegment]] | None:
        """Room for a merge and the segments to merge; None where there is nothing to do."""
        while True:
            self._go_on(0, None)
            try:
                with changing(self.folder, create=False, wait=TURN) as change:
                    return self._begin(change)
            except IndexBusyError:
                continue

    def _begin(self, change: Change) -> tuple[Aside, list[LiveSegment]] | None:
        chosen = None if change.before is None else self._chosen(change.before)
        if change.before is None or chosen is None:
            return None
        entries = change.before.segments[chosen.start : chosen.stop]
        sources = [LiveSegment(self.folder, entry, self.analyzer) for entry in entries]
        room = Aside.begin(change)
        return None if room is None else (room, sources)

    def _commit(self, room: Aside, sources: list[LiveSegment], entry: SegmentEntry) -> None:
        """Put the merged segment into the index, unless its sources are no longer there."""
        while True:
            self._go_on(0, None)
            try:
                with changing(self.folder, create=False, wait=TURN) as change:
                    _replace(change, room, sources, entry)
                return
            except IndexBusyError:
                continue


def _replace(
    change: Change, room: Aside, sources: Sequence[LiveSegment], entry: SegmentEntry
) -> None:
    """Commit the merged segment in place of its sources, with what was deleted meanwhile.

    Where a source is no longer there, somebody else has merged it, or deleted all of it; the merge
    then comes to nothing. So some document of each source is left.
    """
    manifest = change.before
    now = {} if manifest is None else {known.name: known for known in manifest.segments}
    if manifest is None or any(source.entry.name not in now for source in sources):
        return
    lost = np.concatenate(
        [_deleted(room.index, now[source.entry.name])[source.live_rows] for source in sources]
    )
    room.adopt(entry)
    if lost.any():
        entry = mark_deleted(room.index, entry, lost, "deleted-merge.npy")
    names = {source.entry.name for source in sources}
    first = next(i for i, known in enumerate(manifest.segments) if known.name in names)
    rest = [known for known in manifest.segments if known.name not in names]
    kept = (*rest[:first], entry, *rest[first:])
    change.commit(IndexManifest(manifest.kind, manifest.facts, kept))


def _deleted(index: Path, entry: SegmentEntry) -> npt.NDArray[np.bool_]:
    """Which documents of a segment are deleted, by its entry."""
    name = entry.facts.get("deleted")
    if name is None:
        return np.zeros(entry.documents, dtype=np.bool_)
    return np.asarray(open_array(index / entry.name / str(name), np.bool_, (entry.documents,)))
