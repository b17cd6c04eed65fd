"""The parts that networks are made of: inputs, feed-forward layers, attention within a list.

Every scoring network is called `network(rows, where)` with the documents of a batch of lists,
`rows: float32[N, inputs]`, and `where: bool[B, L]`; it gives `float32[N]`, or `[N, K]` for a loss
with K outputs a document. Only attention looks at the rectangle `[B, L]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from plackett.errors import UnknownNameError
from plackett.rankers.neural.batches import as_flat, as_padded
from plackett.rankers.neural.dropout import Dropout, RectifiedDropout, dropped

__all__ = [
    "ACTIVATIONS",
    "Attention",
    "EncoderBlock",
    "FeedForward",
    "InputLayer",
    "initialise",
    "layers",
]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "leaky_relu": nn.LeakyReLU,
}


def activation(name: str) -> nn.Module:
    """The activation of this name."""
    if name not in ACTIVATIONS:
        raise UnknownNameError("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


class InputLayer(nn.Module):
    """Numbers as they are, and category codes as embeddings: `[N, inputs] -> [N, width]`.

    Parameters
    ----------
    numbers : how many of the first columns are numbers.
    sizes : how many codes each further column has.
    embedding : the width of an embedding.
    multiplexed : one table that all categorical columns share, each code hashed into it together
        with its column (Coleman et al., "Unified Embedding", NeurIPS 2023); its size, or None for a
        table a column.
    """

    def __init__(
        self, numbers: int, sizes: Sequence[int], embedding: int, multiplexed: int | None
    ) -> None:
        super().__init__()
        self.numbers, self.multiplexed = numbers, multiplexed
        tables = [multiplexed] if multiplexed is not None and sizes else list(sizes)
        self.tables = nn.ModuleList(nn.Embedding(int(size), embedding) for size in tables)
        self.columns = len(sizes)
        self.width = numbers + embedding * len(sizes)

    def forward(self, rows: Tensor) -> Tensor:
        if not self.columns:
            return rows
        parts = [rows[:, : self.numbers]]
        for column in range(self.columns):
            codes = rows[:, self.numbers + column].long()
            if self.multiplexed is None:
                parts.append(self.tables[column](codes))
            else:
                # Knuth's multiplier, with an offset a column: two columns rarely share a row.
                hashed = (codes + 1) * 2_654_435_761 + column * 40_503
                parts.append(self.tables[0](hashed % self.multiplexed))
        return torch.cat(parts, dim=1)


def layers(
    inputs: int, widths: Sequence[int], *, function: str, dropout: float
) -> tuple[nn.Sequential, int]:
    """Linear layers, each with its activation and dropout, and the width of the last."""
    parts: list[nn.Module] = []
    for width in widths:
        parts += [nn.Linear(inputs, width), *_activated(function, dropout)]
        inputs = width
    return nn.Sequential(*parts), inputs


def _activated(function: str, dropout: float) -> list[nn.Module]:
    """An activation and its dropout, as one module where that is faster."""
    if not dropout:
        return [activation(function)]
    if function == "relu":
        return [RectifiedDropout(dropout)]
    return [activation(function), Dropout(dropout)]


class FeedForward(nn.Sequential):
    """Linear, activation, dropout, linear: `[N, width] -> [N, width]`."""

    def __init__(self, width: int, hidden: int, dropout: float, function: str = "relu") -> None:
        super().__init__(
            nn.Linear(width, hidden), *_activated(function, dropout), nn.Linear(hidden, width)
        )


class Attention(nn.Module):
    """Multi-head attention of the documents of each list to one another: `[N, d] -> [N, d]`."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        full = rows.shape[0] == where.numel()
        lists, longest = where.shape
        width = rows.shape[1]
        parts = as_padded(self.project(rows), where)
        parts = parts.view(lists, longest, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each [B, heads, L, d / heads]
        mask = None if full else where[:, None, None, :]
        if self.training and self.dropout:
            mixed = _attended(query, key, value, mask, self.dropout)
        else:
            mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(lists, longest, width)
        out: Tensor = self.out(as_flat(mixed, where, rows.shape[0]))
        return out


def _attended(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """Scaled dot-product attention with dropout of its weights, which torch's fast paths lack."""
    weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        weights = weights + torch.zeros(mask.shape).to(weights).masked_fill(~mask, -1e9)
    return dropped(torch.softmax(weights, dim=-1), dropout) @ value


class EncoderBlock(nn.Module):
    """A pre-norm transformer block over each list: `[N, d] -> [N, d]`, without positions."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.feed_forward = FeedForward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        rows = rows + self.dropout(self.attention(self.norms[0](rows), where))
        out: Tensor = rows + self.dropout(self.feed_forward(self.norms[1](rows)))
        return out


def initialise(network: nn.Module) -> None:
    """Xavier-uniform matrices, zero biases, small embeddings; norms stay as they are."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1 / math.sqrt(module.embedding_dim))
