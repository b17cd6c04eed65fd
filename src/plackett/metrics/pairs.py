"""Measures of pairs and positions: pairwise accuracy and average relevance position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.metrics.base import Measure, register
from plackett.metrics.binary import divide
from plackett.metrics.judged import JudgedLists

__all__ = ["ARP", "PairAccuracy"]

Floats = npt.NDArray[np.float64]


@register
@dataclass(frozen=True, repr=False)
class _ARP(Measure):
    """Average relevance position: the mean rank of relevant documents, weighed by their grade.

    ARP = sum of grade * rank / sum of grade. Lower is better. Wang, Li, Golbandi, Bendersky &
    Najork, "The LambdaLoss framework", CIKM 2018. A document that was not retrieved counts as if it
    stood right below the list.
    """

    name: ClassVar[str] = "ARP"
    at: ClassVar[str | None] = None
    higher_is_better: ClassVar[bool] = False
    averages_ties: ClassVar[bool] = True
    reference: ClassVar[str] = "Wang et al. 2018"

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        gain = np.maximum(lists.grade, 0.0)
        ranks = lists.position_weights(lambda rank: rank.astype(np.float64), None)
        judged = np.maximum(lists.judged_grade, 0.0)
        total = np.bincount(lists.judged_segment, weights=judged, minlength=len(lists)).astype(
            np.float64
        )
        missed = total - lists.sums(gain)
        return divide(lists.sums(gain * ranks) + missed * (lists.retrieved + 1.0), total)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            "sum of grade * rank / sum of grade over the judged documents, those not retrieved at "
            "one rank below the list; lower is better; 0 where no grade is above 0"
        )


@register
@dataclass(frozen=True, repr=False)
class _PairAccuracy(Measure):
    """The share of pairs of judged, retrieved documents of unequal grade in the right order."""

    name: ClassVar[str] = "PairAccuracy"
    at: ClassVar[str | None] = None

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        judged = lists.grade >= 0
        right = np.zeros(len(lists))
        pairs = np.zeros(len(lists))
        for level in np.unique(lists.grade[judged]):
            here = lists.grade == level
            lower = judged & (lists.grade < level)
            total = lists.counts(lower)[lists.segment]
            right += lists.sums(total - lists.before(lower), here)
            pairs += lists.sums(total, here)
        return divide(right, pairs)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            "share of the pairs of retrieved documents with unequal grades of 0 or more in which "
            "the higher grade stands first; 0 where there is no such pair"
        )


ARP, PairAccuracy = _ARP(), _PairAccuracy()
