"""Windows over a list: which there are, which may be looked at together, and applying them.

A pass of windows from the back of a list to its front underlies the sliding window of the listwise
re-rankers, where a window is put in order, and bubble sort, where its best document is moved to the
front. Windows that do not overlap do not depend on each other; so the second pass over a list can
follow the first at a distance of one window, in the same rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from plackett.rerankers.listwise.rounds import Group, Plan

__all__ = ["Window", "apply_windows", "back_to_front", "waves"]

Window: TypeAlias = tuple[int, int]
"""Places of a list, from the first to before the second."""

Reading = TypeVar("Reading")


def back_to_front(n: int, window: int, stride: int, *, first: int = 0) -> list[Window]:
    """The windows of one pass over the places `first` to n - 1, the last places first.

    The window nearest to the front begins at `first`, however n, `window` and `stride` fit; so
    there are 1 + ceil((n - first - window) / stride) of them, or 1 where all fits into one.

    >>> back_to_front(35, window=20, stride=10)
    [(15, 35), (5, 25), (0, 15)]
    >>> back_to_front(12, window=20, stride=10)
    [(0, 12)]
    """
    end = n
    windows = [(max(first, end - window), end)]
    while windows[-1][0] > first:
        end -= stride
        windows.append((max(first, end - window), end))
    return windows


def waves(windows: Sequence[Window]) -> list[list[int]]:
    """Indices of windows in rounds: one after the other would give the same result.

    A window is in the round after the last of those before it that share a place with it.

    >>> waves([(4, 8), (2, 6), (0, 4), (4, 8), (2, 6)])
    [[0], [1], [2, 3], [4]]
    """
    size = max((end for _, end in windows), default=0)
    last_round = [-1] * size
    rounds: list[list[int]] = []
    for index, (start, end) in enumerate(windows):
        mine = 1 + max(last_round[start:end], default=-1)
        if mine == len(rounds):
            rounds.append([])
        rounds[mine].append(index)
        last_round[start:end] = [mine] * (end - start)
    return rounds


def apply_windows(
    order: Sequence[int],
    windows: Sequence[Window],
    arrange: Callable[[Group, Reading], Sequence[int]],
) -> Plan[Group, Reading, list[int]]:
    """Rearrange the documents of one window after the other; the whole order in the end.

    Parameters
    ----------
    order : of documents, before.
    windows : places of it; each window is one question about the documents there.
    arrange : the documents of a window, rearranged, from them and what was answered.

    >>> plan = apply_windows([3, 1, 2, 0], [(2, 4), (1, 3), (0, 2)], lambda _, answer: answer)
    >>> next(plan)
    [(2, 0)]
    >>> plan.send([(0, 2)]), plan.send([(0, 1)])
    ([(1, 0)], [(3, 0)])
    >>> try:
    ...     plan.send([(0, 3)])
    ... except StopIteration as done:
    ...     print(done.value)
    [0, 3, 1, 2]
    """
    current = list(order)
    for wave in waves(windows):
        places = [windows[index] for index in wave]
        groups = [tuple(current[start:end]) for start, end in places]
        readings = yield groups
        for (start, end), group, reading in zip(places, groups, readings, strict=True):
            current[start:end] = arrange(group, reading)
    return current
