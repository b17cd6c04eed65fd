"""Learning documents' scores where only the mean response of a list is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = ["AggregateResponse"]


@register
@dataclass(frozen=True, repr=False)
class AggregateResponse(Loss):
    """The loss of a list (a bag) of which only the mean label is known.

        bag:      l(mean y, mean_i f(s_i))
        instance: mean_i l(mean y, f(s_i))
        loss = (1 - instance_share) bag + instance_share instance

    squared: l is the squared difference and f(s) = s; the instance loss is then the bag loss plus
    the variance of the scores in the list, so `instance_share` regularises. logistic: l is the
    cross-entropy and f the logistic function.

    Only the mean of a list's labels is used: give every document its list's mean, or its own label.
    Where lists differ in length, give their lengths as list weights, as the estimator of the paper
    counts instances. A document weight is its weight in both means.

    Parameters
    ----------
    instance_share : 0 for the bag loss, 1 for the instance loss.
    form : "squared" or "logistic".

    Raises
    ------
    ConfigurationError : `instance_share` outside [0, 1], or an unknown form.
    DataError : labels outside [0, 1] in the logistic form.

    Reference: Javanmard et al., "Learning from aggregate responses: instance level versus bag level
    loss functions", ICLR 2024.

    >>> import torch
    >>> loss = AggregateResponse(instance_share=0.0)(torch.tensor([1.0, 2, 4]), torch.full((3,), 2))
    >>> round(loss.item(), 6)
    0.111111
    """

    reference: ClassVar[str] = "Javanmard et al., ICLR 2024"
    shift_invariant: ClassVar[bool] = False

    instance_share: float = 0.5
    form: Literal["squared", "logistic"] = "squared"

    def __post_init__(self) -> None:
        if not 0 <= self.instance_share <= 1:
            raise ConfigurationError(
                f"instance_share={self.instance_share!r}; expected a number in [0, 1]."
            )
        if self.form not in ("squared", "logistic"):
            raise ConfigurationError(f"form={self.form!r}; expected squared or logistic.")

    def _values(self, batch: Scored) -> ListValues:
        shares = _shares(batch)
        target = (shares * batch.labels).sum(dim=-1)
        if self.form == "squared":
            bag = (target - (shares * batch.scores).sum(dim=-1)).square()
            terms = (target[:, None] - batch.scores).square()
        else:
            _check_probabilities(batch.labels)
            bag = _bag_cross_entropy(batch.scores, target, shares)
            terms = binary_cross_entropy_with_logits(
                batch.scores, target[:, None].expand_as(batch.scores), reduction="none"
            )
        instance = (shares * terms).sum(dim=-1)
        values = (1 - self.instance_share) * bag + self.instance_share * instance
        return ListValues(values, shares.sum(dim=-1) > 0)

    def _curvature(self, batch: Scored) -> Tensor | None:
        if self.form != "squared":
            return None
        shares = _shares(batch)
        return 2 * shares * ((1 - self.instance_share) * shares + self.instance_share)


def _shares(batch: Scored) -> Tensor:
    """Each document's weight in the means of its list, `[B, L]`; they sum to 1, or 0 if empty."""
    weights = batch.where.to(batch.scores) if batch.weights is None else batch.weights
    total = weights.sum(dim=-1, keepdim=True)
    return weights / torch.where(total > 0, total, torch.ones_like(total))


def _bag_cross_entropy(scores: Tensor, target: Tensor, shares: Tensor) -> Tensor:
    """The cross-entropy of `target[B]` and the mean probability of each list, by logarithms."""
    empty = ~(shares > 0).any(dim=-1, keepdim=True)
    counted = (shares > 0) | empty
    logs = torch.log(torch.where(shares > 0, shares, torch.ones_like(shares)))
    success = torch.logsumexp((logs + logsigmoid(scores)).masked_fill(~counted, -math.inf), dim=-1)
    failure = torch.logsumexp((logs + logsigmoid(-scores)).masked_fill(~counted, -math.inf), dim=-1)
    return -(target * success + (1 - target) * failure)


def _check_probabilities(labels: Tensor) -> None:
    if bool(((labels < 0) | (labels > 1)).any()):
        raise DataError(
            f"labels from {labels.min().item():g} to {labels.max().item():g}",
            expected="labels in [0, 1] for the logistic form",
            remedy="divide them by the highest grade",
        )
