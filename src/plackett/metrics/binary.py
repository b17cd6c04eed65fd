"""Measures that ask only whether a document is relevant: AP, RR, P, R, F, Success and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.metrics.base import Measure, register
from plackett.metrics.judged import JudgedLists
from plackett.metrics.tied_groups import (
    expected_precision_sum,
    expected_reciprocal_rank,
    expected_success,
)

__all__ = ["AP", "RR", "F", "IPrec", "P", "R", "Rprec", "SetAP", "Success"]

Floats = npt.NDArray[np.float64]


def divide(numerator: Floats, denominator: Floats | float) -> Floats:
    """The quotient, 0 where the denominator is 0."""
    bottom = np.broadcast_to(np.asarray(denominator, dtype=np.float64), numerator.shape)
    return np.divide(numerator, bottom, out=np.zeros(len(numerator)), where=bottom > 0)


@dataclass(frozen=True, repr=False)
class _Binary(Measure):
    """Measures with a level: a document of grade `rel` or more is relevant."""

    rel: float = 1

    def relevant(self, lists: JudgedLists) -> npt.NDArray[np.bool_]:
        """Which hits are relevant, and within the cutoff: `bool[h]`."""
        hits = lists.grade >= self.rel
        return hits if self.cutoff is None else hits & (lists.rank <= self.cutoff)

    def found(self, lists: JudgedLists) -> Floats:
        """How many relevant documents each list has within the cutoff, `float64[q]`."""
        if lists.tie_first is None:
            return lists.counts(self.relevant(lists))
        weights = lists.position_weights(lambda rank: np.ones(len(rank)), self.cutoff)
        return lists.sums(weights, lists.grade >= self.rel)

    @property
    def _level(self) -> str:
        return f"relevant = grade {self.rel:g} or more"

    @property
    def _within(self) -> str:
        return "the list" if self.cutoff is None else f"the first {self.cutoff}"


@register
@dataclass(frozen=True, repr=False)
class _AP(_Binary):
    """Average precision: the sum of precisions at relevant documents, over all relevant ones.

    trec_eval's `map` and `map_cut`: the denominator is the number of relevant documents in the
    judgments, whatever the cutoff.
    """

    name: ClassVar[str] = "AP"
    averages_ties: ClassVar[bool] = True
    reference: ClassVar[str] = "Harman 1992"

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        if lists.tie_first is not None:
            total = expected_precision_sum(lists, lists.grade >= self.rel, self.cutoff)
            return divide(total, lists.relevant_counts(self.rel))
        hits = self.relevant(lists)
        precision = (lists.before(hits) + 1.0) / lists.rank
        return divide(lists.sums(precision, hits), lists.relevant_counts(self.rel))

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"sum of the precision at each relevant document in {self._within}, over the number of "
            f"relevant documents judged; {self._level}; 0 where there is none"
        )


@register
@dataclass(frozen=True, repr=False)
class _RR(_Binary):
    """Reciprocal rank: 1 / rank of the first relevant document, 0 where none is found."""

    name: ClassVar[str] = "RR"
    averages_ties: ClassVar[bool] = True
    reference: ClassVar[str] = "Kantor & Voorhees 2000"

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        if lists.tie_first is not None:
            return expected_reciprocal_rank(lists, lists.grade >= self.rel, self.cutoff)
        hits = self.relevant(lists)
        first = hits & (lists.before(hits) == 0)
        return lists.sums(1.0 / lists.rank, first)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return f"1 / rank of the first relevant document in {self._within}, else 0; {self._level}"


@register
@dataclass(frozen=True, repr=False)
class _P(_Binary):
    """Precision: with a cutoff k, relevant documents in the first k over k; without, over all."""

    name: ClassVar[str] = "P"
    averages_ties: ClassVar[bool] = True

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        length = lists.retrieved.astype(np.float64) if self.cutoff is None else float(self.cutoff)
        return divide(self.found(lists), length)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        over = (
            "the number retrieved" if self.cutoff is None else f"{self.cutoff}, also if fewer are"
        )
        retrieved = "" if self.cutoff is None else " retrieved"
        return f"relevant documents in {self._within} over {over}{retrieved}; {self._level}"


@register
@dataclass(frozen=True, repr=False)
class _R(_Binary):
    """Recall: relevant documents in the list, or in its first k, over all relevant ones."""

    name: ClassVar[str] = "R"
    averages_ties: ClassVar[bool] = True

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        return divide(self.found(lists), lists.relevant_counts(self.rel))

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"relevant documents in {self._within} over the number of relevant documents judged; "
            f"{self._level}; 0 where there is none"
        )


@register
@dataclass(frozen=True, repr=False)
class _F(_Binary):
    """The weighted harmonic mean of precision and recall: (b + 1) P R / (b P + R).

    As trec_eval's `set_F`, whose parameter is `beta` = b here: 1 weighs both alike.
    """

    name: ClassVar[str] = "F"
    reference: ClassVar[str] = "van Rijsbergen 1979"

    beta: float = 1.0

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        precision = _P(cutoff=self.cutoff, rel=self.rel).compute(lists)
        recall = _R(cutoff=self.cutoff, rel=self.rel).compute(lists)
        return divide((self.beta + 1.0) * precision * recall, self.beta * precision + recall)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"({self.beta:g} + 1) P R / ({self.beta:g} P + R) of precision P and recall R in "
            f"{self._within}; {self._level}; 0 where nothing relevant is found"
        )


@register
@dataclass(frozen=True, repr=False)
class _Success(_Binary):
    """1 where a relevant document is in the first k, else 0."""

    name: ClassVar[str] = "Success"
    averages_ties: ClassVar[bool] = True

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        if lists.tie_first is not None:
            return expected_success(lists, lists.grade >= self.rel, self.cutoff)
        return np.asarray(lists.counts(self.relevant(lists)) > 0, dtype=np.float64)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return f"1 where {self._within} has a relevant document, else 0; {self._level}"


@register
@dataclass(frozen=True, repr=False)
class _Rprec(_Binary):
    """Precision after as many documents as there are relevant ones."""

    name: ClassVar[str] = "Rprec"
    at: ClassVar[str | None] = None

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        relevant = lists.relevant_counts(self.rel)
        hits = self.relevant(lists) & (lists.rank <= relevant[lists.segment])
        return divide(lists.counts(hits), relevant)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return f"precision in the first R, the number of relevant documents; {self._level}"


@register
@dataclass(frozen=True, repr=False)
class _SetAP(_Binary):
    """Precision times recall of the whole list, trec_eval's `set_map`."""

    name: ClassVar[str] = "SetAP"
    at: ClassVar[str | None] = None

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        return _P(rel=self.rel).compute(lists) * _R(rel=self.rel).compute(lists)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return f"precision times recall of the whole list; {self._level}"


@register
@dataclass(frozen=True, repr=False)
class _IPrec(_Binary):
    """Interpolated precision at a recall level: the best precision at that recall or beyond.

    `IPrec @ 0.1`; trec_eval's `iprec_at_recall`, which rounds recall times the number of relevant
    documents to the nearest number of documents.
    """

    name: ClassVar[str] = "IPrec"
    at: ClassVar[str | None] = "recall"

    recall: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.recall is not None and not 0.0 <= self.recall <= 1.0:
            raise ConfigurationError(f"{self.name} recall {self.recall} is not between 0 and 1.")

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        if self.recall is None:
            raise ConfigurationError("IPrec needs a recall level; write for example IPrec@0.1.")
        hits = self.relevant(lists)
        order = lists.before(hits) + 1.0
        needed = np.floor(self.recall * lists.relevant_counts(self.rel) + 0.5)
        counted = hits & (order >= needed[lists.segment])
        best = np.zeros(len(lists))
        np.maximum.at(best, lists.segment[counted], (order / lists.rank)[counted])
        return best

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        level = "the given level" if self.recall is None else f"{self.recall:g}"
        return (
            f"the highest precision at any rank where recall is {level} or more (rounded to a "
            f"number of documents); {self._level}"
        )


AP, RR, P, R, F = _AP(), _RR(), _P(), _R(), _F()
Success, Rprec, SetAP, IPrec = _Success(), _Rprec(), _SetAP(), _IPrec()
