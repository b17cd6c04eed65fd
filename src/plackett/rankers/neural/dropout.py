"""Dropout from random bytes: an eighth of the random numbers, which are most of its cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

__all__ = ["Dropout", "RectifiedDropout", "dropped", "rectified"]

LEVELS = 256


def dropped(values: Tensor, share: float) -> Tensor:
    """Each value with probability `share` 0, and otherwise scaled so that the mean stays.

    The share is rounded to a multiple of 1/256. The random bits come from torch's generator.

    >>> torch.manual_seed(0) and dropped(torch.ones(4), 0.0)
    tensor([1., 1., 1., 1.])
    """
    threshold = round(share * LEVELS)
    return values if threshold == 0 else values * _factors(values, threshold)


def rectified(values: Tensor, share: float) -> Tensor:
    """`dropped(values.relu(), share)`, in fewer passes over memory.

    >>> rectified(torch.tensor([1.0, -1.0]), 0.0)
    tensor([1., 0.])
    """
    threshold = round(share * LEVELS)
    if threshold == 0:
        return values.relu()
    if _compilable(values):
        found: Tensor = _Rectified.apply(values, threshold)  # type: ignore[no-untyped-call]
        return found
    return values.relu() * _factors(values, threshold)


def _draws(values: Tensor) -> Tensor:
    """A random byte for each value, in one row."""
    words = torch.empty((values.numel() + 7) // 8, dtype=torch.int64, device=values.device)
    # All 64 bits are random: torch draws from the whole range between these two.
    words.random_(-(2**63), None)
    return words.view(torch.uint8)[: values.numel()]


def _scale(threshold: int) -> float:
    return LEVELS / (LEVELS - threshold)


def _compilable(values: Tensor) -> bool:
    """Whether the compiled loops take these values."""
    return (
        values.dtype == torch.float32
        and values.device.type == "cpu"
        and not torch.compiler.is_compiling()
    )


def _factors(values: Tensor, threshold: int) -> Tensor:
    """What to multiply values by: 0 or the scale."""
    draws = _draws(values)
    if not _compilable(values):
        kept = draws.view(values.shape) >= threshold
        return kept.to(values.dtype).mul_(_scale(threshold))
    from plackett.rankers.neural import dropout_kernels

    found = torch.empty(values.shape, dtype=torch.float32)
    dropout_kernels.factors(
        draws.numpy(), threshold, np.float32(_scale(threshold)), found.view(-1).numpy()
    )
    return found


class _Rectified(torch.autograd.Function):
    """`rectified` by compiled loops; only its result is kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, threshold: int) -> Tensor:
        from plackett.rankers.neural import dropout_kernels

        values = values.contiguous()
        ctx.scale = np.float32(_scale(threshold))
        found = torch.empty_like(values)
        dropout_kernels.rectified_forward(
            values.view(-1).numpy(),
            _draws(values).numpy(),
            threshold,
            ctx.scale,
            found.view(-1).numpy(),
        )
        ctx.save_for_backward(found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        from plackett.rankers.neural import dropout_kernels

        (found,) = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        result = torch.empty_like(found)
        dropout_kernels.rectified_backward(
            gradient.view(-1).numpy(),
            found.view(-1).numpy(),
            ctx.scale,
            result.view(-1).numpy(),
        )
        return result, None


class Dropout(nn.Module):
    """`torch.nn.Dropout` by `dropped`."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        return dropped(values, self.share) if self.training else values


class RectifiedDropout(Dropout):
    """A rectifier, then dropout."""

    def forward(self, values: Tensor) -> Tensor:
        return rectified(values, self.share) if self.training else values.relu()
