"""Losses of pairs whose documents are worth money: profits, and bids in an auction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pair_functions import Logistic
from plackett.losses.pair_weights import LabelDifference, ProfitWeight
from plackett.losses.pairwise import Pairwise
from plackett.losses.registry import register

__all__ = ["PABCE", "WelfareLoss"]


@register
@dataclass(frozen=True, repr=False)
class PABCE(Loss):
    """Profit-aware cross-entropy: 1 / k sum over pairs of log10(1 + y_i - y_j) log(1 + exp(-d)).

    The pairs with y_i > y_j are those among the k = min(`top`, L) documents of highest label;
    labels are profits, and d = s_i - s_j. All other documents have no gradient: use it where only
    the most profitable few matter. Of equal labels the earlier documents are taken. Cost:
    O(L log L).

    Li & Ma, "Learn to rank risky investors", ACM TOIS 2025.

    Parameters
    ----------
    top : how many documents count.

    Raises
    ------
    ConfigurationError : `top` is below 2.

    >>> PABCE()(torch.tensor([0.5, 0.8, -0.2, 0.0]), torch.tensor([100, 10, 1, 0]))
    tensor(1.0926)
    """

    reference: ClassVar[str] = "Li & Ma 2025"

    top: int = 6

    def __post_init__(self) -> None:
        if not isinstance(self.top, int) or self.top < 2:
            raise ConfigurationError(f"PABCE top={self.top!r} is not an integer above 1.")

    def _best(self, batch: Scored) -> tuple[Scored, Tensor, Tensor]:
        """The top documents as a batch; their indices, `[B, k]`; and 1 / k, `[B, 1]`."""
        keys = batch.labels.masked_fill(~batch.where, -torch.inf)
        order = keys.sort(dim=1, descending=True, stable=True).indices[:, : self.top]
        where = batch.where.gather(1, order)
        best = Scored(
            batch.scores.gather(1, order),
            batch.labels.gather(1, order),
            where,
            None if batch.weights is None else batch.weights.gather(1, order),
            batch.generator,
        )
        return best, order, 1.0 / where.sum(dim=1, keepdim=True).clamp(min=1)

    def _values(self, batch: Scored) -> ListValues:
        best, _, share = self._best(batch)
        values, informative = Pairwise(Logistic(), ProfitWeight())._values(best)
        return ListValues(values * share[:, 0].to(values), informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        best, order, share = self._best(batch)
        curvature = Pairwise(Logistic(), ProfitWeight())._curvature(best)
        if curvature is None:
            return None
        curvature = curvature * share.to(curvature)
        return torch.zeros_like(batch.scores).scatter_(1, order, curvature)


@register
@dataclass(frozen=True, repr=False)
class WelfareLoss(Loss):
    """Sum over pairs of (v_i - v_j) log(1 + exp(-sigma (b_i f_i - b_j f_j))), where v_i > v_j.

    Documents are the ads of one auction. The document weights are the bids b (1 without weights);
    scores are logits of the click rate f = 1 / (1 + exp(-s)); labels are clicks, or the click rates
    that a teacher predicts, which takes the noise of clicks out; v = b times label is what the
    auction is worth if the ad wins. Use it where ads are ranked by bid times predicted rate, to
    make the winners worth the most; the rates it learns are not calibrated. Cost: O(L²) time, O(L)
    memory.

    Lyu, Feng, Robertson & Koyejo, "Pairwise ranking losses of click-through rates prediction for
    welfare maximization in ad auctions", ICML 2023.

    Parameters
    ----------
    sigma : scale of the difference of bids times rates.

    Raises
    ------
    ConfigurationError : `sigma` is not above 0.

    >>> rates, bids = torch.tensor([0.3, 0.5, 0.1]), torch.tensor([2.0, 1.0, 4.0])
    >>> WelfareLoss()(torch.logit(rates), torch.tensor([1, 0, 0]), weights=bids)
    tensor(2.4851)
    """

    reference: ClassVar[str] = "Lyu et al. 2023"
    shift_invariant: ClassVar[bool] = False

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise ConfigurationError(f"WelfareLoss sigma={self.sigma!r} is not above 0.")

    def _values(self, batch: Scored) -> ListValues:
        bids = batch.where.to(batch.scores) if batch.weights is None else batch.weights
        auction = Scored(
            bids * torch.sigmoid(batch.scores),
            bids * batch.labels,
            batch.where,
            None,
            batch.generator,
        )
        return Pairwise(Logistic(self.sigma), LabelDifference())._values(auction)
