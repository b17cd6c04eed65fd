"""Which segments of a living index are merged, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plackett.errors import ConfigurationError

__all__ = ["MergePolicy"]


@dataclass(frozen=True)
class MergePolicy:
    """Neighbours are merged when what comes of them is much larger than each of them was.

    With n the documents of a segment that are not deleted, and `least` where there are fewer,
    neighbouring segments are merged when

        sum of n >= growth * greatest n

    So the segment of a document grows by the factor `growth` whenever the document is written
    again, which it is log(N / least) / log(growth) times at most, of N in all; and of segments
    that grow one document at a time, growth - 1 of each size stay unmerged. Only neighbours are
    merged: documents keep their order, and so every ranking stays what it was, ties included.

    A segment more than `deleted` of whose documents are deleted is written anew by itself.

    Parameters
    ----------
    growth : above 1. Larger: fewer merges, and more segments to search.
    least : segments of fewer documents count as of so many, so that many small ones are merged at a
        time.
    deleted : from 0 to 1, a share.

    O'Neil, P. et al., 1996. The log-structured merge-tree (LSM-tree). Acta Informatica 33(4).

    >>> MergePolicy(growth=3, least=1).choose([90, 8, 5, 5, 6], [90, 8, 5, 5, 6])
    range(1, 5)
    >>> MergePolicy(growth=3, least=1).choose([90, 40], [90, 15])
    range(1, 2)
    """

    growth: float = 8.0
    least: int = 1_000
    deleted: float = 0.5

    def __post_init__(self) -> None:
        if not self.growth > 1:
            raise ConfigurationError(f"growth={self.growth}; expected above 1.")
        if self.least < 1:
            raise ConfigurationError(f"least={self.least}; expected 1 or more.")
        if not 0 <= self.deleted <= 1:
            raise ConfigurationError(f"deleted={self.deleted}; expected a share from 0 to 1.")

    def choose(self, documents: Sequence[int], left: Sequence[int]) -> range | None:
        """Which segments to merge next, those of the smallest first; None where all is well.

        Parameters
        ----------
        documents, left : how many each segment holds, and how many of them are not deleted.
        """
        sizes = [max(count, self.least) for count in left]
        for greatest in sorted(set(sizes)):
            for run in _runs(sizes, greatest):
                if sum(sizes[i] for i in run) >= self.growth * greatest:
                    return run
        for place, (held, live) in enumerate(zip(documents, left, strict=True)):
            if held - live > self.deleted * held:
                return range(place, place + 1)
        return None


def _runs(sizes: Sequence[int], greatest: int) -> list[range]:
    """The longest runs of neighbours of which none is above `greatest`, with one that is it."""
    runs, start = [], 0
    for end in range(len(sizes) + 1):
        if end == len(sizes) or sizes[end] > greatest:
            if end - start > 1 and max(sizes[start:end]) == greatest:
                runs.append(range(start, end))
            start = end + 1
    return runs
