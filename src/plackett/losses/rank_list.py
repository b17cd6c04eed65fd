"""RankList: each document against all that should stand well below it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.plackett_luce import label_order
from plackett.losses.registry import register

__all__ = ["RankList"]


@register
@dataclass(frozen=True, repr=False)
class RankList(Loss):
    """A document should beat all documents that stand some places below it by label.

        loss = sum over w = 1..skip of mean_k log(1 + exp(LSE_{l >= k + w} s_l - s_k)),
        documents in order of descending label, LSE the logarithm of the sum of exponentials

    With w = 1 the sum over k is that of `ListMLE`; with two documents it is `RankNet`. With w > 1
    near neighbours are left out, whose order is unreliable where labels are opinions. Against
    "next", s_{k + w} stands for the LSE.

    Documents of equal labels are not compared; those of which none is below leave the mean. For
    w > 1, equal labels take the order in which they come. Document weights multiply the terms of
    document k.

    Parameters
    ----------
    skip : the largest w.
    margin : documents are compared if their labels differ by this much or more.
    against : "later", all documents from k + w on, or "next", only the one at k + w.

    Raises
    ------
    ConfigurationError : `skip` below 1, a negative `margin`, or unknown `against`.

    Reference: Naini, Diaz & Busso, "RankList - A listwise preference learning framework for
    predicting subjective preferences", 2025, arXiv 2508.09826, of which this is a reading.

    >>> loss = RankList()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([3, 2, 1, 0]))
    >>> round(3 * loss.item(), 5)
    1.25155
    """

    reference: ClassVar[str] = "Naini, Diaz & Busso 2025"

    skip: int = 1
    margin: float = 0.0
    against: Literal["later", "next"] = "later"

    def __post_init__(self) -> None:
        if self.skip < 1:
            raise ConfigurationError(f"skip={self.skip!r}; expected at least 1.")
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ConfigurationError(f"margin={self.margin!r}; expected a finite number from 0 on.")
        if self.against not in ("later", "next"):
            raise ConfigurationError(f"against={self.against!r}; expected 'later' or 'next'.")

    def _values(self, batch: Scored) -> ListValues:
        order = label_order(batch.labels, batch.where)
        where = batch.where.gather(-1, order)
        lowest = torch.finfo(batch.scores.dtype).min / 4
        scores = batch.scores.gather(-1, order).masked_fill(~where, lowest)
        labels = batch.labels.gather(-1, order)
        weights = None if batch.weights is None else batch.weights.gather(-1, order)
        rivals = scores
        if self.against == "later":
            rivals = scores.flip(-1).logcumsumexp(dim=-1).flip(-1)
        first = _first_below(labels, where, self.margin)
        places = torch.arange(scores.shape[-1], device=scores.device)
        count = where.sum(dim=-1, keepdim=True)
        values = torch.zeros_like(batch.scores).sum(dim=-1)
        informative = torch.zeros_like(where[:, :1].any(dim=-1))
        for width in range(1, min(self.skip, scores.shape[-1] - 1) + 1):
            start = (places + width).maximum(first) if self.against == "later" else places + width
            compared = where & (start < count) & (start >= first)
            rival = rivals.gather(-1, start.clamp(max=scores.shape[-1] - 1).expand_as(order))
            gap = torch.where(compared, rival - scores, torch.zeros_like(scores))
            terms = torch.where(compared, softplus(gap), torch.zeros_like(gap))
            terms = terms if weights is None else terms * weights
            values = values + terms.sum(dim=-1) / compared.sum(dim=-1).clamp(min=1)
            informative = informative | compared.any(dim=-1)
        return ListValues(values, informative)


def _first_below(labels: Tensor, where: Tensor, margin: float) -> Tensor:
    """The first place whose label is below that of k, by the margin or more, `int64[B, L]`.

    Labels descend; it is the number of real documents where there is no such place.
    """
    ascending = torch.where(where, -labels, torch.full_like(labels, torch.inf))
    below = torch.searchsorted(ascending, -labels, right=True)
    if margin > 0:
        below = below.maximum(torch.searchsorted(ascending, margin - labels))
    return below.minimum(where.sum(dim=-1, keepdim=True))
