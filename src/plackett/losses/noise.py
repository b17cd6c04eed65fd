"""Noise on scores: the mean of any loss over perturbed scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = ["Gumbel"]


def check_noise(samples: int, noise: float, fewest: int = 1) -> None:
    """Nothing, where there are `fewest` samples or more and the noise is 0 or more.

    Raises
    ------
    ConfigurationError : there are not.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < fewest:
        raise ConfigurationError(f"samples {samples!r} is not a whole number from {fewest}.")
    if not 0.0 <= noise < float("inf"):
        raise ConfigurationError(f"noise {noise!r} is not a number from 0.")


def gumbel_noise(shape: torch.Size, like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, in the type and on the device of `like`."""
    waiting = torch.empty(shape, dtype=like.dtype, device=like.device)
    waiting.exponential_(generator=generator)
    return -waiting.clamp_(min=torch.finfo(like.dtype).tiny).log_()


def averaged_over_noise(
    values: Callable[[Scored], ListValues], batch: Scored, samples: int, noise: float
) -> ListValues:
    """The mean of a loss over scores + noise * Gumbel; a list counts where a sample says something.

    One sample is worked on at a time.
    """
    total, informative = torch.zeros_like(batch.scores[:, :1]).flatten(1).sum(dim=-1), None
    for _ in range(samples):
        drawn = gumbel_noise(batch.scores.shape, batch.scores, batch.generator)
        real = batch.where if batch.scores.ndim == 2 else batch.where[..., None]
        found = values(batch._replace(scores=batch.scores + noise * drawn * real))
        says = found.informative
        total = total + torch.where(says, found.values, torch.zeros_like(found.values))
        informative = says if informative is None else informative | says
    return ListValues(total / samples, batch.where.any(-1) if informative is None else informative)


@register
@dataclass(frozen=True, repr=False)
class Gumbel(Loss):
    """The mean of a loss over scores to which Gumbel noise is added: loss(s + noise * G).

    With a noise of 1, the order of the perturbed scores is a Plackett-Luce sample of the scores.
    Bruch, Han, Bendersky & Najork, "A stochastic treatment of learning to rank scoring functions",
    WSDM 2020.

    >>> from plackett.losses import ApproxNDCG
    >>> scores, labels = torch.tensor([[2.0, 1.0, 0.5, -1.0]]), torch.tensor([[1, 3, 0, 2]])
    >>> round(Gumbel(ApproxNDCG(), samples=4, noise=0.0)(scores, labels).item(), 4)
    -0.6654
    """

    reference: ClassVar[str] = "Bruch et al. 2020"
    stochastic: ClassVar[bool] = True

    loss: Loss
    samples: int = 8
    noise: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.loss, Loss):
            raise ConfigurationError(f"{self.loss!r} is not a loss; write for example ListNet().")
        check_noise(self.samples, self.noise)

    @property
    def shift_invariant(self) -> bool:  # type: ignore[override]
        """As the loss itself."""
        return self.loss.shift_invariant

    @property
    def several_outputs(self) -> bool:  # type: ignore[override]
        """As the loss itself."""
        return self.loss.several_outputs

    def outputs(self, highest_label: float) -> int:
        """As the loss itself."""
        return self.loss.outputs(highest_label)

    def relevance(self, outputs: Tensor) -> Tensor:
        """As the loss itself."""
        return self.loss.relevance(outputs)

    def _values(self, batch: Scored) -> ListValues:
        return averaged_over_noise(self.loss._values, batch, self.samples, self.noise)
