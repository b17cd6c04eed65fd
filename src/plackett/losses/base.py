"""What every loss is: a pure function of scores and labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from plackett.errors import DataError
from plackett.losses.registry import described

if TYPE_CHECKING:
    from plackett.losses.combining import WeightedSum

__all__ = ["ListValues", "Loss", "Reduction", "Scored", "checked_inputs"]

Reduction = Literal["mean", "sum", "none"]


class Scored(NamedTuple):
    """A batch of lists as `Loss._values` receives it: padding is harmless and shapes are checked.

    Attributes
    ----------
    scores : `float[B, L]`, or `float[B, L, K]` for a loss with several outputs a document; 0 at
        padding.
    labels : `float[B, L]`, in the dtype of the scores; 0 at padding.
    where : `bool[B, L]`, True for real documents.
    weights : `float[B, L]`, one a document, 0 at padding; or None.
    generator : of the random choices of a stochastic loss.
    full : there is no padding for certain, so that masks may be left out.
    """

    scores: Tensor
    labels: Tensor
    where: Tensor
    weights: Tensor | None
    generator: torch.Generator
    full: bool = False


class ListValues(NamedTuple):
    """The loss of each list, `float[B]`, and which lists say anything, `bool[B]`.

    Where `informative` is False, the value is ignored, but must be finite and have a finite
    gradient.
    """

    values: Tensor
    informative: Tensor


@dataclass(frozen=True, repr=False)
class Loss(ABC):
    """A loss: `loss(scores, labels, where=..., weights=...)`, a scalar tensor to minimise.

    A loss is an immutable value. It knows nothing of models, optimisers or devices, so the same one
    trains trees, networks of features and text models. Its `repr` parses back (`parse_loss`);
    `a + 0.5 * b` is a weighted sum.

    Lists that say nothing (no two different labels for a pair loss, no relevant document for a loss
    normalised by the ideal) count 0 and are left out of the mean, so that the size of a step does
    not depend on how many of them a batch has.

    Class attributes
    ----------------
    reference : the paper.
    shift_invariant : adding a number to all scores of a list changes nothing.
    stochastic : it draws random numbers, from `generator`.
    several_outputs : it can take several outputs a document, `[B, L, K]`.

    >>> import torch
    >>> from plackett.losses import ListNet
    >>> scores = torch.tensor([[2.0, 1.0, 0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    >>> loss = ListNet()(scores, torch.tensor([[1, 3, 0, 2]]))
    >>> round(loss.item(), 6)
    1.897833
    """

    reference: ClassVar[str] = ""
    shift_invariant: ClassVar[bool] = True
    stochastic: ClassVar[bool] = False
    several_outputs: ClassVar[bool] = False

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
        """The loss of a batch of lists.

        Parameters
        ----------
        scores : `float[B, L]` or `float[L]`; for a loss with several outputs a document one
            dimension more.
        labels : `[B, L]` or `[L]`, grades or what the loss says.
        where : `bool` of the labels' shape, True for real documents; default: all.
        weights : `float[B]`, one a list, which multiplies its loss; or `float[B, L]`, one a
            document, which multiplies its terms (of a pair, the preferred document's; of a listwise
            target, that document's share).
        reduction : "mean" over the lists that say something, "sum", or "none": `float[B]`.
        generator : of the random choices of a stochastic loss; default: one seeded with 0, so that
            the same call gives the same value.

        Raises
        ------
        DataError : shapes that do not fit, or scores that are not floating-point.
        """
        batch, list_weights = checked_inputs(self, scores, labels, where, weights, generator)
        values, informative = self._values(batch)
        values = torch.where(informative, values, torch.zeros_like(values))
        if list_weights is not None:
            values = values * list_weights
        if reduction == "none":
            return values[0] if labels.ndim == 1 else values
        total = values.sum()
        return total if reduction == "sum" else total / informative.sum().clamp(min=1)

    @abstractmethod
    def _values(self, batch: Scored) -> ListValues:
        """The loss of every list, and which lists say anything."""

    def outputs(self, highest_label: float) -> int:
        """How many numbers a model must give a document, for labels up to `highest_label`."""
        return 1

    def relevance(self, outputs: Tensor) -> Tensor:
        """What to rank by: `[..., K]` outputs of a model as `[...]` scores, where K is not 1."""
        raise NotImplementedError(f"{self!r} has one output a document.")

    def curvature(
        self,
        scores: Tensor,
        labels: Tensor,
        *,
        where: Tensor | None = None,
        weights: Tensor | None = None,
    ) -> Tensor | None:
        """The diagonal of the Hessian of the *sum* over lists, for Newton steps.

        It has the shape of a batch of scores: `float[B, L]`, or `float[B, L, K]`.
        None where the loss states no curvature; trees then take steps of plain gradient descent.
        """
        batch, list_weights = checked_inputs(self, scores, labels, where, weights, None)
        curvature = self._curvature(batch)
        if curvature is None or list_weights is None:
            return curvature
        return curvature * list_weights.view(-1, *[1] * (curvature.ndim - 1))

    def _curvature(self, batch: Scored) -> Tensor | None:
        """As `curvature`, on checked input; 0 at padding and in lists that say nothing."""
        return None

    def __add__(self, other: Loss) -> WeightedSum:
        from plackett.losses.combining import WeightedSum

        return WeightedSum.of(self) + other if isinstance(other, Loss) else NotImplemented

    def __mul__(self, factor: float) -> WeightedSum:
        from plackett.losses.combining import WeightedSum

        return WeightedSum.of(self) * factor

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return described(self)


def checked_inputs(
    loss: Loss,
    scores: Tensor,
    labels: Tensor,
    where: Tensor | None,
    weights: Tensor | None,
    generator: torch.Generator | None,
) -> tuple[Scored, Tensor | None]:
    """The batch as `_values` takes it, and the weights of the lists, `float[B]`, if there are any.

    Raises
    ------
    DataError : shapes that do not fit, or scores that are not floating-point.
    """
    if not scores.is_floating_point():
        raise DataError(f"scores of type {scores.dtype}", expected="floating-point scores")
    if labels.ndim not in (1, 2) or scores.shape[: labels.ndim] != labels.shape:
        raise DataError(
            f"scores of shape {tuple(scores.shape)} and labels of shape {tuple(labels.shape)}",
            expected="both [lists, documents], or both [documents]",
        )
    if scores.ndim > labels.ndim + loss.several_outputs:
        raise DataError(
            f"scores of shape {tuple(scores.shape)} for labels of shape {tuple(labels.shape)}",
            expected=f"at most {1 + loss.several_outputs} dimensions a list for {loss!r}",
        )
    full = where is None and labels.numel() > 0
    if where is None:
        where = torch.ones(labels.shape, dtype=torch.bool, device=scores.device)
    if where.shape != labels.shape or where.dtype != torch.bool:
        raise DataError(
            f"where of shape {tuple(where.shape)} and type {where.dtype}",
            expected=f"booleans of shape {tuple(labels.shape)}",
        )
    list_weights: Tensor | None = None
    if labels.ndim == 1:
        scores, labels, where = scores[None], labels[None], where[None]
        weights = None if weights is None else weights[None]
    if weights is not None:
        weights = weights.to(scores)
        if weights.shape == labels.shape[:1]:
            list_weights, weights = weights, None
        elif weights.shape == labels.shape:
            weights = torch.where(where, weights, torch.zeros_like(weights))
        else:
            raise DataError(
                f"weights of shape {tuple(weights.shape)}",
                expected=f"one a list or one a document of {tuple(labels.shape)}",
            )
    labels = labels.to(scores)
    if not full:
        real = where[..., None] if scores.ndim == 3 else where
        scores = torch.where(real, scores, torch.zeros_like(scores))
        labels = torch.where(where, labels, torch.zeros_like(labels))
    generator = generator or torch.Generator(scores.device).manual_seed(0)
    return Scored(scores, labels, where, weights, generator, full), list_weights
