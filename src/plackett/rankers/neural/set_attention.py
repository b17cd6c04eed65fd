"""Attention through a few learned points: every document sees its whole list in linear time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from plackett.rankers.neural.batches import as_flat, as_padded
from plackett.rankers.neural.networks import FeedForward

__all__ = ["CrossAttention", "InducedBlock"]


class CrossAttention(nn.Module):
    """Multi-head attention of some vectors of each list to others.

    `queries[B, Q, d], keys[B, K, d] -> [B, Q, d]`, the keys under `where[B, K]`; None: all of them.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.ask = nn.Linear(width, width)
        self.project = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, queries: Tensor, keys: Tensor, where: Tensor | None) -> Tensor:
        lists, asked, width = queries.shape
        each = width // self.heads
        query = self.ask(queries).view(lists, asked, self.heads, each).transpose(1, 2)
        both = self.project(keys).view(lists, keys.shape[1], 2, self.heads, each)
        key, value = both.permute(2, 0, 3, 1, 4)  # each [B, heads, K, d / heads]
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=None if where is None else where[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(lists, asked, width))
        return out


class InducedBlock(nn.Module):
    """A pre-norm induced set-attention block over each list: `[N, d] -> [N, d]`.

    Learned points attend to the documents, which gives a summary of the list of fixed size; the
    documents attend to the summary. Time and memory are O(documents * points), and the order of the
    documents plays no part.

    Lee et al., "Set Transformer", ICML 2019 (ISAB).
    """

    def __init__(self, width: int, heads: int, hidden: int, points: int, dropout: float) -> None:
        super().__init__()
        self.points = nn.Parameter(torch.empty(points, width))
        nn.init.xavier_uniform_(self.points)
        self.gather = CrossAttention(width, heads, dropout)
        self.spread = CrossAttention(width, heads, dropout)
        self.summarise = FeedForward(width, hidden, dropout)
        self.feed_forward = FeedForward(width, hidden, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        documents = as_padded(self.norms[0](rows), where)  # [B, L, d]
        seen = None if len(rows) == where.numel() else where
        points = self.points.to(documents.dtype).expand(where.shape[0], *self.points.shape)
        summary = points + self.dropout(self.gather(points, documents, seen))  # [B, points, d]
        summary = summary + self.dropout(self.summarise(self.norms[1](summary)))
        mixed = self.spread(documents, self.norms[2](summary), None)
        rows = rows + self.dropout(as_flat(mixed, where, len(rows)))
        out: Tensor = rows + self.dropout(self.feed_forward(self.norms[3](rows)))
        return out
