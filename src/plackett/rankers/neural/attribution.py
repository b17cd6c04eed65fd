"""Which features a network's score comes from: integrated gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plackett.data.dataset import RankingDataset
from plackett.rankers.explain import Contributions
from plackett.rankers.neural.batches import Batch, Lists
from plackett.rankers.neural.inputs import InputTransform

if TYPE_CHECKING:
    from plackett.rankers.neural.base import NeuralRanker

__all__ = ["first_layer_norms", "integrated_gradients"]

STEPS = 32


def integrated_gradients(ranker: NeuralRanker, dataset: RankingDataset) -> Contributions:
    """What each feature adds to each row's score, along the straight path from the mean input.

    `a_f = (x_f - x'_f) ∫ ∂s/∂x_f (x' + t (x - x')) dt` over the network's inputs, by the midpoint
    rule with 32 steps (Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML
    2017). The baseline x' is an input of zeros, a document of mean features; a category's baseline
    is the unknown value, reached in one step. Where the documents of a list are scored together,
    the path moves all of them, and a row's part for a feature sums what that feature of every
    document does to the row's score. The rounding of the rule is shared out so that base and parts
    sum to the score.
    """
    lists = Lists(dataset, ranker.inputs_, torch.device("cpu"))
    network = ranker.network_.to("cpu").eval()
    features = dataset.shape[1]
    parts = np.zeros((len(dataset), features))
    scores = np.zeros(len(dataset))
    base = 0.0
    for batch in lists.in_order(1):
        inputs, total, base = _of_list(ranker, network, batch)
        rows = batch.order if lists.order is None else lists.order[batch.order]
        parts[rows] = _by_feature(ranker.inputs_, inputs, features)
        scores[rows] = total
    residual = scores - base - parts.sum(axis=1)
    shares = np.abs(parts)
    weight = shares.sum(axis=1, keepdims=True)
    shares = np.where(weight > 0, shares / np.maximum(weight, 1e-300), 1.0 / features)
    return Contributions(parts + residual[:, None] * shares, base)


def _of_list(
    ranker: NeuralRanker, network: nn.Module, batch: Batch
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """The parts `[n, inputs]` and the scores `[n]` of one list, and the score of the baseline."""

    def score(rows: Tensor) -> Tensor:
        return ranker._list_scores(network, batch._replace(rows=rows)).double()

    target, codes = batch.rows, ranker.inputs_.n_numeric
    start = torch.zeros_like(target)
    # The codes of categories cannot move along a path: they jump, and get what the jump adds.
    jumped = target.clone()
    jumped[:, :codes] = 0.0
    with torch.no_grad():
        base, after_jump, final = score(start), score(jumped), score(target)
    parts = torch.zeros(target.shape, dtype=torch.float64)
    if len(ranker.inputs_.categories):
        count = len(ranker.inputs_.categories)
        parts[:, codes:] = ((after_jump - base) / count)[:, None]
    for step in range(STEPS):
        rows = jumped + (step + 0.5) / STEPS * (target - jumped)
        parts[:, :codes] += _gradients(ranker, score, rows, target)[:, :codes] / STEPS
    return parts.numpy(), final.numpy(), float(base[0])


def _gradients(ranker: NeuralRanker, score: object, rows: Tensor, target: Tensor) -> Tensor:
    """`sum_j ∂s_i/∂x_j · x_j` by input, `[n, inputs]`."""
    rows = rows.detach().requires_grad_(True)
    scores = score(rows)  # type: ignore[operator]
    if not ranker.contextual:
        (gradient,) = torch.autograd.grad(scores.sum(), rows)
        return (gradient * target).double()
    found = []
    for i in range(len(rows)):
        (gradient,) = torch.autograd.grad(scores[i], rows, retain_graph=i + 1 < len(rows))
        found.append((gradient * target).sum(dim=0))
    return torch.stack(found).double()


def _by_feature(
    inputs: InputTransform, parts: npt.NDArray[np.float64], features: int
) -> npt.NDArray[np.float64]:
    """Parts of inputs as parts of features: an indicator's belongs to its feature."""
    summed = np.zeros((len(parts), features))
    summed[:, inputs.numbers] = parts[:, : len(inputs.numbers)]
    owners = inputs.numbers[inputs.indicators]
    np.add.at(summed.T, owners, parts[:, len(inputs.numbers) : inputs.n_numeric].T)
    summed[:, inputs.categories] += parts[:, inputs.n_numeric :]
    return summed


def first_layer_norms(ranker: NeuralRanker) -> dict[str, float]:
    """The root mean square weight that leaves each feature's inputs, greatest first."""
    inputs = ranker.inputs_
    weights = _first_weights(ranker.network_, inputs.n_inputs)
    squares = np.zeros(len(ranker.feature_names_))
    np.add.at(squares, inputs.numbers, weights[: len(inputs.numbers)])
    owners = inputs.numbers[inputs.indicators]
    np.add.at(squares, owners, weights[len(inputs.numbers) : inputs.n_numeric])
    width = (len(weights) - inputs.n_numeric) // max(len(inputs.categories), 1)
    for position, column in enumerate(inputs.categories):
        start = inputs.n_numeric + position * width
        squares[column] += weights[start : start + width].sum()
    values = np.sqrt(squares)
    order = np.argsort(-values, kind="stable")
    return {ranker.feature_names_[f]: float(values[f]) for f in order}


def _first_weights(network: nn.Module, inputs: int) -> npt.NDArray[np.float64]:
    """The mean square weight of each input of the first linear layer that reads the inputs."""
    for module in network.modules():
        if isinstance(module, nn.Linear) and module.in_features >= inputs:
            weight = module.weight.detach().cpu().double()
            squares: npt.NDArray[np.float64] = (weight**2).mean(dim=0).numpy()
            return squares
    return np.zeros(inputs)
