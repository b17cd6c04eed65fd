"""Scores under uncertainty: risk-aware ranking, dropout's moments, where to cut a list."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError, UnknownNameError

__all__ = [
    "best_expected_f1",
    "conditional_value_at_risk",
    "dropout_moments",
    "expected_f1",
    "risk_aware_scores",
]

Floats = npt.NDArray[np.float64]
Tail = Literal["lower", "upper"]


def _check(alpha: float, tail: str) -> None:
    if not 0.0 < alpha <= 1.0:
        raise ConfigurationError(f"alpha={alpha} does not lie above 0 and up to 1.")
    if tail not in ("lower", "upper"):
        raise UnknownNameError("tail", tail, ("lower", "upper"))


def risk_aware_scores(
    mean: npt.ArrayLike, variance: npt.ArrayLike, alpha: float, *, tail: Tail = "lower"
) -> Floats:
    """The mean of the worst (or best) share `alpha` of a Gaussian score: CVaR.

    mean - sd * phi(Phi^-1(alpha)) / alpha; for the upper tail with a plus. The smaller alpha, the
    more an uncertain document is held back (or tried); alpha = 1 ranks by the mean.

    Parameters
    ----------
    mean, variance : `float[...]` of one shape.
    alpha : the share, above 0 and up to 1.
    tail : "lower" averts risk, "upper" seeks it.

    Raises
    ------
    DataError : shapes that differ or a variance below 0. ConfigurationError : alpha out of range.

    Rockafellar & Uryasev, "Optimization of conditional value-at-risk", J. Risk 2000; Cohen et al.,
    "Not all relevance scores are equal", SIGIR 2021.

    >>> risk_aware_scores([2.0, 2.0], [1.0, 0.0], 0.1).round(6)
    array([0.245017, 2.      ])
    """
    _check(alpha, tail)
    centre, spread = np.asarray(mean, dtype=np.float64), np.asarray(variance, dtype=np.float64)
    if centre.shape != spread.shape or not (spread >= 0).all():
        raise DataError(
            f"means of shape {centre.shape} and variances of shape {spread.shape}",
            expected="one variance from 0 up for every mean",
        )
    from scipy.special import ndtri

    density = float(np.exp(-0.5 * ndtri(alpha) ** 2) / np.sqrt(2.0 * np.pi))
    shift = np.sqrt(spread) * (density / alpha)
    return np.asarray(centre - shift if tail == "lower" else centre + shift)


def conditional_value_at_risk(
    samples: npt.ArrayLike, alpha: float, *, tail: Tail = "lower"
) -> Floats:
    """The mean of the worst (or best) share `alpha` of drawn scores.

    Where alpha times the number of draws is not whole, the last one counts in part, so that the
    value is continuous in alpha.

    Parameters
    ----------
    samples : `float[..., S]`, S draws of every score.
    alpha, tail : as in `risk_aware_scores`.

    Returns
    -------
    `float64[...]`.

    Raises
    ------
    DataError : no draws or a NaN. ConfigurationError : alpha out of range.

    >>> float(conditional_value_at_risk(range(1, 11), 0.2))
    1.5
    """
    _check(alpha, tail)
    drawn = np.asarray(samples, dtype=np.float64)
    if drawn.ndim == 0 or drawn.shape[-1] == 0 or np.isnan(drawn).any():
        raise DataError(f"samples of shape {drawn.shape}", expected="at least one draw and no NaN")
    drawn = np.sort(drawn if tail == "lower" else -drawn, axis=-1)
    share = np.clip(alpha * drawn.shape[-1] - np.arange(drawn.shape[-1]), 0.0, 1.0)
    used = share > 0
    value = drawn[..., used] @ share[used] / share[used].sum()
    return np.asarray(value if tail == "lower" else -value)


def dropout_moments(
    hidden: npt.ArrayLike, weights: npt.ArrayLike, *, bias: float = 0.0, rate: float
) -> tuple[Floats, Floats]:
    """Mean and variance of a linear output under dropout, without drawing anything.

    score = sum_i z_i h_i w_i / (1 - rate) + bias with z_i ~ Bernoulli(1 - rate) has mean h.w + bias
    and variance rate / (1 - rate) * sum_i (h_i w_i)^2. The moments are those of one document;
    documents of a list that share a mask are correlated.

    Parameters
    ----------
    hidden : `float[..., units]`, what goes into the last layer.
    weights : `float[units]`.
    rate : the share of units that is dropped, from 0 to below 1.

    Returns
    -------
    Mean and variance, `float64[...]` each.

    Raises
    ------
    DataError : shapes that do not fit. ConfigurationError : a rate out of its range.

    Cohen et al., "Not all relevance scores are equal", SIGIR 2021.

    >>> [float(moment) for moment in dropout_moments([1.0, 2.0], [3.0, 1.0], rate=0.5)]
    [5.0, 13.0]
    """
    if not 0.0 <= rate < 1.0:
        raise ConfigurationError(f"rate={rate} does not lie in 0 to below 1.")
    inputs, factors = np.asarray(hidden, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if factors.ndim != 1 or inputs.ndim == 0 or inputs.shape[-1] != len(factors):
        raise DataError(
            f"{factors.shape} weights for inputs of shape {inputs.shape}",
            expected="one weight a unit",
        )
    parts = inputs * factors
    variance = rate / (1.0 - rate) * np.square(parts).sum(axis=-1)
    return np.asarray(parts.sum(axis=-1) + bias), np.asarray(variance)


def expected_f1(probability: npt.ArrayLike) -> Floats:
    """The expected F1 of the first k documents, for every cutoff k = 0 ... n, exactly, in O(n^2).

    Documents are relevant independently of one another, with calibrated probabilities. With A the
    relevant ones among the first k and B among the others, F1 = 2 A / (k + A + B). To return
    nothing is right, F1 = 1, where nothing is relevant.

    Parameters
    ----------
    probability : `float[n]`, of the documents in the order of the list.

    Returns
    -------
    `float64[n + 1]`.

    Raises
    ------
    DataError : not a vector of probabilities.

    Jansche, "A maximum expected utility framework for binary sequence labeling", ACL 2007; Ye,
    Chai, Lee & Chieu, "Optimizing F-measures: a tale of two approaches", ICML 2012.

    >>> expected_f1([1.0, 0.0]).round(4)
    array([0.    , 1.    , 0.6667])
    """
    p = np.asarray(probability, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise DataError(f"probabilities of shape {p.shape}", expected="a vector of values 0 to 1")
    n = len(p)
    values = np.zeros(n + 1)
    found = np.zeros((n + 1, n + 1))  # found[k, a]: the chance of a relevant ones among k
    found[0, 0] = 1.0
    for k in range(n):
        found[k + 1] = found[k] * (1.0 - p[k])
        found[k + 1, 1:] += found[k, :-1] * p[k]
    # inverse[j] is the mean of 1 / (j + B), B being the relevant ones below the cutoff.
    inverse = np.zeros(2 * n + 2)
    inverse[1:] = 1.0 / np.arange(1.0, 2.0 * n + 2.0)
    for k in range(n, 0, -1):
        hits = np.arange(k + 1)
        values[k] = (2.0 * hits * found[k, : k + 1] * inverse[k + hits]).sum()
        inverse[:-1] = p[k - 1] * inverse[1:] + (1.0 - p[k - 1]) * inverse[:-1]
    values[0] = float(np.prod(1.0 - p))
    return values


def best_expected_f1(probability: npt.ArrayLike) -> tuple[int, float]:
    """The cutoff of the highest expected F1, the smallest of equals, and that expected F1.

    Parameters and errors as `expected_f1`.

    >>> best_expected_f1([0.9, 0.8, 0.1, 0.05])[0]
    2
    """
    values = expected_f1(probability)
    cutoff = int(values.argmax())
    return cutoff, float(values[cutoff])
