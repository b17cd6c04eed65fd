"""Cutoffs with a guarantee: how much of the relevant is missed on queries yet unseen, at most.

Two theorems stand behind it. Both need no more of the scores than that judged and future queries
are exchangeable, and a loss in 0 to 1 that never grows when more is kept.

**In expectation** (conformal risk control; Angelopoulos, Bates, Fisch, Lei & Schuster, ICLR 2024).
With n judged queries of mean loss R(t) at threshold t, take the highest t with
n / (n + 1) R(t) + 1 / (n + 1) <= miss. Then the expected loss of the next query is at most `miss`.
For the loss "any" this is split conformal prediction.

**With confidence** (risk-controlling prediction sets; Bates, Angelopoulos, Lei, Malik & Jordan,
JACM 2021). Take the highest t at and below which the hypothesis "the true mean loss exceeds miss"
is rejected at level 1 - confidence by the Hoeffding-Bentkus test. Then, with that confidence over
the drawing of the judged queries, the mean loss over all future ones is at most `miss`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError, NotFittedError
from plackett.selection.base import Cutoff, JudgedList, judged_lists
from plackett.selection.registry import register

__all__ = ["ConformalCutoff", "hoeffding_bentkus"]

Floats = npt.NDArray[np.float64]
Miss = Literal["share", "any"]
Measured = Literal["score", "margin", "rank"]


def hoeffding_bentkus(mean: float, n: int, level: float) -> float:
    """A p-value of the hypothesis that losses in 0 to 1 of mean `mean` have a true mean > `level`.

    The smaller of Hoeffding's bound exp(-n KL(min(mean, level) || level)) and Bentkus's
    e P(Binomial(n, level) <= ceil(n mean)).

    Parameters
    ----------
    mean : of n independent losses.
    level : between 0 and 1, both excluded.

    >>> round(hoeffding_bentkus(0.0, 100, 0.05), 4)
    0.0059
    """
    from scipy.special import bdtr, kl_div

    low = min(mean, level)
    divergence = float(kl_div(low, level) + kl_div(1.0 - low, 1.0 - level))
    # The loss is a sum of fractions: rounding must not lift it over a whole number.
    whole = int(np.ceil(n * mean - 1e-9))
    return min(1.0, float(np.exp(-n * divergence)), float(np.e * bdtr(whole, n, level)))


@register
class ConformalCutoff(Cutoff):
    """Keeps so much of every list that no more than `miss` of what is relevant in it is lost.

    See the module for the theorems. What is guaranteed is the mean over queries like the judged
    ones (those with something relevant in their list), not each of them. Judged queries that chose
    or trained the re-ranker are not exchangeable with future ones: judge others.

    Parameters
    ----------
    miss : the loss to stay below, between 0 and 1.
    loss : "share": of the relevant documents in the list, how many are cut away; "any": 1 where any
        of them is.
    by : what the threshold is on: "score"; "margin", how far below the list's best score; "rank",
        which takes scores that cannot be compared between queries.
    confidence : None for the guarantee in expectation; that of the second theorem, such as 0.9.
    relevant : the lowest grade that counts as relevant.
    threshold : the threshold where it is known already; `fit` finds it.

    Attributes
    ----------
    threshold_ : the least score, the largest margin or the last rank that is kept; infinite where
        only the whole list keeps to the guarantee, as with too few judged queries.
    queries_ : how many judged queries had something relevant in their list.
    risk_ : their mean loss at the threshold.

    Raises
    ------
    ConfigurationError : a parameter out of its range.

    >>> lists = {f"q{i}": {"a": 2.0 + i, "b": 1.0} for i in range(20)}
    >>> judged = {query: {"a": 1} for query in lists}
    >>> fitted = ConformalCutoff(0.1).fit(Run.from_dict(lists), Qrels.from_dict(judged))
    >>> fitted
    ConformalCutoff(0.1, threshold=3.0)
    >>> fitted.risk_, fitted.queries_
    (0.05, 20)
    """

    def __init__(
        self,
        miss: float,
        *,
        loss: Miss = "share",
        by: Measured = "score",
        confidence: float | None = None,
        relevant: float = 1.0,
        threshold: float | None = None,
    ) -> None:
        if not 0.0 < miss < 1.0 or not (confidence is None or 0.0 < confidence < 1.0):
            raise ConfigurationError(
                f"miss={miss}, confidence={confidence}; expected numbers between 0 and 1."
            )
        if loss not in ("share", "any"):
            raise ConfigurationError(f"loss={loss!r} is not one of share, any.")
        if by not in ("score", "margin", "rank"):
            raise ConfigurationError(f"by={by!r} is not one of score, margin, rank.")
        self.miss, self.loss, self.by = miss, loss, by
        self.confidence, self.relevant = confidence, relevant
        if threshold is not None:
            self.threshold_ = threshold

    def fit(self, run: Run, qrels: Qrels) -> ConformalCutoff:
        """Find the threshold on the judged queries of a run.

        Raises
        ------
        DataError : no judged query has a relevant document in its list.
        """
        lists = judged_lists(run, qrels, relevant=self.relevant)
        lists = [each for each in lists if each.relevant.any()]
        if not lists:
            raise DataError(
                "no judged query with a relevant document in its list",
                expected="some, to learn from what a cutoff would lose",
            )
        points, losses = self._losses(lists)
        kept = self._controlled(losses, len(lists))
        self.queries_ = len(lists)
        if kept < 0:
            self.threshold_, self.risk_ = self._outward(np.inf), 0.0
        else:
            self.threshold_, self.risk_ = self._outward(float(points[kept])), float(losses[kept])
        return self

    def _inward(self, scores: npt.ArrayLike) -> Floats:
        """What the threshold is on, ascending down the list: all of at most t is kept."""
        values = np.asarray(scores, dtype=np.float64)
        if self.by == "rank":
            return np.arange(1.0, len(values) + 1.0)
        if self.by == "margin":
            with np.errstate(invalid="ignore"):
                return np.where(values == values[:1], 0.0, values[:1] - values)
        return -values

    def _outward(self, inward: float) -> float:
        return -inward if self.by == "score" else inward

    def _losses(self, lists: list[JudgedList]) -> tuple[Floats, Floats]:
        """Every threshold at which the mean loss falls, ascending, and the mean loss there."""
        own = [self._inward(each.scores)[each.relevant] for each in lists]
        if self.loss == "any":
            points = np.array([part.max() for part in own])
            weights = np.ones(len(own))
        else:
            points = np.concatenate(own)
            weights = np.concatenate([np.full(len(part), 1.0 / len(part)) for part in own])
        unique, place = np.unique(points, return_inverse=True)
        gained = np.cumsum(np.bincount(place, weights=weights)) / len(lists)
        # Rounded, for sums of fractions must not miss a level by their last digit.
        return unique, np.maximum(np.round(1.0 - gained, 12), 0.0)

    def _controlled(self, losses: Floats, n: int) -> int:
        """The first of the falling losses that the theorem accepts; -1 for none."""
        if self.confidence is None:
            good = (n * losses + 1.0) / (n + 1.0) <= self.miss + 1e-12
        else:
            level = 1.0 - self.confidence
            good = np.array(
                [hoeffding_bentkus(float(loss), n, self.miss) <= level for loss in losses]
            )
        # Losses fall along the thresholds, so what is accepted is accepted from there on.
        return int(np.argmax(good)) if good.any() else -1

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many documents the threshold keeps."""
        if "threshold_" not in vars(self):
            raise NotFittedError(f"{self!r} is not fitted: call fit(run, qrels) first.")
        return int((self._inward(scores) <= self._outward(self.threshold_)).sum())

    def __repr__(self) -> str:
        given = {"loss": "share", "by": "score", "confidence": None, "relevant": 1.0}
        parts = [repr(self.miss)]
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name, default in given.items()
            if getattr(self, name) != default
        ]
        if "threshold_" in vars(self):
            known = repr(self.threshold_).replace("inf", "1e999")
            parts.append(f"threshold={known}")
        return f"ConformalCutoff({', '.join(parts)})"
