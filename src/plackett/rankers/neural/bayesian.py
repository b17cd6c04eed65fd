"""Scores with their uncertainty: dropout on the last hidden layer, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.losses.pointwise import safe_root
from plackett.metrics.risk import risk_aware_scores
from plackett.rankers.neural.base import PREDICTED_AT_ONCE
from plackett.rankers.neural.batches import Batch, Lists
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.mlp import MLP
from plackett.rankers.neural.networks import InputLayer, layers
from plackett.rankers.parameters import check_choice, check_number
from plackett.rankers.registry import register

__all__ = ["BayesianMLP"]

Floats = npt.NDArray[np.float64]


class _Network(nn.Module):
    def __init__(self, first: InputLayer, body: nn.Sequential, width: int, rate: float) -> None:
        super().__init__()
        self.first, self.body, self.rate = first, body, rate
        self.last = nn.Linear(width, 1)

    def hidden(self, rows: Tensor) -> Tensor:
        """The last hidden layer, before dropout: `[N, width]`."""
        values: Tensor = self.body(self.first(rows))
        return values

    def forward(self, rows: Tensor, where: Tensor) -> Tensor:
        kept = nn.functional.dropout(self.hidden(rows), self.rate, self.training)
        scores: Tensor = self.last(kept).squeeze(1)
        return scores

    def moments(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and variance of the score under dropout, `[N]` each."""
        hidden = self.hidden(rows)
        mean = self.last(hidden).squeeze(1)
        products = hidden * self.last.weight[0]
        return mean, self.rate / (1.0 - self.rate) * (products**2).sum(dim=1)

    def sampled(self, rows: Tensor, kept: Tensor) -> Tensor:
        """Scores under drawn masks of the last hidden layer, `[S, N]`.

        Parameters
        ----------
        kept : `bool[S, width]`, the same units for all documents, or `bool[S, N, width]`.
        """
        products = self.hidden(rows) * self.last.weight[0] / (1.0 - self.rate)
        masks = kept.to(products)
        if masks.ndim == 2:
            return masks @ products.T + self.last.bias
        return (masks * products).sum(dim=2) + self.last.bias


@register
@dataclass(kw_only=True, eq=False, repr=False)
class BayesianMLP(MLP):
    """A feed-forward network that says how sure it is, and can rank by the risk.

    Dropout at rate p on the last hidden layer h, kept on in prediction, makes each score random.
    With the last layer's weights w and bias b its moments need no sampling:

        mean = h w + b        variance = p / (1 - p) * sum_i (h_i w_i)^2

    With `risk`, documents are ranked by the conditional value at risk of a Gaussian with these
    moments (`plackett.metrics.risk.risk_aware_scores`): the mean of the worst share `risk` of the
    score, which holds back documents that are good only perhaps; or of the best share.
    `plackett.metrics.expected_ranking_calibration_error` measures whether the uncertainty is right.

    Cohen, Mitra, Lesota, Rekabsaz, Eickhoff, "Not all relevance scores are equal: efficient
    uncertainty and calibration modeling for deep retrieval models", SIGIR 2021.

    Parameters
    ----------
    dropout : p, above 0; the other layers have none.
    risk : the share alpha, above 0 and at most 1; None ranks by the mean, as 1 does.
    tail : "lower" for the worst share, "upper" for the best.

    The others are those of `MLP`. The loss must have one output a document.

    >>> import numpy as np
    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = BayesianMLP(hidden=(8,), loss="ListNet", epochs=20, learning_rate=0.05)
    >>> mean, variance = ranker.fit(train).predict_distribution(train)
    >>> np.argsort(-mean[:3]), bool((variance > 0).all())
    (array([0, 2, 1]), True)
    """

    risk: float | None = None
    tail: Literal["lower", "upper"] = "lower"

    def check_parameters(self) -> None:
        super().check_parameters()
        check_number("dropout", self.dropout, low=0, high=0.99, above=True)
        if self.risk is not None:
            check_number("risk", self.risk, low=0, high=1, above=True)
        check_choice("tail", self.tail, ("lower", "upper"))

    def _network(self, inputs: InputTransform, outputs: int) -> nn.Module:
        if outputs != 1:
            raise ConfigurationError(
                f"loss={self.loss!r} has {outputs} outputs a document; "
                "BayesianMLP needs a loss with one."
            )
        first = InputLayer(inputs.n_numeric, inputs.sizes, self.embedding, self.multiplexed)
        body, width = layers(first.width, self.hidden, function=self.function, dropout=0.0)
        return _Network(first, body, width, self.dropout)

    def _list_scores(self, network: nn.Module, batch: Batch) -> Tensor:
        if self.risk is None:
            return super()._list_scores(network, batch)
        mean, variance = cast(_Network, network).moments(batch.rows)
        step = float(risk_aware_scores([0.0], [1.0], self.risk, tail=self.tail)[0])
        return mean.float() + step * safe_root(variance.float())

    @torch.no_grad()
    def predict_distribution(self, dataset: RankingDataset) -> tuple[Floats, Floats]:
        """The mean and variance of every row's score, `float64[rows]` each, whatever `risk` is.

        Raises
        ------
        NotFittedError, DataError : as `predict`.
        """
        self._check_usable(dataset)
        network = cast(_Network, self.network_).eval()
        mean, variance = np.zeros(len(dataset.X)), np.zeros(len(dataset.X))
        for rows, inputs in self._inputs_of(dataset):
            found = network.moments(inputs)
            mean[rows], variance[rows] = (part.double().cpu().numpy() for part in found)
        return mean, variance

    @torch.no_grad()
    def sample_scores(
        self, dataset: RankingDataset, *, samples: int = 100, seed: int = 0, shared: bool = True
    ) -> Floats:
        """Scores drawn under dropout, `float64[samples, rows]`.

        Parameters
        ----------
        shared : one mask scores all documents of a draw, as one network drawn from the posterior
            does, so that their scores move together; otherwise each document has its own mask. The
            moments of a single score are the same, the probability that one document beats another
            is not: `predict_distribution` read as independent Gaussians is the latter.

        Raises
        ------
        NotFittedError, DataError : as `predict`.
        """
        check_number("samples", samples, low=1, integer=True)
        self._check_usable(dataset)
        network = cast(_Network, self.network_).eval()
        width = network.last.in_features
        generator = torch.Generator().manual_seed(seed)
        masks = torch.rand((samples, width), generator=generator) >= self.dropout
        scores = np.zeros((samples, len(dataset.X)))
        for rows, inputs in self._inputs_of(dataset):
            if shared:
                drawn = network.sampled(inputs, masks.to(inputs.device))
                scores[:, rows] = drawn.double().cpu().numpy()
                continue
            for sample in range(samples):
                own = torch.rand((1, len(inputs), width), generator=generator) >= self.dropout
                drawn = network.sampled(inputs, own.to(inputs.device))
                scores[sample, rows] = drawn[0].double().cpu().numpy()
        return scores

    def _inputs_of(self, dataset: RankingDataset) -> list[tuple[npt.NDArray[np.int64], Tensor]]:
        """The rows and inputs of the dataset, in batches."""
        if len(dataset.X) == 0:
            return []
        lists = Lists(dataset, self.inputs_, self._torch_device())
        return [
            (batch.order if lists.order is None else lists.order[batch.order], batch.rows)
            for batch in lists.in_order(PREDICTED_AT_ONCE)
        ]
