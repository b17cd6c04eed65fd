"""Are predicted probabilities true? Reliability curve, ECE, log loss and Brier score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = [
    "Binning",
    "ReliabilityCurve",
    "brier_score",
    "expected_calibration_error",
    "log_loss",
    "reliability_curve",
]

Binning = Literal["width", "count"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """Predicted against observed shares of relevance, one point a bin that has predictions.

    `predicted` and `observed` are the mean probability and the share of relevant documents,
    `float64[bins]`; `count`, `int64[bins]`, is how many predictions a bin has.
    """

    predicted: Floats
    observed: Floats
    count: npt.NDArray[np.int64]

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |observed - predicted|, weighed by count."""
        gaps = np.abs(self.observed - self.predicted)
        return float((gaps * self.count).sum() / self.count.sum())


def _checked(probability: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    predicted = np.asarray(probability, dtype=np.float64)
    label = np.asarray(y, dtype=np.float64)
    if predicted.ndim != 1 or predicted.shape != label.shape or len(label) == 0:
        raise DataError(
            f"probabilities and labels of shapes {predicted.shape} and {label.shape}",
            expected="two vectors of one length, not empty",
        )
    if not ((predicted >= 0.0) & (predicted <= 1.0)).all():
        raise DataError("a probability outside 0 to 1", expected="probabilities")
    if not np.isin(label, (0.0, 1.0)).all():
        raise DataError(
            "a label other than 0 and 1",
            expected="0 or 1",
            remedy="turn grades into labels first, for example y >= 1",
        )
    return predicted, label


def reliability_curve(
    probability: npt.ArrayLike, y: npt.ArrayLike, *, bins: int = 10, binning: Binning = "width"
) -> ReliabilityCurve:
    """Group predictions by probability and compare each group with what was observed.

    Parameters
    ----------
    probability, y : `float[n]` between 0 and 1, and labels 0 or 1.
    bins : how many groups; empty ones are left out.
    binning : "width": intervals of equal width, closed above; "count": groups of equal size in the
        order of the probabilities (they differ by at most one).

    Raises
    ------
    DataError : unequal lengths, no rows, a value out of range.
    ConfigurationError : bins below 1 or an unknown binning.

    DeGroot & Fienberg, "The comparison and evaluation of forecasters", The Statistician 1983.

    >>> curve = reliability_curve([0.1, 0.3, 0.9, 0.7], [0, 0, 1, 1], bins=2)
    >>> curve.predicted, curve.observed
    (array([0.2, 0.8]), array([0., 1.]))
    """
    predicted, label = _checked(probability, y)
    if bins < 1:
        raise ConfigurationError(f"bins={bins} is below 1.")
    if binning == "width":
        edges = np.linspace(0.0, 1.0, bins + 1)[1:-1]
        group = np.searchsorted(edges, predicted, side="left")
    elif binning == "count":
        group = np.empty(len(predicted), dtype=np.int64)
        group[np.argsort(predicted, kind="stable")] = np.arange(len(predicted)) * bins // len(label)
    else:
        raise ConfigurationError(f"binning={binning!r} is not one of width, count.")
    count = np.bincount(group, minlength=bins)
    used = count > 0
    shares = [np.bincount(group, weights=w, minlength=bins)[used] for w in (predicted, label)]
    return ReliabilityCurve(shares[0] / count[used], shares[1] / count[used], count[used])


def expected_calibration_error(
    probability: npt.ArrayLike, y: npt.ArrayLike, *, bins: int = 10, binning: Binning = "width"
) -> float:
    """The mean over bins, weighed by their counts, of |observed share - mean probability|.

    Parameters and errors as `reliability_curve`. Naeini, Cooper & Hauskrecht, "Obtaining well
    calibrated probabilities using Bayesian binning", AAAI 2015.

    >>> round(expected_calibration_error([0.1, 0.3, 0.9, 0.7], [0, 0, 1, 1], bins=2), 4)
    0.2
    """
    return reliability_curve(probability, y, bins=bins, binning=binning).error


def log_loss(probability: npt.ArrayLike, y: npt.ArrayLike, *, clip: float = 1e-15) -> float:
    """The mean of -log of the probability given to what was observed, in nats.

    Probabilities are first clipped to `[clip, 1 - clip]`, so that one sure error does not make it
    infinite. Errors as `reliability_curve`. Good, "Rational decisions", JRSS B 1952.

    >>> round(log_loss([0.5, 0.5], [0, 1]), 4)
    0.6931
    """
    if not 0.0 <= clip < 0.5:
        raise ConfigurationError(f"clip={clip} does not lie in 0 to 0.5.")
    predicted, label = _checked(probability, y)
    given = np.clip(np.where(label == 1.0, predicted, 1.0 - predicted), clip, 1.0 - clip)
    with np.errstate(divide="ignore"):
        return float(-np.log(given).mean())


def brier_score(probability: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """The mean of (probability - label)^2: 0 is perfect, 0.25 is what 0.5 throughout gets.

    Errors as `reliability_curve`. Brier, "Verification of forecasts", Monthly Weather Review 1950.

    >>> brier_score([1.0, 0.5], [1, 0])
    0.125
    """
    predicted, label = _checked(probability, y)
    return float(np.square(predicted - label).mean())
