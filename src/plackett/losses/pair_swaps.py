"""Weights of pairs by what a swap does to measures of relevant documents: MRR, MAP and ERR."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.pair_weights import PairFactors, PairWeight, RankedLists
from plackett.losses.registry import register

__all__ = ["ERRWeight", "MAPWeight", "MRRWeight"]


@dataclass(frozen=True, repr=False)
class _RelevanceWeight(PairWeight):
    """Weights of measures of two classes: labels of at least `rel` are relevant."""

    rel: float = 1

    def _relevant(self, ranked: RankedLists) -> tuple[Tensor, Tensor]:
        """1 for relevant documents and 0 for others, `[B, L]`; and whether a list has both."""
        relevant = (ranked.labels >= self.rel) & ranked.where
        both = relevant.any(dim=1) & (ranked.where & ~relevant).any(dim=1)
        return relevant.to(ranked.scores), both


@register
@dataclass(frozen=True, repr=False)
class MRRWeight(_RelevanceWeight):
    """What swapping two documents does to the reciprocal rank of the first relevant one.

    >>> MRRWeight(rel=2)
    MRRWeight(rel=2)
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """Only the first relevant document and those above it can be the upper one.

        Raising a relevant document to rank r above the first one, at f, gains 1 / r - 1 / f.
        Lowering the first one to rank q leaves the better of 1 / q and the second one's.
        """
        relevant, both = self._relevant(ranked)
        reciprocal = ranked.reciprocal.expand_as(relevant)
        count = relevant.cumsum(dim=1)
        first = (reciprocal * relevant).amax(dim=1, keepdim=True)
        second = (reciprocal * relevant * (count > 1)).amax(dim=1, keepdim=True)
        able = (reciprocal >= first).to(relevant)
        lower = torch.where(relevant > 0, first, torch.maximum(reciprocal, second))
        return PairFactors(
            gain=relevant, upper=reciprocal * able, share=able, lower=lower, informative=both
        )


@register
@dataclass(frozen=True, repr=False)
class MAPWeight(_RelevanceWeight):
    """What swapping two documents does to average precision, over the list's relevant documents.

    >>> MAPWeight()
    MAPWeight()
    """

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The change is a difference of two numbers, one a document.

        With c_r relevant documents up to rank r and p_r the sum of their reciprocal ranks, a
        relevant document at the upper rank r rather than the lower q adds c_r / r, counting itself;
        takes away c_q / q; and adds 1 to the counts of those between, p_(q - 1) - p_r.
        """
        relevant, both = self._relevant(ranked)
        reciprocal = ranked.reciprocal.expand_as(relevant)
        count = relevant.cumsum(dim=1)
        harmonic = (relevant * reciprocal).cumsum(dim=1)
        return PairFactors(
            gain=relevant / count[:, -1:].clamp(min=1),
            upper=(count + 1.0 - relevant) * reciprocal - harmonic,
            share=torch.ones_like(relevant),
            lower=count * reciprocal - (harmonic - relevant * reciprocal),
            informative=both,
        )


@register
@dataclass(frozen=True, repr=False)
class ERRWeight(PairWeight):
    """What swapping two documents does to the expected reciprocal rank.

    A user stops at a document of grade y with probability (2^y - 1) / 2^max_grade. Chapelle,
    Metzler, Zhang & Grinspan, "Expected reciprocal rank for graded relevance", CIKM 2009.

    Parameters
    ----------
    max_grade : the highest grade of the scale; higher labels count as it.

    Raises
    ------
    ConfigurationError : `max_grade` is not from 1 to 20.

    >>> ERRWeight(max_grade=3)
    ERRWeight(max_grade=3)
    """

    max_grade: float = 4

    def __post_init__(self) -> None:
        if not 1 <= self.max_grade <= 20:
            raise ConfigurationError(f"ERRWeight max_grade={self.max_grade!r} is not 1 to 20.")

    def factors(self, ranked: RankedLists) -> PairFactors:
        """The change is |R_i - R_j| times the upper place's worth less the lower one's.

        With a_r the probability of arriving at rank r, e_r the expected reciprocal rank up to r and
        R_r the probability of stopping there, the second factor is
        a_r / r - (e_(q - 1) - e_r + a_q / q) / (1 - R_r).
        """
        stop = (torch.exp2(ranked.labels.clamp(0, self.max_grade)) - 1.0) / 2.0**self.max_grade
        stop = stop * ranked.where
        reciprocal = ranked.reciprocal
        left = torch.cumprod(1.0 - stop, dim=1)
        arrive = torch.cat([torch.ones_like(left[:, :1]), left[:, :-1]], dim=1)
        earned = arrive * stop * reciprocal
        so_far = earned.cumsum(dim=1)
        share = 1.0 / (1.0 - stop)
        return PairFactors(
            gain=stop,
            upper=arrive * reciprocal + so_far * share,
            share=share,
            lower=so_far - earned + arrive * reciprocal,
            informative=(stop > 0).any(dim=1),
        )
