"""Cross-entropies of two softmaxes: ListNet, and the softmax loss with labels as shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_temperature

__all__ = ["ListNet", "SoftmaxCrossEntropy", "label_shares", "real_log_softmax"]


def real_log_softmax(values: Tensor, where: Tensor) -> Tensor:
    """The logarithm of the softmax over the real documents of each list, `float[B, L]`.

    At padding it is a very low finite number, and so it is everywhere in lists without documents.
    """
    lowest = torch.finfo(values.dtype).min
    return values.masked_fill(~where, lowest).log_softmax(dim=-1).clamp(min=lowest)


def label_shares(batch: Scored) -> tuple[Tensor, Tensor]:
    """y_i / sum(y), times the documents' weights, `float[B, L]`, and which lists have such a share.

    Labels below 0 count as 0. Lists of one document say nothing about an order.
    """
    labels = batch.labels.clamp(min=0.0)
    total = labels.sum(dim=-1, keepdim=True)
    shares = labels / torch.where(total > 0, total, torch.ones_like(total))
    if batch.weights is not None:
        shares = shares * batch.weights
    return shares, (total[:, 0] > 0) & (batch.where.sum(dim=-1) > 1)


def _cross_entropy(target: Tensor, scores: Tensor, batch: Scored) -> Tensor:
    if batch.full:
        return functional.cross_entropy(scores, target, reduction="none")
    return -(target * real_log_softmax(scores, batch.where)).sum(dim=-1)


def _scaled(values: Tensor, temperature: float) -> Tensor:
    return values if temperature == 1.0 else values / temperature


def _softmax_curvature(target: Tensor, scores: Tensor, where: Tensor, counted: Tensor) -> Tensor:
    """sum(target) p (1 - p): the second derivatives of `_cross_entropy`."""
    chances = real_log_softmax(scores, where).exp()
    curvature = target.sum(dim=-1, keepdim=True) * chances * (1.0 - chances)
    return torch.where(where & counted[:, None], curvature, torch.zeros_like(curvature))


@register
@dataclass(frozen=True, repr=False)
class ListNet(Loss):
    """The cross-entropy of the softmax of the labels and the softmax of the scores.

        loss = -sum_i softmax(y / temperature)_i log softmax(s)_i

    These are the chances under Plackett and Luce that a document comes first. The least value is
    the entropy of the target, where s = y / temperature + any number. Any labels will do, also a
    teacher's scores. Lists whose labels are all 0 are left out: their target would be uniform,
    and the loss would only push scores together. Document weights multiply the target.

    Parameters
    ----------
    temperature : of the labels; low ones make the best document count alone.

    Raises
    ------
    ConfigurationError : `temperature` is not a finite number above 0.

    Reference: Cao, Qin, Liu, Tsai & Li, "Learning to rank: from pairwise approach to listwise
    approach", ICML 2007.

    >>> loss = ListNet()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    1.89783
    """

    reference: ClassVar[str] = "Cao et al., ICML 2007"

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def _values(self, batch: Scored) -> ListValues:
        target, informative = self._target(batch)
        return ListValues(_cross_entropy(target, batch.scores, batch), informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        target, informative = self._target(batch)
        return _softmax_curvature(target, batch.scores, batch.where, informative)

    def _target(self, batch: Scored) -> tuple[Tensor, Tensor]:
        labels = _scaled(batch.labels, self.temperature)
        informative = batch.labels.any(dim=-1)
        if batch.full:
            target = labels.softmax(dim=-1)
            informative = informative & (labels.shape[1] > 1)
        else:
            target = real_log_softmax(labels, batch.where).exp()
            target = torch.where(batch.where, target, torch.zeros_like(target))
            informative = informative & (batch.where.sum(dim=-1) > 1)
        return target if batch.weights is None else target * batch.weights, informative


@register
@dataclass(frozen=True, repr=False)
class SoftmaxCrossEntropy(Loss):
    """The cross-entropy of the labels' shares and the softmax of the scores.

        loss = -sum_i (y_i / sum(y)) log softmax(s / temperature)_i

    With one relevant document it is the usual softmax loss, also that of contrastive training of
    text models. Prefer it to `ListNet` for grades from 0: documents of grade 0 get no share. For
    binary labels it bounds the reciprocal rank and nDCG. Lists without a label above 0 are left
    out; labels below 0 count as 0. Document weights multiply the target.

    Parameters
    ----------
    temperature : of the scores; about 0.05 for cosines.

    Raises
    ------
    ConfigurationError : `temperature` is not a finite number above 0.

    Reference: Bruch, Wang, Bendersky & Najork, "An analysis of the softmax cross entropy loss for
    learning-to-rank with binary relevance", ICTIR 2019.

    >>> scores, labels = torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([0, 1, 0, 0])
    >>> round(SoftmaxCrossEntropy()(scores, labels).item(), 5)
    1.49518
    """

    reference: ClassVar[str] = "Bruch et al., ICTIR 2019"

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def _values(self, batch: Scored) -> ListValues:
        target, informative = label_shares(batch)
        scores = _scaled(batch.scores, self.temperature)
        return ListValues(_cross_entropy(target, scores, batch), informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        target, informative = label_shares(batch)
        scores = batch.scores / self.temperature
        curvature = _softmax_curvature(target, scores, batch.where, informative)
        return curvature / self.temperature**2
