"""Weights of pairs: how much it matters that two documents of a list stand the right way round."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.registry import described, register

__all__ = [
    "ARPLoss1Weight",
    "LabelDifference",
    "LambdaWeight",
    "NDCGLoss1Weight",
    "NDCGLoss2PPWeight",
    "NDCGLoss2Weight",
    "PairFactors",
    "PairWeight",
    "ProfitWeight",
    "RankedLists",
    "Uniform",
]

Gain = Literal["exponential", "linear"]


class RankedLists(NamedTuple):
    """A batch whose lists are sorted by descending score; equal scores keep their order.

    Attributes
    ----------
    scores, labels : `float[B, L]`; 0 at padding, which comes last.
    where : `bool[B, L]`, True for real documents.
    """

    scores: Tensor
    labels: Tensor
    where: Tensor

    @property
    def reciprocal(self) -> Tensor:
        """1 / rank, `[L]`."""
        ranks = torch.arange(1, self.scores.shape[1] + 1, device=self.scores.device)
        return 1.0 / ranks.to(self.scores)


class PairFactors(NamedTuple):
    """The weights of all pairs of a batch, as numbers of single documents.

    The document of rank r above that of rank q > r make a pair of weight

        |gain_r - gain_q| (upper_r - share_r lower_q + table_(q - r)),

    times `own` of the document that is preferred. What is None is left out: without `gain`, the
    first factor is 1; without `upper` (then also without `share` and `lower`) and `table`, the
    second is 1.

    Attributes
    ----------
    gain, upper, share, lower, own : `float[B, L]` in order of rank.
    table : `float[L]`, by the distance of ranks.
    informative : `bool[B]`, whether a list can have a pair of weight above 0; None: all can.
    rows : only pairs whose better placed document has a rank of at most this count.
    logarithm : the first factor is log10(1 + |gain_r - gain_q|).
    """

    gain: Tensor | None = None
    upper: Tensor | None = None
    share: Tensor | None = None
    lower: Tensor | None = None
    table: Tensor | None = None
    own: Tensor | None = None
    informative: Tensor | None = None
    rows: int | None = None
    logarithm: bool = False


@dataclass(frozen=True, repr=False)
class PairWeight(ABC):
    """A weight of pairs, constant in the loss: no gradient goes through ranks."""

    @abstractmethod
    def factors(self, ranked: RankedLists) -> PairFactors:
        """The weights of the pairs of these lists."""

    def __repr__(self) -> str:
        return described(self)


def _check_positions(part: PairWeight, name: str, value: int | None) -> None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ConfigurationError(
            f"{type(part).__name__} {name}={value!r} is neither None nor an integer above 0."
        )


def _check_gain(part: PairWeight, gain: str) -> None:
    if gain not in ("exponential", "linear"):
        raise ConfigurationError(
            f"{type(part).__name__} gain={gain!r} is neither 'exponential' nor 'linear'."
        )


def plain_gains(ranked: RankedLists, gain: Gain) -> Tensor:
    """The gain of each document, `[B, L]`. Labels below 0 gain nothing."""
    labels = ranked.labels.clamp(min=0) * ranked.where
    return torch.exp2(labels) - 1.0 if gain == "exponential" else labels


def normalised_gains(ranked: RankedLists, gain: Gain, cutoff: int | None) -> Tensor:
    """The gain of each document over its list's greatest DCG, `[B, L]`; 0 where nothing has a gain.

    Labels below 0 gain nothing. Exponential gains are scaled by the highest of the list before they
    are divided, so that no label is too large.
    """
    labels = ranked.labels.clamp(min=0)
    highest = labels.amax(dim=1, keepdim=True)
    if gain == "exponential":
        gains = torch.exp2(labels - highest) - torch.exp2(-highest)
    else:
        gains = labels / highest.clamp(min=torch.finfo(labels.dtype).tiny)
    gains = gains * ranked.where
    best = gains.sort(dim=1, descending=True).values
    ideal = (best * _discounts(ranked, cutoff)).sum(dim=1, keepdim=True)
    return torch.where(ideal > 0, gains / torch.where(ideal > 0, ideal, 1.0), 0.0)


def _discounts(ranked: RankedLists, cutoff: int | None) -> Tensor:
    """1 / log2(1 + rank), `[L]`; 0 beyond the cutoff."""
    length = ranked.scores.shape[1]
    ranks = torch.arange(1, length + 1, device=ranked.scores.device)
    discounts = 1.0 / torch.log2(1.0 + ranks.to(ranked.scores))
    return discounts if cutoff is None else torch.where(ranks <= cutoff, discounts, 0.0)


def _distances(ranked: RankedLists) -> Tensor:
    """1 / log2(1 + t) - 1 / log2(2 + t) for distances t of ranks, `[L]`; 0 for distance 0."""
    distance = torch.arange(ranked.scores.shape[1], device=ranked.scores.device).to(ranked.scores)
    near = 1.0 / torch.log2(1.0 + distance.clamp(min=1))
    return torch.where(distance > 0, near - 1.0 / torch.log2(2.0 + distance), 0.0)


@register
@dataclass(frozen=True, repr=False)
class Uniform(PairWeight):
    """Every pair weighs 1.

    >>> Uniform()
    Uniform()
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """Nothing but ones."""
        return PairFactors()


@register
@dataclass(frozen=True, repr=False)
class LabelDifference(PairWeight):
    """|y_i^power - y_j^power|: pairs that are further apart matter more. Power 1 is ARPLoss2's.

    Raises
    ------
    ConfigurationError : `power` is not a finite number above 0.

    >>> LabelDifference(power=2.0)
    LabelDifference(power=2.0)
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.power) and self.power > 0):
            raise ConfigurationError(f"LabelDifference power={self.power!r} is not above 0.")

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The labels to the power; a label below 0 keeps its sign."""
        labels = ranked.labels
        if self.power != 1.0:
            labels = labels.sign() * labels.abs().pow(self.power)
        return PairFactors(gain=labels)


@register
@dataclass(frozen=True, repr=False)
class ProfitWeight(PairWeight):
    """log10(1 + |y_i - y_j|), for labels that are amounts of money.

    Li & Ma, "Learn to rank risky investors", ACM TOIS 2025.

    >>> ProfitWeight()
    ProfitWeight()
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The labels, under the logarithm."""
        return PairFactors(gain=ranked.labels, logarithm=True)


@register
@dataclass(frozen=True, repr=False)
class ARPLoss1Weight(PairWeight):
    """y_i, the label of the preferred document; a label below 0 counts 0.

    >>> ARPLoss1Weight()
    ARPLoss1Weight()
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The labels as weights of the preferred documents."""
        labels = ranked.labels.clamp(min=0)
        return PairFactors(own=labels, informative=(labels > 0).any(dim=1))


@dataclass(frozen=True, repr=False)
class _GainWeight(PairWeight):
    gain: Gain = "exponential"
    cutoff: int | None = None

    def __post_init__(self) -> None:
        _check_gain(self, self.gain)
        _check_positions(self, "cutoff", self.cutoff)


@register
@dataclass(frozen=True, repr=False)
class LambdaWeight(_GainWeight):
    """|G_i - G_j| |1 / log2(1 + r_i) - 1 / log2(1 + r_j)|: the change of nDCG by a swap.

    G is the gain over the greatest DCG, r the rank by score. Burges, Ragno & Le, "Learning to rank
    with nonsmooth cost functions", NIPS 2006.

    Parameters
    ----------
    gain : "exponential" (2^y - 1) or "linear" (y).
    cutoff : of the measure: exactly the change of nDCG@cutoff.
    truncation : as LightGBM has it: pairs with a document among the first so many, at the discounts
        of all ranks; the greatest DCG is that of the first `truncation` ranks. Not with `cutoff`.
    normalised : divide gains by the greatest DCG. Without, the change is that of DCG, and
        exponential gains need labels below 100.

    Raises
    ------
    ConfigurationError : an unknown gain, a number below 1, or both a cutoff and a truncation.

    >>> LambdaWeight(truncation=10)
    LambdaWeight(truncation=10)
    """

    truncation: int | None = None
    normalised: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positions(self, "truncation", self.truncation)
        if self.cutoff is not None and self.truncation is not None:
            raise ConfigurationError("LambdaWeight takes a cutoff or a truncation, not both.")

    def factors(self, ranked: RankedLists) -> PairFactors:
        """Gains and discounts; pairs below the cutoff or truncation are left out."""
        positions = self.truncation if self.cutoff is None else self.cutoff
        if self.normalised:
            gains = normalised_gains(ranked, self.gain, positions)
        else:
            gains = plain_gains(ranked, self.gain)
        discounts = _discounts(ranked, self.cutoff).expand_as(gains)
        return PairFactors(
            gain=gains,
            upper=discounts,
            share=torch.ones_like(gains),
            lower=discounts,
            informative=(gains > 0).any(dim=1),
            rows=positions,
        )


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss1Weight(_GainWeight):
    """G_i / log2(1 + r_i) of the preferred document; with a cutoff, 0 beyond it.

    Wang, Li, Golbandi, Bendersky & Najork, "The LambdaLoss framework for ranking metric
    optimization", CIKM 2018.

    >>> NDCGLoss1Weight(gain="linear")
    NDCGLoss1Weight(gain='linear')
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The discounted gains as weights of the preferred documents."""
        gains = normalised_gains(ranked, self.gain, self.cutoff)
        own = gains * _discounts(ranked, self.cutoff)
        return PairFactors(own=own, informative=(gains > 0).any(dim=1))


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss2Weight(_GainWeight):
    """|G_i - G_j| (1 / log2(1 + t) - 1 / log2(2 + t)) for documents t = |r_i - r_j| ranks apart.

    With a cutoff, pairs with a document among the first `cutoff` count. Wang et al., CIKM 2018.

    >>> NDCGLoss2Weight(cutoff=10)
    NDCGLoss2Weight(cutoff=10)
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """Gains, and a weight for every distance."""
        gains = normalised_gains(ranked, self.gain, self.cutoff)
        return PairFactors(
            gain=gains,
            table=_distances(ranked),
            informative=(gains > 0).any(dim=1),
            rows=self.cutoff,
        )


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss2PPWeight(_GainWeight):
    """`mu` times the weight of NDCGLoss2 plus that of LambdaRank; `mu=0` is LambdaRank.

    Wang et al., CIKM 2018.

    Raises
    ------
    ConfigurationError : `mu` is below 0.

    >>> NDCGLoss2PPWeight(mu=5.0)
    NDCGLoss2PPWeight(mu=5.0)
    """

    mu: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.mu) and self.mu >= 0):
            raise ConfigurationError(f"NDCGLoss2PPWeight mu={self.mu!r} is not 0 or more.")

    def factors(self, ranked: RankedLists) -> PairFactors:
        """As `LambdaWeight`, with a weight for every distance."""
        lambdas = LambdaWeight(self.gain, self.cutoff).factors(ranked)
        return lambdas._replace(table=self.mu * _distances(ranked))
