"""Losses whose labels are a teacher's scores: a student learns to score as the teacher does.

The labels may be any numbers: the scores of a forest, of a large network, of a cross-encoder. To
learn the scores themselves, take `SquaredError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.listnet import real_log_softmax
from plackett.losses.plackett_luce import Stages, label_order
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_temperature

__all__ = ["PLD", "KLDistillation", "MarginMSE"]


def _teacher_chances(batch: Scored, temperature: float) -> Tensor:
    """The softmax of the labels, `float[B, L]`, 0 at padding."""
    chances = real_log_softmax(batch.labels / temperature, batch.where).exp()
    return torch.where(batch.where, chances, torch.zeros_like(chances))


def _several(batch: Scored) -> Tensor:
    return batch.where.sum(dim=-1) > 1


@register
@dataclass(frozen=True, repr=False)
class KLDistillation(Loss):
    """The divergence of the student's softmax from the teacher's, both at one temperature.

        loss = temperature^2 sum_i p_i log(p_i / q_i),
        p = softmax(labels / temperature), q = softmax(s / temperature)

    It is 0 where the scores are the teacher's up to a number for each list; the factor keeps the
    size of the gradient as the temperature changes. Document weights multiply the terms.

    Parameters
    ----------
    temperature : high ones look at all documents, low ones at the teacher's best.

    Raises
    ------
    ConfigurationError : `temperature` is not a finite number above 0.

    Reference: Hinton, Vinyals & Dean, "Distilling the knowledge in a neural network", 2015, arXiv
    1503.02531.

    >>> loss = KLDistillation()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    0.9503
    """

    reference: ClassVar[str] = "Hinton, Vinyals & Dean 2015"

    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def _values(self, batch: Scored) -> ListValues:
        target, taught = self._target(batch)
        learnt = real_log_softmax(batch.scores / self.temperature, batch.where)
        gaps = torch.where(target > 0, taught - learnt, torch.zeros_like(learnt))
        return ListValues(self.temperature**2 * (target * gaps).sum(dim=-1), _several(batch))

    def _curvature(self, batch: Scored) -> Tensor | None:
        target, _ = self._target(batch)
        chances = real_log_softmax(batch.scores / self.temperature, batch.where).exp()
        curvature = target.sum(dim=-1, keepdim=True) * chances * (1.0 - chances)
        counted = batch.where & _several(batch)[:, None]
        return torch.where(counted, curvature, torch.zeros_like(curvature))

    def _target(self, batch: Scored) -> tuple[Tensor, Tensor]:
        """The teacher's chances times the weights, and the chances' logarithms, `float[B, L]`."""
        target = _teacher_chances(batch, self.temperature)
        if batch.weights is not None:
            target = target * batch.weights
        return target, real_log_softmax(batch.labels / self.temperature, batch.where)


@register
@dataclass(frozen=True, repr=False)
class PLD(Loss):
    """Plackett-Luce distillation: the teacher's order, each choice as heavy as its chance there.

        loss = sum_k q_{o(k)} [log sum_{l >= k} exp(s_{o(l)}) - s_{o(k)}],
        q = softmax(labels / temperature), o the order of descending label

    `ListMLE` of the teacher's order in which what the teacher is sure of counts most. Convex. Equal
    labels take the order in which they come. Document weights multiply the factor of the stage in
    which a document is chosen.

    Parameters
    ----------
    temperature : of the teacher's scores; the paper takes 4 for logits of classes.
    positive_first : the first document of each list is the true one, and heads the order whatever
        the teacher says, with the teacher's chance as its factor. Else the order is the teacher's.

    Raises
    ------
    ConfigurationError : `temperature` is not a finite number above 0.

    Reference: Bassam, Zhu & Bian, "PLD: A choice-theoretic list-wise knowledge distillation", 2025,
    arXiv 2506.12542.

    >>> student, teacher = torch.tensor([1.0, 2.0, 0.5, -1.0]), torch.tensor([1.0, 3.0, 2.0, 0.5])
    >>> round(PLD(positive_first=True)(student, teacher).item(), 5)
    0.3266
    """

    reference: ClassVar[str] = "Bassam, Zhu & Bian 2025"

    temperature: float = 1.0
    positive_first: bool = False

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def _values(self, batch: Scored) -> ListValues:
        stages, factors = self._stages(batch)
        return ListValues(stages.loss(factors), _several(batch))

    def _curvature(self, batch: Scored) -> Tensor | None:
        stages, factors = self._stages(batch)
        curvature = stages.curvature(factors)
        return torch.where(_several(batch)[:, None], curvature, torch.zeros_like(curvature))

    def _stages(self, batch: Scored) -> tuple[Stages, Tensor]:
        keys = batch.labels
        if self.positive_first:
            keys = keys.clone()
            keys[:, :1] = torch.inf
        stages = Stages(batch.scores, batch.where, label_order(keys, batch.where))
        factors = _teacher_chances(batch, self.temperature)
        if batch.weights is not None:
            factors = factors * batch.weights
        return stages, stages.by_stage(factors)


@register
@dataclass(frozen=True, repr=False)
class MarginMSE(Loss):
    """The mean squared error of the differences of scores, against those of the teacher's.

        loss = mean over pairs of ((s_i - s_j) - (y_i - y_j))^2

    The teacher's distances are learnt, but not its zero. Over all pairs, at the cost of a sort, or
    of the first document with each of the others. The weight of a pair is that of the document
    which the teacher prefers, of equal ones the earlier, or of the first document.

    Parameters
    ----------
    positive_first : only the pairs of the first document of each list, the relevant one.

    Reference: Hofstätter, Althammer, Schröder, Sertkan & Hanbury, "Improving efficient neural
    ranking models with cross-architecture knowledge distillation", 2020, arXiv 2010.02666.

    >>> MarginMSE()(torch.tensor([2.0, 1.0, 0.5]), torch.tensor([3.0, 1.0, 0.0])).item()
    1.1666666269302368
    """

    reference: ClassVar[str] = "Hofstätter et al. 2020"

    positive_first: bool = False

    def _values(self, batch: Scored) -> ListValues:
        errors = torch.where(batch.where, batch.scores - batch.labels, 0.0)
        count = batch.where.sum(dim=-1)
        if self.positive_first:
            weights, counted = self._first(batch)
            squares = torch.where(batch.where, errors - errors[:, :1], 0.0).square()
            return ListValues((weights * squares).sum(dim=-1) / (count - 1).clamp(min=1), counted)
        order = label_order(batch.labels, batch.where)
        # Squares of sums lose fewer digits about the mean.
        centred = errors - errors.sum(dim=-1, keepdim=True) / count.clamp(min=1)[:, None]
        centred = torch.where(batch.where, centred, 0.0).gather(-1, order)
        weights = _weights(batch).gather(-1, order)
        below = _later(batch.where.to(centred).gather(-1, order))
        sums = below * centred.square() - 2.0 * centred * _later(centred)
        total = (weights * (sums + _later(centred.square()))).sum(dim=-1)
        return ListValues(total / _pairs(count).to(total), count > 1)

    def _curvature(self, batch: Scored) -> Tensor | None:
        count = batch.where.sum(dim=-1, keepdim=True)
        if self.positive_first:
            weights, counted = self._first(batch)
            bend = 2.0 * weights / (count - 1).clamp(min=1)
            bend[:, :1] = (2.0 * _weights(batch))[:, :1]
            return torch.where(batch.where & counted[:, None], bend, 0.0)
        order = label_order(batch.labels, batch.where)
        weights = _weights(batch).gather(-1, order)
        real = batch.where.to(weights).gather(-1, order)
        above = weights.cumsum(dim=-1) - weights
        bend = 2.0 * real * (weights * _later(real) + above) / _pairs(count).to(weights)
        return torch.zeros_like(bend).scatter(-1, order, bend)

    def _first(self, batch: Scored) -> tuple[Tensor, Tensor]:
        """The first document's weight at every real one, and which lists have pairs with it."""
        weights = torch.where(batch.where, _weights(batch)[:, :1], 0.0)
        return weights, batch.where[:, :1].any(dim=-1) & _several(batch)


def _weights(batch: Scored) -> Tensor:
    return batch.where.to(batch.scores) if batch.weights is None else batch.weights


def _later(values: Tensor) -> Tensor:
    """The sum of what stands behind each place, `float[B, L]`."""
    return values.flip(-1).cumsum(dim=-1).flip(-1) - values


def _pairs(count: Tensor) -> Tensor:
    """How many pairs of documents there are, at least 1."""
    return (count * (count - 1) // 2).clamp(min=1)
