"""A listwise loss whose optimum is that of a regression: scores that rank and are calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.listnet import label_shares, real_log_softmax
from plackett.losses.pointwise import binary_targets
from plackett.losses.registry import register

__all__ = ["RCR"]


@register
@dataclass(frozen=True, repr=False)
class RCR(Loss):
    """Regression-compatible ranking: a regression and a listwise loss with the same optimum.

        loss = (1 - listwise) sum_i R(s_i, y_i)
               + listwise (-1 / sum(y)) sum_i y_i log(T(s_i) / sum_j T(s_j))

    For binary labels, or probabilities, R is the cross-entropy of the label and T the logistic
    function: both parts are least where T(s_i) is the expected label. For grades, R is the squared
    error of T(s_i) and T(s) = log(1 + e^s), so that T(s_i) estimates the expected grade. The
    softmax loss would pull scores away from there. Prefer this loss where scores are read as
    probabilities or grades too.

    Lists without a label above 0 have the regression alone. Document weights multiply the terms of
    their documents in both parts.

    Parameters
    ----------
    listwise : the share of the listwise part, from 0 to 1.
    form : "binary" or "graded".
    threshold : of the binary form: labels from it on are 1 and others 0; without one, labels are
        probabilities.

    Raises
    ------
    ConfigurationError : `listwise` outside [0, 1], an unknown form, or a threshold for grades.
    DataError : binary without a threshold, and labels outside [0, 1].

    Reference: Bai et al., "Regression compatible listwise objectives for calibrated ranking with
    binary relevance", CIKM 2023. The graded form's T is a choice of this library.

    >>> loss = RCR()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([0, 1, 0, 1]))
    >>> round(loss.item(), 5)
    3.22919
    """

    reference: ClassVar[str] = "Bai et al., CIKM 2023"
    shift_invariant: ClassVar[bool] = False

    listwise: float = 0.5
    form: Literal["binary", "graded"] = "binary"
    threshold: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.listwise <= 1.0:
            raise ConfigurationError(f"listwise={self.listwise!r}; expected a share from 0 to 1.")
        if self.form not in ("binary", "graded"):
            raise ConfigurationError(f"form={self.form!r}; expected 'binary' or 'graded'.")
        if self.form == "graded" and self.threshold is not None:
            raise ConfigurationError(
                f"threshold={self.threshold!r} has no effect on form='graded'; leave it out."
            )

    def _values(self, batch: Scored) -> ListValues:
        if self.form == "binary":
            labels = binary_targets(batch.labels, self.threshold, self)
            labels = torch.where(batch.where, labels, torch.zeros_like(labels))
            terms = binary_cross_entropy_with_logits(batch.scores, labels, reduction="none")
            logarithm = logsigmoid(batch.scores)
        else:
            labels = batch.labels
            expected = softplus(batch.scores)
            terms = (expected - labels).square()
            logarithm = _log_softplus(batch.scores)
        if batch.weights is not None:
            terms = terms * batch.weights
        terms = torch.where(batch.where, terms, torch.zeros_like(terms))
        target, _ = label_shares(batch._replace(labels=labels))
        listwise = -(target * real_log_softmax(logarithm, batch.where)).sum(dim=-1)
        values = (1.0 - self.listwise) * terms.sum(dim=-1) + self.listwise * listwise
        return ListValues(values, batch.where.any(dim=-1))


def _log_softplus(scores: Tensor) -> Tensor:
    """log(log(1 + e^s)), which is s up to rounding for very low scores."""
    low = scores < -15.0 if scores.dtype == torch.float32 else scores < -30.0
    safe = torch.where(low, torch.zeros_like(scores), scores)
    return torch.where(low, scores, softplus(safe).log())
