"""Questions about a group of documents: which order, which is best, which belong, which grade.

Each kind reads the answers to one group; the strategies differ in the groups that they ask about.
A group may be asked about several times, its documents shown in different orders (permutation
self-consistency, Tang et al. 2023), all at once; then the votes are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.llm import Answer, Request
from plackett.rerankers.listwise.rounds import Group
from plackett.rerankers.listwise.showing import GroupShower

__all__ = [
    "EvidenceQuestion",
    "GradeQuestion",
    "OrderQuestion",
    "PairQuestion",
    "PickQuestion",
    "SelectQuestion",
    "Selection",
    "mean_place_order",
]

Floats: TypeAlias = npt.NDArray[np.float64]


class _GroupQuestion(GroupShower):
    """A question about a group, asked once for every order in which it is shown."""

    def requests(self, asked: Group) -> Sequence[Request]:
        """One request a vote."""
        return [self.request(shown, vote) for vote, shown in enumerate(self.orders(asked))]


class OrderQuestion(_GroupQuestion):
    """The order of a group; that of several votes is by the mean place (Borda)."""

    def read(self, asked: Group, answers: Sequence[Answer]) -> list[int]:
        """The group, best first; as asked where no answer can be used."""
        return mean_place_order(asked, self.usable(asked, answers))

    def usable(self, asked: Group, answers: Sequence[Answer]) -> list[Sequence[int]]:
        """The orders of the answers that can be used."""
        shown = zip(self.orders(asked), answers, strict=True)
        orders = [self._order(each, answer) for each, answer in shown]
        return [order for order in orders if order is not None]

    def _order(self, shown: Group, answer: Answer) -> Sequence[int] | None:
        if self.showing.read == "logits":
            return self.by_logits(shown, answer)
        parsed = self.parsed(shown, answer)
        return None if parsed is None else [shown[place] for place in parsed.positions]


class EvidenceQuestion(OrderQuestion):
    """The order of a group whose order as asked means nothing: no answer is no order."""

    def read(self, asked: Group, answers: Sequence[Answer]) -> list[int]:
        """The group, best first; empty where no answer can be used."""
        orders = self.usable(asked, answers)
        return mean_place_order(asked, orders) if orders else []


def mean_place_order(group: Sequence[int], orders: Sequence[Sequence[int]]) -> list[int]:
    """A group by the mean of its places in orders of it; equal means stay as in the group.

    >>> mean_place_order([4, 5, 6], [[6, 5, 4], [6, 4, 5]])
    [6, 4, 5]
    >>> mean_place_order([4, 5, 6], [])
    [4, 5, 6]
    """
    total = dict.fromkeys(group, 0)
    for order in orders:
        for place, each in enumerate(order):
            total[each] += place
    return sorted(group, key=total.__getitem__)


class _VoteQuestion(_GroupQuestion):
    """Which is best of a group, in votes."""

    def _votes(self, asked: Group, answers: Sequence[Answer]) -> dict[int, int]:
        votes = dict.fromkeys(asked, 0)
        for shown, answer in zip(self.orders(asked), answers, strict=True):
            chosen = self._chosen(shown, answer)
            if chosen is not None:
                votes[chosen] += 1
        return votes

    def _chosen(self, shown: Group, answer: Answer) -> int | None:
        if self.showing.read == "logits":
            order = self.by_logits(shown, answer)
            return None if order is None else order[0]
        parsed = self.parsed(shown, answer)
        return None if parsed is None or not parsed.positions else shown[parsed.positions[0]]

    def _longest_answer(self, labels: Sequence[str]) -> str:
        return f"[{labels[-1]}]"


class PickQuestion(_VoteQuestion):
    """The best of a group: that with most votes; of several, or without any, the first stage's."""

    def read(self, asked: Group, answers: Sequence[Answer]) -> int:
        """The document chosen."""
        votes = self._votes(asked, answers)
        return min(asked, key=lambda position: (-votes[position], position))


class PairQuestion(_VoteQuestion):
    """A match of two: the points of the first, 1 for a win, 1/2 for a draw, 0 for a loss.

    Points = 1/2 + (votes for the first - votes for the second) / (2 x votes asked for), so that a
    vote that cannot be used is half a point for each.
    """

    def read(self, asked: Group, answers: Sequence[Answer]) -> float:
        """The points of the first of the two."""
        votes = self._votes(asked, answers)
        first, second = asked
        return 0.5 + (votes[first] - votes[second]) / (2 * self.showing.votes)


class Selection(NamedTuple):
    """A group of which so many are to be selected."""

    group: Group
    keep: int


class SelectQuestion(GroupShower):
    """The best few of a group, of exactly the number asked for.

    Too many are cut after that number, too few are filled up with those of the others that the
    first stage had ahead.
    """

    def requests(self, asked: Selection) -> Sequence[Request]:
        """The one request for it."""
        return [self.request(asked.group, values={"count": str(asked.keep)})]

    def read(self, asked: Selection, answers: Sequence[Answer]) -> list[int]:
        """The documents selected."""
        group, keep = asked
        (answer,) = answers
        parsed = self.parsed(group, answer)
        places = () if parsed is None else parsed.positions
        chosen = [group[place] for place in places[:keep]]
        others = sorted(set(group) - set(chosen))
        return [*chosen, *others[: keep - len(chosen)]]


class GradeQuestion(_GroupQuestion):
    """A grade for each of a group, the mean over votes; NaN where no answer has one."""

    def read(self, asked: Group, answers: Sequence[Answer]) -> Floats:
        """`float64[m]`, in the group's order."""
        total, count = np.zeros(len(asked)), np.zeros(len(asked))
        for shown, answer in zip(self.orders(asked), answers, strict=True):
            parsed = self.parsed(shown, answer)
            if parsed is None or parsed.scores is None:
                continue
            place = {position: i for i, position in enumerate(asked)}
            for position, grade in zip(shown, parsed.scores, strict=True):
                if np.isfinite(grade):
                    total[place[position]] += grade
                    count[place[position]] += 1
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def _longest_answer(self, labels: Sequence[str]) -> str:
        return "{" + ", ".join(f'"[{label}]": 10' for label in labels) + "}"
