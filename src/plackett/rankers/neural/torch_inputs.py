"""The input transform as a network layer, so that an exported model takes raw features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from plackett.rankers.neural.inputs import FARTHEST, QUANTILES, InputTransform

__all__ = ["TorchInputs"]


class TorchInputs(nn.Module):
    """`InputTransform.apply` for the documents of one list: `[N, features] -> [N, inputs]`."""

    numbers: Tensor
    indicators: Tensor
    centre: Tensor
    factor: Tensor
    own: Tensor
    marks: Tensor

    def __init__(self, inputs: InputTransform) -> None:
        super().__init__()
        self.kind = inputs.kind
        self.register_buffer("numbers", torch.from_numpy(inputs.numbers))
        self.categories = inputs.categories.tolist()
        self.register_buffer("indicators", torch.from_numpy(inputs.indicators))
        width = torch.from_numpy(inputs.width).double()
        factor = torch.where(width > 0, 1 / width.clamp(min=1e-300), torch.zeros_like(width))
        self.register_buffer("centre", torch.from_numpy(inputs.centre).double())
        self.register_buffer("factor", factor)
        self.register_buffer("own", torch.from_numpy(~inputs.query_level))
        self.register_buffer("marks", torch.from_numpy(inputs.quantiles).double())
        for position, values in enumerate(inputs.values):
            self.register_buffer(f"values_{position}", torch.from_numpy(values))

    def forward(self, rows: Tensor) -> Tensor:
        numbers = rows.index_select(1, self.numbers).double()
        missing = torch.isnan(numbers)
        known = torch.where(missing, torch.zeros_like(numbers), numbers)
        scaled = torch.where(missing, torch.zeros_like(known), self._scaled(known, missing))
        parts = [scaled.float(), missing.index_select(1, self.indicators).float()]
        for position, column_number in enumerate(self.categories):
            column = rows[:, column_number].double()
            equal = column[:, None] == getattr(self, f"values_{position}")[None, :]
            codes = torch.arange(1, equal.shape[1] + 1, device=rows.device)
            parts.append((equal * codes).sum(dim=1, keepdim=True).float())
        return torch.cat(parts, dim=1)

    def _scaled(self, numbers: Tensor, missing: Tensor) -> Tensor:
        if self.kind == "none":
            return numbers
        if self.kind == "quantile":
            return self._quantiles(numbers)
        if self.kind == "log1p":
            numbers = torch.sign(numbers) * torch.log1p(numbers.abs())
        scaled = (numbers - self.centre) * self.factor
        if self.kind == "query":
            scaled = torch.where(self.own, _standardised(numbers, ~missing), scaled)
        return scaled.clamp(-FARTHEST, FARTHEST)

    def _quantiles(self, numbers: Tensor) -> Tensor:
        """Each segment between two quantiles adds its share, an empty one by a step."""
        below, above = self.marks[:-1], self.marks[1:]
        width = above - below
        offset = numbers[:, None, :] - below
        slope = (offset / torch.where(width > 0, width, torch.ones_like(width))).clamp(0, 1)
        share = torch.where(width > 0, slope, (torch.sign(offset) + 1) / 2)
        level = 2 * share.sum(dim=1) / (QUANTILES - 1) - 1
        return torch.where(self.marks[0] < self.marks[-1], level, torch.zeros_like(level))


def _standardised(numbers: Tensor, known: Tensor) -> Tensor:
    """Standard scores over the rows; 0 where all are equal."""
    count = known.sum(dim=0).clamp(min=1)
    centred = (numbers - numbers.sum(dim=0) / count) * known
    width = ((centred**2).sum(dim=0) / count).sqrt()
    largest = (numbers.abs() * known).amax(dim=0)
    flat = width <= 1e-7 * largest
    return torch.where(flat, torch.zeros_like(centred), centred / torch.where(flat, 1.0, width))
