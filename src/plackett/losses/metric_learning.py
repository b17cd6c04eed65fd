"""Losses of similarities: embeddings of one class are to be alike, and of others not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = ["ContextualSimilarity", "MultiSimilarity"]


@register
@dataclass(frozen=True, repr=False)
class MultiSimilarity(Loss):
    """A list is an anchor: the scores are its similarities to the others of a batch.

        loss = 1/a log(1 + sum_P exp(-a (s - base))) + 1/b log(1 + sum_N exp(b (s - base)))

    P and N are the anchor's positives and negatives that are hard: negatives above the least
    positive less the margin, and positives below the greatest negative plus the margin. An anchor
    without both, after this, counts 0 in the mean; without both before it, it says nothing.

    Scores are cosine similarities of the anchor and each other document; labels are above 0 for the
    same class and 0 for another. Leave the anchor itself out by `where`. A document weight
    multiplies its exponential.

    Parameters
    ----------
    positive_scale, negative_scale : a and b, above 0.
    base : the similarity that parts positives from negatives; 1 in the paper, whose scales and
        margin are the defaults, and 0.5 in common implementations.
    margin : of mining; None: all positives and negatives.

    Raises
    ------
    ConfigurationError : parameters out of range.

    Reference: Wang et al., "Multi-similarity loss with general pair weighting for deep metric
    learning", CVPR 2019.

    >>> similarities = torch.tensor([0.7, 0.4, 0.5, 0.3, 0.1], dtype=torch.float64)
    >>> loss = MultiSimilarity(margin=None)(similarities, torch.tensor([1, 1, 0, 0, 0]))
    >>> round(loss.item(), 6)
    0.54479
    """

    reference: ClassVar[str] = "Wang et al., CVPR 2019"
    shift_invariant: ClassVar[bool] = False

    positive_scale: float = 2.0
    negative_scale: float = 50.0
    base: float = 0.5
    margin: float | None = 0.1

    def __post_init__(self) -> None:
        _check_positive("positive_scale", self.positive_scale)
        _check_positive("negative_scale", self.negative_scale)
        if not math.isfinite(self.base) or (
            self.margin is not None and not math.isfinite(self.margin)
        ):
            raise ConfigurationError(
                f"base={self.base!r}, margin={self.margin!r}; expected finite numbers."
            )

    def _sides(self, batch: Scored) -> tuple[Tensor, Tensor, Tensor]:
        """The positives and negatives kept, `bool[B, L]`, and the anchors that have both."""
        positives = batch.where & (batch.labels > 0)
        negatives = batch.where & (batch.labels <= 0)
        has_both = positives.any(dim=-1) & negatives.any(dim=-1)
        if self.margin is not None and batch.scores.shape[1]:
            held, far = batch.scores.detach(), float("inf")
            least = torch.where(positives, held, far).amin(dim=-1, keepdim=True)
            greatest = torch.where(negatives, held, -far).amax(dim=-1, keepdim=True)
            positives = positives & (held < greatest + self.margin)
            negatives = negatives & (held > least - self.margin)
        both = positives.any(dim=-1, keepdim=True) & negatives.any(dim=-1, keepdim=True)
        return positives & both, negatives & both, has_both

    def _exponents(self, batch: Scored, kept: Tensor, scale: float) -> Tensor:
        """`[B, 1 + L]`: 0, and each kept document's exponent; minus infinity for the others."""
        exponents = scale * (batch.scores - self.base)
        if batch.weights is not None:
            kept = kept & (batch.weights > 0)
            exponents = exponents + torch.log(torch.where(kept, batch.weights, 1.0))
        exponents = exponents.masked_fill(~kept, -math.inf)
        return torch.cat([batch.scores.new_zeros(len(batch.scores), 1), exponents], dim=1)

    def _values(self, batch: Scored) -> ListValues:
        positives, negatives, has_both = self._sides(batch)
        pulled = torch.logsumexp(self._exponents(batch, positives, -self.positive_scale), dim=-1)
        pushed = torch.logsumexp(self._exponents(batch, negatives, self.negative_scale), dim=-1)
        values = pulled / self.positive_scale + pushed / self.negative_scale
        return ListValues(values, has_both)


class _Step(torch.autograd.Function):
    """1 from 0 on, with the gradient that its input is multiplied by a constant."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, slope: float) -> Tensor:
        ctx.slope = slope
        return (values >= 0).to(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.slope, None


@register
@dataclass(frozen=True, repr=False)
class ContextualSimilarity(Loss):
    """Documents of a class are to have the same neighbours.

    A list is a set of n documents, scored by their similarities to each other: scores `[B, n, n]`,
    labels `[B, n]`, the documents' classes. With D = 2 - 2 S, and d_i^(k) the k-th least distance
    of document i, itself included:

        N_ij = H(d_i^(k) + tolerance - D_ij)                  the neighbours
        W = N (N N^T / rows(N) + (1-N)(1-N)^T / rows(1-N)) / 2 how alike two neighbourhoods are
        R = N^(k/2) N^(k/2)^T                                  near neighbours of each other
        w = (J + J^T) / 2,  J = R W / rows(R)                  the contextual similarity
        contextual = sum_{i != j} (w_ij - [y_i = y_j])^2 / n^2
        contrastive = mean of (0.75 - S)_+ over the pairs of a class where it is above 0
                    + mean of (S - 0.6)_+ over the other pairs where it is above 0
        loss = a contextual + g (mean S - 0.25)^2 + (1 - a - g) contrastive

    H is the step function; its derivative is taken to be a constant, so the gradient is not that of
    the value. Products by entry are written side by side; N N^T and R W are of matrices. The cost
    is O(n^3) time and O(n^2) memory a set. A document weight multiplies the terms of its row.

    Parameters
    ----------
    neighbours : k, the documents of a class in a set, at least 2.
    contextual_share, balance_share : a and g, at least 0, with a + g at most 1.
    tolerance : at least 0.
    step_slope : the derivative of the step function, above 0.

    Raises
    ------
    ConfigurationError : parameters out of range.
    DataError : scores that are not `[B, n, n]`.

    Reference: Liao, Tsiligkaridis, Kulis, "Supervised metric learning to rank for retrieval via
    contextual similarity optimization", ICML 2023.

    >>> classes = torch.tensor([0, 0, 1, 1])
    >>> similarities = (classes[:, None] == classes).double()
    >>> loss = ContextualSimilarity(neighbours=2, contextual_share=1.0, balance_share=0.0)
    >>> loss(similarities, classes).item()
    0.0
    """

    reference: ClassVar[str] = "Liao, Tsiligkaridis, Kulis, ICML 2023"
    shift_invariant: ClassVar[bool] = False
    several_outputs: ClassVar[bool] = True

    neighbours: int = 4
    contextual_share: float = 0.4
    balance_share: float = 0.1
    tolerance: float = 0.05
    step_slope: float = 10.0

    def __post_init__(self) -> None:
        if self.neighbours < 2:
            raise ConfigurationError(f"neighbours={self.neighbours!r}; expected at least 2.")
        shares = (self.contextual_share, self.balance_share)
        if not (min(shares) >= 0 and sum(shares) <= 1):
            raise ConfigurationError(
                f"contextual_share={shares[0]!r}, balance_share={shares[1]!r}; expected numbers "
                "of at least 0 that sum to at most 1."
            )
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ConfigurationError(f"tolerance={self.tolerance!r}; expected at least 0.")
        _check_positive("step_slope", self.step_slope)

    def outputs(self, highest_label: float) -> int:
        """None of a document alone.

        Raises
        ------
        ConfigurationError : always; the loss is of similarities of pairs.
        """
        raise ConfigurationError(
            f"{self!r} is of documents' similarities to each other, not of scores; expected a "
            "loss of scores."
        )

    def _values(self, batch: Scored) -> ListValues:
        if batch.scores.ndim != 3 or batch.scores.shape[1] != batch.scores.shape[2]:
            raise DataError(
                f"scores of shape {tuple(batch.scores.shape)}",
                expected="similarities [sets, documents, documents]",
            )
        real = batch.where[:, :, None] & batch.where[:, None, :]
        similar = torch.where(real, batch.scores, torch.zeros_like(batch.scores))
        same = real & (batch.labels[:, :, None] == batch.labels[:, None, :])
        apart = ~torch.eye(similar.shape[1], dtype=torch.bool, device=similar.device)
        rows = (real if batch.weights is None else batch.weights[..., None]) * real.to(similar)
        pairs = real.sum(dim=(1, 2)).clamp(min=1)
        context = self._context(similar, batch.where, real)
        contextual = (rows * apart * (context - same.to(similar)).square()).sum(dim=(1, 2)) / pairs
        balance = (similar.sum(dim=(1, 2)) / pairs - 0.25).square()
        contrast = _active_mean(0.75 - similar, same & apart, rows) + _active_mean(
            similar - 0.6, real & ~same, rows
        )
        values = (
            self.contextual_share * contextual
            + self.balance_share * balance
            + (1 - self.contextual_share - self.balance_share) * contrast
        )
        return ListValues(values, batch.where.sum(dim=-1) > 1)

    def _context(self, similar: Tensor, where: Tensor, real: Tensor) -> Tensor:
        """The contextual similarities, `[B, n, n]`, within [0, 1]."""
        distances = (2 - 2 * similar).clamp(min=0)
        near = self._near(distances, where, real, self.neighbours)
        far = real.to(similar) - near
        common = near @ near.mT / _rows(near) + far @ far.mT / _rows(far)
        weighted = 0.5 * common * near
        nearest = self._near(distances, where, real, max(1, self.neighbours // 2))
        mutual = nearest * nearest.mT
        contextual = mutual @ weighted / _rows(mutual)
        return 0.5 * (contextual + contextual.mT)

    def _near(self, distances: Tensor, where: Tensor, real: Tensor, count: int) -> Tensor:
        """Which documents are among the `count` nearest of each, 0 or 1, with the step's slope."""
        beyond = torch.where(real, distances.detach(), math.inf).sort(dim=-1).values
        place = where.sum(dim=-1).clamp(min=1, max=count) - 1
        reach = beyond.gather(-1, place[:, None, None].expand(-1, distances.shape[1], 1))
        reach = torch.where(where[..., None], reach, 0.0)
        gaps = reach + self.tolerance - distances
        stepped: Tensor = _Step.apply(gaps, self.step_slope)  # type: ignore[no-untyped-call]
        return stepped * real


def _rows(values: Tensor) -> Tensor:
    """The sums of the rows, held fixed, and 1 for rows of 0."""
    sums = values.detach().sum(dim=-1, keepdim=True)
    return torch.where(sums > 0, sums, torch.ones_like(sums))


def _active_mean(excess: Tensor, pairs: Tensor, weights: Tensor) -> Tensor:
    """The mean of the excesses above 0 among `pairs[B, n, n]`, each times its weight: `[B]`."""
    active = pairs & (excess.detach() > 0)
    total = torch.where(active, excess * weights, torch.zeros_like(excess)).sum(dim=(1, 2))
    return total / active.sum(dim=(1, 2)).clamp(min=1)


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name}={value!r}; expected a finite number above 0.")
