"""Can a score be read as a probability of relevance? Reliability, ECE, log loss, Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["Reliability", "brier_score", "expected_calibration_error", "log_loss", "reliability"]

Floats = npt.NDArray[np.float64]

# Probabilities are kept this far from 0 and 1 in the log loss, as scikit-learn does for float64.
_SMALLEST = float(np.finfo(np.float64).eps)


def _checked(probability: npt.ArrayLike, relevant: npt.ArrayLike) -> tuple[Floats, Floats]:
    p, y = (np.asarray(values, dtype=np.float64) for values in (probability, relevant))
    if p.ndim != 1 or p.shape != y.shape or len(p) == 0:
        raise DataError(
            f"probabilities of shape {p.shape} and labels of shape {y.shape}",
            expected="two lists of equal length, not empty",
        )
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError("a probability outside 0 to 1", expected="probabilities")
    if not ((y >= 0) & (y <= 1)).all():
        raise DataError("a label outside 0 to 1", expected="relevance as 0 or 1, or a share")
    return p, y


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability curve: what was predicted, and what came true, bin by bin.

    `predicted` and `observed` are means, `float64[bins]`; `count` is `int64[bins]`. Empty bins are
    left out.
    """

    predicted: Floats
    observed: Floats
    count: npt.NDArray[np.int64]


def reliability(
    probability: npt.ArrayLike,
    relevant: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "uniform",
) -> Reliability:
    """The reliability curve of predicted probabilities, `float[n]`, and labels in [0, 1].

    Parameters
    ----------
    strategy : "uniform" bins of equal width, or "quantile" bins of about equal size.

    Raises
    ------
    DataError : a value outside [0, 1], unequal lengths, nothing at all.

    >>> curve = reliability([0.1, 0.1, 0.9], [0, 1, 1], bins=2)
    >>> curve.predicted, curve.observed, curve.count
    (array([0.1, 0.9]), array([0.5, 1. ]), array([2, 1]))
    """
    p, y = _checked(probability, relevant)
    if bins < 1:
        raise ConfigurationError(f"bins={bins} is not a positive number.")
    if strategy == "uniform":
        bin_of = np.minimum((p * bins).astype(np.int64), bins - 1)
    elif strategy == "quantile":
        edges = np.quantile(p, np.arange(1, bins) / bins)
        bin_of = np.searchsorted(edges, p, side="left")
    else:
        raise ConfigurationError(f"strategy {strategy!r} is neither 'uniform' nor 'quantile'.")
    count = np.bincount(bin_of, minlength=bins)
    kept = count > 0
    predicted = np.bincount(bin_of, weights=p, minlength=bins)[kept] / count[kept]
    observed = np.bincount(bin_of, weights=y, minlength=bins)[kept] / count[kept]
    return Reliability(predicted, observed, count[kept].astype(np.int64))


def expected_calibration_error(
    probability: npt.ArrayLike,
    relevant: npt.ArrayLike,
    *,
    bins: int = 10,
    strategy: str = "uniform",
) -> float:
    """The mean over bins, by size, of |predicted - observed|.

    Naeini, Cooper & Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015.

    >>> expected_calibration_error([0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0])
    0.0
    """
    curve = reliability(probability, relevant, bins=bins, strategy=strategy)
    gap = np.abs(curve.predicted - curve.observed)
    return float((gap * curve.count).sum() / curve.count.sum())


def log_loss(probability: npt.ArrayLike, relevant: npt.ArrayLike) -> float:
    """The mean of -y log p - (1 - y) log(1 - p), in nats.

    >>> round(log_loss([0.5, 0.5], [0, 1]), 6)
    0.693147
    """
    p, y = _checked(probability, relevant)
    p = np.clip(p, _SMALLEST, 1.0 - _SMALLEST)
    return float(-(y * np.log(p) + (1.0 - y) * np.log1p(-p)).mean())


def brier_score(probability: npt.ArrayLike, relevant: npt.ArrayLike) -> float:
    """The mean of (p - y)^2. Brier, Monthly Weather Review 1950.

    >>> brier_score([0.5, 1.0], [0, 1])
    0.125
    """
    p, y = _checked(probability, relevant)
    return float(((p - y) ** 2).mean())
