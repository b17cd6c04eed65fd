"""Swiss rounds: everyone plays every round, against a neighbour in the table not met before."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.rerankers.listwise.rounds import Group, Plan

__all__ = ["SwissTable", "pair_neighbours", "swiss_rounds"]

Floats: TypeAlias = npt.NDArray[np.float64]

_MOST_STEPS = 20_000  # of the search for a pairing without rematch


@dataclass(frozen=True, eq=False)
class SwissTable:
    """How a Swiss tournament of n documents ended.

    Parameters
    ----------
    points : `float64[n]`: 1 a win or a bye, 1/2 a draw.
    buchholz : `float64[n]`, the sum of the points of everyone met.
    wins : `float64[n, n]`, the points that the first took from the second, byes left out.
    """

    points: Floats
    buchholz: Floats
    wins: Floats

    def order(self) -> list[int]:
        """By points, then Buchholz, then first-stage order."""
        keys = (np.arange(len(self.points)), -self.buchholz, -self.points)
        return [int(i) for i in np.lexsort(keys)]


def swiss_rounds(n: int, rounds: int) -> Plan[Group, float, SwissTable]:
    """Play so many rounds; a question is a match of two, its reading the points of the first.

    Before each round the table is sorted (`SwissTable.order`) and neighbours who have not met are
    paired; where n is odd, the lowest who has not yet had a bye gets one, and its point. Nobody
    meets twice. All matches of a round are asked at once.
    """
    points, wins = np.zeros(n), np.zeros((n, n))
    met: list[set[int]] = [set() for _ in range(n)]
    rested: set[int] = set()
    for _ in range(rounds):
        order = SwissTable(points, _buchholz(points, met), wins).order()
        pairs, resting = _round(order, points, met, rested)
        if not pairs:
            break
        results = yield pairs
        for (first, second), result in zip(pairs, results, strict=True):
            met[first].add(second)
            met[second].add(first)
            for winner, loser, gained in ((first, second, result), (second, first, 1 - result)):
                points[winner] += gained
                wins[winner, loser] += gained
        rested |= resting
        points[sorted(resting)] += 1
    return SwissTable(points, _buchholz(points, met), wins)


def _buchholz(points: Floats, met: Sequence[AbstractSet[int]]) -> Floats:
    return np.array([points[sorted(others)].sum() for others in met])


def _round(
    order: Sequence[int], points: Floats, met: Sequence[AbstractSet[int]], rested: AbstractSet[int]
) -> tuple[list[Group], set[int]]:
    """The matches of a round, and who has a bye."""
    resting = set[int]()
    if len(order) % 2:
        resting = set(next(([each] for each in reversed(order) if each not in rested), []))
    playing = [each for each in order if each not in resting]
    leaders = {each for each in playing if points[each] == points[playing[0]]} if playing else set()
    return pair_neighbours(playing, met, leaders), resting


def pair_neighbours(
    order: Sequence[int],
    met: Sequence[AbstractSet[int]],
    leaders: AbstractSet[int] = frozenset(),
) -> list[Group]:
    """Pairs of players: each with the next in order whom it has not met, from the top.

    Where that leaves some without an opponent, pairs above them are dissolved, the last first, but
    never those of two leaders, or two could stay unbeaten. Who is still left over then, or after a
    long search, sits out.

    >>> pair_neighbours([0, 1, 2, 3], [{1}, {0}, {3}, {2}])
    [(0, 2), (1, 3)]
    >>> pair_neighbours([0, 1, 2, 3], [set(), set(), {3}, {2}], leaders={0, 1})
    [(0, 1)]
    """
    pairs: list[Group] = []
    longest: list[Group] = []
    free = list(order)
    tried = [0]  # for the next pair, and each one made: the place of the partner looked at last
    for _ in range(_MOST_STEPS):
        if len(free) < 2:
            return pairs
        place = _opponent(free, met, tried[-1] + 1)
        if place is not None:
            tried[-1] = place
            tried.append(0)
            pairs.append((free[0], free[place]))
            free = [each for i, each in enumerate(free) if i not in (0, place)]
            if len(pairs) > len(longest):
                longest = list(pairs)
            continue
        if not pairs or leaders >= set(pairs[-1]):
            break
        tried.pop()
        pairs.pop()
        paired = {each for pair in pairs for each in pair}
        free = [each for each in order if each not in paired]
    paired = {each for pair in longest for each in pair}
    return [*longest, *_whoever_can([each for each in order if each not in paired], met)]


def _whoever_can(free: Sequence[int], met: Sequence[AbstractSet[int]]) -> list[Group]:
    """Pairs from the top, leaving out whoever finds no opponent."""
    pairs: list[Group] = []
    left = list(free)
    while left:
        place = _opponent(left, met, 1)
        if place is not None:
            pairs.append((left[0], left.pop(place)))
        left.pop(0)
    return pairs


def _opponent(free: Sequence[int], met: Sequence[AbstractSet[int]], start: int) -> int | None:
    """The first place from `start` of one whom the first in `free` has not met."""
    known = met[free[0]]
    return next((i for i in range(start, len(free)) if free[i] not in known), None)
