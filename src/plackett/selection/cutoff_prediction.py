"""Cutoffs learned from judgments: one for all queries, one score for all, one a query.

`GreedyCutoff` and `FittedThreshold` are the baselines that anything cleverer has to beat, and
`oracle_cutoffs` is what nothing can.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import DataError, NotFittedError
from plackett.selection.base import Cutoff, JudgedList, judged_lists
from plackett.selection.cutoff_values import (
    CutoffValue,
    best_cutoff,
    check_value,
    cutoff_values,
    value_table,
)
from plackett.selection.registry import register

__all__ = [
    "FittedThreshold",
    "GreedyCutoff",
    "mean_cutoff_value",
    "oracle_cutoffs",
    "standardise",
]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

Fitted = TypeVar("Fitted", bound="_JudgedCutoff")


def standardise(scores: npt.ArrayLike) -> Floats:
    """Scores of one list with mean 0 and standard deviation 1; zeros where all are equal.

    Without this a model learns the scale of a query's scores in place of their shape. Infinite
    scores stand for the best or worst finite one.

    >>> standardise([3.0, 1.0])
    array([ 1., -1.])
    """
    values = np.asarray(scores, dtype=np.float64)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.zeros(len(values))
    values = np.clip(values, finite.min(), finite.max())
    # Divided first, so that squares of huge scores stay finite.
    largest = np.abs(values).max() or 1.0
    values = values / largest
    spread = values.std()
    if spread <= 1e-12:
        return np.zeros(len(values))
    return np.asarray((values - values.mean()) / spread)


def oracle_cutoffs(
    run: Run, qrels: Qrels, *, value: CutoffValue = "F1", relevant: float = 1.0
) -> dict[str, int]:
    """The best cutoff of every judged query, which only the judgments tell.

    Errors as `judged_lists`.

    >>> run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> oracle_cutoffs(run, Qrels.from_dict({"q": {"a": 1, "b": 1}}))
    {'q': 2}
    """
    lists = judged_lists(run, qrels, relevant=relevant)
    return {
        each.query: best_cutoff(cutoff_values(each.relevant, each.total, value)) for each in lists
    }


def mean_cutoff_value(
    run: Run,
    kept: Run,
    qrels: Qrels,
    *,
    value: CutoffValue = "F1",
    relevant: float = 1.0,
) -> float:
    """The mean value of a cut over the judged queries.

    Parameters
    ----------
    run, kept : the lists before and after a stage that cuts them.

    Raises
    ------
    DataError : `kept` has other queries, or a list that is no head of that of `run`.

    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    >>> mean_cutoff_value(run, run.head(1), Qrels.from_dict({"q": {"a": 1}}))
    1.0
    """
    lengths = np.diff(kept.offsets)
    for query, length in zip(kept.query_names, lengths.tolist(), strict=True):
        if [d for d, _ in kept[query]] != [d for d, _ in run[query][:length]]:
            raise DataError(f"the list of query {query!r}", expected="a head of the one before")
    length_of = dict(zip(kept.query_names, lengths.tolist(), strict=True))
    values = [
        cutoff_values(each.relevant, each.total, value)[length_of[each.query]]
        for each in judged_lists(run, qrels, relevant=relevant)
    ]
    return float(np.mean(values))


class _JudgedCutoff(Cutoff):
    """A cutoff that is fitted on judged lists."""

    def __init__(self, *, value: CutoffValue = "F1", relevant: float = 1.0) -> None:
        check_value(value)
        self.value, self.relevant = value, relevant

    def fit(self: Fitted, run: Run, qrels: Qrels) -> Fitted:
        """Learn from the judged queries of a run.

        Raises
        ------
        DataError : no query of the run is judged.
        """
        self._learn(judged_lists(run, qrels, relevant=self.relevant))
        return self

    def _learn(self, lists: list[JudgedList]) -> None:
        raise NotImplementedError

    def _learned(self, name: str) -> float:
        if name not in vars(self):
            raise NotFittedError(f"{self!r} is not fitted: call fit(run, qrels) first.")
        return float(vars(self)[name])

    def _described(self, learned: str) -> str:
        parts = []
        if self.value != "F1":
            parts.append(f"value={self.value!r}")
        if self.relevant != 1.0:
            parts.append(f"relevant={self.relevant!r}")
        if learned in vars(self):
            known = vars(self)[learned]
            # The word inf is no literal that can be read back.
            parts.append(f"{learned[:-1]}={'1e999' if np.isinf(known) else repr(known)}")
        return f"{type(self).__name__}({', '.join(parts)})"


@register
class GreedyCutoff(_JudgedCutoff):
    """The one k whose mean value over the judged queries is highest, for all queries (greedy-k).

    Parameters
    ----------
    value, relevant : what a cutoff is worth, and the lowest grade that is relevant.
    k : the cutoff where it is known already; `fit` finds it.

    Attributes
    ----------
    k_ : the cutoff that was found.

    >>> run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> GreedyCutoff().fit(run, Qrels.from_dict({"q": {"a": 1, "b": 1}}))
    GreedyCutoff(k=2)
    """

    def __init__(
        self, *, value: CutoffValue = "F1", relevant: float = 1.0, k: int | None = None
    ) -> None:
        super().__init__(value=value, relevant=relevant)
        if k is not None:
            self.k_ = k

    def _learn(self, lists: list[JudgedList]) -> None:
        self.k_ = best_cutoff(value_table(lists, self.value).mean(axis=0))

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """min(k, n)."""
        return min(int(self._learned("k_")), len(np.asarray(scores)))

    def __repr__(self) -> str:
        return self._described("k_")


@register
class FittedThreshold(_JudgedCutoff):
    """The one threshold on scores whose mean value over the judged queries is highest.

    Every score that occurs is tried. The threshold lies in the middle between the best of them and
    the next lower one; of equally good ones the highest is taken.

    Parameters
    ----------
    value, relevant : what a cutoff is worth, and the lowest grade that is relevant.
    standardised : whether the threshold is on scores standardised per query.
    threshold : the threshold where it is known already; `fit` finds it.

    Attributes
    ----------
    threshold_ : the threshold that was found; infinite where keeping nothing is best.

    >>> run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> FittedThreshold().fit(run, Qrels.from_dict({"q": {"a": 1, "b": 1}}))
    FittedThreshold(threshold=1.5)
    """

    def __init__(
        self,
        *,
        value: CutoffValue = "F1",
        relevant: float = 1.0,
        standardised: bool = False,
        threshold: float | None = None,
    ) -> None:
        super().__init__(value=value, relevant=relevant)
        self.standardised = standardised
        if threshold is not None:
            self.threshold_ = threshold

    def _seen(self, scores: npt.ArrayLike) -> Floats:
        return standardise(scores) if self.standardised else np.asarray(scores, dtype=np.float64)

    def _learn(self, lists: list[JudgedList]) -> None:
        scores = [self._seen(each.scores) for each in lists]
        candidates = np.unique(np.concatenate(scores))[::-1]
        changes = np.zeros(len(candidates) + 1)  # of the summed value, at each lowered threshold
        for each, own in zip(lists, scores, strict=True):
            values = cutoff_values(each.relevant, each.total, self.value)
            changes[0] += values[0]
            # Equal scores are kept together: only the last of them is a cutoff one can make.
            ends = np.flatnonzero(np.append(np.diff(own) != 0, True)[: len(own)])
            reached = values[np.append(0, ends + 1)]
            places = np.searchsorted(-candidates, -own[ends])
            np.add.at(changes, places + 1, np.diff(reached))
        best = int(np.argmax(np.cumsum(changes)))
        self.threshold_ = _between(candidates, best)

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many scores reach the threshold."""
        return int((self._seen(scores) >= self._learned("threshold_")).sum())

    def __repr__(self) -> str:
        text = self._described("threshold_")
        if not self.standardised:
            return text
        return text.replace("(", "(standardised=True, ", 1).replace(", )", ")")


def _between(candidates: Floats, kept: int) -> float:
    """The middle of the last kept and the first dropped of descending scores."""
    if kept == 0:
        return float(np.inf)
    if kept == len(candidates):
        return float(candidates[-1])
    middle = (candidates[kept - 1] + candidates[kept]) / 2.0
    return float(middle) if np.isfinite(middle) else float(candidates[kept - 1])
