"""Sorting by comparisons of two, as generators: rounds of pairs out, preferences in, an order back.

A round is a list of pairs that do not wait for each other. What compares them, a model, a table or
a person, is up to who drives the sort: `replay` drives it with a function. A preference for pair
(i, j) is from 0, j is better, to 1, i is better; 0.5 is a tie, and a tie leaves the first stage's
order, so that a comparison that never decides anything changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Literal, TypeAlias

import numpy as np

from plackett.errors import ConfigurationError
from plackett.rerankers.ranked import Ordering

__all__ = [
    "Pair",
    "PairSort",
    "SortMethod",
    "all_pairs",
    "heap_top",
    "pair_sort",
    "quick_sort",
    "replay",
    "sliding_passes",
]

Pair: TypeAlias = tuple[int, int]
PairSort: TypeAlias = Generator[list[Pair], Sequence[float], Ordering]
SortMethod = Literal["all-pairs", "heap", "sliding", "quick"]

_Sifting: TypeAlias = Generator[list[Pair], Sequence[float], None]


def pair_sort(method: SortMethod, n: int, k: int) -> PairSort:
    """The sort of this name over n items.

    Parameters
    ----------
    k : how many of the best are wanted: of "heap", which stops at the k-th, and of "sliding",
        which makes k passes; "all-pairs" and "quick" order all.

    Raises
    ------
    ConfigurationError : no such method, or k below 1.
    """
    if k < 1:
        raise ConfigurationError(f"k={k}; expected a positive integer.")
    if method == "all-pairs":
        return all_pairs(n)
    if method == "heap":
        return heap_top(n, k)
    if method == "sliding":
        return sliding_passes(n, k)
    if method == "quick":
        return quick_sort(n)
    raise ConfigurationError(f"method={method!r}; expected all-pairs, heap, sliding or quick.")


def replay(sort: PairSort, prefer: Callable[[int, int], float]) -> Ordering:
    """Drive a sort with a function of two items.

    >>> replay(quick_sort(4), lambda i, j: float(i > j)).order
    (3, 2, 1, 0)
    """
    answers: Sequence[float] | None = None
    while True:
        try:
            # The first `send` to a generator must be None.
            pairs = next(sort) if answers is None else sort.send(answers)
        except StopIteration as stop:
            ordering: Ordering = stop.value
            return ordering
        answers = [prefer(i, j) for i, j in pairs]


def all_pairs(n: int) -> PairSort:
    """Every pair, in one round: an item's score is its wins and half of its ties."""
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    answers = (yield pairs) if pairs else []
    points = np.zeros(n)
    for (i, j), preference in zip(pairs, answers, strict=True):
        points[i] += _won(preference)
        points[j] += 1.0 - _won(preference)
    return Ordering.by_scores(points, "wins")


def _won(preference: float) -> float:
    """1 for a win, 0.5 for a tie, 0 for a loss, by however much."""
    return 0.5 + 0.5 * float(np.sign(preference - 0.5))


def heap_top(n: int, k: int) -> PairSort:
    """The best k by a heap, then the others in first-stage order.

    Two comparisons a level: the left child with the parent, the right one with the better of both.
    While the heap is built, parts of one depth go on side by side; the best are then taken out one
    after the other.
    """
    heap = list(range(n))
    for depth in range(max(n // 2 + 1, 1).bit_length() - 1, -1, -1):
        row = range(2**depth - 1, min(2 ** (depth + 1) - 1, n // 2 + 1))
        yield from _together([_sift(heap, n, parent) for parent in row])
    best: list[int] = []
    for size in range(n - 1, -1, -1):
        best.append(heap[0])
        heap[0] = heap[size]
        if len(best) == min(k, n):
            break
        yield from _sift(heap, size, 0)
    rest = sorted(set(range(n)) - set(best))
    return Ordering((*best, *rest))


def _before(i: int, j: int, preference: float) -> bool:
    """Whether i stands before j: it is preferred, or a tie leaves it there."""
    return preference > 0.5 or (preference == 0.5 and i < j)


def _sift(heap: list[int], size: int, parent: int) -> _Sifting:
    """Let an item sink until none of its children stands before it."""
    while True:
        top = parent
        for child in (2 * parent + 1, 2 * parent + 2):
            if child < size:
                i, j = heap[child], heap[top]
                answer = yield [(i, j)]
                if _before(i, j, answer[0]):
                    top = child
        if top == parent:
            return
        heap[parent], heap[top] = heap[top], heap[parent]
        parent = top


def _together(parts: Sequence[_Sifting]) -> _Sifting:
    """Several generators side by side: a round is what all of them ask at once."""
    asked: list[tuple[_Sifting, list[Pair]]] = []
    for part in parts:
        first = next(part, None)
        if first is not None:
            asked.append((part, first))
    while asked:
        answers = yield [pair for _, pairs in asked for pair in pairs]
        following, place = [], 0
        for part, pairs in asked:
            mine = answers[place : place + len(pairs)]
            place += len(pairs)
            try:
                following.append((part, part.send(mine)))
            except StopIteration:
                continue
        asked = following


def sliding_passes(n: int, passes: int) -> PairSort:
    """Passes from the last item to the first, which swap neighbours where the lower one wins.

    Each pass brings the best of what is left to its place. A pass follows two steps behind the one
    before it, on pairs that this one will not touch again: k passes over n items compare
    (n - 1) + (n - 2) + ... + (n - k) pairs in n + k - 2 rounds, with the result of one pass after
    the other.
    """
    order = list(range(n))
    passes = min(passes, n - 1)
    for moment in range(n + passes - 2 if passes > 0 else 0):
        lower = [
            n - 1 - (moment - 2 * number)
            for number in range(passes)
            if 0 <= moment - 2 * number < n - 1 - number
        ]
        answers = yield [(order[place - 1], order[place]) for place in lower]
        for place, preference in zip(lower, answers, strict=True):
            if preference < 0.5:
                order[place - 1], order[place] = order[place], order[place - 1]
    return Ordering(tuple(order))


def quick_sort(n: int) -> PairSort:
    """Quicksort around the middle item of each part; all parts of one depth are one round."""
    parts: list[list[int]] = [list(range(n))]
    while any(len(part) > 1 for part in parts):
        pivots = [part[len(part) // 2] for part in parts]
        pairs = [
            (item, pivot)
            for part, pivot in zip(parts, pivots, strict=True)
            for item in part
            if item != pivot
        ]
        answers = iter((yield pairs))
        following: list[list[int]] = []
        for part, pivot in zip(parts, pivots, strict=True):
            before: list[int] = []
            after: list[int] = []
            for item in part:
                if item != pivot:
                    (before if _before(item, pivot, next(answers)) else after).append(item)
            following += [side for side in (before, [pivot], after) if side]
        parts = following
    return Ordering(tuple(item for part in parts for item in part))
