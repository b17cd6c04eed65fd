"""Losses by sampling rankings of the Plackett-Luce model, with two gradients of its expectation.

Every random number comes from the generator of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.noise import check_noise, gumbel_noise
from plackett.losses.registry import register
from plackett.losses.soft_measures import (
    AtRanks,
    MeasureTarget,
    check_relaxable,
    check_temperature,
    hard_order,
    measure_of_order,
    relaxable_measures,
    target_of,
)
from plackett.metrics.base import Measure
from plackett.metrics.binary import P, R
from plackett.metrics.graded import DCG, RBP, nDCG

__all__ = ["PLRank", "PolicyGradient", "sample_rankings"]

_CHUNK = 2**20
"""Documents of sampled rankings that are worked on at a time."""


def sample_rankings(
    scores: Tensor,
    where: Tensor | None = None,
    *,
    samples: int = 1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Rankings drawn from the Plackett-Luce model, `int64[samples, B, L]`: documents by rank.

    A ranking r has the probability prod over k of exp(s_{r_k}) / sum over l >= k of exp(s_{r_l});
    it is the order of the scores plus Gumbel noise. Padding stands last, in its own order.

    Parameters
    ----------
    scores : `float[B, L]`.
    where : `bool[B, L]`, True for real documents; default: all.
    generator : default: one seeded with 0.

    Plackett, "The analysis of permutations", Applied Statistics 1975.

    >>> sample_rankings(torch.tensor([[0.0, 50.0, -50.0]]), samples=2)
    tensor([[[1, 0, 2]],
            [[1, 0, 2]]])
    """
    check_noise(samples, 0.0)
    if where is None:
        where = torch.ones_like(scores, dtype=torch.bool)
    generator = generator or torch.Generator(scores.device).manual_seed(0)
    # In float32 a million draws have ties and no far tails; both bias the first ranks.
    exact = scores.detach().double()
    noise = gumbel_noise(torch.Size((samples, *scores.shape)), exact, generator)
    return hard_order(exact + noise, where.expand(samples, *where.shape))


class _Drawn(AtRanks):
    """Sampled rankings of the batch, flat: `worth[n * B, L]` by rank."""

    def __init__(self, target: MeasureTarget, rankings: Tensor) -> None:
        flat = rankings.flatten(0, 1)
        repeats = (rankings.shape[0], 1)
        worth = target.worth.double().repeat(repeats).gather(-1, flat)
        events = target.events.double().repeat(repeats).gather(-1, flat)
        super().__init__(worth, events)


def _draws(batch: Scored, scores: Tensor, samples: int) -> Iterator[Tensor]:
    """All the rankings, a bounded number at a time: `int64[n, B, L]`."""
    together = max(1, _CHUNK // max(1, scores.numel()))
    for start in range(0, samples, together):
        drawn = min(together, samples - start)
        yield sample_rankings(scores, batch.where, samples=drawn, generator=batch.generator)


def _log_partitions(scores: Tensor, where: Tensor, rankings: Tensor) -> tuple[Tensor, Tensor]:
    """s and log Z_k = log of the sum over l >= k of exp(s), by rank: `float64[n, B, L]`.

    Padding has a score of -inf and log Z of +inf, so that it neither gives nor takes anything.
    """
    real = where.expand_as(rankings).gather(-1, rankings)
    placed = scores.double().expand(rankings.shape).gather(-1, rankings)
    placed = placed.masked_fill(~real, -torch.inf)
    partitions = placed.flip(-1).logcumsumexp(dim=-1).flip(-1)
    return placed, partitions.masked_fill(~real, torch.inf)


def _by_document(values: Tensor, rankings: Tensor) -> Tensor:
    """Values by rank as values by document, `float64[n, B, L]`."""
    return torch.empty_like(values).scatter_(-1, rankings, values)


def _of_the_others(values: Tensor) -> Tensor:
    """The mean over the other samples, `values[n, B, L]`; 0 where there is one sample only.

    It is not below 0, which a difference of sums might be by a rounding error.
    """
    if len(values) == 1:
        return torch.zeros_like(values)
    return ((values.sum(dim=0) - values) / (len(values) - 1)).clamp(min=0.0)


def _surrogate(scores: Tensor, values: Tensor, gradient: Tensor) -> Tensor:
    """`values[B]`, with this `gradient[B, L]` with respect to the scores."""
    # The difference is 0; only its derivative counts.
    steps = (scores - scores.detach()) * gradient.to(scores)
    return values.to(scores) + steps.sum(dim=-1)


_RANK_UTILITIES: dict[type[Measure], Callable[[Measure, Tensor], Tensor]] = {
    type(DCG): lambda measure, rank: 1.0 / torch.log2(rank + 1.0),
    type(nDCG): lambda measure, rank: 1.0 / torch.log2(rank + 1.0),
    type(P): lambda measure, rank: torch.ones_like(rank),
    type(R): lambda measure, rank: torch.ones_like(rank),
    type(RBP): lambda measure, rank: (1.0 - measure.p) * measure.p ** (rank - 1.0),  # type: ignore[attr-defined]
}
"""The weight of a rank in measures that are sums of weight times worth."""


@register
@dataclass(frozen=True, repr=False)
class PLRank(Loss):
    """Minus the expected measure under the Plackett-Luce model, with PL-Rank-3's gradient.

    For a measure U = sum over ranks k of theta_k mu_{r_k} (nDCG, DCG, P, R, RBP), the gradient with
    respect to s_d is the mean over sampled rankings r of

        PR_d + exp(s_d) (mu_d DR_{rank(d)} - RI_{rank(d)})

    where FR_k = sum over x >= k of theta_x mu_{r_x}, PR_d = FR_{rank(d) + 1}, Z_k = sum over l >= k
    of exp(s_{r_l}), DR_k = sum over x <= k of theta_x / Z_x and RI_k = sum over x <= k of
    FR_x / Z_x; theta is 0 beyond the cutoff. Two changes leave the expectation as it is and lower
    the variance a great deal: from FR_{k + 1}, what follows rank k, its mean over the other samples
    is taken off as a baseline; and the worth at rank k in RI is the mean over all that are left,
    exp(s) / Z_k each, not that of the one drawn, so that every gradient sums to 0. The gradient is
    exact in expectation. The value is minus the mean over the samples.

    Parameters
    ----------
    measure : nDCG, DCG, P, R or RBP.
    samples : rankings a list.
    temperature : scores are divided by it.

    Document weights multiply a document's gain, in the ideal too. Sums are taken in logarithms and
    float64, so that scores of any size are harmless.

    Raises
    ------
    ConfigurationError : another measure, or a parameter out of range.

    Oosterhuis, "Learning-to-rank at the speed of sampling: Plackett-Luce gradient estimation with
    minimal computational complexity", SIGIR 2022.

    >>> scores = torch.tensor([[0.0, 60.0]], requires_grad=True)
    >>> PLRank(nDCG)(scores, torch.tensor([[1, 0]]))
    tensor(-0.6309, grad_fn=<DivBackward0>)
    """

    reference: ClassVar[str] = "Oosterhuis 2022"
    stochastic: ClassVar[bool] = True

    measure: Measure
    samples: int = 32
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_noise(self.samples, 0.0)
        check_temperature(self.temperature)
        if type(self.measure) not in _RANK_UTILITIES:
            known = ", ".join(kind.name for kind in _RANK_UTILITIES)
            raise ConfigurationError(
                f"{self.measure!r} is not a sum over ranks; take one of {known}, or "
                "PolicyGradient for any measure."
            )
        check_relaxable(self.measure)

    def _values(self, batch: Scored) -> ListValues:
        target = target_of(self.measure, batch)
        scores = batch.scores.detach() / self.temperature
        worth = (target.worth / target.total[:, None]).double()
        rank = torch.arange(1, scores.shape[1] + 1, device=scores.device).double()
        weight = _RANK_UTILITIES[type(self.measure)](self.measure, rank)
        if self.measure.cutoff is not None:
            weight = weight * (rank <= self.measure.cutoff)
        gradient, utility = torch.zeros_like(worth), worth.new_zeros(len(worth))
        for rankings in _draws(batch, scores, self.samples):
            placed, partitions = _log_partitions(scores, batch.where, rankings)
            gains = worth.expand(rankings.shape).gather(-1, rankings)
            found = weight * gains
            future = found.flip(-1).cumsum(dim=-1).flip(-1)
            direct = (placed + (weight.log() - partitions).logcumsumexp(dim=-1)).exp()
            left = (placed + gains.log()).flip(-1).logcumsumexp(dim=-1).flip(-1) - partitions
            mean = future - found + weight * left.exp()
            risk = (placed + (mean.log() - partitions).logcumsumexp(dim=-1)).exp()
            baseline = _of_the_others(future - found)
            spared = (placed + (baseline.log() - partitions).logcumsumexp(dim=-1)).exp()
            slopes = (future - found - baseline) + gains * direct - (risk - spared)
            gradient += _by_document(slopes, rankings).sum(dim=0)
            utility += found.sum(dim=(0, 2))
        scale = -1.0 / self.samples
        step = gradient * (scale / self.temperature)
        return ListValues(_surrogate(batch.scores, utility * scale, step), target.informative)


def _values_of_draws(
    measure: Measure, batch: Scored, target: MeasureTarget | None, rankings: Tensor
) -> Tensor:
    """The exact measure of sampled rankings, `float64[n, B]`."""
    if target is not None:
        many = MeasureTarget(
            *(part.repeat(len(rankings), *[1] * (part.ndim - 1)) for part in target)
        )
        return measure_of_order(measure, _Drawn(target, rankings), many).view(rankings.shape[:2])
    real = batch.where.expand_as(rankings).gather(-1, rankings).cpu().numpy()
    labels = batch.labels.double().expand(rankings.shape).gather(-1, rankings).cpu().numpy()
    offsets = np.concatenate([[0], np.cumsum(real.sum(axis=-1).ravel())]).astype(np.int64)
    # Rows lie by rank, and equal scores keep the order of the rows.
    values = measure.of_scores(np.zeros(offsets[-1]), labels[real], offsets)
    return torch.from_numpy(values).to(rankings.device).view(rankings.shape[:2])


@register
@dataclass(frozen=True, repr=False)
class PolicyGradient(Loss):
    """Minus the expected measure under the Plackett-Luce model, by leave-one-out REINFORCE.

    The gradient of E[measure] is the mean over sampled rankings r_i of
    (m_i - the mean of the other samples' m) times that of log pi(r_i). The measure is the exact
    one, so any measure of `plackett.metrics` will do. Where it has a cutoff, only the choice of the
    ranks up to it enters log pi: the rest has a gradient of 0 in expectation. The value is minus
    the mean over the samples (the mean itself where lower is better, as ARP).

    Parameters
    ----------
    measure : with document weights, one of `relaxable_measures`.
    samples : rankings a list, 2 or more.
    temperature : scores are divided by it.

    Raises
    ------
    ConfigurationError : a parameter out of range, or document weights that the measure cannot take.

    Gao, Chang, Cardie, Brantley & Joachims, "Policy-gradient training of language models for
    ranking", 2023 (Neural PG-RANK); Kool, van Hoof & Welling, "Buy 4 REINFORCE samples, get a
    baseline for free!", 2019.

    >>> from plackett.metrics import RR
    >>> scores = torch.tensor([[0.0, 60.0]], requires_grad=True)
    >>> PolicyGradient(RR, samples=4)(scores, torch.tensor([[1, 0]]))
    tensor(-0.5000, grad_fn=<DivBackward0>)
    """

    reference: ClassVar[str] = "Gao et al. 2023"
    stochastic: ClassVar[bool] = True

    measure: Measure
    samples: int = 32
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_noise(self.samples, 0.0, fewest=2)
        check_temperature(self.temperature)
        if not isinstance(self.measure, Measure):
            raise ConfigurationError(f"{self.measure!r} is not a measure; write nDCG @ 10.")

    def _target(self, batch: Scored) -> MeasureTarget | None:
        """What the measure asks, or None where `plackett.metrics` must compute it."""
        try:
            check_relaxable(self.measure)
        except ConfigurationError as error:
            if batch.weights is not None:
                raise ConfigurationError(
                    f"{self.measure!r} takes no weights of documents; "
                    f"{', '.join(relaxable_measures())} do."
                ) from error
            return None
        return target_of(self.measure, batch)

    def _values(self, batch: Scored) -> ListValues:
        target = self._target(batch)
        scores = batch.scores.detach() / self.temperature
        rank = torch.arange(1, scores.shape[1] + 1, device=scores.device)
        counted = torch.ones_like(rank, dtype=torch.float64)
        if self.measure.cutoff is not None:
            counted = (rank <= self.measure.cutoff).double()
        # Sums over samples of: the value, the gradient of log pi, and their product.
        value = scores.new_zeros(len(scores), dtype=torch.float64)
        slope = torch.zeros_like(scores, dtype=torch.float64)
        product = torch.zeros_like(slope)
        for rankings in _draws(batch, scores, self.samples):
            found = _values_of_draws(self.measure, batch, target, rankings)
            placed, partitions = _log_partitions(scores, batch.where, rankings)
            chance = (placed + (counted.log() - partitions).logcumsumexp(dim=-1)).exp()
            moves = _by_document(counted - chance, rankings) * batch.where
            value += found.sum(dim=0)
            slope += moves.sum(dim=0)
            product += (found[..., None] * moves).sum(dim=0)
        # m_i - (sum of m - m_i) / (N - 1) = (N m_i - sum of m) / (N - 1).
        gradient = (product - slope * (value / self.samples)[:, None]) / (self.samples - 1)
        sign = -1.0 if self.measure.higher_is_better else 1.0
        informative = batch.where.sum(dim=-1) > 1 if target is None else target.informative
        step = gradient * (sign / self.temperature)
        mean = value * (sign / self.samples)
        return ListValues(_surrogate(batch.scores, mean, step), informative)
