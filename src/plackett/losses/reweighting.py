"""Weights of lists that follow their losses: lists that are worth learning, groups that lag."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from plackett.errors import ConfigurationError, DataError

__all__ = ["GroupRobust", "LossReweighting"]

FORMS = ("quadratic", "upper", "linear_upper", "extremes")


@dataclass(frozen=True)
class LossReweighting:
    """Weights of a batch's lists from their losses, which sum to 1.

        h_i = strength (2 l_i - max l - min l) / (max l - min l)
        w_i proportional to exp(f(h_i) / temperature)

    With d the strength, f is
    quadratic: 1 - h^2 / d^2, the middle; upper: (h + d) / 2, the hard lists;
    linear_upper: min(h + d, d), all but the easy lists, with outliers capped; extremes: |h|.

    The weights carry no gradient. Use them as
    `(weights * loss(scores, labels, reduction="none")).sum()`, after some steps without them.

    Parameters
    ----------
    form : "linear_upper", "quadratic", "upper" or "extremes".
    strength : d, above 0.
    temperature : above 0; large: equal weights.

    Raises
    ------
    ConfigurationError : parameters out of range.

    Reference: Sow et al., "Dynamic loss-based sample reweighting for improved large language model
    pretraining", ICLR 2025.

    >>> LossReweighting("upper").weights(torch.tensor([0.8, 1.2, 1.6, 2.4]))
    tensor([0.1504, 0.1931, 0.2479, 0.4087])
    """

    form: Literal["linear_upper", "quadratic", "upper", "extremes"] = "linear_upper"
    strength: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ConfigurationError(f"form={self.form!r}; expected one of {', '.join(FORMS)}.")
        for name, value in (("strength", self.strength), ("temperature", self.temperature)):
            _check_positive(name, value)

    def weights(self, losses: Tensor) -> Tensor:
        """The weights, `float[B]`, of lists with these losses, `float[B]`.

        Raises
        ------
        DataError : not one loss a list.
        """
        _check_losses(losses)
        held = losses.detach()
        if not len(held):
            return held.clone()
        low, high = held.min(), held.max()
        spread = (high - low).clamp(min=1e-6)
        relative = self.strength * (2 * held - high - low) / spread
        return torch.softmax(self._valued(relative) / self.temperature, dim=0)

    def _valued(self, relative: Tensor) -> Tensor:
        if self.form == "quadratic":
            return 1 - relative.square() / self.strength**2
        if self.form == "upper":
            return (relative + self.strength) / 2
        if self.form == "linear_upper":
            return (relative + self.strength).clamp(max=self.strength)
        return relative.abs()


@dataclass(frozen=True)
class GroupRobust:
    """Weights by which the groups of queries that fare worst count most (group DRO).

        q_g proportional to q_g exp(step_size l_g),  w_i = q_g(i) / n_g(i)

    l_g is the mean loss and n_g the number of the lists of group g in the batch. The sum of
    w_i l_i is then the sum of q_g l_g. The state q is handed in and out, so that a checkpoint can
    hold it.

    Parameters
    ----------
    step_size : above 0; how fast weight moves to the groups of high loss.

    Raises
    ------
    ConfigurationError : `step_size` is not a finite number above 0.

    Reference: Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020.

    >>> robust = GroupRobust(step_size=1.0)
    >>> weights, state = robust.update(
    ...     robust.start(2), torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0, 0, 1])
    ... )
    >>> state
    tensor([0.2689, 0.7311])
    >>> weights
    tensor([0.1345, 0.1345, 0.7311])
    """

    step_size: float = 0.01

    def __post_init__(self) -> None:
        _check_positive("step_size", self.step_size)

    def start(self, groups: int) -> Tensor:
        """The state before the first batch: equal shares, `float[groups]`.

        Raises
        ------
        ConfigurationError : no group.
        """
        if groups < 1:
            raise ConfigurationError(f"groups={groups}; expected at least 1.")
        return torch.full((groups,), 1.0 / groups)

    def update(self, state: Tensor, losses: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of a batch's lists, and the state after it.

        Parameters
        ----------
        state : `float[groups]`, what `start` or the last `update` gave.
        losses : `float[B]`, one a list.
        groups : `int[B]`, each list's group, below the number of groups.

        Raises
        ------
        DataError : shapes that do not fit, or a group that the state does not know.
        """
        _check_losses(losses)
        if groups.shape != losses.shape or groups.is_floating_point():
            raise DataError(
                f"groups of shape {tuple(groups.shape)} and type {groups.dtype}",
                expected=f"integers of shape {tuple(losses.shape)}",
            )
        if len(groups) and not 0 <= int(groups.min()) <= int(groups.max()) < len(state):
            raise DataError(
                f"groups {int(groups.min())} to {int(groups.max())}",
                expected=f"0 to {len(state) - 1}",
            )
        held = losses.detach()
        state = state.to(held)
        groups = groups.long()
        counts = torch.zeros_like(state).index_add(0, groups, torch.ones_like(held))
        means = torch.zeros_like(state).index_add(0, groups, held) / counts.clamp(min=1)
        moved = torch.softmax(torch.log(state) + self.step_size * means, dim=0)
        return moved[groups] / counts[groups], moved


def _check_losses(losses: Tensor) -> None:
    if losses.ndim != 1 or not losses.is_floating_point():
        raise DataError(
            f"losses of shape {tuple(losses.shape)} and type {losses.dtype}",
            expected="one floating-point loss a list",
        )


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name}={value!r}; expected a finite number above 0.")
