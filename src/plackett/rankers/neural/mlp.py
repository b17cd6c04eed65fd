"""A feed-forward network: each document by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.networks import InputLayer, activation, layers
from plackett.rankers.parameters import check_number
from plackett.rankers.registry import register

__all__ = ["MLP"]


class _Network(nn.Module):
    def __init__(self, first: InputLayer, body: nn.Sequential, width: int, outputs: int) -> None:
        super().__init__()
        self.first, self.body = first, body
        self.last = nn.Linear(width, outputs)

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        scores: Tensor = self.last(self.body(self.first(rows)))
        return scores.squeeze(1) if scores.shape[1] == 1 else scores


@register
@dataclass(kw_only=True, eq=False, repr=False)
class MLP(NeuralRanker):
    """A feed-forward network that scores each document by itself.

    Parameters
    ----------
    hidden : the widths of the hidden layers.
    function : their activation: "relu", "gelu", "silu", "tanh" or "leaky_relu".
    dropout : the share of hidden values dropped in training.

    The others are those of every neural ranker: `plackett.rankers.neural.NeuralRanker`.

    >>> import numpy as np
    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = MLP(hidden=(8,), loss="ListNet", epochs=20, learning_rate=0.05).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    contextual: ClassVar[bool] = False

    hidden: tuple[int, ...] = (128, 64)
    function: str = "relu"
    dropout: float = 0.1

    def check_parameters(self) -> None:
        super().check_parameters()
        for width in self.hidden:
            check_number("hidden", width, low=1, integer=True)
        check_number("dropout", self.dropout, low=0, high=0.99)
        activation(self.function)

    def _network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        first = InputLayer(inputs.n_numeric, inputs.sizes, self.embedding, self.multiplexed)
        body, width = layers(first.width, self.hidden, function=self.function, dropout=self.dropout)
        return _Network(first, body, width, outputs)
