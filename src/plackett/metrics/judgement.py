"""Measures for incomplete judgments: bpref, infAP, and how much of a list is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.metrics.base import Measure, register
from plackett.metrics.binary import divide
from plackett.metrics.judged import JudgedLists

__all__ = ["Judged", "bpref", "infAP"]

Floats = npt.NDArray[np.float64]

# trec_eval's constant, which keeps the estimate defined where nothing above a document is judged.
_EPSILON = 0.00001


@register
@dataclass(frozen=True, repr=False)
class _Bpref(Measure):
    """Binary preference: how often judged relevant documents stand above judged others.

    bpref = 1/R * sum over relevant r of (1 - min(n above r, R) / min(N, R)), with R relevant and N
    other judged documents. Buckley & Voorhees, SIGIR 2004, as trec_eval corrected it.
    """

    name: ClassVar[str] = "bpref"
    at: ClassVar[str | None] = None
    reference: ClassVar[str] = "Buckley & Voorhees 2004"

    rel: float = 1

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        relevant = lists.relevant_counts(self.rel)
        others = lists.relevant_counts(0.0) - relevant
        above = lists.before((lists.grade >= 0) & (lists.grade < self.rel))
        total = relevant[lists.segment]
        lost = divide(np.minimum(above, total), np.minimum(others[lists.segment], total))
        return divide(lists.sums(1.0 - lost, lists.grade >= self.rel), relevant)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            "mean over the R relevant documents of 1 - min(judged non-relevant above it, R) / "
            f"min(judged non-relevant, R), 0 if not retrieved; relevant = grade {self.rel:g} or "
            "more; documents without a grade, or with one below 0, are passed over"
        )


@register
@dataclass(frozen=True, repr=False)
class _InfAP(Measure):
    """Inferred average precision: AP estimated from judgments of a random sample of the pool.

    A grade below 0 marks a document of the pool that was not sampled. Yilmaz & Aslam, "Estimating
    average precision with incomplete and imperfect judgments", CIKM 2006, as in trec_eval.
    """

    name: ClassVar[str] = "infAP"
    at: ClassVar[str | None] = None
    reference: ClassVar[str] = "Yilmaz & Aslam 2006"

    rel: float = 1

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        hits = lists.grade >= self.rel
        relevant = lists.before(hits)
        others = lists.before((lists.grade >= 0) & ~hits)
        pooled = relevant + others + lists.before(lists.grade < 0)
        above = lists.rank - 1.0
        in_pool = np.divide(pooled, above, out=np.zeros(len(above)), where=above > 0)
        share = (relevant + _EPSILON) / (relevant + others + 2.0 * _EPSILON)
        expected = 1.0 / lists.rank + above / lists.rank * in_pool * share
        return divide(lists.sums(expected, hits), lists.relevant_counts(self.rel))

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            "mean over relevant documents of the precision expected at their rank, when the pool's "
            "documents above are relevant as often as its judged ones there (with epsilon 1e-5); "
            f"relevant = grade {self.rel:g} or more; a grade below 0 = in the pool, not judged"
        )


@register
@dataclass(frozen=True, repr=False)
class _Judged(Measure):
    """The share of the retrieved documents, or of the first k, that have a grade of 0 or more."""

    name: ClassVar[str] = "Judged"
    averages_ties: ClassVar[bool] = True

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        weights = lists.position_weights(lambda rank: np.ones(len(rank)), self.cutoff)
        length = lists.retrieved.astype(np.float64)
        if self.cutoff is not None:
            length = np.minimum(length, self.cutoff)
        return divide(lists.sums(weights, lists.grade >= 0), length)

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        within = "the list" if self.cutoff is None else f"the first {self.cutoff}"
        return f"share of the documents in {within} that have a grade of 0 or more"


bpref, Judged = _Bpref(), _Judged()
infAP = _InfAP()  # noqa: N816 - the field's name
