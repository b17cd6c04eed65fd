"""Losses made of losses: weighted sums, and several objectives on several columns of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Reduction, Scored
from plackett.losses.registry import register

__all__ = ["MultiObjective", "WeightedSum"]


@dataclass(frozen=True, repr=False)
class WeightedSum(Loss):
    """A weighted sum of losses of the same scores and labels: what `a + 0.5 * b` makes.

        loss = sum_t weight_t * loss_t

    Each term is reduced on its own: "mean" is the sum of the terms' means, each over the lists that
    say something to that term. A batch where few lists say anything to one term therefore does not
    shrink that term.

    A term of one output a document beside a term of several (`Ordinal`) is given the latter's
    `relevance` as scores.

    Parameters
    ----------
    terms : pairs (weight, loss); weights are finite and at least 0.

    Raises
    ------
    ConfigurationError : no term, or a weight that is negative or not finite.

    >>> from plackett.losses import ListNet, parse_loss
    >>> total = 2 * (ListNet() + 0.25 * ListNet())
    >>> total
    2.0 * ListNet() + 0.5 * ListNet()
    >>> parse_loss(repr(total)) == total
    True
    """

    terms: tuple[tuple[float, Loss], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ConfigurationError("a weighted sum of no losses; expected at least one.")
        for weight, loss in self.terms:
            _check_weight(weight, loss)

    @staticmethod
    def of(loss: Loss) -> WeightedSum:
        """The loss as a sum of one term; a sum as it is."""
        return loss if isinstance(loss, WeightedSum) else WeightedSum(((1.0, loss),))

    @property
    def shift_invariant(self) -> bool:  # type: ignore[override]
        """Every term is."""
        return all(loss.shift_invariant for _, loss in self.terms)

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Some term is."""
        return any(loss.stochastic for _, loss in self.terms)

    @property
    def several_outputs(self) -> bool:  # type: ignore[override]
        """Some term takes several outputs a document."""
        return any(loss.several_outputs for _, loss in self.terms)

    @property
    def reference(self) -> str:  # type: ignore[override]
        """The papers of the terms."""
        return "; ".join(dict.fromkeys(loss.reference for _, loss in self.terms if loss.reference))

    def __call__(
        self,
        scores: Tensor,
        labels: Tensor,
        *,
        where: Tensor | None = None,
        weights: Tensor | None = None,
        reduction: Reduction = "mean",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The weighted sum of the terms, each reduced on its own; see `Loss`."""
        several = scores.ndim > labels.ndim
        parts = [
            weight
            * loss(
                self._scores_for(loss, scores) if several else scores,
                labels,
                where=where,
                weights=weights,
                reduction=reduction,
                generator=generator,
            )
            for weight, loss in self.terms
        ]
        return torch.stack(parts).sum(dim=0)

    def _values(self, batch: Scored) -> ListValues:
        total = batch.scores.new_zeros(len(batch.labels))
        informative = batch.where.new_zeros(len(batch.labels))
        for weight, loss in self.terms:
            values, says = loss._values(self._batch_for(loss, batch))
            total = total + weight * torch.where(says, values, torch.zeros_like(values))
            informative = informative | says
        return ListValues(total, informative)

    def outputs(self, highest_label: float) -> int:
        """The outputs that the terms of several need, or 1.

        Raises
        ------
        ConfigurationError : two terms need different numbers, both above 1.
        """
        several = {loss.outputs(highest_label) for _, loss in self.terms} - {1}
        if len(several) > 1:
            raise ConfigurationError(
                f"{self!r} mixes losses of {sorted(several)} outputs a document; "
                "expected one number, or 1."
            )
        return several.pop() if several else 1

    def relevance(self, outputs: Tensor) -> Tensor:
        """As the first term of several outputs says."""
        return self._several().relevance(outputs)

    def _several(self) -> Loss:
        """The first term that ranks by several outputs a document."""
        for _, loss in self.terms:
            if loss.several_outputs:
                return loss
        raise DataError("several outputs a document", expected=f"one, which {self!r} takes")

    def _scores_for(self, loss: Loss, scores: Tensor) -> Tensor:
        """The outputs as they are for a term of several, and its relevance for the others."""
        return scores if loss.several_outputs else self._several().relevance(scores)

    def _batch_for(self, loss: Loss, batch: Scored) -> Scored:
        if batch.scores.ndim == batch.labels.ndim:
            return batch
        return batch._replace(scores=self._scores_for(loss, batch.scores))

    def _curvature(self, batch: Scored) -> Tensor | None:
        if batch.scores.ndim > batch.labels.ndim:
            return None
        total = torch.zeros_like(batch.scores)
        for weight, loss in self.terms:
            curvature = loss._curvature(batch)
            if curvature is None:
                return None
            total = total + weight * curvature
        return total

    def __add__(self, other: Loss) -> WeightedSum:
        if not isinstance(other, Loss):
            return NotImplemented
        return WeightedSum(self.terms + WeightedSum.of(other).terms)

    def __mul__(self, factor: float) -> WeightedSum:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            return NotImplemented
        return WeightedSum(tuple((weight * float(factor), loss) for weight, loss in self.terms))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return " + ".join(f"{float(weight)!r} * {loss!r}" for weight, loss in self.terms)


def _check_weight(weight: float, loss: Loss) -> None:
    if not (math.isfinite(weight) and weight >= 0):
        raise ConfigurationError(
            f"weight {weight!r} of {loss!r}; expected a finite number, at least 0."
        )


@register
@dataclass(frozen=True, repr=False)
class MultiObjective(Loss):
    """Several losses, each on its own column of labels.

        loss = sum_t weight_t * loss_t(scores, labels[..., t])

    Labels have one dimension more than for one loss: `[B, L, objectives]` or `[L, objectives]`,
    such as relevance, clicks and price. Labels of the usual shape serve all objectives. Each
    objective is reduced on its own, as in `WeightedSum`.

    Distillation is a case: one column holds the grades and one the scores of a teacher, and the
    losses are of those, as in `MultiObjective((RankNet(), SoftmaxCrossEntropy()), (0.3, 0.7))`.

    `simplex_weights` lists the weights of a sweep, and `pareto_front` says which of the models
    trained are not dominated.

    Parameters
    ----------
    losses : one an objective, of one output a document.
    weights : one an objective, finite and at least 0; empty: all 1.

    Raises
    ------
    ConfigurationError : no loss, or weights that do not fit.
    DataError : labels with another number of columns.

    >>> import torch
    >>> from plackett.losses import SquaredError
    >>> both = MultiObjective((SquaredError(), SquaredError()), weights=(1.0, 0.5))
    >>> both(torch.tensor([2.0, 1.0]), torch.tensor([[2.0, 0.0], [1.0, 1.0]])).item()
    1.0
    """

    losses: tuple[Loss, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.losses:
            raise ConfigurationError("no objectives; expected at least one loss.")
        if self.weights and len(self.weights) != len(self.losses):
            raise ConfigurationError(
                f"{len(self.weights)} weights for {len(self.losses)} losses; expected one each."
            )
        for weight, loss in zip(self.weights, self.losses, strict=False):
            _check_weight(weight, loss)

    @property
    def shift_invariant(self) -> bool:  # type: ignore[override]
        """Every objective is."""
        return all(loss.shift_invariant for loss in self.losses)

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Some objective is."""
        return any(loss.stochastic for loss in self.losses)

    def __call__(
        self,
        scores: Tensor,
        labels: Tensor,
        *,
        where: Tensor | None = None,
        weights: Tensor | None = None,
        reduction: Reduction = "mean",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The weighted sum of the objectives, each on its column; see `Loss`."""
        parts = [
            weight
            * loss(
                scores,
                column,
                where=where,
                weights=weights,
                reduction=reduction,
                generator=generator,
            )
            for weight, loss, column in zip(
                self._weights(), self.losses, self._columns(scores, labels), strict=True
            )
        ]
        return torch.stack(parts).sum(dim=0)

    def curvature(
        self,
        scores: Tensor,
        labels: Tensor,
        *,
        where: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor | None:
        """The weighted sum of the objectives' curvatures, or None if one states none."""
        total = torch.zeros_like(scores if scores.ndim > 1 else scores[None])
        columns = self._columns(scores, labels)
        for weight, loss, column in zip(self._weights(), self.losses, columns, strict=True):
            curvature = loss.curvature(scores, column, where=where, weights=weights)
            if curvature is None:
                return None
            total = total + weight * curvature
        return total

    def _weights(self) -> tuple[float, ...]:
        return self.weights or (1.0,) * len(self.losses)

    def _columns(self, scores: Tensor, labels: Tensor) -> Sequence[Tensor]:
        if labels.ndim == scores.ndim:
            return [labels] * len(self.losses)
        if labels.ndim != scores.ndim + 1 or labels.shape[-1] != len(self.losses):
            raise DataError(
                f"labels of shape {tuple(labels.shape)} for scores of {tuple(scores.shape)}",
                expected=f"{len(self.losses)} columns of labels, one an objective, or one for all",
            )
        return labels.unbind(dim=-1)

    def _sum(self) -> WeightedSum:
        return WeightedSum(tuple(zip(self._weights(), self.losses, strict=True)))

    def _values(self, batch: Scored) -> ListValues:
        return self._sum()._values(batch)

    def outputs(self, highest_label: float) -> int:
        """1.

        Raises
        ------
        ConfigurationError : an objective needs several.
        """
        for loss in self.losses:
            if loss.outputs(highest_label) != 1:
                raise ConfigurationError(
                    f"objective {loss!r} needs several outputs a document; expected losses of one."
                )
        return 1
