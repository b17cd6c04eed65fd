"""The Z-loss: a softmax loss of standardised scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.listnet import label_shares
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_temperature

__all__ = ["ZLoss", "standardised"]


def standardised(scores: Tensor, where: Tensor) -> Tensor:
    """(s - mean) / standard deviation over the real documents of each list, 0 at padding.

    Where all scores are equal, it is 0 with the gradient 0.
    """
    count = where.sum(dim=-1, keepdim=True).clamp(min=1)
    mean = torch.where(where, scores, torch.zeros_like(scores)).sum(dim=-1, keepdim=True) / count
    centred = torch.where(where, scores - mean, torch.zeros_like(scores))
    variance = centred.square().sum(dim=-1, keepdim=True) / count
    # Scores that differ by rounding alone are equal.
    noise = (4.0 * torch.finfo(scores.dtype).eps * mean.abs()).square()
    spread = variance.detach() > noise
    deviation = torch.where(spread, variance, torch.ones_like(variance)).sqrt()
    return torch.where(spread, centred / deviation, torch.zeros_like(centred))


@register
@dataclass(frozen=True, repr=False)
class ZLoss(Loss):
    """A softplus of how far the relevant documents' standardised scores are below an aim.

        loss = sum_i (y_i / sum(y)) softplus(sharpness (aim - z_i)) / sharpness,
        z = (s - mean(s)) / deviation(s)

    Adding a number to the scores of a list or multiplying them by one above 0 changes nothing.
    Prefer it to `SoftmaxCrossEntropy` where the scale of the scores is out of control. Several
    relevant documents share it by their labels. Lists without a label above 0 are left out; labels
    below 0 count as 0. Document weights multiply the shares.

    Parameters
    ----------
    sharpness : how soon a document at the aim is left alone.
    aim : in standard deviations; the highest that a document among n can reach is sqrt(n - 1).

    Raises
    ------
    ConfigurationError : `sharpness` is not a finite number above 0.

    Reference: de Brebisson & Vincent, "The Z-loss: a shift and scale invariant classification loss
    belonging to the spherical family", 2016, arXiv 1604.08859.

    >>> loss = ZLoss()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([0, 1, 0, 0]))
    >>> round(loss.item(), 5)
    1.07242
    """

    reference: ClassVar[str] = "de Brebisson & Vincent 2016"

    sharpness: float = 1.0
    aim: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.sharpness, "sharpness")
        if not abs(self.aim) < float("inf"):
            raise ConfigurationError(f"aim={self.aim!r} is not a finite number.")

    def _values(self, batch: Scored) -> ListValues:
        shares, informative = label_shares(batch)
        below = self.aim - standardised(batch.scores, batch.where)
        terms = softplus(self.sharpness * below) / self.sharpness
        return ListValues((shares * terms).sum(dim=-1), informative)
