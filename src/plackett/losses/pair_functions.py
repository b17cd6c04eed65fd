"""Functions of a pair's margin: what it costs to score the preferred document too low."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.registry import described, register

__all__ = ["Exponential", "Fidelity", "Hinge", "Logistic", "PairFunction", "Squared"]

# Below this, the normal distribution is taken from its asymptotic series.
FAR = -10.0


@dataclass(frozen=True, repr=False)
class PairFunction(ABC):
    """A function phi of the margin d = s_i - s_j of a pair whose document i is preferred.

    `gap` is the difference of the two labels, y_i - y_j, which most functions leave aside. All
    methods work element by element on tensors of one shape.

    Class attributes
    ----------------
    convex : phi'' is at least 0 and not 0 everywhere, so that trees can take Newton steps.
    """

    convex: ClassVar[bool] = True

    @abstractmethod
    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """phi(d)."""

    @abstractmethod
    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """phi'(d)."""

    @abstractmethod
    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """phi''(d)."""

    def value_and_slope(self, margin: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Both, where one costs less beside the other."""
        return self.value(margin, gap), self.slope(margin, gap)

    def __repr__(self) -> str:
        return described(self)


def _check_positive(part: PairFunction, name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(
            f"{type(part).__name__} {name}={value!r} is not a finite number above 0."
        )


@register
@dataclass(frozen=True, repr=False)
class Logistic(PairFunction):
    """log(1 + exp(-sigma (d - margin))), minus the log-likelihood of a Bradley-Terry preference.

    Parameters
    ----------
    sigma : scale of the difference.
    margin : by how much the preferred document should lead.
    base : of the logarithm. 2 makes the function an upper bound of the count of misordered pairs.

    Raises
    ------
    ConfigurationError : `sigma` is not above 0, `base` not above 1, or `margin` not finite.

    >>> margin = torch.tensor([0.0, 1.0])
    >>> Logistic(base=2).value(margin, margin)
    tensor([1.0000, 0.4519])
    """

    sigma: float = 1.0
    base: float = math.e
    margin: float = 0.0

    def __post_init__(self) -> None:
        _check_positive(self, "sigma", self.sigma)
        if not math.isfinite(self.margin):
            raise ConfigurationError(f"Logistic margin={self.margin!r} is not a finite number.")
        if not (math.isfinite(self.base) and self.base > 1):
            raise ConfigurationError(f"Logistic base={self.base!r} is not a number above 1.")

    @property
    def scale(self) -> float:
        """What natural logarithms are multiplied by."""
        return 1.0 / math.log(self.base)

    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """log(1 + exp(-sigma (d - margin)))."""
        wrong = -self.sigma * (margin - self.margin)
        return (wrong.clamp(min=0) + torch.log1p(torch.exp(-wrong.abs()))) * self.scale

    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """-sigma / (1 + exp(sigma (d - margin)))."""
        wrong = torch.sigmoid(-self.sigma * (margin - self.margin))
        return wrong * (-self.sigma * self.scale)

    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """sigma² p (1 - p), where p = 1 / (1 + exp(-sigma (d - margin)))."""
        lead = self.sigma * (margin - self.margin)
        return torch.sigmoid(lead) * torch.sigmoid(-lead) * (self.sigma**2 * self.scale)


@register
@dataclass(frozen=True, repr=False)
class Hinge(PairFunction):
    """max(0, margin - d), as in the ranking support vector machine and in SLiC.

    Where d is the margin exactly, the slope is 0.

    Raises
    ------
    ConfigurationError : `margin` is not a finite number above 0.

    >>> Hinge().value(torch.tensor([0.25, 2.0]), torch.ones(2))
    tensor([0.7500, 0.0000])
    """

    convex: ClassVar[bool] = False

    margin: float = 1.0

    def __post_init__(self) -> None:
        _check_positive(self, "margin", self.margin)

    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """max(0, margin - d)."""
        return (self.margin - margin).clamp(min=0)

    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """-1 below the margin."""
        return -(margin < self.margin).to(margin)

    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(margin)


@register
@dataclass(frozen=True, repr=False)
class Exponential(PairFunction):
    """exp(-d), the function of RankBoost.

    Below d = -`limit` it goes on as its tangent, so that no score makes it overflow.

    Freund, Iyer, Schapire & Singer, "An efficient boosting algorithm for combining preferences",
    JMLR 2003.

    Raises
    ------
    ConfigurationError : `limit` is not a finite number above 0.

    >>> Exponential().value(torch.tensor([0.0, 1.0]), torch.ones(2))
    tensor([1.0000, 0.3679])
    """

    limit: float = 20.0

    def __post_init__(self) -> None:
        _check_positive(self, "limit", self.limit)

    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """exp(-d), or its tangent."""
        beyond = (-self.limit - margin).clamp(min=0)
        return torch.exp(-margin.clamp(min=-self.limit)) * (1.0 + beyond)

    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """-exp(-d), never below -exp(limit)."""
        return -torch.exp(-margin.clamp(min=-self.limit))

    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """exp(-d), 0 on the tangent."""
        curved = torch.exp(-margin.clamp(min=-self.limit))
        return torch.where(margin < -self.limit, torch.zeros_like(curved), curved)


@register
@dataclass(frozen=True, repr=False)
class Squared(PairFunction):
    """(margin - d)², which pulls every preferred document the same distance above the other.

    Raises
    ------
    ConfigurationError : `margin` is not a finite number above 0.

    >>> Squared().value(torch.tensor([0.5, 1.0]), torch.ones(2))
    tensor([0.2500, 0.0000])
    """

    margin: float = 1.0

    def __post_init__(self) -> None:
        _check_positive(self, "margin", self.margin)

    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """(margin - d)²."""
        return (self.margin - margin).square()

    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """2 (d - margin)."""
        return 2.0 * (margin - self.margin)

    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """2."""
        return torch.full_like(margin, 2.0)


@register
@dataclass(frozen=True, repr=False)
class Fidelity(PairFunction):
    """1 - sqrt(p q) - sqrt((1 - p)(1 - q)), between 0 and 1, where q = Phi(d / sqrt(variance)).

    q is Thurstone's probability that the preferred document wins; p is what it should be. Being
    bounded, the function learns little from pairs that are hopelessly wrong, so a share of flipped
    labels harms it less than the logistic function.

    Tsai, Liu, Qin, Chen & Ma, "FRank: a ranking method with fidelity loss", SIGIR 2007.

    Parameters
    ----------
    target : "order": p is 1, and 1/2 for equal labels; "gap": p = Phi(gap / sqrt(variance)), for
        labels that are mean opinion scores.
    variance : of the difference of two scores: 2 where each has variance 1 (Thurstone's case V); 1
        where the difference has. The latter is the former with scores multiplied by sqrt(2).

    Raises
    ------
    ConfigurationError : an unknown `target`, or `variance` is not above 0.

    >>> Fidelity().value(torch.tensor([0.8]), torch.tensor([1.0]))
    tensor([0.1549])
    """

    convex: ClassVar[bool] = False

    target: Literal["order", "gap"] = "order"
    variance: float = 2.0

    def __post_init__(self) -> None:
        _check_positive(self, "variance", self.variance)
        if self.target not in ("order", "gap"):
            raise ConfigurationError(
                f"Fidelity target={self.target!r} is neither 'order' nor 'gap'."
            )

    def _targets(self, gap: Tensor) -> tuple[Tensor, Tensor]:
        """sqrt(p) and sqrt(1 - p)."""
        if self.target == "order":
            wins = 0.5 * (1.0 + torch.sign(gap))
            return wins.sqrt(), (1.0 - wins).sqrt()
        unit = gap / math.sqrt(self.variance)
        return _root_share(unit)[0], _root_share(-unit)[0]

    def value(self, margin: Tensor, gap: Tensor) -> Tensor:
        """1 - sqrt(p q) - sqrt((1 - p)(1 - q))."""
        return self.value_and_slope(margin, gap)[0]

    def slope(self, margin: Tensor, gap: Tensor) -> Tensor:
        """The derivative of the value; finite however small q is."""
        return self.value_and_slope(margin, gap)[1]

    def value_and_slope(self, margin: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one evaluation of the normal distribution on either side."""
        deviation = math.sqrt(self.variance)
        unit = margin / deviation
        win, loss = self._targets(gap)
        right, right_ratio = _root_share(unit)
        wrong, wrong_ratio = _root_share(-unit)
        right, wrong = win * right, loss * wrong
        slope = (wrong * wrong_ratio - right * right_ratio) * (0.5 / deviation)
        return (1.0 - right - wrong).clamp(min=0), slope

    def curvature(self, margin: Tensor, gap: Tensor) -> Tensor:
        """The second derivative, which is negative where a pair is far from its target."""
        unit = margin / math.sqrt(self.variance)
        win, loss = self._targets(gap)
        return -(win * _root_curvature(unit) + loss * _root_curvature(-unit)) / self.variance


def _root_share(unit: Tensor) -> tuple[Tensor, Tensor]:
    """sqrt(Phi(x)), and the density over Phi(x).

    Far below 0, where Phi(x) leaves the range of numbers, by the asymptotic series
    Phi(x) = density(x) / |x| (1 - 1 / x² + 3 / x⁴ - ...).
    """
    near = unit.clamp(min=FAR)
    share = 0.5 * torch.erfc(near * -math.sqrt(0.5))
    density = torch.exp(-0.5 * near.square()) / math.sqrt(2.0 * math.pi)
    far = unit.clamp(max=FAR).abs()
    tail = 1.0 / far.square()
    series = 1.0 - tail * (1.0 - 3.0 * tail * (1.0 - 5.0 * tail * (1.0 - 7.0 * tail)))
    root = torch.exp(-0.25 * far.square()) / (2.0 * math.pi) ** 0.25 * torch.sqrt(series / far)
    beyond = unit < FAR
    return (
        torch.where(beyond, root, share.sqrt()),
        torch.where(beyond, far / series, density / share),
    )


def _root_curvature(unit: Tensor) -> Tensor:
    """The second derivative of sqrt(Phi(x))."""
    root, ratio = _root_share(unit)
    return -0.5 * root * ratio * (unit + 0.5 * ratio)
