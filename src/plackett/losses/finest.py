"""FINEST's regulariser: keep the top of the list that a reference model gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = ["FINEST"]


@register
@dataclass(frozen=True, repr=False)
class FINEST(Loss):
    """Hinge terms that hold the `top` documents of a reference in their order and above the rest.

    With K = `top`, R_1 ... R_K the reference's best documents in order and C_1 ... C_K those at its
    ranks K+1 ... 2K:

    mean over k < K of max(0, margin - (s[R_k] - s[R_k+1]))
    + mean over k of max(0, margin - (s[R_k] - s[C_k])).

    The labels are the scores of the reference model, not grades. Add it to the loss that is
    fine-tuned while the data are perturbed: the lists then change less when the data do. Of equal
    reference scores the document that now has the higher score stands first, and a pair with equal
    reference scores asks nothing. In a shorter list the terms that it has are averaged.

    Parameters
    ----------
    top : K, how many documents to keep in order.
    margin : by how much each score is to exceed the next.

    Raises
    ------
    ConfigurationError : `top` below 1 or a margin that is not above 0.

    Oh, Ustun, McAuley & Kumar, "FINEST: stabilizing recommendations by rank-preserving
    fine-tuning", arXiv 2402.03481.

    >>> import torch
    >>> scores = torch.tensor([3.0, 2.95, 2.5, 2.45, 1.0, 0.0], dtype=torch.float64)
    >>> round(FINEST(top=3)(scores, torch.tensor([6, 5, 4, 3, 2, 1])).item(), 6)
    0.025
    """

    reference: ClassVar[str] = "arXiv 2402.03481"

    top: int = 10
    margin: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.top, bool) or not isinstance(self.top, int) or self.top < 1:
            raise ConfigurationError(f"top={self.top!r}; expected an integer of at least 1.")
        if not 0.0 < self.margin < float("inf"):
            raise ConfigurationError(f"margin={self.margin!r}; expected a number above 0.")

    def _values(self, batch: Scored) -> ListValues:
        order = _by_reference(batch)[:, : 2 * self.top]
        scores = batch.scores.gather(1, order)
        labels = batch.labels.gather(1, order)
        where = batch.where.gather(1, order)
        weights = None if batch.weights is None else batch.weights.gather(1, order)
        head = min(self.top, order.shape[1])
        below = max(order.shape[1] - self.top, 0)
        total = torch.zeros_like(scores[:, 0]) if order.shape[1] else scores.sum(dim=1)
        informative = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
        for upper, lower in (
            (slice(0, head - 1), slice(1, head)),
            (slice(0, below), slice(self.top, self.top + below)),
        ):
            asked = where[:, lower] & (labels[:, upper] > labels[:, lower])
            terms = (self.margin - (scores[:, upper] - scores[:, lower])).clamp(min=0.0)
            if weights is not None:
                terms = terms * weights[:, upper]
            terms = torch.where(asked, terms, torch.zeros_like(terms))
            total = total + terms.sum(dim=1) / asked.sum(dim=1).clamp(min=1)
            informative = informative | asked.any(dim=1)
        return ListValues(total, informative)


def _by_reference(batch: Scored) -> Tensor:
    """Documents by reference score, then by score, the highest first; padding last."""
    scores, labels = batch.scores.detach(), batch.labels
    by_score = scores.argsort(dim=1, descending=True, stable=True)
    lowest = torch.full_like(labels, -torch.inf)
    labels = torch.where(batch.where, labels, lowest).gather(1, by_score)
    return by_score.gather(1, labels.argsort(dim=1, descending=True, stable=True))
