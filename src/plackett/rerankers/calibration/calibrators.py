"""From scores to probabilities of relevance: Platt, temperature, isotonic.

All three are monotone: they change what a score says, never which document is better.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.data.formats.atomic import atomic_write
from plackett.errors import ConfigurationError, DataError
from plackett.rerankers.ranked import ScoreKind

__all__ = [
    "Calibrator",
    "Isotonic",
    "Platt",
    "Temperature",
    "check_comparable",
    "log_odds",
]

Floats = npt.NDArray[np.float64]

FORMAT = "plackett calibrator"
VERSION = 1

INSIDE_ONE_LIST = ("rank", "wins", "attention", "standard", "relative")
"""Kinds of scores that say nothing between queries, so that no calibration can mend them."""

CalibratorType = TypeVar("CalibratorType", bound="Calibrator")


def check_comparable(score_kind: str) -> None:
    """Refuse scores that are not comparable between queries.

    Raises
    ------
    ConfigurationError : the kind is "rank", "wins", "attention", "standard" or "relative".
    """
    if score_kind in INSIDE_ONE_LIST:
        raise ConfigurationError(
            f"scores of kind {score_kind!r} are comparable inside one list only, so the same score "
            "means another probability for every query. Score with a re-ranker that looks at one "
            "document at a time, such as cross-encoder or yes-no; or cut by rank with "
            'plackett.selection.ConformalCutoff(by="rank").'
        )


def log_odds(scores: npt.ArrayLike, score_kind: ScoreKind) -> Floats:
    """Scores that are probabilities, or their logarithms, as log p / (1 - p); others as they are.

    >>> log_odds([0.5], "probability"), log_odds([-2.0], "logit")
    (array([0.]), array([-2.]))
    """
    values = np.asarray(scores, dtype=np.float64)
    if score_kind == "log_probability":
        values = np.exp(np.minimum(values, 0.0))
    elif score_kind != "probability":
        return values
    bounded = np.clip(values, 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(bounded) - np.log1p(-bounded))


@dataclass(frozen=True)
class Calibrator(ABC):
    """A monotone map from scores of one kind to probabilities of relevance.

    Its `repr` is a literal description that `parse_calibrator` reads back.
    """

    name: ClassVar[str] = ""

    @classmethod
    @abstractmethod
    def fit(
        cls: type[CalibratorType],
        scores: npt.ArrayLike,
        labels: npt.ArrayLike,
        *,
        score_kind: ScoreKind = "logit",
    ) -> CalibratorType:
        """Learn from scores, `float[n]`, and labels 0 or 1.

        Raises
        ------
        DataError : labels of one class only, values that are not finite, or scores that do not
            rise with relevance.
        ConfigurationError : scores of a kind that cannot be calibrated.
        """

    @property
    @abstractmethod
    def kind(self) -> ScoreKind:
        """The kind of scores that it takes."""

    @abstractmethod
    def probabilities(self, scores: npt.ArrayLike) -> Floats:
        """The probability of each score, `float64[n]`; NaN stays NaN."""

    def save(self, path: str | Path) -> None:
        """Write it as JSON, atomically."""
        content = {"format": FORMAT, "version": VERSION, "kind": self.name, **asdict(self)}
        with atomic_write(path) as file:
            file.write(json.dumps(content).encode())


@dataclass(frozen=True)
class Platt(Calibrator):
    """p = 1 / (1 + exp(-(slope s + intercept))), with s as log-odds where it is a probability.

    Fitted by maximum likelihood with Platt's targets, (N+ + 1) / (N+ + 2) and 1 / (N- + 2), which
    keep it finite where one threshold separates the classes.

    Platt, "Probabilistic outputs for support vector machines", 1999; Lin, Lin & Weng, "A note on
    Platt's probabilistic outputs", Machine Learning 2007.

    >>> Platt(slope=2.0, intercept=-1.0).probabilities([0.5])
    array([0.5])
    """

    name: ClassVar[str] = "platt"

    slope: float
    intercept: float
    score_kind: ScoreKind = "logit"

    @classmethod
    def fit(
        cls, scores: npt.ArrayLike, labels: npt.ArrayLike, *, score_kind: ScoreKind = "logit"
    ) -> Platt:
        """The likeliest slope and intercept."""
        from scipy.optimize import minimize

        values, label = _checked(scores, labels, score_kind)
        odds = log_odds(values, score_kind)
        centre, spread = float(odds.mean()), float(odds.std()) or 1.0
        unit, targets = (odds - centre) / spread, _targets(label)

        def loss(weights: Floats) -> tuple[float, Floats]:
            logit = weights[0] * unit + weights[1]
            error = _sigmoid(logit) - targets
            value = float((np.logaddexp(0.0, logit) - targets * logit).mean())
            return value, np.array([(error * unit).mean(), error.mean()])

        found = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-8})
        slope = float(found.x[0]) / spread
        if not slope > 0:
            raise DataError(
                f"scores that fall with relevance (slope {slope:.3g})",
                expected="higher scores for relevant documents",
                remedy="check that judgments and scores belong together, or turn the scores' sign",
            )
        return cls(slope, float(found.x[1]) - slope * centre, score_kind)

    @property
    def kind(self) -> ScoreKind:
        """The kind of scores that it takes."""
        return self.score_kind

    def probabilities(self, scores: npt.ArrayLike) -> Floats:
        """The probability of each score."""
        return _sigmoid(self.slope * log_odds(scores, self.score_kind) + self.intercept)


@dataclass(frozen=True)
class Temperature(Calibrator):
    """p = 1 / (1 + exp(-s / temperature)), with s as log-odds where it is a probability.

    One number: it mends a model that is too sure, or not sure enough, of what it gets right on the
    average. It cannot mend one whose scores are all too high, as `Platt` can.

    Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017.

    >>> Temperature(2.0).probabilities([0.0])
    array([0.5])
    """

    name: ClassVar[str] = "temperature"

    temperature: float
    score_kind: ScoreKind = "logit"

    @classmethod
    def fit(
        cls, scores: npt.ArrayLike, labels: npt.ArrayLike, *, score_kind: ScoreKind = "logit"
    ) -> Temperature:
        """The likeliest temperature, between e^-8 and e^8."""
        from scipy.optimize import minimize_scalar

        if score_kind not in ("logit", "probability", "log_probability"):
            check_comparable(score_kind)
            raise ConfigurationError(
                f"scores of kind {score_kind!r} have no zero that means even odds, which a "
                "temperature needs; take platt or isotonic."
            )
        values, label = _checked(scores, labels, score_kind)
        odds, targets = log_odds(values, score_kind), _targets(label)

        def loss(logarithm: float) -> float:
            logit = odds * np.exp(-logarithm)
            return float((np.logaddexp(0.0, logit) - targets * logit).mean())

        found = minimize_scalar(loss, bounds=(-8.0, 8.0), method="bounded", options={"xatol": 1e-9})
        return cls(float(np.exp(found.x)), score_kind)

    @property
    def kind(self) -> ScoreKind:
        """The kind of scores that it takes."""
        return self.score_kind

    def probabilities(self, scores: npt.ArrayLike) -> Floats:
        """The probability of each score."""
        return _sigmoid(log_odds(scores, self.score_kind) / self.temperature)


@dataclass(frozen=True)
class Isotonic(Calibrator):
    """The best fit, by squared error, of all functions that never fall.

    Pooling of adjacent violators gives steps; between two steps the probability is interpolated,
    beyond the first and the last it stays. It assumes no shape and needs some hundred judgments.

    Zadrozny & Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates", KDD 2002.

    >>> Isotonic.fit([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1]).probabilities([1.0, 2.5, 9.0])
    array([0. , 0.5, 1. ])
    """

    name: ClassVar[str] = "isotonic"

    scores: tuple[float, ...]
    levels: tuple[float, ...]
    score_kind: ScoreKind = "logit"

    @classmethod
    def fit(
        cls, scores: npt.ArrayLike, labels: npt.ArrayLike, *, score_kind: ScoreKind = "logit"
    ) -> Isotonic:
        """The ends of the steps and their levels."""
        values, label = _checked(scores, labels, score_kind)
        unique, place = np.unique(values, return_inverse=True)
        weights = np.bincount(place).astype(np.float64)
        means = np.bincount(place, weights=label) / weights
        starts, levels = _pooled(means, weights)
        if len(levels) == 1:
            raise DataError(
                "scores that do not rise with relevance",
                expected="higher scores for relevant documents",
                remedy="check that judgments and scores belong together",
            )
        ends = np.append(starts[1:], len(unique)) - 1
        points: list[tuple[float, float]] = []
        for start, end, level in zip(starts.tolist(), ends.tolist(), levels, strict=True):
            points.append((float(unique[start]), level))
            if end > start:
                points.append((float(unique[end]), level))
        return cls(tuple(x for x, _ in points), tuple(y for _, y in points), score_kind)

    @property
    def kind(self) -> ScoreKind:
        """The kind of scores that it takes."""
        return self.score_kind

    def probabilities(self, scores: npt.ArrayLike) -> Floats:
        """The probability of each score."""
        values = np.asarray(scores, dtype=np.float64)
        found = np.interp(values, self.scores, self.levels)
        return np.where(np.isnan(values), np.nan, found)


def _checked(
    scores: npt.ArrayLike, labels: npt.ArrayLike, score_kind: ScoreKind
) -> tuple[Floats, Floats]:
    check_comparable(score_kind)
    values, label = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if values.ndim != 1 or values.shape != label.shape:
        raise DataError(
            f"scores and labels of shapes {values.shape} and {label.shape}",
            expected="two vectors of one length",
        )
    if not np.isfinite(values).all():
        raise DataError("a score that is not finite", expected="finite scores")
    if not np.isin(label, (0.0, 1.0)).all() or len(np.unique(label)) < 2:
        raise DataError(
            "labels of one class only" if np.isin(label, (0.0, 1.0)).all() else "other labels",
            expected="both 0 and 1 among the labels",
            remedy='where only relevant documents are judged, unjudged="nonrelevant"',
        )
    return values, label


def _targets(label: Floats) -> Floats:
    positive = float(label.sum())
    negative = len(label) - positive
    return np.where(label == 1.0, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))


def _sigmoid(logit: Floats) -> Floats:
    with np.errstate(invalid="ignore"):  # a score that is missing stays so
        return np.asarray(np.exp(-np.logaddexp(0.0, -logit)))


def _pooled(means: Floats, weights: Floats) -> tuple[npt.NDArray[np.int64], list[float]]:
    """Pool adjacent violators: where the blocks start, and their levels, which rise."""
    starts: list[int] = []
    levels: list[float] = []
    masses: list[float] = []
    for i, (mean, weight) in enumerate(zip(means.tolist(), weights.tolist(), strict=True)):
        start = i
        while levels and levels[-1] >= mean:
            mass = masses.pop()
            mean = (levels.pop() * mass + mean * weight) / (mass + weight)
            weight += mass
            start = starts.pop()
        starts.append(start)
        levels.append(mean)
        masses.append(weight)
    return np.array(starts, dtype=np.int64), levels
