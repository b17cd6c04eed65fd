"""Measures of a relaxed sorting: NeuralSort with Sinkhorn's scaling, and NeuralNDCG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.noise import averaged_over_noise, check_noise
from plackett.losses.registry import register
from plackett.losses.soft_measures import (
    AtRanks,
    check_relaxable,
    check_temperature,
    loss_of_order,
    target_of,
)
from plackett.losses.sorting import RelaxedSort
from plackett.metrics.base import Measure
from plackett.metrics.graded import nDCG

__all__ = ["NeuralNDCG", "NeuralSort"]


def _check_scaling(iterations: int, tolerance: float) -> None:
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 0:
        raise ConfigurationError(f"sinkhorn_iterations {iterations!r} is not a number from 0.")
    if not 0.0 <= tolerance < float("inf"):
        raise ConfigurationError(f"tolerance {tolerance!r} is not a number from 0.")


def _sorted_values(measure: Measure, batch: Scored, sort: RelaxedSort) -> ListValues:
    target = target_of(measure, batch)
    columns = [target.worth] if batch.weights is None else [target.worth, target.events]
    placed = sort.by_rank(batch.scores, batch.where, torch.stack(columns, dim=-1))
    order = AtRanks(placed[..., 0], placed[..., -1])
    return loss_of_order(measure, order, target)


@register
@dataclass(frozen=True, repr=False)
class NeuralSort(Loss):
    """Any measure of the list as a relaxed permutation matrix sorts it.

    Rank k holds a mixture P_k of documents: its gain or relevance is the mixture's, and the measure
    is taken of these, exactly. The loss is minus the measure (the measure itself where lower is
    better, as ARP), and tends to the exact one as the temperature falls. `RelaxedSort` says what P
    is.

    Parameters
    ----------
    measure : see `relaxable_measures`.
    temperature : in units of the scores.
    sinkhorn_iterations : at most; with 0 the columns of P do not sum to 1, so that a document may
        count more than once.
    tolerance : of the sums of columns, where the iterations of a list stop.

    Document weights multiply a document's gain, in the ideal too. Memory holds the matrices of a
    few lists at a time; time is quadratic in the length, times the iterations.

    Raises
    ------
    ConfigurationError : a measure without a differentiable form, or a parameter out of range.

    Grover, Wang, Zweig & Ermon, ICLR 2019.

    >>> from plackett.metrics import RR
    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[0, 1, 0, 1]])
    >>> NeuralSort(RR, temperature=0.01)(scores, labels)
    tensor(-0.5000)
    """

    reference: ClassVar[str] = "Grover et al. 2019"

    measure: Measure
    temperature: float = 1.0
    sinkhorn_iterations: int = 50
    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        check_relaxable(self.measure)
        check_temperature(self.temperature)
        _check_scaling(self.sinkhorn_iterations, self.tolerance)

    def _values(self, batch: Scored) -> ListValues:
        sort = RelaxedSort(self.temperature, self.sinkhorn_iterations, self.tolerance)
        return _sorted_values(self.measure, batch, sort)


@register
@dataclass(frozen=True, repr=False)
class NeuralNDCG(Loss):
    """Minus nDCG of a relaxed sorting: -sum over ranks k of (P g)_k / log2(1 + k), over the ideal.

    Parameters
    ----------
    temperature : in units of the scores.
    sinkhorn_iterations, tolerance : of the scaling that makes P doubly stochastic.
    transposed : sum over documents g_j (P^T d)_j, with d the discounts, instead. It is the same
        number, and differs by rounding only.
    samples, noise : with samples, the mean over so many scores s + noise * Gumbel noise.

    Pobrotyn & Białobrzeski, "NeuralNDCG: Direct optimisation of a ranking metric via differentiable
    relaxation of sorting", SIGIR eCom 2021.

    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[1, 3, 0, 2]])
    >>> NeuralNDCG()(scores, labels), NeuralNDCG(transposed=True)(scores, labels)
    (tensor(-0.7304), tensor(-0.7304))
    """

    reference: ClassVar[str] = "Pobrotyn & Białobrzeski 2021"

    cutoff: int | None = None
    temperature: float = 1.0
    gain: str | tuple[float, ...] = "exponential"
    sinkhorn_iterations: int = 50
    tolerance: float = 1e-6
    transposed: bool = False
    samples: int = 0
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_relaxable(self._measure)
        check_temperature(self.temperature)
        _check_scaling(self.sinkhorn_iterations, self.tolerance)
        check_noise(self.samples, self.noise, fewest=0)

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether it draws noise."""
        return self.samples > 0

    @property
    def _measure(self) -> Measure:
        return nDCG(cutoff=self.cutoff, gain=self.gain)

    def _values(self, batch: Scored) -> ListValues:
        if self.samples:
            return averaged_over_noise(self._of_scores, batch, self.samples, self.noise)
        return self._of_scores(batch)

    def _of_scores(self, batch: Scored) -> ListValues:
        sort = RelaxedSort(self.temperature, self.sinkhorn_iterations, self.tolerance)
        if not self.transposed:
            return _sorted_values(self._measure, batch, sort)
        target = target_of(self._measure, batch)
        discount = self._discount(batch.scores)[None, :, None].expand(*batch.scores.shape, 1)
        given = sort.by_document(batch.scores, batch.where, discount)[..., 0]
        return ListValues(-(target.worth * given).sum(dim=-1) / target.total, target.informative)

    def _discount(self, scores: Tensor) -> Tensor:
        rank = torch.arange(1, scores.shape[1] + 1, dtype=scores.dtype, device=scores.device)
        discount = 1.0 / torch.log2(rank + 1.0)
        return discount if self.cutoff is None else discount * (rank <= self.cutoff)
