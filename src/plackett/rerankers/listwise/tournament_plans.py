"""Tournaments as plans: selection by stages, and the knock-out. See `rounds`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.rerankers.listwise.list_questions import Selection
from plackett.rerankers.listwise.rounds import Group, Plan

__all__ = ["STAGES", "Stage", "knock_out", "selection_points", "stages_for"]

Floats: TypeAlias = npt.NDArray[np.float64]

STAGES = ((50, 20), (20, 10), (10, 20), (5, 20), (2, 20))
"""How many documents each stage keeps, and how many a group has at most; for 100 documents."""

_WORTH_PLAYING = 0.75  # a stage that keeps a larger share of its documents is left out


class Stage(NamedTuple):
    """One stage: how many documents go on, and into how many groups all are put."""

    keep: int
    groups: int


def stages_for(n: int, stages: Sequence[tuple[int, int]] = STAGES) -> list[Stage]:
    """The stages for n documents: those of `stages` that shrink what is left by a quarter or more.

    More documents than twice what the first stage keeps are halved first, as often as it takes, in
    groups of its size. Two documents play one stage that keeps one.

    >>> stages_for(100) == [(50, 5), (20, 5), (10, 1), (5, 1), (2, 1)]
    True
    >>> stages_for(30) == [(20, 3), (10, 1), (5, 1), (2, 1)]
    True
    """
    left, found = n, []
    first_keep, first_size = stages[0]
    while left > 2 * first_keep:
        keep = -(-left // 2)
        found.append(Stage(keep, -(-left // first_size)))
        left = keep
    for keep, size in stages:
        if keep <= _WORTH_PLAYING * left:
            found.append(Stage(keep, min(keep, -(-left // size))))
            left = keep
    if not found and n > 1:
        found.append(Stage(max(1, n // 2), 1))
    return found


def selection_points(
    n: int, stages: Sequence[Stage], generator: random.Random, *, mixed: bool
) -> Plan[Selection, Sequence[int], Floats]:
    """One tournament over n documents in first-stage order: a point for every stage survived.

    Each of g groups takes one of every g neighbours in first-stage order: the first of them, the
    second, ..., or any where `mixed`, so that tournaments differ in who meets whom. The documents
    of a group are shuffled, and all groups of a stage are one round.

    Returns
    -------
    `float64[n]` points, which sum to the numbers that the stages keep.

    Chen et al., "TourRank: Utilizing Large Language Models for Documents Ranking with a Tournament-
    Inspired Strategy", WWW 2025.
    """
    points = np.zeros(n)
    left = list(range(n))
    for keep, count in stages:
        groups: list[list[int]] = [[] for _ in range(count)]
        for start in range(0, len(left), count):
            neighbours = left[start : start + count]
            if mixed:
                generator.shuffle(neighbours)
            for group, document in zip(groups, neighbours, strict=False):
                group.append(document)
        asked = []
        for place, group in enumerate(groups):
            generator.shuffle(group)
            asked.append(Selection(tuple(group), keep // count + (place < keep % count)))
        chosen = yield asked
        left = sorted(document for part in chosen for document in part)
        points[left] += 1
    return points


def knock_out(n: int, k: int, size: int) -> Plan[Group, int, list[int]]:
    """The best k of n documents by matches of `size`, then the others by how far they came.

    Winners meet until one is left, the champion. The next best is among those who lost to him
    alone: they play it out, and so on, so that with choices that follow one order of the documents
    the best k are exact. Of pairs, the champion takes n - 1 matches in ceil(log2 n) rounds. In
    every round the foremost of what is left are spread over the matches. The others are ordered by
    the round in which they left the way to the first place, then in first-stage order.
    """
    beaten: list[list[int]] = [[] for _ in range(n)]
    survived = [0] * n
    best: list[int] = []
    standing = list(range(n))
    while len(best) < min(k, n):
        while len(standing) > 1:
            count = -(-len(standing) // size)
            matches = [tuple(standing[i::count]) for i in range(count)]
            played = [match for match in matches if len(match) > 1]
            winners = yield played
            for match, winner in zip(played, winners, strict=True):
                beaten[winner] += [each for each in match if each != winner]
            # Who has no opponent goes on.
            standing = sorted([*winners, *(match[0] for match in matches if len(match) == 1)])
            if not best:
                for each in standing:
                    survived[each] += 1
        champion = standing[0]
        best.append(champion)
        standing = sorted(beaten[champion])
    first = set(best)
    others = sorted((i for i in range(n) if i not in first), key=lambda i: -survived[i])
    return [*best, *others]
