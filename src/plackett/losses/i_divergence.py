"""The generalised Kullback-Leibler divergence of grades from exponentiated scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pointwise import document_mean, shared
from plackett.losses.registry import register

__all__ = ["IDivergence"]

HIGHEST = 30.0  # exp(30) is 1e13: beyond, exp goes on as a straight line


@register
@dataclass(frozen=True, repr=False)
class IDivergence(Loss):
    """The mean I-divergence of the shifted label z = y + offset from exp(s).

        loss = mean_i  z_i log(z_i / exp(s_i)) - (z_i - exp(s_i))

    It is 0 where s = log z, its gradient is exp(s) - z and its curvature exp(s): that of Poisson
    regression, so errors are judged relative to the grade. Above s = 30 exp goes on as its tangent,
    which keeps values and gradients finite.

    Parameters
    ----------
    offset : added to labels, so that grade 0 has a finite score. With 0, grade 0 pulls the score
        down without end.

    Raises
    ------
    ConfigurationError : `offset` is not a finite number from 0 up.

    Lee & Seung, "Learning the parts of objects by non-negative matrix factorization", Nature 1999
    (the divergence); Badirli et al., "Gradient boosting neural networks: GrowNet", 2020 (ranking).

    >>> import torch
    >>> round(IDivergence()(torch.tensor([0.5], dtype=torch.float64), torch.tensor([2])).item(), 6)
    0.444558
    """

    reference: ClassVar[str] = "Badirli et al. 2020"
    shift_invariant: ClassVar[bool] = False

    offset: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset) and self.offset >= 0):
            raise ConfigurationError(f"offset={self.offset!r} is not a finite number from 0 up.")

    def _values(self, batch: Scored) -> ListValues:
        target = (batch.labels + self.offset).clamp(min=0.0)
        base = batch.scores.clamp(max=HIGHEST).exp()
        above = (batch.scores - HIGHEST).clamp(min=0.0)
        output = base + math.exp(HIGHEST) * above
        terms = torch.xlogy(target, target) - target * batch.scores - target + output
        return document_mean(terms, batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        curvature = batch.scores.clamp(max=HIGHEST).exp()
        return shared(torch.where(batch.scores > HIGHEST, 0.0, curvature), batch)
