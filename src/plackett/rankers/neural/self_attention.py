"""The context-aware ranker: documents of a list attend to one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from plackett.rankers.neural.batches import as_flat
from plackett.rankers.neural.encoder import EncoderRanker
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.networks import InputLayer
from plackett.rankers.parameters import check_choice, check_number
from plackett.rankers.registry import register

__all__ = ["SelfAttention"]


def sinusoids(positions: int, width: int) -> Tensor:
    """The fixed position vectors of "Attention is all you need": `[positions, width]`."""
    rates = torch.exp(torch.arange(0, width, 2) * (-torch.log(torch.tensor(10_000.0)) / width))
    angles = torch.arange(positions)[:, None] * rates[None, :]
    table = torch.zeros(positions, width)
    table[:, 0::2], table[:, 1::2] = torch.sin(angles), torch.cos(angles)[:, : width // 2]
    return table


class ContextNetwork(nn.Module):
    """Inputs, shared layers, optional positions of the first-stage order, blocks, a linear end."""

    def __init__(
        self,
        first: InputLayer,
        body: nn.Sequential,
        blocks: nn.ModuleList,
        width: int,
        outputs: int,
        positions: str,
        longest: int,
    ) -> None:
        super().__init__()
        self.first, self.body, self.blocks = first, body, blocks
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, outputs)
        self.position: nn.Embedding | None = None
        if positions != "none":
            self.position = nn.Embedding(longest, width)
            self.fixed = positions == "fixed"
            if self.fixed:
                self.position.weight.requires_grad_(False)

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        hidden = self.body(self.first(rows))
        if self.position is not None:
            rank = torch.arange(where.shape[1], device=where.device).expand(where.shape)
            rank = as_flat(rank, where, len(rows)).clamp(max=self.position.num_embeddings - 1)
            hidden = hidden * hidden.shape[1] ** 0.5 + self.position(rank)
        for block in self.blocks:
            hidden = block(hidden, where)
        scores: Tensor = self.last(self.norm(hidden))
        return scores.squeeze(1) if scores.shape[1] == 1 else scores


@register
@dataclass(kw_only=True, eq=False, repr=False)
class SelfAttention(EncoderRanker):
    """The context-aware ranker: a transformer encoder over the documents of a list.

    Pobrotyn, Bartczak, Synowiec, Białobrzeski, Bojar, "Context-aware learning to rank with
    self-attention", SIGIR eCom 2020. Without positions the scores do not depend on the order of the
    documents; with positions it re-ranks the order in which the dataset has them.

    Parameters
    ----------
    hidden : the widths of the layers before attention; the last is the width of the encoder.
    blocks, heads, feed_forward : of the encoder.
    dropout : in the encoder and after the layers before it.
    positions : "none", "fixed" (sinusoids) or "learned": of the rows' order in the dataset.
    longest_position : later documents share the last position.

    The others are those of every neural ranker: `plackett.rankers.neural.NeuralRanker`.

    >>> import numpy as np
    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = SelfAttention(hidden=(16,), blocks=1, heads=2, feed_forward=32, epochs=40,
    ...                        learning_rate=0.01).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    positions: Literal["none", "fixed", "learned"] = "none"
    longest_position: int = 1000

    def check_parameters(self) -> None:
        super().check_parameters()
        check_number("longest_position", self.longest_position, low=1, integer=True)
        check_choice("positions", self.positions, ("none", "fixed", "learned"))

    def _network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        return ContextNetwork(*self._parts(inputs), outputs, self.positions, self.longest_position)

    def _fresh_network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        network = super()._fresh_network(inputs, outputs)
        if self.positions == "fixed" and isinstance(network, ContextNetwork):
            table = sinusoids(self.longest_position, self.hidden[-1])
            network.load_state_dict({"position.weight": table}, strict=False)
        return network
