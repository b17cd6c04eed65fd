"""Rewards of sampled scores: how well they agree with the preferences of a group."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError

__all__ = ["fidelity_rewards", "group_advantages"]


def fidelity_rewards(
    samples: Tensor,
    labels: Tensor,
    where: Tensor | None = None,
    *,
    added_variance: float = 1e-6,
) -> Tensor:
    """The fidelity of each sampled score with the labels, averaged over the other documents.

        q_k(j) = Phi((x_ik - mean_k x_jk) / sqrt(var_k x_i + var_k x_j + added_variance))
        r_ik   = mean over j != i of sqrt(p q_k) + sqrt((1 - p)(1 - q_k))

    x_ik is sample k of document i's score, p is 1, 1/2 or 0 where y_i is above, equal to or below
    y_j, and variances are over the K samples, divided by K. A reward is between 0 and 1, and 1
    where the sample stands on the right side of all others without doubt. Use it to train a model
    that says scores in words, which have no gradient, by a policy gradient: `group_advantages`
    are the multipliers of the samples' log-probabilities. Cost: O(L² K) time, O(L K) memory.

    Parameters
    ----------
    samples : `float[B, L, K]`, K scores of every document. No gradient goes through them.
    labels : `[B, L]`, such as mean opinion scores; only their order is used.
    where : `bool[B, L]`, True for real documents; default: all.
    added_variance : keeps the denominator above 0 where all samples agree.

    Returns
    -------
    `float[B, L, K]`; 0 at padding and for a document without another. Half precision is computed
    and returned in float32, in which the normal distribution does not saturate early.

    Raises
    ------
    DataError : shapes that do not fit, or samples that are not floating-point.
    ConfigurationError : `added_variance` is not a finite number above 0.

    Wu et al., "VisualQuality-R1: Reasoning-induced image quality assessment via reinforcement
    learning to rank", NeurIPS 2025.

    >>> samples = torch.tensor([[[3.0, 4.0, 5.0, 4.0], [2.0, 3.0, 3.0, 4.0]]])
    >>> fidelity_rewards(samples, torch.tensor([[1, 0]]))[0, 0]
    tensor([0.7071, 0.9172, 0.9886, 0.9172])
    """
    where = _checked(samples, labels, where)
    if not (math.isfinite(added_variance) and added_variance > 0):
        raise ConfigurationError(f"added_variance={added_variance!r} is not a number above 0.")
    wide = torch.promote_types(samples.dtype, torch.float32)
    real = where[..., None]
    held = torch.where(real, samples.detach().to(wide), 0.0)
    means, variances = held.mean(dim=2), held.var(dim=2, correction=0)
    total = torch.zeros_like(held)
    for other in range(labels.shape[1]):
        deviation = (variances + variances[:, other, None] + added_variance).sqrt()
        unit = (held - means[:, other, None, None]) / deviation[..., None]
        win = 0.5 * (1.0 + torch.sign(labels - labels[:, other, None])).to(wide)[..., None]
        agreement = torch.sqrt(win * torch.special.ndtr(unit))
        agreement = agreement + torch.sqrt((1.0 - win) * torch.special.ndtr(-unit))
        counted = where & where[:, other, None]
        counted[:, other] = False
        total += torch.where(counted[..., None], agreement, 0.0)
    others = (where.sum(dim=1) - 1).clamp(min=1).to(wide)
    return total / others[:, None, None]


def group_advantages(rewards: Tensor) -> Tensor:
    """(r_k - mean r) / std r over the K samples of each document, as in GRPO.

    The standard deviation is divided by K, not K - 1. Samples that were all rewarded alike say
    nothing and have the advantage 0.

    Parameters
    ----------
    rewards : `float[..., K]`.

    Raises
    ------
    DataError : rewards that are not floating-point, or none.

    Shao et al., "DeepSeekMath: Pushing the limits of mathematical reasoning in open language
    models", 2024, arXiv 2402.03300.

    >>> group_advantages(torch.tensor([[1.0, 0.0, 1.0, 0.0], [0.5, 0.5, 0.5, 0.5]]))
    tensor([[ 1., -1.,  1., -1.],
            [ 0.,  0.,  0.,  0.]])
    """
    if not rewards.is_floating_point() or rewards.ndim < 1 or rewards.shape[-1] < 1:
        raise DataError(
            f"rewards of shape {tuple(rewards.shape)} and type {rewards.dtype}",
            expected="floating-point rewards [..., samples]",
        )
    held = rewards.detach()
    differences = held - held.mean(dim=-1, keepdim=True)
    spread = differences.square().mean(dim=-1, keepdim=True).sqrt()
    # What rounding leaves of equal rewards, which are at most 1, is not a difference.
    alike = spread <= 8 * torch.finfo(held.dtype).eps * held.abs().amax(dim=-1, keepdim=True)
    return torch.where(alike, torch.zeros_like(held), differences / torch.where(alike, 1.0, spread))


def _checked(samples: Tensor, labels: Tensor, where: Tensor | None) -> Tensor:
    """`where`, after a look at the shapes."""
    if not samples.is_floating_point() or samples.ndim != 3 or samples.shape[:2] != labels.shape:
        raise DataError(
            f"samples of shape {tuple(samples.shape)} and type {samples.dtype} for labels of shape "
            f"{tuple(labels.shape)}",
            expected="floating-point samples [lists, documents, samples]",
        )
    if samples.shape[2] < 1:
        raise DataError("no sample of a score", expected="at least one a document")
    if where is None:
        return torch.ones(labels.shape, dtype=torch.bool, device=labels.device)
    if where.shape != labels.shape or where.dtype != torch.bool:
        raise DataError(
            f"where of shape {tuple(where.shape)} and type {where.dtype}",
            expected=f"booleans of shape {tuple(labels.shape)}",
        )
    return where
