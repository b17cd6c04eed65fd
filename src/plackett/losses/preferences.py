"""Losses of preferences between the responses of a language model to one prompt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pair_functions import Hinge, Logistic, Squared
from plackett.losses.pair_weights import LambdaWeight
from plackett.losses.pairwise import Pairwise
from plackett.losses.plackett_luce import ListMLE
from plackett.losses.registry import register

__all__ = ["DPO", "DPOPL", "IPO", "LiPOLambda", "SLiC", "implicit_rewards"]


def implicit_rewards(policy: Tensor, reference: Tensor, beta: float = 0.05) -> Tensor:
    """beta (log pi - log pi_ref): the scores of responses that the losses here are functions of.

    Rafailov, Sharma, Mitchell, Ermon, Manning & Finn, "Direct preference optimization: your
    language model is secretly a reward model", NeurIPS 2023.

    Parameters
    ----------
    policy, reference : `float[B, K]`, log-probabilities of whole responses under the model that is
        trained and under the one that it starts from: sums over tokens, not means. No gradient goes
        through `reference`.
    beta : how dear it is to move away from the reference.

    Raises
    ------
    DataError : the shapes differ.
    ConfigurationError : `beta` is not above 0.

    >>> implicit_rewards(torch.tensor([[-3.0, -5.0]]), torch.tensor([[-4.0, -4.0]]), beta=0.1)
    tensor([[ 0.1000, -0.1000]])
    """
    if policy.shape != reference.shape:
        raise DataError(
            f"log-probabilities of shapes {tuple(policy.shape)} and {tuple(reference.shape)}",
            expected="one of the policy and one of the reference for every response",
        )
    if not (math.isfinite(beta) and beta > 0):
        raise ConfigurationError(f"beta={beta!r} is not a finite number above 0.")
    wide = torch.promote_types(policy.dtype, torch.float32)
    return beta * (policy.to(wide) - reference.detach().to(wide))


@register
@dataclass(frozen=True, repr=False)
class LiPOLambda(Loss):
    """Sum over pairs with y_i > y_j of |change of DCG by their swap| log(1 + exp(-(s_i - s_j))).

    Scores are `implicit_rewards`, labels y the rewards of responses from 0 to 1; the gain is
    2^y - 1, the discount 1 / log(1 + rank by score), neither normalised. Prefer it to `DPO` where
    several responses a prompt have graded rewards. Liu et al., "LiPO: Listwise preference
    optimization through learning-to-rank", 2024, arXiv 2402.01878.

    Parameters
    ----------
    discount_base : of the discount's logarithm; it only scales the loss.

    Raises
    ------
    ConfigurationError : `discount_base` is not above 1.

    >>> rewards, scores = torch.tensor([0.1, 0.9, 0.3, 0.6]), torch.tensor([0.1, 0.25, -0.05, 0.15])
    >>> LiPOLambda()(scores, rewards)
    tensor(0.8826)
    """

    reference: ClassVar[str] = "Liu et al. 2024"

    discount_base: float = math.e

    def __post_init__(self) -> None:
        if not (math.isfinite(self.discount_base) and self.discount_base > 1):
            raise ConfigurationError(f"discount_base={self.discount_base!r} is not above 1.")

    def _values(self, batch: Scored) -> ListValues:
        plain = Pairwise(Logistic(), LambdaWeight(normalised=False))._values(batch)
        return plain._replace(values=plain.values * math.log2(self.discount_base))

    def _curvature(self, batch: Scored) -> Tensor | None:
        curvature = Pairwise(Logistic(), LambdaWeight(normalised=False))._curvature(batch)
        return None if curvature is None else curvature * math.log2(self.discount_base)


@register
@dataclass(frozen=True, repr=False)
class DPO(Loss):
    """The mean over pairs with y_i > y_j of log(1 + exp(-(s_i - s_j - margin))).

    Scores are `implicit_rewards`, labels say which responses are preferred; with two responses a
    prompt this is direct preference optimisation. Rafailov et al., NeurIPS 2023.

    Parameters
    ----------
    margin : by how much the preferred response should lead.

    Raises
    ------
    ConfigurationError : `margin` is not finite.

    >>> DPO()(torch.tensor([0.25, -0.05]), torch.tensor([1, 0]))
    tensor(0.5544)
    """

    reference: ClassVar[str] = "Rafailov et al. 2023"

    margin: float = 0.0

    def __post_init__(self) -> None:
        Logistic(margin=self.margin)

    def _values(self, batch: Scored) -> ListValues:
        return self._pairwise._values(batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return self._pairwise._curvature(batch)

    @property
    def _pairwise(self) -> Pairwise:
        return Pairwise(Logistic(margin=self.margin), pair_reduction="mean")


@register
@dataclass(frozen=True, repr=False)
class SLiC(Loss):
    """The mean over pairs with y_i > y_j of max(0, margin - (s_i - s_j)).

    Scores are `implicit_rewards`, labels say which responses are preferred. Pairs that lead by the
    margin have no gradient. Zhao et al., "SLiC-HF: Sequence likelihood calibration with human
    feedback", 2023, arXiv 2305.10425; in the normalised form of Liu et al. 2024.

    Raises
    ------
    ConfigurationError : `margin` is not a finite number above 0.

    >>> SLiC()(torch.tensor([0.25, -0.05]), torch.tensor([1, 0]))
    tensor(0.7000)
    """

    reference: ClassVar[str] = "Zhao et al. 2023"

    margin: float = 1.0

    def __post_init__(self) -> None:
        Hinge(self.margin)

    def _values(self, batch: Scored) -> ListValues:
        return Pairwise(Hinge(self.margin), pair_reduction="mean")._values(batch)


@register
@dataclass(frozen=True, repr=False)
class IPO(Loss):
    """The mean over pairs with y_i > y_j of (s_i - s_j - 1 / (2 tau))².

    Scores are `implicit_rewards` with beta 1. The margin is a target, not a threshold, so that
    deterministic preferences do not drive the policy away from its reference without end. Azar et
    al., "A general theoretical paradigm to understand learning from human preferences", AISTATS
    2024.

    Raises
    ------
    ConfigurationError : `tau` is not a finite number above 0.

    >>> IPO(tau=0.5)(torch.tensor([0.25, -0.25]), torch.tensor([1, 0]))
    tensor(0.2500)
    """

    reference: ClassVar[str] = "Azar et al. 2024"

    tau: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau) and self.tau > 0):
            raise ConfigurationError(f"IPO tau={self.tau!r} is not a finite number above 0.")

    def _values(self, batch: Scored) -> ListValues:
        return self._pairwise._values(batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return self._pairwise._curvature(batch)

    @property
    def _pairwise(self) -> Pairwise:
        return Pairwise(Squared(0.5 / self.tau), pair_reduction="mean")


@register
@dataclass(frozen=True, repr=False)
class DPOPL(Loss):
    """Minus the log-likelihood of the responses' order by label under Plackett and Luce.

        loss = sum_k [log sum_{l >= k} exp(s_l) - s_k], responses in order of descending label

    Scores are `implicit_rewards`. It is `ListMLE` without its random ties: equal labels take the
    order in which they come. With two responses it is `DPO`. Document weights multiply the factor
    that a response is chosen in. Rafailov et al., NeurIPS 2023.

    >>> DPOPL()(torch.tensor([0.25, -0.05]), torch.tensor([1, 0]))
    tensor(0.5544)
    """

    reference: ClassVar[str] = "Rafailov et al. 2023"

    def _values(self, batch: Scored) -> ListValues:
        return ListMLE(ties="index")._values(batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return ListMLE(ties="index")._curvature(batch)
