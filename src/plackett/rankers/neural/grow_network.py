"""The network of GrowNet: a sum of small networks, each of which reads the one before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from plackett.rankers.neural.networks import InputLayer

__all__ = ["GrowNetwork"]


class _Norm(nn.BatchNorm1d):
    """Batch normalisation; a batch of one document is normalised as in prediction."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        if self.training and len(input) == 1:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(input)


class _Stage(nn.Module):
    """One small network: documents to its penultimate layer and its output."""

    def __init__(self, inputs: int, hidden: int, first: bool) -> None:
        super().__init__()
        self.before: nn.Module = nn.Identity() if first else _Norm(inputs)
        self.body = nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(0.1), _Norm(hidden), nn.Linear(hidden, hidden)
        )
        self.last = nn.Linear(hidden, 1)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(self.before(rows))
        return hidden, self.last(torch.relu(hidden)).squeeze(1)


class GrowNetwork(nn.Module):
    """The sum of the stages in use; the others wait for their turn."""

    start: Tensor
    used: Tensor

    def __init__(self, first: InputLayer, hidden: int, stages: int) -> None:
        super().__init__()
        self.first = first
        self.stages = nn.ModuleList(
            _Stage(first.width + (hidden if k else 0), hidden, k == 0) for k in range(stages)
        )
        self.rate = nn.Parameter(torch.ones(()))
        self.register_buffer("start", torch.zeros(()))
        self.register_buffer("used", torch.zeros((), dtype=torch.int64))

    def up_to(self, rows: Tensor, stages: int) -> tuple[Tensor, Tensor]:
        """The score after so many stages, `[N]`, and what the next stage reads."""
        inputs = self.first(rows)
        total, following = inputs.new_zeros(len(rows)), inputs
        for stage in list(self.stages)[:stages]:
            hidden, output = stage(following)
            total = total + output
            following = torch.cat([inputs, hidden], dim=1)
        return self.start + self.rate * total, following

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        return self.up_to(rows, int(self.used))[0]
