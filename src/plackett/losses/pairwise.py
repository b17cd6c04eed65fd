"""Losses of pairs: a function of the margin times a weight, in memory that lists cannot outgrow."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pair_functions import Fidelity, Logistic, PairFunction
from plackett.losses.pair_weights import PairFactors, PairWeight, RankedLists, Uniform
from plackett.losses.registry import register

__all__ = ["Pairwise"]

Pairs = Literal["different_labels", "all"]
PairReduction = Literal["sum", "mean"]

# Pairs that are held at a time: on a CPU so few that a dozen such tensors stay in a core's cache
# and torch wakes no other threads for each; elsewhere enough to keep the device busy.
CHUNK = 2**15 - 1
CHUNK_OF_DEVICES = 2**22
# Ranks of a block. More make longer loops, and more pairs that are computed and thrown away.
ROWS = 32
# With fewer pairs than this, handing lists to other threads costs more than it saves.
PAIRS_WORTH_A_THREAD = 100_000


class PairTask(NamedTuple):
    """All that the sums over pairs need, in order of rank.

    Attributes
    ----------
    ranked : the lists.
    factors : the weights of pairs.
    own : `float[B, L]`, what the preferred document multiplies a pair by; 0 at padding.
    function : of the margin.
    every : all ordered pairs count, not only those of different labels.
    ties : pairs of equal labels count one half in either direction.
    """

    ranked: RankedLists
    factors: PairFactors
    own: Tensor
    function: PairFunction
    every: bool
    ties: bool


class PairSums(NamedTuple):
    """Sums over pairs: of a list `[B]`, and by document in order of rank `[B, L]`."""

    values: Tensor
    gradient: Tensor
    curvature: Tensor


class _Block(NamedTuple):
    lists: slice
    rows: slice

    def pairs(self, documents: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of documents as those of the upper and the lower documents of the pairs."""
        held = documents[self.lists]
        return held[:, self.rows, None], held[:, None, self.rows.start :]


def pair_sums(task: PairTask, *, chunk: int | None = None, curved: bool = True) -> PairSums:
    """Sums over pairs, in chunks of at most about `chunk` pairs and by torch's own operations.

    Without `curved`, the curvature is left at 0.
    """
    if chunk is None:
        chunk = CHUNK if task.own.device.type == "cpu" else CHUNK_OF_DEVICES
    lists, length = task.ranked.scores.shape
    sums = PairSums(
        task.own.new_zeros(lists), torch.zeros_like(task.own), torch.zeros_like(task.own)
    )
    last = length if task.factors.rows is None else min(length, task.factors.rows)
    rows = max(1, min(ROWS, chunk // max(1, length)))
    for start in range(0, last, rows):
        stop = min(start + rows, last)
        step = max(1, chunk // ((stop - start) * (length - start)))
        for first in range(0, lists, step):
            block = _Block(slice(first, first + step), slice(start, stop))
            _add_block(task, block, curved, sums)
    return sums


def _add_block(task: PairTask, block: _Block, curved: bool, sums: PairSums) -> None:
    upper, lower = block.pairs(task.ranked.scores)
    margin = upper - lower  # [b, r, c]
    upper, lower = block.pairs(task.ranked.labels)
    gap = upper - lower
    weight = _block_weights(task, block)
    for sign, direction in _directions(task, block, gap):
        held = weight * direction
        arguments = sign * margin, sign * gap
        value, slope = task.function.value_and_slope(*arguments)
        slope = slope * held * sign
        sums.values[block.lists] += (value * held).sum(dim=(1, 2))
        sums.gradient[block.lists, block.rows] += slope.sum(dim=2)
        sums.gradient[block.lists, block.rows.start :] -= slope.sum(dim=1)
        if curved:
            bend = task.function.curvature(*arguments) * held
            sums.curvature[block.lists, block.rows] += bend.sum(dim=2)
            sums.curvature[block.lists, block.rows.start :] += bend.sum(dim=1)


def _directions(task: PairTask, block: _Block, gap: Tensor) -> list[tuple[Tensor | float, Tensor]]:
    """Signs of the margin, 1 where the upper document is preferred, and what such pairs count."""
    upper, lower = block.pairs(task.own)
    if task.every:
        return [(1.0, upper.expand_as(gap)), (-1.0, lower.expand_as(gap))]
    if task.ties:
        half = 0.5 * (gap == 0)
        return [(1.0, upper * ((gap > 0) + half)), (-1.0, lower * ((gap < 0) + half))]
    sign = torch.sign(gap)
    return [(sign, torch.where(gap > 0, upper, lower) * sign.abs())]


def _block_weights(task: PairTask, block: _Block) -> Tensor:
    """The weights of a block's pairs, `[b, r, c]`; 0 at padding and where no pair is."""
    factors = task.factors
    upper, lower = block.pairs(task.ranked.where)
    weight = (upper & lower).to(task.own).triu_(diagonal=1)
    if factors.gain is not None:
        upper, lower = block.pairs(factors.gain)
        gap = (upper - lower).abs()
        weight *= torch.log10(1.0 + gap) if factors.logarithm else gap
    place: Tensor | float = 0.0
    if factors.upper is not None and factors.share is not None and factors.lower is not None:
        upper, lower = block.pairs(factors.lower)
        held = factors.upper[block.lists, block.rows, None]
        place = (held - factors.share[block.lists, block.rows, None] * lower).clamp(min=0)
    if factors.table is not None:
        ranks = torch.arange(len(factors.table), device=weight.device)
        apart = (ranks[None, block.rows.start :] - ranks[block.rows, None]).clamp(min=0)
        place = place + factors.table[apart]
    return weight if isinstance(place, float) else weight.mul_(place)


def fast_pair_sums(task: PairTask) -> PairSums:
    """The same sums on a CPU, by compiled loops in double precision.

    The curvature is left at 0 for `Fidelity`, which is not convex.
    """
    loops, unit, scale, more = _loops_for(task.function)
    factors, own = task.factors, task.own
    lists, length = own.shape

    def given(tensor: Tensor | None, value: float) -> Any:
        wide = torch.full(own.shape, value) if tensor is None else tensor
        return wide.to(torch.float64).contiguous().numpy()

    alone = factors.upper is None and factors.table is None
    lengths = task.ranked.where.sum(dim=1)
    rows = length if factors.rows is None else min(factors.rows, length)
    results = [torch.zeros(shape, dtype=torch.float64) for shape in ((lists,), *[own.shape] * 2)]
    table = torch.zeros(length) if factors.table is None else factors.table
    before = (
        given(task.ranked.scores.to(torch.float64) * unit, 0.0),
        given(task.ranked.labels, 0.0),
        given(own, 0.0),
        lengths.numpy(),
        given(factors.gain, 0.0),
        given(factors.upper, 1.0 if alone else 0.0),
        given(factors.share, 0.0),
        given(factors.lower, 0.0),
        table.to(torch.float64).numpy(),
        1.0 if factors.gain is None else 0.0,
        1.0 if task.every else 0.0,
        1.0 if task.every else 0.5 if task.ties else 0.0,
        rows,
    )
    after = (*(result.numpy() for result in results), *more)
    parts = _parts(lengths.clamp(max=rows) * lengths)
    if len(parts) == 1:
        loops(*before, *parts[0], *after)
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(lambda part: loops(*before, *part, *after), parts))
    scales = (scale, scale * unit, scale * unit**2)
    return PairSums(*((result * k).to(own) for result, k in zip(results, scales, strict=True)))


def _loops_for(
    function: PairFunction,
) -> tuple[Callable[..., None], float, float, tuple[float, ...]]:
    """The loops, what they take scores and values times, and the arguments of this function."""
    from plackett.losses.pairwise_kernels import fidelity_pair_sums, logistic_pair_sums

    if isinstance(function, Logistic) and function.margin == 0:
        return logistic_pair_sums, function.sigma, function.scale, ()
    if isinstance(function, Fidelity):
        unit = 1.0 / math.sqrt(function.variance)
        return fidelity_pair_sums, unit, 1.0, (unit if function.target == "gap" else 0.0,)
    raise ConfigurationError(f"{function!r} has no compiled loops; Logistic() has.")


def _parts(pairs: Tensor) -> list[tuple[int, int]]:
    """Runs of lists with about equal numbers of pairs, one run a thread of torch."""
    up_to = pairs.cumsum(dim=0)
    total = int(up_to[-1]) if len(pairs) else 0
    runs = max(1, min(torch.get_num_threads(), total // PAIRS_WORTH_A_THREAD))
    bounds = torch.searchsorted(up_to, torch.arange(1, runs) * total // runs).tolist()
    return list(zip([0, *bounds], [*bounds, len(pairs)], strict=True))


def sums_of(task: PairTask, *, curved: bool) -> PairSums:
    """The sums over pairs, the fastest way that there is for the function and the device."""
    function = task.function
    compiled = (
        (isinstance(function, Fidelity) or (isinstance(function, Logistic) and not function.margin))
        and not task.factors.logarithm
        and task.own.device.type == "cpu"
    )
    return fast_pair_sums(task) if compiled else pair_sums(task, curved=curved)


class _PairSum(torch.autograd.Function):
    """Values of lists, `[B]`, whose gradient `[B, L]` is known with them and all that is kept."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return outer[:, None] * gradient, None, None


@register
@dataclass(frozen=True, repr=False)
class Pairwise(Loss):
    """Sum over pairs of w_ij phi(s_i - s_j), where document i is preferred to j: y_i > y_j.

    phi and w are chosen apart: `RankNet` is the logistic function with uniform weights,
    `LambdaRank` the same function with the change of nDCG. No gradient goes through the weights. Of
    equal scores the earlier document has the better rank.

    Value and gradient are computed together, a chunk of pairs at a time, and only the gradient,
    one number a document, is kept for the backward pass. A second derivative by autograd is not
    available; `curvature` states it.

    Prefer it to a loss of whole lists where preferences, not grades, are what is known, or where
    the weights of a measure matter at its cutoff. Cost: O(L²) time, O(L) memory.

    Parameters
    ----------
    function : phi. Compiled loops serve `Logistic` (without a margin) and `Fidelity` on a CPU.
    weight : w.
    pairs : "different_labels", or "all": every ordered pair counts, with the weight of i.
    ties : pairs of equal labels count one half in either direction, which pulls their scores
        together (with `pairs="different_labels"`).
    self_pairs : with `pairs="all"`, also w_ii phi(0), a constant.
    pair_reduction : "sum", as the papers have it; or "mean": the sum over the number of pairs, so
        that long lists do not outweigh short ones.

    Document weights multiply the terms in which a document is preferred.

    Raises
    ------
    ConfigurationError : an unknown choice, or an option that has no meaning with `pairs`.

    >>> from plackett.losses import Hinge, LambdaWeight
    >>> loss = Pairwise(Hinge(margin=0.5), LambdaWeight(truncation=10))
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(0.8222)
    """

    reference: ClassVar[str] = "Burges et al. 2005; Wang et al. 2018"

    function: PairFunction = field(default_factory=Logistic)
    weight: PairWeight = field(default_factory=Uniform)
    pairs: Pairs = "different_labels"
    ties: bool = False
    self_pairs: bool = False
    pair_reduction: PairReduction = "sum"

    def __post_init__(self) -> None:
        if not isinstance(self.function, PairFunction) or not isinstance(self.weight, PairWeight):
            raise ConfigurationError(
                f"Pairwise({self.function!r}, {self.weight!r}): expected a pair function, such as "
                "Logistic(), and a pair weight, such as Uniform()."
            )
        if self.pairs not in ("different_labels", "all"):
            raise ConfigurationError(f"pairs={self.pairs!r} is not 'different_labels' or 'all'.")
        if self.pair_reduction not in ("sum", "mean"):
            raise ConfigurationError(
                f"pair_reduction={self.pair_reduction!r} is not 'sum' or 'mean'."
            )
        if self.ties and self.pairs == "all":
            raise ConfigurationError('ties=True has no meaning with pairs="all", which has them.')
        if self.self_pairs and self.pairs != "all":
            raise ConfigurationError('self_pairs=True needs pairs="all".')

    def _values(self, batch: Scored) -> ListValues:
        with torch.no_grad():
            task, order = self._task(batch)
            sums = sums_of(task, curved=False)
            count = _count_pairs(task, self_pairs=self.self_pairs)
            informative = count > 0
            if task.factors.informative is not None:
                informative = informative & task.factors.informative
            values = sums.values
            if self.self_pairs:
                zero = torch.zeros_like(task.own)
                values = values + (task.own * self.function.value(zero, zero)).sum(dim=1)
            scale = 1.0 / count.clamp(min=1) if self.pair_reduction == "mean" else None
            gradient = torch.zeros_like(sums.gradient).scatter_(1, order, sums.gradient)
            if scale is not None:
                values, gradient = values * scale, gradient * scale[:, None]
            gradient = gradient.to(batch.scores.dtype)
            values = values.to(batch.scores.dtype)
        attached = _PairSum.apply(batch.scores, gradient, values)  # type: ignore[no-untyped-call]
        return ListValues(attached, informative)

    def _curvature(self, batch: Scored) -> Tensor | None:
        if not self.function.convex:
            return None
        with torch.no_grad():
            task, order = self._task(batch)
            curvature = sums_of(task, curved=True).curvature
            if self.pair_reduction == "mean":
                curvature = (
                    curvature / _count_pairs(task, self_pairs=self.self_pairs).clamp(min=1)[:, None]
                )
            return torch.zeros_like(curvature).scatter_(1, order, curvature).to(batch.scores.dtype)

    def _task(self, batch: Scored) -> tuple[PairTask, Tensor]:
        """The lists in order of rank, and that order as indices of documents, `[B, L]`."""
        wide = torch.promote_types(batch.scores.dtype, torch.float32)
        scores = batch.scores.detach().to(wide)
        keys = scores.masked_fill(~batch.where, -torch.inf)
        order = keys.sort(dim=1, descending=True, stable=True).indices
        where = batch.where.gather(1, order)
        ranked = RankedLists(scores.gather(1, order), batch.labels.to(wide).gather(1, order), where)
        factors = self.weight.factors(ranked)
        own = where.to(wide)
        if batch.weights is not None:
            own = own * batch.weights.to(wide).gather(1, order)
        if factors.own is not None:
            own = own * factors.own
        return PairTask(ranked, factors, own, self.function, self.pairs == "all", self.ties), order


def _count_pairs(task: PairTask, *, self_pairs: bool) -> Tensor:
    """The number of pairs of each list, `[B]`."""
    ranked, rows = task.ranked, task.factors.rows
    counts = _counts(ranked.labels, ranked.where, task.every, task.ties)
    if rows is not None and rows < ranked.labels.shape[1]:
        below = ranked.labels[:, rows:], ranked.where[:, rows:]
        counts = counts - _counts(*below, task.every, task.ties)
    if self_pairs:
        counts = counts + ranked.where.sum(dim=1)
    return counts.to(task.own.dtype)


def _counts(labels: Tensor, where: Tensor, every: bool, ties: bool) -> Tensor:
    """How many pairs are among these documents, `[B]`."""
    length = where.sum(dim=1)
    if every or ties:
        return length * (length - 1) // (1 if every else 2)
    # After sorting, the documents before a label's first one are those with smaller labels.
    grades = labels.masked_fill(~where, torch.inf).sort(dim=1).values
    smaller = torch.searchsorted(grades, grades)
    return (smaller * (grades < torch.inf)).sum(dim=1)
