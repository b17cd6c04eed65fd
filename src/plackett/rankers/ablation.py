"""What a feature is worth: how far the measure falls when its values are shuffled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.metrics.base import Measure
from plackett.metrics.bootstrap import bootstrap_interval
from plackett.rankers.base import Ranker
from plackett.rankers.objective import MeanMeasure
from plackett.rankers.parameters import check_number

__all__ = ["Ablation", "FeatureWorth", "feature_ablation"]


@dataclass(frozen=True)
class FeatureWorth:
    """The mean loss of the measure without the feature, with its 95 % interval over queries."""

    feature: str
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Ablation:
    """The worth of every feature, greatest first; prints as a table.

    `value` is the measure with all features.
    """

    measure: str
    value: float
    features: tuple[FeatureWorth, ...]

    def to_json(self) -> str:
        """The ablation as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    def __str__(self) -> str:
        width = max([7, *(len(worth.feature) for worth in self.features)])
        lines = [f"{self.measure} = {self.value:.4f} with all features"]
        lines.append(f"{'without':<{width}}  {'loss':>8}  95 % interval")
        lines += [
            f"{worth.feature:<{width}}  {worth.loss:>8.4f}  {worth.low:.4f} to {worth.high:.4f}"
            for worth in self.features
        ]
        return "\n".join(lines)


def feature_ablation(
    ranker: Ranker,
    dataset: RankingDataset,
    measure: str | Measure | None = None,
    *,
    repeats: int = 3,
    seed: int = 0,
) -> Ablation:
    """Shuffle one feature at a time over all rows, and see how far the measure falls.

    Nothing is trained anew: a feature whose content another one has as well loses little (Breiman,
    "Random forests", Machine Learning, 2001). Use rows that the ranker has not been trained on.

    Parameters
    ----------
    measure : by default the ranker's own.
    repeats : shuffles of each feature, which are averaged.

    >>> from plackett.rankers import LinearRanker
    >>> X = np.array([[3.0, 5.0], [1.0, 5.0], [2.0, 5.0]] * 10, dtype=np.float32)
    >>> data = RankingDataset(X, y=[2, 0, 1] * 10, qid=np.repeat(np.arange(10), 3))
    >>> ranker = LinearRanker(normalisation="none").fit(data)
    >>> found = feature_ablation(ranker, data)
    >>> found.features[0].feature, found.features[0].loss > 0, found.features[1].loss
    ('1', True, 0.0)
    """
    check_number("repeats", repeats, low=1, integer=True)
    mean = MeanMeasure(measure or ranker.measure, dataset.y, dataset.offsets, dataset.order)
    sign = 1.0 if mean.measure.higher_is_better else -1.0
    whole = mean.per_query(ranker.predict(dataset))
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(dataset)) for _ in range(repeats)]
    found: list[FeatureWorth] = []
    X = np.array(dataset.X)  # `changed` reads it; one column at a time is not the dataset's
    changed = RankingDataset.from_columns(dataset.columns._replace(X=X), missing=dataset.missing)
    for f, name in enumerate(dataset.feature_names):
        lost = np.zeros_like(whole)
        for order in orders:
            X[:, f] = dataset.X[order, f]
            lost += sign * (whole - mean.per_query(ranker.predict(changed))) / repeats
        X[:, f] = dataset.X[:, f]
        interval = bootstrap_interval(lost, seed=seed)
        found.append(FeatureWorth(name, float(lost.mean()), interval.low, interval.high))
    found.sort(key=lambda worth: -worth.loss)
    return Ablation(repr(mean.measure), float(whole.mean()), tuple(found))
