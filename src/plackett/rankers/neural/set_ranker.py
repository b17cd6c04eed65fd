"""The set ranker: context from the whole list at a cost linear in its length."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from plackett.rankers.neural.encoder import EncoderRanker
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.self_attention import ContextNetwork
from plackett.rankers.neural.set_attention import InducedBlock
from plackett.rankers.parameters import check_number
from plackett.rankers.registry import register

__all__ = ["SetRanker"]


@register
@dataclass(kw_only=True, eq=False, repr=False)
class SetRanker(EncoderRanker):
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

    inducing: int = 20

    def check_parameters(self) -> None:
        super().check_parameters()
        check_number("inducing", self.inducing, low=1, integer=True)

    def _block(self, width: int) -> nn.Module:
        return InducedBlock(width, self.heads, self.feed_forward, self.inducing, self.dropout)

    def _network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        return ContextNetwork(*self._parts(inputs), outputs, "none", 1)
