"""Approximate ranks: any measure as a loss by counting softly who stands before whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register
from plackett.losses.soft_measures import (
    MeasureTarget,
    RelaxedOrder,
    check_relaxable,
    check_temperature,
    loss_of_order,
    target_of,
)
from plackett.metrics.base import Measure
from plackett.metrics.binary import RR
from plackett.metrics.graded import nDCG

__all__ = ["Approx", "ApproxMRR", "ApproxNDCG", "approximate_ranks"]

_CHUNK = 2**18
"""Pairs computed at a time: the matrices of a chunk stay in the processor's cache."""


def _blocks(lists: int, length: int) -> list[tuple[slice, slice]]:
    """Slices of lists and of rows whose pairs fit a chunk."""
    rows = max(1, min(length, _CHUNK // max(length, 1)))
    together = max(1, _CHUNK // max(rows * length, 1))
    return [
        (slice(i, i + together), slice(j, j + rows))
        for i in range(0, lists, together)
        for j in range(0, length, rows)
    ]


def _scratch(scores: Tensor) -> Tensor:
    """Memory for the pairs of one block, which all blocks use in turn."""
    lists, length = scores.shape
    return scores.new_empty(min(max(_CHUNK, length), lists * length * length))


def _differences(scores: Tensor, lists: slice, rows: slice, scratch: Tensor) -> Tensor:
    """s_j - s_i for the rows i and all j of a block, `float[b, rows, L]`, in scratch memory."""
    part = scores[lists]
    across, down = part[:, None, :], part[:, rows, None]
    shape = (part.shape[0], down.shape[1], part.shape[1])
    out = scratch[: shape[0] * shape[1] * shape[2]].view(shape)
    return torch.sub(across, down, out=out)


class _WeightBefore(torch.autograd.Function):
    """sum over j != i of w_j sigmoid(s_j - s_i), `float[B, L]`; pairs are computed anew backward.

    The derivative of the sigmoid is the same for (i, j) and (j, i), and what a document does to
    itself cancels. With D that symmetric matrix and g the gradient that arrives, the gradient of
    the scores is w * (D g) - g * (D w).
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, weights: Tensor) -> Tensor:
        before = torch.empty_like(scores)
        scratch = _scratch(scores)
        for lists, rows in _blocks(*scores.shape):
            wins = _differences(scores, lists, rows, scratch).sigmoid_()
            before[lists, rows] = torch.bmm(wins, weights[lists][..., None])[..., 0]
        ctx.save_for_backward(scores, weights)
        return before.sub_(weights, alpha=0.5)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        scores, weights = ctx.saved_tensors
        both = torch.stack([gradient, weights], dim=-1)
        result = torch.empty_like(scores)
        scratch, square = _scratch(scores), _scratch(scores)
        for lists, rows in _blocks(*scores.shape):
            wins = _differences(scores, lists, rows, scratch).sigmoid_()
            out = square[: wins.numel()].view(wins.shape)
            slopes = torch.addcmul(wins, wins, wins, value=-1.0, out=out)
            sums = torch.bmm(slopes, both[lists])
            result[lists, rows] = weights[lists, rows] * sums[..., 0]
            result[lists, rows] -= gradient[lists, rows] * sums[..., 1]
        return result, None


class _LogUnseen(torch.autograd.Function):
    """sum over j != i of log(1 - p_j sigmoid(s_j - s_i)), `float[B, L]`.

    The logarithm is taken of sigmoid(s_i - s_j) + (1 - p_j) sigmoid(s_j - s_i), which keeps its
    digits for p = 1, and is cut at the smallest number: the probability is 0 there either way.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, events: Tensor) -> Tensor:
        result = torch.empty_like(scores)
        for lists, rows in _blocks(*scores.shape):
            result[lists, rows] = _kept(scores, events, lists, rows)[0].log_().sum(dim=-1)
        ctx.save_for_backward(scores, events)
        return result.sub_(torch.log1p(-0.5 * events))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        scores, events = ctx.saved_tensors
        result = torch.zeros_like(scores)
        for lists, rows in _blocks(*scores.shape):
            kept, wins = _kept(scores, events, lists, rows)
            slopes = events[lists][:, None, :] * wins.mul_(1.0 - wins).div_(kept)
            arrived = gradient[lists, rows]
            result[lists] -= torch.bmm(arrived[:, None, :], slopes)[:, 0]
            result[lists, rows] += arrived * slopes.sum(dim=-1)
        return result, None


def _kept(scores: Tensor, events: Tensor, lists: slice, rows: slice) -> tuple[Tensor, Tensor]:
    """1 - p_j sigmoid(s_j - s_i), and the sigmoid, each `float[b, rows, L]`."""
    difference = _differences(scores, lists, rows, _scratch(scores))
    wins = difference.sigmoid()
    kept = difference.neg_().sigmoid_()
    kept += (1.0 - events[lists][:, None, :]) * wins
    return kept.clamp_(min=torch.finfo(scores.dtype).tiny), wins


def _weight_before(scores: Tensor, weights: Tensor) -> Tensor:
    before: Tensor = _WeightBefore.apply(scores, weights)  # type: ignore[no-untyped-call]
    return before


def approximate_ranks(
    scores: Tensor, where: Tensor | None = None, *, temperature: float = 1.0
) -> Tensor:
    """Differentiable ranks: 1 + sum over j != i of sigmoid((s_j - s_i) / temperature).

    They sum to n (n + 1) / 2 in a list of n documents and tend to the exact ranks as the
    temperature falls; tied documents share their mean rank. No matrix of pairs is kept.

    Parameters
    ----------
    scores : `float[B, L]`.
    where : `bool[B, L]`, True for real documents, the only ones that are counted; default: all.

    Raises
    ------
    ConfigurationError : the temperature is not positive.

    Qin, Liu & Li, "A general approximation framework for direct optimization of information
    retrieval measures", Information Retrieval 2010.

    >>> approximate_ranks(torch.tensor([[2.0, 1.0, 0.5, -1.0]]))
    tensor([[1.4988, 2.2278, 2.6225, 3.6509]])
    """
    check_temperature(temperature)
    if where is None:
        where = torch.ones_like(scores, dtype=torch.bool)
    scores = torch.where(where, scores, torch.zeros_like(scores))
    return 1.0 + _weight_before(scores / temperature, where.to(scores))


class _ByDocument(RelaxedOrder):
    """Slots are documents at their approximate ranks."""

    def __init__(
        self, batch: Scored, target: MeasureTarget, temperature: float, cutoff_width: float
    ) -> None:
        self._scores = batch.scores / temperature
        self._target = target
        self._width = cutoff_width
        self._rank = 1.0 + _weight_before(self._scores, batch.where.to(batch.scores))

    @property
    def worth(self) -> Tensor:
        """The worth of each document."""
        return self._target.worth

    @property
    def rank(self) -> Tensor:
        """The approximate rank of each document."""
        return self._rank

    def within(self, cutoff: Tensor | int | None) -> Tensor:
        """sigmoid((cutoff + 1/2 - rank) / width)."""
        if cutoff is None:
            return torch.ones_like(self._rank)
        return torch.sigmoid((cutoff + 0.5 - self._rank) / self._width)

    def before(self) -> Tensor:
        """How many events softly stand before each document."""
        return _weight_before(self._scores, self._target.events)

    def unseen(self) -> Tensor:
        """The product of 1 - p_j sigmoid(s_j - s_i) over the others."""
        logarithm: Tensor = _LogUnseen.apply(self._scores, self._target.events)  # type: ignore[no-untyped-call]
        return logarithm.exp()


def _approximate(
    measure: Measure, batch: Scored, temperature: float, cutoff_width: float | None
) -> ListValues:
    target = target_of(measure, batch)
    width = temperature if cutoff_width is None else cutoff_width
    return loss_of_order(measure, _ByDocument(batch, target, temperature, width), target)


@register
@dataclass(frozen=True, repr=False)
class Approx(Loss):
    """Any measure with approximate ranks in place of ranks.

    rank_i = 1 + sum over j != i of sigmoid((s_j - s_i) / temperature); the loss is minus the
    measure of these ranks (the measure itself where lower is better, as ARP), and tends to the
    exact one as the temperature falls. A document counts as within a cutoff k by
    sigmoid((k + 1/2 - rank) / cutoff_width). Measures that look at what stands before a document
    (AP, RR, ERR, nERR) count it with the same sigmoids.

    Parameters
    ----------
    measure : see `relaxable_measures`.
    temperature : in units of the scores; small is exact, but its gradients vanish.
    cutoff_width : in ranks; default: the temperature.

    Document weights multiply a document's gain, in the ideal too. Memory is of the order of the
    scores; time is quadratic in the length of a list.

    Raises
    ------
    ConfigurationError : a measure without a differentiable form, or a width not above 0.

    >>> from plackett.metrics import nDCG
    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[1, 3, 0, 2]])
    >>> Approx(nDCG(gain="exponential") @ 2, temperature=0.1)(scores, labels)
    tensor(-0.6045)
    """

    reference: ClassVar[str] = "Qin, Liu & Li 2010"

    measure: Measure
    temperature: float = 1.0
    cutoff_width: float | None = None

    def __post_init__(self) -> None:
        check_relaxable(self.measure)
        check_temperature(self.temperature)
        if self.cutoff_width is not None:
            check_temperature(self.cutoff_width, "cutoff_width")

    def _values(self, batch: Scored) -> ListValues:
        return _approximate(self.measure, batch, self.temperature, self.cutoff_width)


@register
@dataclass(frozen=True, repr=False)
class ApproxNDCG(Loss):
    """Minus nDCG of approximate ranks: -sum of gain_i / log2(1 + rank_i), over the ideal's.

    As `Approx(nDCG(gain=gain) @ cutoff)`. Bruch, Zoghi, Bendersky & Najork, "Revisiting approximate
    metric optimization in the age of deep neural networks", SIGIR 2019, take a temperature of 0.1.

    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[1, 3, 0, 2]])
    >>> ApproxNDCG()(scores, labels), ApproxNDCG(temperature=0.1)(scores, labels)
    (tensor(-0.6654), tensor(-0.7133))
    """

    reference: ClassVar[str] = "Qin, Liu & Li 2010; Bruch et al. 2019"

    cutoff: int | None = None
    temperature: float = 1.0
    gain: str | tuple[float, ...] = "exponential"

    def __post_init__(self) -> None:
        check_relaxable(self._measure)
        check_temperature(self.temperature)

    @property
    def _measure(self) -> Measure:
        return nDCG(cutoff=self.cutoff, gain=self.gain)

    def _values(self, batch: Scored) -> ListValues:
        return _approximate(self._measure, batch, self.temperature, None)


@register
@dataclass(frozen=True, repr=False)
class ApproxMRR(Loss):
    """Minus the reciprocal rank, with approximate ranks.

    form="first" weighs 1 / rank_i by the probability that no other relevant document stands
    before i, the product of sigmoid((s_i - s_j) / temperature), and tends to the exact measure.
    form="mean" is -sum of y_i / rank_i / sum of y_i, as in TensorFlow Ranking, with graded labels
    y: the mean over all relevant documents, which is RR only where there is one of them.

    Parameters
    ----------
    rel : for the form "first": a document of this grade or more is relevant.

    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[0, 1, 0, 1]])
    >>> ApproxMRR(temperature=0.1)(scores, labels)
    tensor(-0.4983)
    >>> ApproxMRR(temperature=0.1, form="mean")(scores, labels)
    tensor(-0.3742)
    """

    reference: ClassVar[str] = "Qin, Liu & Li 2010; Bruch et al. 2019"

    temperature: float = 1.0
    form: str = "first"
    rel: float = 1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.form not in ("first", "mean"):
            raise ConfigurationError(f"form {self.form!r} is neither 'first' nor 'mean'.")

    def _values(self, batch: Scored) -> ListValues:
        if self.form == "first":
            return _approximate(RR(rel=self.rel), batch, self.temperature, None)
        worth = batch.labels.clamp(min=0.0)
        worth = worth if batch.weights is None else worth * batch.weights
        total = worth.sum(dim=-1)
        informative = (total > 0) & (batch.where.sum(dim=-1) > 1)
        ranks = approximate_ranks(batch.scores, batch.where, temperature=self.temperature)
        total = torch.where(informative, total, torch.ones_like(total))
        return ListValues(-(worth / ranks).sum(dim=-1) / total, informative)
