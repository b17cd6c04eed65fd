"""Several trained networks as one: the mean of their weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError
from plackett.losses.registry import parse_loss
from plackett.metrics.base import Measure
from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.objective import MeanMeasure

__all__ = ["greedy_soup", "uniform_soup"]

Network = TypeVar("Network", bound=NeuralRanker)

# Every neural ranker's parameters that shape the network or its inputs; the others train it.
SHAPING = (
    "transform",
    "categorical",
    "embedding",
    "multiplexed",
    "query_features",
    "missing_indicators",
)
TRAINING = {field.name for field in fields(NeuralRanker)} - set(SHAPING)


def uniform_soup(rankers: Sequence[Network]) -> Network:
    """A ranker whose weights are the mean of those of trained networks.

    It costs no more to use than one of them. That the mean is any good holds for networks that
    started from the same weights and parted late: fine-tunings of one network, or trainings with
    one seed and other learning rates or losses. Networks from different seeds do not average.

    The networks must be alike, which is checked: the same class, parameters of the architecture,
    features, fitted input transform and shapes of weights. What only concerns the training, such
    as the learning rate, may differ, and so may the loss where a document has one output. To have
    the same transform, train all on the same rows. What is no weight comes from the first ranker.

    Raises
    ------
    DataError : no ranker, networks that are not alike, or ones that keep statistics of batches.
    NotFittedError : one is not fitted.

    Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy
    without increasing inference time", ICML 2022.

    >>> from plackett.rankers.neural import MLP
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> rankers = [
    ...     MLP(hidden=(), loss="ListNet", epochs=5, learning_rate=rate).fit(train)
    ...     for rate in (0.01, 0.03)
    ... ]
    >>> mean = np.mean([ranker.predict(train) for ranker in rankers], axis=0)
    >>> bool(np.allclose(uniform_soup(rankers).predict(train), mean, atol=1e-6))
    True
    """
    if not rankers:
        raise DataError("no ranker", expected="at least one trained network")
    for position, ranker in enumerate(rankers):
        _check_alike(rankers[0], ranker, position)
    first = rankers[0]
    made = copy.copy(first)
    made.network_ = copy.deepcopy(first.network_)
    states = [ranker.network_.state_dict() for ranker in rankers]
    with torch.no_grad():
        for name, value in made.network_.state_dict().items():
            if value.is_floating_point():
                value.copy_(_mean([state[name].to(value.device) for state in states]))
    made.network_.eval()
    made.epochs_ = max(ranker.epochs_ for ranker in rankers)
    made.history_, made.records_ = (), ()
    return made


def greedy_soup(
    rankers: Sequence[Network], valid: RankingDataset, measure: str | Measure = "nDCG@10"
) -> Network:
    """The mean of those trained networks that help on `valid`, tried from the best to the worst.

    The best network starts the soup; each further one stays if the measure of the mean is then not
    worse. On `valid` the soup is hence never worse than the best network.

    Parameters
    ----------
    measure : lower values count as better where the measure says so.

    Returns
    -------
    A ranker as `uniform_soup` gives, with the parameters of the best one. `records_` has a row for
    each network in the order of trial: its position in `rankers`, the measure of the soup with it,
    and whether it stayed.

    Raises
    ------
    DataError, NotFittedError : as `uniform_soup`; or `valid` does not fit the rankers.

    >>> from plackett.rankers.neural import MLP
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> rankers = [
    ...     MLP(hidden=(), loss=loss, epochs=5, learning_rate=0.03).fit(train)
    ...     for loss in ("ListNet", "RankNet")
    ... ]
    >>> soup = greedy_soup(rankers, train)
    >>> [row["kept"] for row in soup.records_]
    [True, True]
    """
    uniform_soup(rankers)  # its checks, before anything is measured
    objective = MeanMeasure(measure, valid.y, valid.offsets, valid.order)
    values = [objective(ranker.predict(valid)) for ranker in rankers]
    tried: list[int] = np.argsort(-np.array(values), kind="stable").tolist()
    soup = uniform_soup([rankers[tried[0]]])
    kept, best = [tried[0]], values[tried[0]]
    sign = 1.0 if objective.measure.higher_is_better else -1.0
    records = [{"network": tried[0], "measure": sign * best, "kept": True}]
    for position in tried[1:]:
        candidate = uniform_soup([rankers[other] for other in (*kept, position)])
        value = objective(candidate.predict(valid))
        records.append({"network": position, "measure": sign * value, "kept": value >= best})
        if value >= best:
            soup, best = candidate, value
            kept.append(position)
    soup.records_ = tuple(records)
    return soup


def _mean(values: list[Tensor]) -> Tensor:
    """In float64, so that the mean of equal values is that value."""
    return torch.stack([value.double() for value in values]).mean(dim=0)


def _check_alike(first: NeuralRanker, ranker: NeuralRanker, position: int) -> None:
    """Raise DataError with the first difference of two rankers that matters."""
    for each in (first, ranker):
        if not isinstance(each, NeuralRanker):
            raise DataError(f"a {type(each).__name__}", expected="a neural ranker")
        each._check_fitted()
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in first.network_.modules()):
        raise DataError(
            f"{first!r}, which keeps statistics of its batches",
            expected="networks that have weights only",
        )
    difference = _difference(first, ranker)
    if difference is not None:
        raise DataError(
            f"networks 0 and {position} with different {difference}",
            expected="trained networks of one architecture, with one input transform",
            remedy="train them on the same rows, and change only what concerns the training",
        )


def _difference(first: NeuralRanker, other: NeuralRanker) -> str | None:
    """What two fitted rankers differ in, if they do."""
    if type(first) is not type(other):
        return "classes"
    ours, theirs = first.get_params(), other.get_params()
    for name in ours:
        if name not in TRAINING and ours[name] != theirs[name]:
            return f"{name}={ours[name]!r} and {name}={theirs[name]!r}"
    if first.outputs_ != other.outputs_:
        return "numbers of outputs"
    if first.outputs_ != 1 and parse_loss(first.loss) != parse_loss(other.loss):
        return "losses of several outputs"
    if (first.feature_names_, first.missing_) != (other.feature_names_, other.missing_):
        return "features"
    own, others = first.inputs_.state(), other.inputs_.state()
    if own.keys() != others.keys() or any(
        not np.array_equal(own[name], others[name], equal_nan=True) for name in own
    ):
        return "input transforms"
    shapes = [
        {name: value.shape for name, value in ranker.network_.state_dict().items()}
        for ranker in (first, other)
    ]
    return None if shapes[0] == shapes[1] else "shapes of weights"
