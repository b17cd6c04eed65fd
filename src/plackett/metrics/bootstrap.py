"""Intervals around a mean over queries, by resampling the queries."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["Interval", "bootstrap_interval", "bootstrap_means", "interval_of_means"]

Values = npt.NDArray[np.float64]
Method = Literal["bca", "percentile"]

CHUNK = 4_000_000
"""Cells of the resampling matrix held at once: 32 MB."""


class Interval(NamedTuple):
    """A confidence interval: its lower and its upper end."""

    low: float
    high: float


def bootstrap_means(values: npt.ArrayLike, *, resamples: int = 10_000, seed: int = 0) -> Values:
    """The means of k vectors over resampled queries, `float64[k, resamples]`.

    `values` is `float64[k, q]`. All vectors see the same resampled queries, so the differences of
    two rows are the resampled means of the paired differences.

    >>> bootstrap_means([[1.0, 1.0]], resamples=3)
    array([[1., 1., 1.]])
    """
    table = np.atleast_2d(np.asarray(values, np.float64))
    if table.ndim != 2 or not table.shape[1] or not np.isfinite(table).all():
        raise DataError(
            f"values of shape {table.shape}, or not finite",
            expected="finite values of at least one query, one row a vector",
        )
    if resamples < 1:
        raise ConfigurationError(f"resamples is {resamples}; it must be at least 1.")
    vectors, n = table.shape
    generator = np.random.default_rng(seed)
    means = np.empty((vectors, resamples))
    step = max(1, CHUNK // n)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = generator.integers(0, n, (rows, n))
        drawn += np.arange(rows)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means[:, start : start + rows] = table @ weights.T.astype(np.float64) / n
    return means


def interval_of_means(
    values: npt.ArrayLike,
    means: Values,
    *,
    confidence: float = 0.95,
    method: Method = "bca",
) -> Interval:
    """The interval of the mean of `values`, given its resampled means (`bootstrap_means`).

    Percentile: the quantiles of the resampled means. BCa moves the two quantiles by the bias
    `z0 = Phi^-1(share of resampled means below the mean)` and by the acceleration of the jackknife,
    which for a mean is `a = sum (x - mean)^3 / (6 (sum (x - mean)^2)^1.5)`.

    Paper: Efron, "Better bootstrap confidence intervals", JASA 1987.
    """
    from scipy import special

    if not 0 < confidence < 1:
        raise ConfigurationError(f"confidence is {confidence}; it must lie between 0 and 1.")
    if method not in ("bca", "percentile"):
        raise ConfigurationError(f"method is {method!r}; it must be 'bca' or 'percentile'.")
    vector = np.asarray(values, np.float64)
    mean = float(vector.mean())
    deviations = vector - mean
    spread = float((deviations**2).sum())
    if spread <= 1e-24 * len(vector):  # no query differs from another: nothing to resample
        return Interval(mean, mean)
    levels = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        below = np.count_nonzero(means < mean) + np.count_nonzero(means <= mean)
        bias = float(special.ndtri(below / (2 * len(means))))
        acceleration = float((deviations**3).sum()) / (6 * spread**1.5)
        # Every resampled mean on one side leaves the bias unbounded: keep the percentiles then.
        if math.isfinite(bias):
            z = bias + special.ndtri(levels)
            levels = special.ndtr(bias + z / (1 - acceleration * z))
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high))


def bootstrap_interval(
    values: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    method: Method = "bca",
) -> Interval:
    """A bootstrap confidence interval of the mean of `values`, `float64[q]`.

    Parameters
    ----------
    values : one value a query: a measure's, or a difference's.
    method : "bca" (bias-corrected and accelerated) or "percentile"; see `interval_of_means`.

    >>> low, high = bootstrap_interval([0.0, 1.0, 0.0, 1.0, 1.0])
    >>> 0.0 <= low < 0.6 < high <= 1.0
    True
    """
    vector = np.asarray(values, np.float64)
    means = bootstrap_means(vector, resamples=resamples, seed=seed)
    return interval_of_means(vector, means[0], confidence=confidence, method=method)
