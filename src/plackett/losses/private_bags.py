"""Mean labels of bags with noise, so that no single label can be read from them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError

__all__ = ["gaussian_scale", "private_means"]


def private_means(
    labels: Tensor,
    where: Tensor | None = None,
    *,
    epsilon: float,
    clip: float,
    generator: torch.Generator,
    noise: Literal["laplace", "gaussian"] = "laplace",
    delta: float | None = None,
) -> Tensor:
    """The mean label of each bag plus noise that hides any one label, `float[B]`.

        mean over the bag's k labels of min(max(y, 0), clip)  +  clip / k times noise

    One label moves a mean by at most clip / k. Laplace noise has the scale clip / (k epsilon), and
    the means are then epsilon-differentially private; Gaussian noise has the standard deviation
    clip / k times `gaussian_scale(epsilon, delta)`, for (epsilon, delta). Larger bags need less
    noise, and say less: train on the means with `AggregateResponse`, one mean for all documents of
    its bag. Means are not cut to [0, clip], so that they stay unbiased for the clipped labels.

    What is promised: whoever sees the means, and knows everything but one label, learns little of
    that label. It holds if each label is in one bag and the means are computed once; every further
    call on the same labels costs epsilon (and delta) again. What is not: features, the sizes of
    bags and which document is in which are not hidden at all; `clip` must not be chosen by looking
    at the labels; whoever knows the generator's seed can take the noise away; and torch's random
    numbers are neither cryptographic nor safe against attacks on the last digits of floating-point
    noise (Mironov, CCS 2012). For secrets that matter, draw the noise with an audited library.

    Parameters
    ----------
    labels : `[B, L]`, one row a bag.
    where : `bool[B, L]`, True for real documents; default: all.
    epsilon : how much may be learnt, above 0: the log of the greatest ratio of likelihoods.
    clip : labels are cut to [0, clip].
    generator : of the noise, with a seed that stays secret.
    noise : "laplace" or "gaussian".
    delta : the chance in which epsilon may fail, between 0 and 1; with "gaussian" only.

    Returns
    -------
    float64 where the labels are, else float32; 0 without noise for a bag without documents.

    Raises
    ------
    ConfigurationError : a parameter out of range; a `delta` where there is none, or none given.
    DataError : shapes that do not fit, or a label that is not a number.

    Dwork, McSherry, Nissim & Smith, "Calibrating noise to sensitivity in private data analysis",
    TCC 2006; for bags: Javanmard et al., "Learning from aggregate responses", ICLR 2024.

    >>> secret = torch.Generator().manual_seed(0)
    >>> labels = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
    >>> private_means(labels, epsilon=1e9, clip=4.0, generator=secret)
    tensor([1.5000])
    """
    scale = _unit_scale(noise, epsilon, delta)
    if not (math.isfinite(clip) and clip > 0):
        raise ConfigurationError(f"clip={clip!r} is not a finite number above 0.")
    where = _checked(labels, where)
    wide = torch.where(where, labels.to(torch.float64), 0.0).clamp(min=0.0, max=clip)
    counts = where.sum(dim=1).to(torch.float64)
    means = wide.sum(dim=1) / counts.clamp(min=1)
    drawn = torch.empty((2, len(means)), dtype=torch.float64, device=generator.device)
    if noise == "laplace":
        drawn.exponential_(generator=generator)
        unit = drawn[0] - drawn[1]
    else:
        unit = drawn.normal_(generator=generator)[0]
    noisy = means + unit.to(means.device) * (scale * clip / counts.clamp(min=1))
    found = torch.where(counts > 0, noisy, torch.zeros_like(noisy))
    return found if labels.dtype == torch.float64 else found.float()


def gaussian_scale(epsilon: float, delta: float) -> float:
    """The least standard deviation of Gaussian noise for (epsilon, delta), where a label moves 1.

    It solves Phi(1 / (2 s) - epsilon s) - exp(epsilon) Phi(-1 / (2 s) - epsilon s) = delta, which
    is exact for every epsilon; the usual sqrt(2 log(1.25 / delta)) / epsilon is larger, and a proof
    for epsilon below 1 only.

    Raises
    ------
    ConfigurationError : `epsilon` is not above 0, or `delta` not between 0 and 1.

    Balle & Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018.

    >>> round(gaussian_scale(epsilon=1.0, delta=1e-5), 4)
    3.7306
    """
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ConfigurationError(f"epsilon={epsilon!r} is not a finite number above 0.")
    if not 0 < delta < 1:
        raise ConfigurationError(f"delta={delta!r} is not between 0 and 1.")
    low, high = 0.0, 1.0
    while _failure(high, epsilon) > delta:
        low, high = high, 2.0 * high
    for _ in range(100):
        middle = 0.5 * (low + high)
        if _failure(middle, epsilon) > delta:
            low = middle
        else:
            high = middle
    return high


def _failure(deviation: float, epsilon: float) -> float:
    """The least delta of Gaussian noise with this standard deviation."""
    nearer = epsilon * deviation - 0.5 / deviation
    farther = epsilon * deviation + 0.5 / deviation
    within = 0.5 * math.erfc(nearer / math.sqrt(2.0))
    # exp(epsilon) is exp((farther² - nearer²) / 2), which the normal tail takes up.
    return within - math.exp(-0.5 * nearer**2) * _scaled_tail(farther)


def _scaled_tail(x: float) -> float:
    """exp(x² / 2) Phi(-x), for x above 0: far out by the asymptotic series of Phi."""
    if x < 20.0:
        return 0.5 * math.exp(0.5 * x * x) * math.erfc(x / math.sqrt(2.0))
    series = 1.0 - (1.0 - (3.0 - 15.0 / x**2) / x**2) / x**2
    return series / (x * math.sqrt(2.0 * math.pi))


def _unit_scale(noise: str, epsilon: float, delta: float | None) -> float:
    """What multiplies noise of scale 1 where a label can change the mean by 1."""
    if noise not in ("laplace", "gaussian"):
        raise ConfigurationError(f"noise={noise!r} is neither 'laplace' nor 'gaussian'.")
    if noise == "gaussian":
        if delta is None:
            raise ConfigurationError('noise="gaussian" needs a delta, such as 1e-6.')
        return gaussian_scale(epsilon, delta)
    if delta is not None:
        raise ConfigurationError('noise="laplace" has no delta; leave it out.')
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise ConfigurationError(f"epsilon={epsilon!r} is not a finite number above 0.")
    return 1.0 / epsilon


def _checked(labels: Tensor, where: Tensor | None) -> Tensor:
    """`where`, after a look at shapes and labels."""
    if labels.ndim != 2:
        raise DataError(f"labels of shape {tuple(labels.shape)}", expected="[bags, documents]")
    if where is None:
        where = torch.ones(labels.shape, dtype=torch.bool, device=labels.device)
    if where.shape != labels.shape or where.dtype != torch.bool:
        raise DataError(
            f"where of shape {tuple(where.shape)} and type {where.dtype}",
            expected=f"booleans of shape {tuple(labels.shape)}",
        )
    if bool((torch.isnan(labels) & where).any()):
        raise DataError("a label that is not a number", expected="numbers at real documents")
    return where
