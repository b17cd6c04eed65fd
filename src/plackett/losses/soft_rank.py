"""SoftRank: the expected nDCG of scores with Gaussian noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_relaxable, check_temperature, target_of
from plackett.metrics.base import Measure
from plackett.metrics.graded import nDCG

__all__ = ["SoftNDCG"]

_CHUNK = 2**21
"""Chances of ranks kept at a time."""

_MANY_RANKS = 128
"""With fewer ranks, torch's operations on many documents at a time are as fast as compiled loops on
a CPU."""

_WORTH_A_THREAD = 1_000_000
"""With fewer chances than this, handing documents to other threads costs more than it saves."""


@register
@dataclass(frozen=True, repr=False)
class SoftNDCG(Loss):
    """Minus the expected nDCG where each score has independent Gaussian noise.

        loss = -(1 / ideal) sum_i gain_i sum_r P(rank of i is r) / log2(1 + r)

    Document j stands before i with the chance Phi((s_j - s_i) / (sigma sqrt(2))). The rank of i has
    the distribution of one plus as many successes, taken to be independent, which they are not
    quite. The cost is of order n^2 times the cutoff, n^3 without one, for each list: give a cutoff
    for lists of more than a few hundred documents. Lists without a gain are left out. Document
    weights multiply the gains, also those of the ideal.

    Parameters
    ----------
    sigma : the standard deviation of the noise, in units of the scores; without noise the loss
        would be minus nDCG.
    cutoff, gain : of nDCG.

    Raises
    ------
    ConfigurationError : `sigma` is not above 0; a cutoff or gain that nDCG does not take.

    Reference: Taylor, Guiver, Robertson & Minka, "SoftRank: optimizing non-smooth rank metrics",
    WSDM 2008.

    >>> loss = SoftNDCG()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    -0.71154
    """

    reference: ClassVar[str] = "Taylor et al., WSDM 2008"

    sigma: float = 1.0
    cutoff: int | None = None
    gain: str | tuple[float, ...] = "exponential"

    def __post_init__(self) -> None:
        check_temperature(self.sigma, "sigma")
        check_relaxable(self._measure)

    @property
    def _measure(self) -> Measure:
        return nDCG(cutoff=self.cutoff, gain=self.gain)

    def _values(self, batch: Scored) -> ListValues:
        target = target_of(self._measure, batch)
        worth = target.worth / target.total[:, None]
        ranks = batch.scores.shape[-1] if self.cutoff is None else self.cutoff
        expected: Tensor = _ExpectedGain.apply(  # type: ignore[no-untyped-call]
            batch.scores / (2.0 * self.sigma), worth, batch.where, ranks
        )
        return ListValues(-expected, target.informative)


class _Rows(NamedTuple):
    """Documents whose ranks are wanted: `lists`, `places` and `worth`, each `[R]`."""

    lists: Tensor
    places: Tensor
    worth: Tensor


class _ExpectedGain(torch.autograd.Function):
    """sum_i worth_i E[1 / log2(1 + rank_i)], `float[B]`, with its gradient by the scores.

    Documents without worth have no ranks to compute.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, worth: Tensor, where: Tensor, ranks: int) -> Tensor:
        ranks = min(ranks, scores.shape[-1])
        places = torch.arange(ranks, dtype=scores.dtype, device=scores.device)
        discounts = 1.0 / torch.log2(2.0 + places)
        values = scores.new_zeros(len(scores))
        slopes = torch.zeros_like(scores)
        for rows in _parts(worth, ranks):
            # Phi(d / (sigma sqrt(2))) is Phi(gap sqrt(2)).
            gaps = (scores[rows.lists] - scores[rows.lists, rows.places, None]).T
            real = where[rows.lists].T.clone()
            real[rows.places, torch.arange(len(rows.places), device=real.device)] = False
            before = torch.special.ndtr(gaps * math.sqrt(2.0)) * real
            sums = _compiled_discounts if _compiles(worth, ranks) else _expected_discounts
            expected, slope = sums(before, discounts, ctx.needs_input_grad[0])
            values.index_add_(0, rows.lists, rows.worth * expected)
            if slope is not None:
                density = torch.exp(-gaps.square()) / math.sqrt(math.pi)
                slope = (slope * density * real * rows.worth).T
                slopes.index_add_(0, rows.lists, slope)
                own = (rows.lists, rows.places)
                slopes.index_put_(own, -slope.sum(dim=-1), accumulate=True)
        ctx.save_for_backward(slopes)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradient[:, None] * slopes, None, None, None


def _compiles(worth: Tensor, ranks: int) -> bool:
    """Whether compiled loops are the faster way."""
    return worth.device.type == "cpu" and ranks > _MANY_RANKS


def _parts(worth: Tensor, ranks: int) -> Iterator[_Rows]:
    """The documents with a worth, as many at a time as the chances of their ranks may be kept."""
    lists, places = torch.nonzero(worth, as_tuple=True)
    length = worth.shape[-1]
    # Compiled loops keep the chances of one document at a time.
    states = 1 if _compiles(worth, ranks) else ranks * 2 * (math.isqrt(length) + 1)
    kept = max(length, states)
    together = max(1, _CHUNK // max(kept, 1))
    for start in range(0, len(lists), together):
        part = slice(start, start + together)
        yield _Rows(lists[part], places[part], worth[lists[part], places[part]])


def _compiled_discounts(
    before: Tensor, discounts: Tensor, sloped: bool
) -> tuple[Tensor, Tensor | None]:
    """The same as `_expected_discounts`, by compiled loops in double precision."""
    from plackett.losses.soft_rank_kernels import discounts_of_ranks

    loops: Callable[..., None] = discounts_of_ranks
    chances = before.T.to(torch.float64).contiguous()
    expected = torch.zeros(len(chances), dtype=torch.float64)
    slopes = torch.zeros_like(chances) if sloped else chances.new_zeros(1, 1)
    given = (chances.numpy(), discounts.to(torch.float64).numpy(), sloped)
    found = (expected.numpy(), slopes.numpy())
    runs = max(1, min(torch.get_num_threads(), chances.numel() * len(discounts) // _WORTH_A_THREAD))
    bounds = [len(chances) * run // runs for run in range(runs + 1)]
    if runs == 1:
        loops(*given, 0, len(chances), *found)
    else:
        with ThreadPoolExecutor(runs) as pool:
            parts = pairwise(bounds)
            list(pool.map(lambda part: loops(*given, *part, *found), parts))
    return expected.to(before), slopes.T.to(before) if sloped else None


def _expected_discounts(
    before: Tensor, discounts: Tensor, sloped: bool
) -> tuple[Tensor, Tensor | None]:
    """E[discount of the rank], `float[R]`, and its derivatives by `before[L, R]`.

    `before[j]` are the chances that document j stands before. The distribution after the first j
    documents follows from that before them. Only every sqrt(L)-th one is kept; the way back
    computes those between again, and carries the expected discount given the rank so far.
    """
    length, rows = before.shape
    stride = math.isqrt(length) + 1
    state = before.new_zeros(len(discounts), rows)
    state[0] = 1.0
    kept = []
    for j in range(length):
        if j % stride == 0:
            kept.append(state)
        state = _with_document(state, before[j], j)
    expected = discounts @ state
    if not sloped:
        return expected, None
    slopes = torch.empty_like(before)
    outlook = discounts[:, None].expand(-1, rows)
    for start in reversed(range(0, length, stride)):
        states = [kept.pop()]
        for j in range(start, min(start + stride, length) - 1):
            states.append(_with_document(states[-1], before[j], j))
        for j in reversed(range(start, min(start + stride, length))):
            # After j documents no rank beyond j is reached, and none is looked at from there on.
            reached = min(j + 1, len(discounts))
            moved = min(reached, len(discounts) - 1)
            step = torch.empty_like(outlook[:reached])
            torch.sub(outlook[1 : moved + 1], outlook[:moved], out=step[:moved])
            if moved < reached:
                torch.neg(outlook[-1], out=step[-1])
            slopes[j] = (states.pop()[:reached] * step).sum(dim=0)
            outlook = torch.addcmul(outlook[:reached], step, before[j])
    return expected, slopes


def _with_document(state: Tensor, chance: Tensor, counted: int) -> Tensor:
    """The distribution of the rank `[K, R]` after one more document; ranks beyond K are dropped."""
    reached = min(counted + 1, len(state))
    after = torch.zeros_like(state) if counted + 2 < len(state) else torch.empty_like(state)
    torch.mul(state[:reached], 1.0 - chance, out=after[:reached])
    moved = min(reached + 1, len(state))
    if moved > reached:
        after[reached:moved] = 0.0
    after[1:moved].addcmul_(state[: moved - 1], chance)
    return after
