"""The set ranker: context from the whole list at a cost linear in its length."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from plackett.errors import ConfigurationError
from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.networks import InputLayer, layers
from plackett.rankers.neural.self_attention import ContextNetwork
from plackett.rankers.neural.set_attention import InducedBlock
from plackett.rankers.parameters import check_number
from plackett.rankers.registry import register

__all__ = ["SetRanker"]


@register
@dataclass(kw_only=True, eq=False, repr=False)
class SetRanker(NeuralRanker):
    """A permutation-equivariant ranker whose documents meet through a few learned points.

    In each block `inducing` learned points attend to the documents of the list, and the documents
    to the points: O(documents * inducing) instead of the O(documents^2) of `SelfAttention`, so that
    lists of thousands of documents fit. Permuting the documents permutes the scores.

    Pang, Xu, Ai, Lan, Cheng, Wen, "SetRank: Learning a permutation-invariant ranking model for
    information retrieval", SIGIR 2020; Lee et al., "Set Transformer", ICML 2019.

    Parameters
    ----------
    hidden : the widths of the layers before attention; the last is the width of the encoder.
    blocks, heads, feed_forward : of the encoder.
    inducing : how many learned points a block has.
    dropout : in the encoder and after the layers before it.

    The others are those of every neural ranker: `plackett.rankers.neural.NeuralRanker`.

    >>> import numpy as np
    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = SetRanker(hidden=(16,), blocks=1, heads=2, feed_forward=32, inducing=4, epochs=10,
    ...                    learning_rate=0.01).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    hidden: tuple[int, ...] = (128,)
    blocks: int = 2
    heads: int = 2
    feed_forward: int = 256
    inducing: int = 20
    dropout: float = 0.1

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.hidden:
            raise ConfigurationError("hidden=(); expected at least the width of the encoder.")
        for width in self.hidden:
            check_number("hidden", width, low=1, integer=True)
        for name, low in (("blocks", 0), ("heads", 1), ("feed_forward", 1), ("inducing", 1)):
            check_number(name, getattr(self, name), low=low, integer=True)
        check_number("dropout", self.dropout, low=0, high=0.99)
        if self.hidden[-1] % self.heads:
            raise ConfigurationError(
                f"heads={self.heads} does not divide the encoder's width {self.hidden[-1]}."
            )

    def _network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        first = InputLayer(inputs.n_numeric, inputs.sizes, self.embedding, self.multiplexed)
        body, width = layers(first.width, self.hidden, function="relu", dropout=self.dropout)
        blocks = nn.ModuleList(
            InducedBlock(width, self.heads, self.feed_forward, self.inducing, self.dropout)
            for _ in range(self.blocks)
        )
        return ContextNetwork(first, body, blocks, width, outputs, "none", 1)
