"""Measures over grades: DCG, nDCG, ERR, nERR, RBP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import positions_within
from plackett.errors import ConfigurationError
from plackett.metrics.base import Measure, register
from plackett.metrics.judged import JudgedLists

__all__ = ["DCG", "ERR", "RBP", "nDCG", "nERR"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


def _discount(rank: Longs) -> Floats:
    return np.asarray(1.0 / np.log2(rank + 1.0))


def _up_to(cutoff: int | None) -> str:
    return "over the whole list" if cutoff is None else f"over the first {cutoff} ranks"


@dataclass(frozen=True, repr=False)
class _Gained(Measure):
    """Measures whose gain is a function of the grade."""

    averages_ties: ClassVar[bool] = True

    gain: str | tuple[float, ...] = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.gain, tuple):
            if not self.gain or not all(np.isfinite(self.gain)):
                raise ConfigurationError(f"{self.name} gains {self.gain} must be finite numbers.")
        elif self.gain not in ("linear", "exponential"):
            raise ConfigurationError(
                f"{self.name} gain {self.gain!r} is neither 'linear', 'exponential' nor a tuple "
                "with the gain of each grade 0, 1, 2, ..."
            )

    def gains(self, grade: Floats) -> Floats:
        """The gain of each grade; a grade below 0 gains nothing."""
        positive = np.maximum(grade, 0.0)
        if isinstance(self.gain, tuple):
            if len(positive) and (positive.max() > len(self.gain) - 1 or (positive % 1 != 0).any()):
                raise ConfigurationError(
                    f"{self!r} has gains for the grades 0 to {len(self.gain) - 1}, but a grade "
                    f"is {positive.max():g}; give a gain for every grade."
                )
            table = np.asarray(self.gain, dtype=np.float64)
            return np.where(grade < 0, 0.0, table[positive.astype(np.int64)])
        return np.exp2(positive) - 1.0 if self.gain == "exponential" else positive

    def dcg(self, lists: JudgedLists) -> Floats:
        """The discounted cumulative gain of every list."""
        weights = lists.position_weights(_discount, self.cutoff)
        return lists.sums(self.gains(lists.grade) * weights)

    def ideal(self, lists: JudgedLists) -> Floats:
        """The discounted cumulative gain of the best order of all judgments."""
        gains = self.gains(lists.judged_grade)
        kept = gains != 0.0
        if isinstance(self.gain, tuple) and min(self.gain) < 0:
            raise ConfigurationError(f"{self!r} has a negative gain, so it has no ideal order.")
        segment, gains = lists.judged_segment[kept], gains[kept]
        order = np.lexsort((-gains, segment))
        offsets = np.zeros(len(lists) + 1, dtype=np.int64)
        np.cumsum(np.bincount(segment, minlength=len(lists)), out=offsets[1:])
        rank = positions_within(offsets) + 1
        discounted = gains[order] * _discount(rank)
        if self.cutoff is not None:
            discounted[rank > self.cutoff] = 0.0
        return np.bincount(segment, weights=discounted, minlength=len(lists)).astype(np.float64)

    @property
    def _gain_words(self) -> str:
        if isinstance(self.gain, tuple):
            return "gain " + ", ".join(f"{g:g} for grade {i}" for i, g in enumerate(self.gain))
        return "gain = grade" if self.gain == "linear" else "gain = 2^grade - 1"


@register
@dataclass(frozen=True, repr=False)
class _DCG(_Gained):
    """Discounted cumulative gain: sum over ranks r of gain(r) / log2(r + 1).

    Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """

    name: ClassVar[str] = "DCG"
    reference: ClassVar[str] = "Järvelin & Kekäläinen 2002"

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        return self.dcg(lists)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"sum {_up_to(self.cutoff)} of gain / log2(rank + 1); {self._gain_words}, "
            "0 for grades below 0 and documents without a grade"
        )


@register
@dataclass(frozen=True, repr=False)
class _NDCG(_Gained):
    """DCG over that of the best order of the judged documents; 0 where nothing has a gain.

    As trec_eval's `ndcg` and `ndcg_cut` with its linear gains. Järvelin & Kekäläinen, TOIS 2002.
    """

    name: ClassVar[str] = "nDCG"
    reference: ClassVar[str] = "Järvelin & Kekäläinen 2002"

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        ideal = self.ideal(lists)
        return np.divide(self.dcg(lists), ideal, out=np.zeros(len(lists)), where=ideal > 0)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"DCG / ideal DCG, each the sum {_up_to(self.cutoff)} of gain / log2(rank + 1); "
            f"{self._gain_words}, 0 for grades below 0 and documents without a grade; "
            "0 where no judged document has a gain"
        )


@register
@dataclass(frozen=True, repr=False)
class _RBP(Measure):
    """Rank-biased precision: (1 - p) times the sum of p^(rank - 1) over relevant documents.

    Moffat & Zobel, "Rank-biased precision for measurement of retrieval effectiveness", TOIS 2008.
    """

    name: ClassVar[str] = "RBP"
    averages_ties: ClassVar[bool] = True
    reference: ClassVar[str] = "Moffat & Zobel 2008"

    p: float = 0.8
    rel: float = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.p < 1.0:
            raise ConfigurationError(f"{self.name} p={self.p} does not lie between 0 and 1.")

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        weights = lists.position_weights(
            lambda rank: np.asarray((1.0 - self.p) * self.p ** (rank - 1.0), dtype=np.float64),
            self.cutoff,
        )
        return lists.sums(weights, lists.grade >= self.rel)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"(1 - {self.p:g}) * sum {_up_to(self.cutoff)} of {self.p:g}^(rank - 1) over documents "
            f"of grade {self.rel:g} or more"
        )


def _stop_probabilities(measure: Measure, grade: Floats, max_grade: int) -> Floats:
    highest = grade.max(initial=0.0)
    if highest > max_grade:
        raise ConfigurationError(
            f"{measure!r} takes {max_grade} as the highest grade, but a grade is {highest:g}; "
            f"write {measure.name}(max_grade={highest:g})."
        )
    return np.asarray((np.exp2(np.maximum(grade, 0.0)) - 1.0) / 2.0**max_grade)


def _expected_reciprocal(stop: Floats, rank: Longs, offsets: Longs, segment: Longs) -> Floats:
    """Sum over the hits of each list of stop * product of earlier (1 - stop) / rank."""
    running = np.zeros(len(stop) + 1)
    np.cumsum(np.log1p(-stop), out=running[1:])
    arrive = np.exp(running[:-1] - running[offsets[segment]])
    return np.bincount(segment, weights=arrive * stop / rank, minlength=len(offsets) - 1).astype(
        np.float64
    )


@register
@dataclass(frozen=True, repr=False)
class _ERR(Measure):
    """Expected reciprocal rank: a user stops at a document with probability (2^g - 1) / 2^max.

    Chapelle, Metzler, Zhang & Grinspan, "Expected reciprocal rank for graded relevance", CIKM 2009.
    `max_grade` is the highest grade of the scale, 4 as in TREC's gdeval.
    """

    name: ClassVar[str] = "ERR"
    reference: ClassVar[str] = "Chapelle et al. 2009"

    max_grade: int = 4

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        stop = _stop_probabilities(self, lists.grade, self.max_grade)
        if self.cutoff is not None:
            stop = np.where(lists.rank <= self.cutoff, stop, 0.0)
        return _expected_reciprocal(stop, lists.rank, lists.offsets, lists.segment)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"sum {_up_to(self.cutoff)} of 1/rank times the probability of stopping there, where a "
            f"document of grade g stops with probability (2^g - 1) / 2^{self.max_grade}"
        )


@register
@dataclass(frozen=True, repr=False)
class _NERR(Measure):
    """ERR over that of the best order of the judged documents; 0 where nothing is relevant."""

    name: ClassVar[str] = "nERR"
    reference: ClassVar[str] = "Chapelle et al. 2009"

    max_grade: int = 4

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        best = JudgedLists.from_scores(lists.judged_grade, lists.judged_grade, lists.judged_offsets)
        err = _ERR(cutoff=self.cutoff, max_grade=self.max_grade)
        ideal = err.compute(best)
        return np.divide(err.compute(lists), ideal, out=np.zeros(len(lists)), where=ideal > 0)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"ERR / ideal ERR, each {_up_to(self.cutoff)}, with stopping probability "
            f"(2^g - 1) / 2^{self.max_grade}; 0 where no judged document is relevant"
        )


DCG, RBP, ERR = _DCG(), _RBP(), _ERR()
nDCG, nERR = _NDCG(), _NERR()  # noqa: N816 - the field's names
