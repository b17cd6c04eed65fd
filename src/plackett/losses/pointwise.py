"""Losses of one document at a time: squared errors, cross-entropy and ordinal regression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = [
    "BinaryCrossEntropy",
    "Ordinal",
    "RootMeanSquaredError",
    "SquaredError",
    "binary_targets",
    "document_mean",
    "safe_root",
]


def document_mean(terms: Tensor, batch: Scored) -> ListValues:
    """The mean of `terms[B, L]` over the real documents of each list, each times its weight."""
    if batch.weights is not None:
        terms = terms * batch.weights
    if batch.full:
        return ListValues(terms.mean(dim=-1), batch.where[:, 0])
    terms = torch.where(batch.where, terms, torch.zeros_like(terms))
    count = batch.where.sum(dim=-1)
    return ListValues(terms.sum(dim=-1) / count.clamp(min=1), count > 0)


def shared(terms: Tensor, batch: Scored) -> Tensor:
    """Curvatures of documents' terms as those of `document_mean`."""
    return torch.where(
        batch.where if terms.ndim == 2 else batch.where[..., None],
        terms * _shares(batch, terms.ndim),
        torch.zeros_like(terms),
    )


def _shares(batch: Scored, dimensions: int) -> Tensor:
    """What each document's term counts in its list's mean, `[B, L]` or `[B, L, 1]`."""
    weights = torch.ones_like(batch.labels) if batch.weights is None else batch.weights
    shares = weights / batch.where.sum(dim=-1, keepdim=True).clamp(min=1)
    return shares if dimensions == 2 else shares[..., None]


def safe_root(values: Tensor) -> Tensor:
    """The square root of values that are at least 0, with the gradient 0 where they are 0."""
    positive = values > 0
    roots = torch.where(positive, values, torch.ones_like(values)).sqrt()
    return torch.where(positive, roots, torch.zeros_like(values))


def binary_targets(labels: Tensor, threshold: float | None, loss: Loss) -> Tensor:
    """Labels as probabilities: 1 from `threshold` on and else 0; without a threshold, as they are.

    Raises
    ------
    DataError : there is no threshold, and labels lie outside [0, 1].
    """
    if threshold is not None:
        return (labels >= threshold).to(labels)
    if bool(((labels < 0) | (labels > 1)).any()):
        low, high = labels.min().item(), labels.max().item()
        raise DataError(
            f"labels from {low:g} to {high:g}",
            expected=f"labels in [0, 1] for {loss!r}",
            remedy=f"set a threshold, as in {type(loss).__name__}(threshold=1)",
        )
    return labels


@register
@dataclass(frozen=True, repr=False)
class SquaredError(Loss):
    """The mean squared difference of score and label.

        loss = mean_i (y_i - scale * s_i)^2

    Parameters
    ----------
    scale : what a score is multiplied by; the highest grade for scores within [0, 1].

    Raises
    ------
    ConfigurationError : `scale` is not a finite number above 0.

    Reference: Cossock and Zhang, "Subset ranking using regression", COLT 2006.

    >>> import torch
    >>> SquaredError()(torch.tensor([2.0, 1.0]), torch.tensor([1, 3])).item()
    2.5
    """

    reference: ClassVar[str] = "Cossock and Zhang, COLT 2006"
    shift_invariant: ClassVar[bool] = False

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def _values(self, batch: Scored) -> ListValues:
        return document_mean((batch.labels - self.scale * batch.scores).square(), batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return shared(torch.full_like(batch.scores, 2.0 * self.scale**2), batch)


@register
@dataclass(frozen=True, repr=False)
class RootMeanSquaredError(Loss):
    """The root of the mean squared difference of score and label, list by list.

        loss = sqrt(mean_i (y_i - scale * s_i)^2)

    A list's gradient has the same size however large its errors are, so lists that fit well count
    more than under `SquaredError`. At a perfect fit the loss and its gradient are 0.

    Parameters
    ----------
    scale : what a score is multiplied by; the highest grade for scores within [0, 1].

    Raises
    ------
    ConfigurationError : `scale` is not a finite number above 0.

    Reference: as in Pobrotyn et al., "Context-aware learning to rank with self-attention", SIGIR
    eCom 2020.

    >>> import torch
    >>> RootMeanSquaredError()(torch.tensor([3.0]), torch.tensor([1])).item()
    2.0
    """

    reference: ClassVar[str] = "Pobrotyn et al., SIGIR eCom 2020"
    shift_invariant: ClassVar[bool] = False

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_scale(self.scale)

    def _values(self, batch: Scored) -> ListValues:
        terms = torch.sub(batch.labels, batch.scores, alpha=self.scale).square()
        means, informative = document_mean(terms, batch)
        return ListValues(safe_root(means), informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        # r = sqrt(m): r'' = m''/(2 r) - m'^2/(4 r^3), which is at least 0: m'^2 <= 2 m'' m.
        errors = self.scale * batch.scores - batch.labels
        roots = safe_root(document_mean(errors.square(), batch).values)[:, None]
        safe = torch.where(roots > 0, roots, torch.ones_like(roots))
        shares = _shares(batch, 2)
        relative = shares * (errors / safe).square()
        bend = self.scale**2 * shares / safe * (1.0 - relative).clamp(min=0.0)
        return torch.where(batch.where & (roots > 0), bend, torch.zeros_like(bend))


@register
@dataclass(frozen=True, repr=False)
class BinaryCrossEntropy(Loss):
    """The cross-entropy of a label and the logistic function of the score.

        loss = mean_i [softplus(s_i) - t_i s_i],  t_i = y_i, or [y_i >= threshold]

    Its optimum is the log odds of the label, so the scores are calibrated.

    Parameters
    ----------
    threshold : labels from it on are 1 and others 0; without one, labels are probabilities.

    Raises
    ------
    DataError : without a threshold, labels outside [0, 1].

    Reference: Nallapati, "Discriminative models for information retrieval", SIGIR 2004.

    >>> import torch
    >>> loss = BinaryCrossEntropy()(torch.tensor([2.0, 1, 0.5, -1]), torch.tensor([0, 1, 0, 1]))
    >>> round(loss.item(), 5)
    1.18188
    """

    reference: ClassVar[str] = "Nallapati, SIGIR 2004"
    shift_invariant: ClassVar[bool] = False

    threshold: float | None = None

    def _values(self, batch: Scored) -> ListValues:
        targets = binary_targets(batch.labels, self.threshold, self)
        terms = binary_cross_entropy_with_logits(batch.scores, targets, reduction="none")
        return document_mean(terms, batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return shared(_logistic_curvature(batch.scores), batch)


@register
@dataclass(frozen=True, repr=False)
class Ordinal(Loss):
    """Ordinal regression: one cross-entropy a grade, of whether the label reaches it.

        loss = mean_i sum_k BCE(s_ik, [y_i >= k]),  k = 1..K

    The free form has K outputs a document, one a grade above 0: scores `[B, L, K]`. Documents are
    ranked by `relevance`, the sum of the outputs' logistic functions, which estimates the expected
    grade. Scores `[B, L]` are K = 1.

    The tied form has one output a document and given thresholds b_1 < .. < b_K: s_ik = s_i - b_k.
    The probabilities of reaching the grades then never cross, and trees can learn it.

    Labels above K count as K.

    Parameters
    ----------
    thresholds : of the tied form, increasing; empty: the free form.

    Raises
    ------
    ConfigurationError : thresholds that do not increase or are not finite.

    Reference: Niu et al., "Ordinal regression with multiple output CNN for age estimation", CVPR
    2016; as a ranking loss: Pobrotyn et al., SIGIR eCom 2020.

    >>> import torch
    >>> tied = Ordinal(thresholds=(-1.0, 0.0, 1.0))
    >>> loss = tied(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    2.47625
    """

    reference: ClassVar[str] = "Niu et al., CVPR 2016; Pobrotyn et al., SIGIR eCom 2020"
    shift_invariant: ClassVar[bool] = False
    several_outputs: ClassVar[bool] = True

    thresholds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        increasing = all(
            low < high for low, high in zip(self.thresholds, self.thresholds[1:], strict=False)
        )
        if not increasing or not all(math.isfinite(value) for value in self.thresholds):
            raise ConfigurationError(
                f"thresholds {self.thresholds!r}; expected increasing finite numbers."
            )

    def outputs(self, highest_label: float) -> int:
        """1 in the tied form, else one a grade from 1 to the highest."""
        return 1 if self.thresholds else max(1, math.ceil(highest_label))

    def relevance(self, outputs: Tensor) -> Tensor:
        """The expected grade, `[...]`, from the outputs `[..., K]` of the free form."""
        return torch.sigmoid(outputs).sum(dim=-1)

    def _logits(self, batch: Scored) -> Tensor:
        """`[B, L, K]`, one a grade."""
        if not self.thresholds:
            return batch.scores if batch.scores.ndim == 3 else batch.scores[..., None]
        if batch.scores.ndim == 3:
            raise DataError(
                f"scores of shape {tuple(batch.scores.shape)}",
                expected="one output a document where thresholds are given",
            )
        return batch.scores[..., None] - batch.scores.new_tensor(self.thresholds)

    def _values(self, batch: Scored) -> ListValues:
        logits = self._logits(batch)
        grades = torch.arange(1, logits.shape[-1] + 1, device=logits.device)
        targets = (batch.labels[..., None] >= grades).to(logits)
        terms = binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return document_mean(terms.sum(dim=-1), batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        bends = _logistic_curvature(self._logits(batch))
        return shared(bends if batch.scores.ndim == 3 else bends.sum(dim=-1), batch)


def _logistic_curvature(logits: Tensor) -> Tensor:
    """The second derivative of softplus."""
    return torch.sigmoid(logits) * torch.sigmoid(-logits)


def _check_scale(scale: float) -> None:
    if not (math.isfinite(scale) and scale > 0):
        raise ConfigurationError(f"scale={scale!r}; expected a finite number above 0.")
