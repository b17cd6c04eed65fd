"""The losses of pairs that have names, each a pair function with a pair weight."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pair_functions import Fidelity, Logistic
from plackett.losses.pair_weights import (
    ARPLoss1Weight,
    Gain,
    LabelDifference,
    LambdaWeight,
    NDCGLoss1Weight,
    NDCGLoss2PPWeight,
    NDCGLoss2Weight,
)
from plackett.losses.pairwise import PairReduction, Pairwise
from plackett.losses.registry import register

__all__ = [
    "ARPLoss1",
    "ARPLoss2",
    "FidelityLoss",
    "LambdaRank",
    "NDCGLoss1",
    "NDCGLoss2",
    "NDCGLoss2PP",
    "RankNet",
]


@dataclass(frozen=True, repr=False)
class _NamedPairwise(Loss):
    """A loss that is a `Pairwise`, which `pairwise` gives."""

    def __post_init__(self) -> None:
        if not isinstance(self.pairwise, Pairwise):
            raise ConfigurationError(f"{type(self).__name__}.pairwise is not a Pairwise loss.")

    @property
    @abstractmethod
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""

    def _values(self, batch: Scored) -> ListValues:
        return self.pairwise._values(batch)

    def _curvature(self, batch: Scored) -> Tensor | None:
        return self.pairwise._curvature(batch)


@register
@dataclass(frozen=True, repr=False)
class RankNet(_NamedPairwise):
    """The mean over pairs with y_i > y_j of log(1 + exp(-sigma (s_i - s_j))).

    The likelihood of all preferences, each as important as any other: a first choice where what
    counts is the whole order. For the top of the list prefer `LambdaRank`. Cost: O(L²) time, O(L)
    memory.

    Burges et al., "Learning to rank using gradient descent", ICML 2005.

    Parameters
    ----------
    sigma : scale of the scores.
    power : weighs pairs by |y_i^power - y_j^power|; None: every pair the same.
    ties : pairs of equal labels count, half in either direction: their scores are drawn together.
    pair_reduction : "mean" over the pairs of a list, so that long lists do not outweigh short ones;
        or "sum", as in the paper.

    Raises
    ------
    ConfigurationError : a parameter out of range.

    >>> import torch
    >>> loss = RankNet()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(1.1443)
    """

    reference: ClassVar[str] = "Burges et al. 2005"

    sigma: float = 1.0
    power: float | None = None
    ties: bool = False
    pair_reduction: PairReduction = "mean"

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        function = Logistic(self.sigma)
        if self.power is None:
            return Pairwise(function, ties=self.ties, pair_reduction=self.pair_reduction)
        weight = LabelDifference(self.power)
        return Pairwise(function, weight, ties=self.ties, pair_reduction=self.pair_reduction)


@register
@dataclass(frozen=True, repr=False)
class LambdaRank(_NamedPairwise):
    """Sum over pairs with y_i > y_j of |change of nDCG by their swap| log_b(1 + exp(-sigma d)).

    d = s_i - s_j; b is `base`. Ranks are held constant, so the gradient is Burges's lambda. With
    `base` e and a `truncation` it is LightGBM's objective `lambdarank` before normalisation. The
    usual choice for nDCG. Cost: O(L²) time, less with a cutoff or truncation, and O(L) memory.

    Burges, Ragno & Le, "Learning to rank with nonsmooth cost functions", NIPS 2006; as a loss: Wang
    et al., "The LambdaLoss framework for ranking metric optimization", CIKM 2018.

    Parameters
    ----------
    sigma : scale of the scores.
    base : of the logarithm; 2 as in Wang et al.
    gain, cutoff, truncation : as in `LambdaWeight`.

    Raises
    ------
    ConfigurationError : a parameter out of range, or both a cutoff and a truncation.

    >>> import torch
    >>> loss = LambdaRank()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(1.1320)
    """

    reference: ClassVar[str] = "Burges et al. 2006; Wang et al. 2018"

    sigma: float = 1.0
    base: float = 2.0
    gain: Gain = "exponential"
    cutoff: int | None = None
    truncation: int | None = None

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        weight = LambdaWeight(self.gain, self.cutoff, self.truncation)
        return Pairwise(Logistic(self.sigma, self.base), weight)


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss1(_NamedPairwise):
    """Sum over ordered pairs of G_i / log2(1 + r_i) log_b(1 + exp(-sigma (s_i - s_j))).

    A coarse upper bound of 1 - nDCG with base 2, over all pairs whatever their labels;
    `NDCGLoss2PP` does better.

    Wang et al., CIKM 2018.

    Parameters
    ----------
    sigma, base : of the logistic function.
    gain, cutoff : as in `NDCGLoss1Weight`.
    self_pairs : i = j counts too, as in the paper: a constant, which is nDCG itself with base 2.

    >>> import torch
    >>> loss = NDCGLoss1()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(3.4640)
    """

    reference: ClassVar[str] = "Wang et al. 2018"

    sigma: float = 1.0
    base: float = 2.0
    gain: Gain = "exponential"
    cutoff: int | None = None
    self_pairs: bool = True

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        weight = NDCGLoss1Weight(self.gain, self.cutoff)
        return Pairwise(
            Logistic(self.sigma, self.base), weight, pairs="all", self_pairs=self.self_pairs
        )


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss2(_NamedPairwise):
    """Sum over pairs with y_i > y_j of |G_i - G_j| delta_ij log_b(1 + exp(-sigma (s_i - s_j))).

    delta_ij = 1 / log2(1 + t) - 1 / log2(2 + t), where t = |r_i - r_j|: with base 2 a tighter
    bound of 1 - nDCG than `NDCGLoss1`.

    Wang et al., CIKM 2018.

    Parameters
    ----------
    sigma, base : of the logistic function.
    gain, cutoff : as in `NDCGLoss2Weight`.

    >>> import torch
    >>> loss = NDCGLoss2()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(1.0033)
    """

    reference: ClassVar[str] = "Wang et al. 2018"

    sigma: float = 1.0
    base: float = 2.0
    gain: Gain = "exponential"
    cutoff: int | None = None

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        weight = NDCGLoss2Weight(self.gain, self.cutoff)
        return Pairwise(Logistic(self.sigma, self.base), weight)


@register
@dataclass(frozen=True, repr=False)
class NDCGLoss2PP(_NamedPairwise):
    """`mu` times NDCGLoss2 plus LambdaRank, which the paper finds the best for nDCG.

    Wang et al., CIKM 2018.

    Parameters
    ----------
    mu : 10 in the paper; 0 is LambdaRank.
    sigma, base : of the logistic function.
    gain, cutoff : as in `NDCGLoss2PPWeight`.

    >>> import torch
    >>> loss = NDCGLoss2PP()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(11.1653)
    """

    reference: ClassVar[str] = "Wang et al. 2018"

    mu: float = 10.0
    sigma: float = 1.0
    base: float = 2.0
    gain: Gain = "exponential"
    cutoff: int | None = None

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        weight = NDCGLoss2PPWeight(self.gain, self.cutoff, self.mu)
        return Pairwise(Logistic(self.sigma, self.base), weight)


@register
@dataclass(frozen=True, repr=False)
class ARPLoss1(_NamedPairwise):
    """Sum over ordered pairs of y_i log_b(1 + exp(-sigma (s_i - s_j))).

    With base 2 and self pairs it bounds sum y_i r_i from above, the numerator of the average
    relevance position. Labels below 0 count 0. Wang et al., CIKM 2018.

    Parameters
    ----------
    sigma, base : of the logistic function.
    self_pairs : i = j counts too, a constant.

    >>> import torch
    >>> loss = ARPLoss1()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(34.9403)
    """

    reference: ClassVar[str] = "Wang et al. 2018"

    sigma: float = 1.0
    base: float = 2.0
    self_pairs: bool = True

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        return Pairwise(
            Logistic(self.sigma, self.base),
            ARPLoss1Weight(),
            pairs="all",
            self_pairs=self.self_pairs,
        )


@register
@dataclass(frozen=True, repr=False)
class ARPLoss2(_NamedPairwise):
    """Sum over pairs with y_i > y_j of (y_i - y_j) log_b(1 + exp(-sigma (s_i - s_j))).

    With base 2 it bounds what sum y_i r_i exceeds its least value by. Wang et al., CIKM 2018.

    Parameters
    ----------
    sigma, base : of the logistic function.

    >>> import torch
    >>> loss = ARPLoss2()
    >>> loss(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    tensor(15.6222)
    """

    reference: ClassVar[str] = "Wang et al. 2018"

    sigma: float = 1.0
    base: float = 2.0

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        return Pairwise(Logistic(self.sigma, self.base), LabelDifference())


@register
@dataclass(frozen=True, repr=False)
class FidelityLoss(_NamedPairwise):
    """The mean over pairs of 1 - sqrt(p q) - sqrt((1 - p)(1 - q)), as `Fidelity` defines it.

    Bounded, so that flipped labels do less harm than with `RankNet`. It is not convex: trees take
    steps of plain gradient descent.

    Tsai, Liu, Qin, Chen & Ma, "FRank: a ranking method with fidelity loss", SIGIR 2007.

    Parameters
    ----------
    target : "order": which label is higher; or "gap": Phi of the difference of opinion scores.
    variance : of a difference of scores: 2 in Thurstone's case V; 1 as in DN-PIQA.
    ties : pairs of equal labels count, half in either direction.
    pair_reduction : "mean" over the pairs of a list, or "sum".

    >>> import torch
    >>> FidelityLoss()(torch.tensor([0.8, 0.0]), torch.tensor([1, 0]))
    tensor(0.1549)
    """

    reference: ClassVar[str] = "Tsai et al. 2007"

    target: Literal["order", "gap"] = "order"
    variance: float = 2.0
    ties: bool = False
    pair_reduction: PairReduction = "mean"

    @property
    def pairwise(self) -> Pairwise:
        """The same loss composed of its function and its weight."""
        function = Fidelity(self.target, self.variance)
        return Pairwise(function, ties=self.ties, pair_reduction=self.pair_reduction)
