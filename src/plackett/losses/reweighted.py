"""Any loss with weights of its lists that follow the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register
from plackett.losses.reweighting import LossReweighting

__all__ = ["Reweighted"]


@register
@dataclass(frozen=True, repr=False)
class Reweighted(Loss):
    """Another loss whose lists count by how large their losses are within the batch.

        loss = sum_i w_i l_i over the batch's n informative lists,  sum_i w_i = 1

    The weights w are `LossReweighting`'s and carry no gradient; the reported mean over lists is
    that sum. "linear_upper" turns training away from the lists that are learned already without
    giving all of it to outliers.

    Parameters
    ----------
    loss : the loss to reweight.
    form, strength, temperature : of `LossReweighting`.

    Raises
    ------
    ConfigurationError : parameters out of range.

    >>> from plackett.losses import ListNet
    >>> Reweighted(ListNet(), temperature=0.5)
    Reweighted(ListNet(), temperature=0.5)
    """

    loss: Loss
    form: Literal["linear_upper", "quadratic", "upper", "extremes"] = "linear_upper"
    strength: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        self._reweighting()

    def _reweighting(self) -> LossReweighting:
        return LossReweighting(self.form, self.strength, self.temperature)

    @property
    def shift_invariant(self) -> bool:  # type: ignore[override]
        """As the loss is."""
        return self.loss.shift_invariant

    @property
    def several_outputs(self) -> bool:  # type: ignore[override]
        """As the loss does."""
        return self.loss.several_outputs

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """As the loss is."""
        return self.loss.stochastic

    @property
    def reference(self) -> str:  # type: ignore[override]
        """That of the reweighting."""
        return (
            "Sow et al., 'Dynamic loss-based sample reweighting for improved large language model "
            "pretraining', ICLR 2025"
        )

    def outputs(self, highest_label: float) -> int:
        """As the loss says."""
        return self.loss.outputs(highest_label)

    def relevance(self, outputs: Tensor) -> Tensor:
        """As the loss says."""
        return self.loss.relevance(outputs)

    def _values(self, batch: Scored) -> ListValues:
        values, informative = self.loss._values(batch)
        weights = torch.zeros_like(values)
        known = values[informative]
        # The mean over n lists follows, so each weight is taken n times.
        weights[informative] = self._reweighting().weights(known) * len(known)
        return ListValues(values * weights, informative)
