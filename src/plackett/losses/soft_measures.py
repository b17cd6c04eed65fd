"""Measures as sums over the slots of a relaxed order, so that a gradient passes through them.

A measure reads an order through five questions only: what stands in each slot, at which rank, how
much of the slot counts as within a cutoff, how much of something stands before it, and how likely
nobody stopped before it. A `RelaxedOrder` answers them. Where the answers are those of an exact
order, the value is that of `plackett.metrics`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Scored
from plackett.metrics.base import Measure
from plackett.metrics.binary import AP, RR, F, P, R, Rprec, Success
from plackett.metrics.graded import DCG, ERR, RBP, nDCG, nERR
from plackett.metrics.pairs import ARP

__all__ = [
    "AtRanks",
    "MeasureTarget",
    "RelaxedOrder",
    "check_relaxable",
    "hard_order",
    "loss_of_order",
    "measure_of_order",
    "relaxable_measures",
    "target_of",
]


class MeasureTarget(NamedTuple):
    """What a measure asks of the documents of each list, whatever their order.

    Attributes
    ----------
    worth : `float[B, L]`, what a document adds in the best place: its gain, relevance or
        probability of stopping, times its weight; 0 at padding.
    events : `float[B, L]`, what is counted before a document: the same without the weight.
    total : `float[B]`, what the sum is divided by; positive.
    informative : `bool[B]`, lists with two documents or more of which one has a worth.
    """

    worth: Tensor
    events: Tensor
    total: Tensor
    informative: Tensor


class RelaxedOrder(ABC):
    """An order of each list, relaxed: slots are documents, or ranks, as it suits the relaxation."""

    @property
    @abstractmethod
    def worth(self) -> Tensor:
        """The worth of what stands in each slot, `float[B, S]`."""

    @property
    @abstractmethod
    def rank(self) -> Tensor:
        """The rank of each slot, from 1, `float[B, S]` or a shape that spreads to it."""

    @abstractmethod
    def within(self, cutoff: Tensor | int | None) -> Tensor:
        """How much of each slot is in the first `cutoff` ranks, from 0 to 1."""

    @abstractmethod
    def before(self) -> Tensor:
        """How many events stand before each slot, `float[B, S]`."""

    @abstractmethod
    def unseen(self) -> Tensor:
        """The probability that no event before a slot has happened, `float[B, S]`."""


class AtRanks(RelaxedOrder):
    """An order given by what stands at each rank: exact, or a mixture of documents.

    Parameters
    ----------
    worth, events : `float[B, L]`, by rank.
    """

    def __init__(self, worth: Tensor, events: Tensor) -> None:
        self._worth = worth
        self._events = events
        self._rank = torch.arange(1, worth.shape[-1] + 1, dtype=worth.dtype, device=worth.device)

    @property
    def worth(self) -> Tensor:
        """The worth of what stands at each rank, `float[B, L]`."""
        return self._worth

    @property
    def rank(self) -> Tensor:
        """1, 2, 3, ..., `float[L]`."""
        return self._rank

    def within(self, cutoff: Tensor | int | None) -> Tensor:
        """1 up to the cutoff, else 0."""
        if cutoff is None:
            return torch.ones_like(self._rank)
        return (self._rank <= cutoff).to(self._rank)

    def before(self) -> Tensor:
        """The events at the ranks above, `float[B, L]`."""
        return self._events.cumsum(dim=-1) - self._events

    def unseen(self) -> Tensor:
        """The product of 1 - event over the ranks above, `float[B, L]`."""
        # A row of a relaxed permutation may exceed 1 by a rounding error.
        kept = (1.0 - self._events).clamp(min=0.0).cumprod(dim=-1)
        return torch.cat([torch.ones_like(kept[..., :1]), kept[..., :-1]], dim=-1)


def hard_order(keys: Tensor, where: Tensor) -> Tensor:
    """The documents of each list by descending key, `int64[B, L]`: padding last, ties as they lie.

    >>> hard_order(torch.tensor([[0.1, 0.9, 0.5]]), torch.tensor([[True, True, False]]))
    tensor([[1, 0, 2]])
    """
    return keys.masked_fill(~where, -torch.inf).argsort(dim=-1, descending=True, stable=True)


Values = Callable[[Any, Tensor], Tensor]
Total = Callable[[Any, Tensor, Tensor], Tensor]
Summed = Callable[[Any, RelaxedOrder, Tensor], Tensor]


@dataclass(frozen=True)
class _Form:
    """A measure: what documents are worth, the sum over slots, and what the sum is divided by."""

    values: Values
    summed: Summed
    total: Total


def _gain(measure: Any, labels: Tensor) -> Tensor:
    positive = labels.clamp(min=0.0)
    if measure.gain == "linear":
        return positive
    if measure.gain == "exponential":
        return torch.exp2(positive).sub(1.0)
    table = torch.tensor(measure.gain, dtype=labels.dtype, device=labels.device)
    # The measure's own check also turns down grades that have no gain.
    if labels.numel() and (positive.max() > len(table) - 1 or bool((positive % 1 != 0).any())):
        raise ConfigurationError(
            f"{measure!r} has gains for the grades 0 to {len(table) - 1}; a label is none of them."
        )
    if min(measure.gain) < 0:
        raise ConfigurationError(f"{measure!r} has a negative gain, which has no relaxation.")
    return torch.where(labels < 0, torch.zeros_like(labels), table[positive.long()])


def _grade(measure: Any, labels: Tensor) -> Tensor:
    return labels.clamp(min=0.0)


def _relevance(measure: Any, labels: Tensor) -> Tensor:
    relevant: Tensor = labels >= measure.rel
    return relevant.to(labels)


def _stop(measure: Any, labels: Tensor) -> Tensor:
    if labels.numel() and labels.max() > measure.max_grade:
        highest = float(labels.max())
        raise ConfigurationError(
            f"{measure!r} takes {measure.max_grade} as the highest grade, but a label is "
            f"{highest:g}; write {measure.name}(max_grade={highest:g})."
        )
    return torch.exp2(labels.clamp(min=0.0)).sub(1.0).div(2.0**measure.max_grade)


def _discounted(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.within(measure.cutoff) / torch.log2(order.rank + 1.0)


def _precisions(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.within(measure.cutoff) * (order.before() + 1.0) / order.rank


def _first(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.within(measure.cutoff) * order.unseen() / order.rank


def _found(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.within(measure.cutoff)


def _found_in_all(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.within(total[:, None])


def _geometric(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    decay = torch.pow(measure.p, order.rank - 1.0)
    return order.worth * order.within(measure.cutoff) * decay.mul(1.0 - measure.p)


def _positions(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    return order.worth * order.rank


def _any_found(measure: Any, order: RelaxedOrder, total: Tensor) -> Tensor:
    missed = (1.0 - order.worth * order.within(measure.cutoff)).clamp(min=0.0)
    return 1.0 - missed.prod(dim=-1, keepdim=True)


def _one(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    return torch.ones_like(worth[:, 0]) if worth.shape[1] else worth.sum(dim=-1)


def _sum(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    return worth.sum(dim=-1)


def _count(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    return events.sum(dim=-1)


def _cutoff(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    return torch.full_like(worth.sum(dim=-1), measure.cutoff)


def _harmonic(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    # (b + 1) P R / (b P + R) is the number found over this, where P = found / k, R = found / all.
    return worth.sum(dim=-1).mul(measure.beta).add(measure.cutoff).div(measure.beta + 1.0)


def _ideal(measure: Any, worth: Tensor, events: Tensor) -> Tensor:
    best = worth.argsort(dim=-1, descending=True, stable=True)
    order = AtRanks(worth.gather(-1, best), events.gather(-1, best))
    return _FORMS[type(measure)].summed(measure, order, worth).sum(dim=-1)


_FORMS: dict[type[Measure], _Form] = {
    type(AP): _Form(_relevance, _precisions, _sum),
    type(ARP): _Form(_grade, _positions, _sum),
    type(DCG): _Form(_gain, _discounted, _one),
    type(ERR): _Form(_stop, _first, _one),
    type(F): _Form(_relevance, _found, _harmonic),
    type(P): _Form(_relevance, _found, _cutoff),
    type(R): _Form(_relevance, _found, _sum),
    type(RBP): _Form(_relevance, _geometric, _one),
    type(RR): _Form(_relevance, _first, _one),
    type(Rprec): _Form(_relevance, _found_in_all, _count),
    type(Success): _Form(_relevance, _any_found, _one),
    type(nDCG): _Form(_gain, _discounted, _ideal),
    type(nERR): _Form(_stop, _first, _ideal),
}

_NEED_CUTOFF = (type(P), type(R), type(F), type(Success))
"""Without a cutoff they are the same in every order."""


def relaxable_measures() -> tuple[str, ...]:
    """The names of the measures that have a differentiable form.

    >>> relaxable_measures()[:4]
    ('AP', 'ARP', 'DCG', 'ERR')
    """
    return tuple(kind.name for kind in _FORMS)


def check_relaxable(measure: Measure) -> None:
    """Nothing, where the measure has a differentiable form.

    Raises
    ------
    ConfigurationError : it has none, or without a cutoff it is the same in every order.

    >>> check_relaxable(nDCG @ 10)
    """
    known = ", ".join(relaxable_measures())
    if not isinstance(measure, Measure):
        raise ConfigurationError(
            f"{measure!r} is not a measure; write one of {known}, such as nDCG @ 10."
        )
    if type(measure) not in _FORMS:
        raise ConfigurationError(f"{measure!r} has no differentiable form; take one of {known}.")
    if isinstance(measure, _NEED_CUTOFF) and measure.cutoff is None:
        raise ConfigurationError(
            f"{measure!r} is the same in every order; give it a cutoff, such as {measure!r}@10."
        )


def target_of(measure: Measure, batch: Scored) -> MeasureTarget:
    """What the measure asks of each list.

    Raises
    ------
    ConfigurationError : the measure has no differentiable form, or no place for a label.
    """
    check_relaxable(measure)
    form = _FORMS[type(measure)]
    events = form.values(measure, batch.labels) * batch.where
    worth = events if batch.weights is None else events * batch.weights
    total = form.total(measure, worth, events)
    informative = (worth > 0).any(dim=-1) & (batch.where.sum(dim=-1) > 1) & (total > 0)
    total = torch.where(informative, total, torch.ones_like(total))
    return MeasureTarget(worth, events, total, informative)


def measure_of_order(measure: Measure, order: RelaxedOrder, target: MeasureTarget) -> Tensor:
    """The relaxed value of the measure for each list, `float[B]`; 0 where nothing is relevant.

    >>> from plackett.losses.base import Scored
    >>> labels = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
    >>> where = torch.ones_like(labels, dtype=torch.bool)
    >>> batch = Scored(labels, labels, where, None, torch.Generator())
    >>> target = target_of(nDCG, batch)
    >>> as_they_lie = AtRanks(target.worth, target.events)
    >>> measure_of_order(nDCG, as_they_lie, target)
    tensor([0.7884])
    """
    terms = _FORMS[type(measure)].summed(measure, order, target.total)
    return terms.sum(dim=-1) / target.total


def loss_of_order(measure: Measure, order: RelaxedOrder, target: MeasureTarget) -> ListValues:
    """What to minimise: minus the measure, or the measure itself where lower is better (ARP)."""
    value = measure_of_order(measure, order, target)
    return ListValues(-value if measure.higher_is_better else value, target.informative)


def check_temperature(temperature: float, name: str = "temperature") -> None:
    """Nothing, where it is a positive, finite number.

    Raises
    ------
    ConfigurationError : it is not.
    """
    if not 0.0 < temperature < float("inf"):
        raise ConfigurationError(f"{name} {temperature!r} is not a positive number.")
