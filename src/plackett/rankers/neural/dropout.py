"""Dropout from random bytes: an eighth of the random numbers, which are most of its cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Dropout", "RectifiedDropout", "dropped", "rectified"]

LEVELS = 256


def dropped(values: Tensor, share: float) -> Tensor:
    """Each value with probability `share` 0, and otherwise scaled so that the mean stays.

    The share is rounded to a multiple of 1/256. The random bits come from torch's generator.

    >>> torch.manual_seed(0) and dropped(torch.ones(4), 0.0)
    tensor([1., 1., 1., 1.])
    """
    threshold = round(share * LEVELS)
    if threshold == 0:
        return values
    return values * _factors(_kept(values, threshold), values, threshold)


def rectified(values: Tensor, share: float) -> Tensor:
    """`dropped(values.relu(), share)` with one mask for both, in fewer passes over memory.

    >>> rectified(torch.tensor([1.0, -1.0]), 0.0)
    tensor([1., 0.])
    """
    threshold = round(share * LEVELS)
    if threshold == 0:
        return values.relu()
    return values * _factors(_kept(values, threshold) & (values > 0), values, threshold)


def _kept(values: Tensor, threshold: int) -> Tensor:
    words = torch.empty((values.numel() + 7) // 8, dtype=torch.int64, device=values.device)
    # All 64 bits are random: torch draws from the whole range between these two.
    words.random_(-(2**63), None)
    return words.view(torch.uint8)[: values.numel()].view(values.shape) >= threshold


def _factors(kept: Tensor, values: Tensor, threshold: int) -> Tensor:
    return kept.to(values.dtype).mul_(LEVELS / (LEVELS - threshold))


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
