"""Softmax losses that are robust to wrong labels: LDR, and ALDR with its own temperature a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.listnet import label_shares, real_log_softmax
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_temperature

__all__ = ["ALDRKL", "LDR"]

_CHUNK = 2**18
"""Entries of the matrix of relevant documents and rivals computed at a time."""


@register
@dataclass(frozen=True, repr=False)
class LDR(Loss):
    """The worst mixture of the documents' leads over a relevant one, near the uniform mixture.

        loss = sum_i (y_i / sum(y)) l_i,
        l_i = temperature log mean_k exp((s_k - s_i + margin [k != i]) / temperature)
            = max over p of sum_k p_k (s_k - s_i + margin [k != i]) - temperature KL(p | uniform)

    With temperature 1 and no margin it is the softmax loss less log n. As the temperature falls,
    the strongest rival alone counts; as it grows, all documents count alike, which wrong labels
    harm least. Lists without a label above 0 are left out; labels below 0 count as 0. Document
    weights multiply the shares.

    Parameters
    ----------
    temperature : in units of the scores.
    margin : by how much the relevant document should lead.

    Raises
    ------
    ConfigurationError : `temperature` is not above 0, or `margin` is negative.

    Reference: Zhu, Ying & Yang, "Label distributionally robust losses for multi-class
    classification: consistency, robustness and adaptivity", ICML 2023. There the documents are
    classes.

    >>> loss = LDR()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([0, 1, 0, 0]))
    >>> round(loss.item(), 5)
    0.18732
    """

    reference: ClassVar[str] = "Zhu, Ying & Yang, ICML 2023"

    temperature: float = 1.0
    margin: float = 0.1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        _check_margin(self.margin)

    def _values(self, batch: Scored) -> ListValues:
        temperature = batch.scores.new_full((len(batch.scores), 1), self.temperature)
        return _robust_values(batch, temperature, self.margin)

    def _curvature(self, batch: Scored) -> Tensor | None:
        temperature = batch.scores.new_full((len(batch.scores), 1), self.temperature)
        return _robust_curvature(batch, temperature, self.margin)


@register
@dataclass(frozen=True, repr=False)
class ALDRKL(Loss):
    """`LDR` with a temperature for each list, lower for those that the scores are sure of.

        t = temperature (1 - KL(p | uniform) / (adaptivity log n)),  p = softmax(s / temperature)
        loss = LDR with t, less adaptivity log(n) (t - temperature)^2 / (2 temperature)

    The first line is one step towards the best t; no gradient goes through it. t lies between
    temperature (1 - 1 / adaptivity) and temperature. Scores are taken as they are: the authors'
    code first divides them by their mean size, which has no bound where the scores are near 0.

    Parameters
    ----------
    temperature : of lists of equal scores.
    margin : as in `LDR`.
    adaptivity : above 1; large ones keep the temperature, which is `LDR`.

    Raises
    ------
    ConfigurationError : `temperature` is not above 0, `margin` is negative, or `adaptivity` is not
        above 1.

    Reference: Zhu, Ying & Yang, ICML 2023, as `LDR`.

    >>> loss = ALDRKL(adaptivity=1e9)(torch.tensor([2.0, 1, 0.5, -1]), torch.tensor([0, 1, 0, 0]))
    >>> round(loss.item(), 5)
    0.18732
    """

    reference: ClassVar[str] = "Zhu, Ying & Yang, ICML 2023"

    temperature: float = 1.0
    margin: float = 0.1
    adaptivity: float = 2.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        _check_margin(self.margin)
        if not (math.isfinite(self.adaptivity) and self.adaptivity > 1):
            raise ConfigurationError(f"adaptivity={self.adaptivity!r}; expected a number above 1.")

    def _values(self, batch: Scored) -> ListValues:
        adapted = self._adapted(batch)
        values, informative = _robust_values(batch, adapted, self.margin)
        stiffness = self.adaptivity * _log_count(batch) / (2.0 * self.temperature)
        shares, _ = label_shares(batch)
        moved = stiffness * (adapted - self.temperature).square()
        return ListValues(values - shares.sum(dim=-1) * moved[:, 0], informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return _robust_curvature(batch, self._adapted(batch), self.margin)

    def _adapted(self, batch: Scored) -> Tensor:
        """The temperature of each list, `float[B, 1]`."""
        log_chances = real_log_softmax(batch.scores.detach() / self.temperature, batch.where)
        chances = log_chances.exp().masked_fill(~batch.where, 0.0)
        log_count = _log_count(batch)
        divergence = (chances * log_chances).sum(dim=-1, keepdim=True) + log_count
        several = torch.where(log_count > 0, log_count, torch.ones_like(log_count))
        share = (divergence / several).clamp(min=0.0, max=1.0)
        return self.temperature * (1.0 - share / self.adaptivity)


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin >= 0):
        raise ConfigurationError(f"margin={margin!r}; expected a finite number from 0 on.")


def _log_count(batch: Scored) -> Tensor:
    """The logarithm of the number of real documents, `float[B, 1]`."""
    return batch.where.sum(dim=-1, keepdim=True).clamp(min=1).to(batch.scores).log()


def _robust_values(batch: Scored, temperature: Tensor, margin: float) -> ListValues:
    """The loss with one temperature a list, `float[B, 1]`."""
    shares, informative = label_shares(batch)
    if batch.scores.shape[-1] == 0:
        return ListValues(batch.scores.sum(dim=-1), informative)
    scaled = batch.scores / temperature
    rivals = _log_sum_of_others(scaled, batch.where) + margin / temperature
    logarithm = torch.logaddexp(rivals, scaled) - _log_count(batch) - scaled
    terms = torch.where(batch.where, temperature * logarithm, torch.zeros_like(scaled))
    return ListValues((shares * terms).sum(dim=-1), informative)


def _log_sum_of_others(scaled: Tensor, where: Tensor) -> Tensor:
    """log sum_{k != i} exp(x_k), `float[B, L]`; a very low number where there is no other.

    Taking the own share off the whole loses all digits for the document that dominates its list, so
    the highest one's others are summed on their own.
    """
    lowest = torch.finfo(scaled.dtype).min / 4
    real = scaled.masked_fill(~where, lowest)
    highest = torch.zeros_like(where).scatter(-1, real.argmax(dim=-1, keepdim=True), True)
    total = real.logsumexp(dim=-1, keepdim=True)
    share = (real - total).masked_fill(highest | ~where, lowest).exp()
    others = real.masked_fill(highest, lowest).logsumexp(dim=-1, keepdim=True)
    return torch.where(highest, others, total + torch.log1p(-share.clamp(max=0.5)))


def _robust_curvature(batch: Scored, temperature: Tensor, margin: float) -> Tensor:
    """sum_i share_i q_ik (1 - q_ik) / temperature, q_i the mixture that is worst for document i."""
    shares, informative = label_shares(batch)
    lists, length = batch.scores.shape
    scaled = (batch.scores / temperature).masked_fill(
        ~batch.where, torch.finfo(batch.scores.dtype).min / 4
    )
    leads = (margin / temperature)[:, :, None]
    curvature = torch.zeros_like(scaled)
    places = torch.arange(length, device=scaled.device)
    rows = max(1, _CHUNK // max(1, lists * length))
    for start in range(0, length, rows):
        own = places[start : start + rows, None] == places
        mixture = (scaled[:, None, :] + torch.where(own, 0.0, leads)).softmax(dim=-1)
        bend = mixture * (1.0 - mixture)
        curvature += (shares[:, start : start + rows, None] * bend).sum(dim=1)
    counted = batch.where & informative[:, None]
    return torch.where(counted, curvature / temperature, torch.zeros_like(curvature))
