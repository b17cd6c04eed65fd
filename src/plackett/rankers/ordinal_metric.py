"""A metric in which documents of near grades are near, and ranking by the nearest ones' grades."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.errors import CorruptFileError
from plackett.metrics.base import Measure, parse_measure
from plackett.rankers.base import Ranker
from plackett.rankers.classical_scaling import grade_targets
from plackett.rankers.explain import Contributions
from plackett.rankers.normalisation import (
    NORMALISATIONS,
    Normalisation,
    Scale,
    fit_scale,
    normalised,
)
from plackett.rankers.objective import GroupedRows, MeanMeasure, grouped
from plackett.rankers.parameters import check_choice, check_number
from plackett.rankers.registry import register

__all__ = ["OrderMDS"]

MODEL = "metric.json"
TRIED = (0.25, 0.5, 1.0, 2.0, 4.0)  # of `neighbours`, with a validation set
PATHS = 4  # orders of the features in an explanation, each forth and back
ROWS_AT_ONCE = 1 << 15

Floats = npt.NDArray[np.float64]


class _Metric(NamedTuple):
    """The learned map and what it is compared with.

    `centre` and `map` are `float64[features]` and `float64[d, features]`: a row of normalised
    values x lies at map (x - centre). `points`, `float64[n, d]`, are distinct places of training
    rows, with `counts` rows of mean `grades` at each.
    """

    centre: Floats
    map: Floats
    points: Floats
    grades: Floats
    counts: Floats


@register
class OrderMDS(Ranker):
    """k nearest neighbours in a linear metric that places documents by their grades.

    Classical scaling gives every grade a target point, two of them |y_i - y_j|^power apart; the map
    L minimises sum_i |L x_i - z_i|^2 + ridge n |L|^2, which has the closed form
    L = Z' X (X' X + ridge n I)^-1 on centred, normalised features. The score of a document is the
    mean grade of its nearest training documents, each weighing 1 - (d / d_k)^2, d_k being the
    distance of the first neighbour that no longer counts. There is nothing to tune but `ridge` and
    `neighbours`, and training costs one pass over the data.

    Of the paper, this leaves out the term for distances inside a grade, which it does not define
    completely. A missing value counts as the feature's mean.

    Parameters
    ----------
    neighbours : how many training documents a score averages. With a validation set the best of
        1/4, 1/2, 1, 2 and 4 times as many by `measure`.
    power : of the grades' distances; 1 puts the grades on a line, 0.5 gives every step from grade
        to grade its own direction.
    ridge : the weight of |L|^2.
    normalisation : of the features, as in LinearRanker.
    dimensions : the most dimensions of the metric.
    references : keep at most so many training documents, drawn at random, to compare with.
    measure : what the choice of neighbours and `score` read.
    seed : of the draw of references, and of the paths of explanations.

    Attributes
    ----------
    neighbours_ : the number in use.
    history_ : the measure on the validation set for each number of neighbours that was tried.
    metric_ : `float64[features, features]`, A = L'L: the squared distance of two documents is
        (x - x')' A (x - x') in normalised features.

    Yu & Li, "Ordinal distance metric learning with MDS for image ranking", arXiv 1902.10284.

    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0, 1.0], [1.0, 1.0], [2.0, 1.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> OrderMDS(neighbours=1).fit(train).predict(train)[:3]
    array([2., 0., 1.], dtype=float32)
    """

    neighbours_: int
    history_: tuple[float, ...]
    scale_: Scale
    learned_: _Metric

    def __init__(
        self,
        *,
        neighbours: int = 100,
        power: float = 0.5,
        ridge: float = 1e-3,
        normalisation: Normalisation = "query_zscore",
        dimensions: int = 8,
        references: int = 50_000,
        measure: str | Measure = "nDCG@10",
        seed: int = 0,
    ) -> None:
        self.neighbours, self.power, self.ridge = neighbours, power, ridge
        self.normalisation, self.dimensions = normalisation, dimensions
        self.references, self.measure, self.seed = references, measure, seed

    def check_parameters(self) -> None:
        check_choice("normalisation", self.normalisation, NORMALISATIONS)
        for name in ("neighbours", "dimensions", "references"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("seed", self.seed, low=0, integer=True)
        check_number("power", self.power, low=0, high=1, above=True)
        check_number("ridge", self.ridge, low=0, above=True)
        parse_measure(self.measure)

    @property
    def metric_(self) -> Floats:
        """A = L'L."""
        self._check_fitted()
        return np.asarray(self.learned_.map.T @ self.learned_.map)

    def importance(self) -> dict[str, float]:
        """How far one unit of each normalised feature moves a document, greatest first."""
        self._check_fitted()
        lengths = np.sqrt(np.square(self.learned_.map).sum(axis=0))
        order = np.argsort(-lengths, kind="stable")
        return {self.feature_names_[f]: float(lengths[f]) for f in order}

    def _learn(self, train: RankingDataset, valid: RankingDataset | None) -> bool:
        scale = fit_scale(train.X)
        rows = grouped(train)
        Z = normalised(rows, self.normalisation, scale)
        targets = grade_targets(rows.y, power=self.power, dimensions=self.dimensions)
        centre, linear = _fit_map(Z, targets, self.ridge)
        chosen = np.arange(len(rows.y))
        if len(chosen) > self.references:
            rng = np.random.default_rng(self.seed)
            chosen = np.sort(rng.choice(len(chosen), size=self.references, replace=False))
        places = _embedded(Z[:, chosen], centre, linear)
        metric = _Metric(centre, linear, *_merged(places, rows.y[chosen]))
        neighbours, history = self.neighbours, tuple[float, ...]()
        if valid is not None:
            neighbours, history = self._best_neighbours(metric, scale, valid)
        self.neighbours_, self.history_, self.scale_, self.learned_ = (
            neighbours,
            history,
            scale,
            metric,
        )
        return True

    def _best_neighbours(
        self, metric: _Metric, scale: Scale, valid: RankingDataset
    ) -> tuple[int, tuple[float, ...]]:
        rows = grouped(valid)
        measure = MeanMeasure(self.measure, rows.y, rows.offsets)
        Z = normalised(rows, self.normalisation, scale)
        places = _embedded(Z, metric.centre, metric.map)
        tried = sorted({max(1, round(self.neighbours * factor)) for factor in TRIED})
        values = tuple(measure(_neighbour_grades(metric, places, k)) for k in tried)
        return tried[int(np.argmax(values))], values

    def _scores(self, dataset: RankingDataset) -> Floats:
        rows = grouped(dataset)
        Z = normalised(rows, self.normalisation, self.scale_)
        places = _embedded(Z, self.learned_.centre, self.learned_.map)
        return _ungrouped(_neighbour_grades(self.learned_, places, self.neighbours_), rows)

    def _contributions(self, dataset: RankingDataset) -> Contributions:
        """Sampled Shapley values: features move one by one from their mean to their value.

        The steps of each path sum to the score; the mean is taken over a few paths and their
        reversals. Each step scores all rows once.
        """
        metric, k = self.learned_, self.neighbours_
        rows = grouped(dataset)
        steps = normalised(rows, self.normalisation, self.scale_).astype(np.float64)
        steps -= metric.centre[:, None]
        rng = np.random.default_rng(self.seed)
        paths = [rng.permutation(len(steps)) for _ in range(PATHS)]
        values = np.zeros((steps.shape[1], steps.shape[0]))
        base = _neighbour_grades(metric, np.zeros((1, len(metric.map))), k)[0]
        for path in [*paths, *(path[::-1] for path in paths)]:
            places = np.zeros((steps.shape[1], len(metric.map)))
            before = np.full(steps.shape[1], base)
            for feature in path:
                if not metric.map[:, feature].any():
                    continue
                places = places + steps[feature][:, None] * metric.map[:, feature]
                after = _neighbour_grades(metric, places, k)
                values[:, feature] += (after - before) / (2 * PATHS)
                before = after
        return Contributions(_ungrouped(values, rows), float(base))

    def _save_model(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        arrays = {name: value.tolist() for name, value in self.learned_._asdict().items()}
        arrays["dimensions"] = len(self.learned_.map)
        arrays["scale"] = [self.scale_.centre.tolist(), self.scale_.width.tolist()]
        learned = {"neighbours": self.neighbours_, "history": list(self.history_)}
        return learned, {MODEL: json.dumps(arrays).encode()}

    def _load_model(
        self, learned: Mapping[str, Any], files: Mapping[str, bytes], folder: Path
    ) -> None:
        if MODEL not in files:
            raise CorruptFileError("no metric", expected=f"the file {MODEL}", path=folder)
        arrays = json.loads(files[MODEL])
        self.neighbours_ = int(learned["neighbours"])
        self.history_ = tuple(learned["history"])
        self.scale_ = Scale(*(np.array(part, dtype=np.float64) for part in arrays["scale"]))
        d = int(arrays["dimensions"])
        found = {name: np.array(arrays[name], dtype=np.float64) for name in _Metric._fields}
        found["map"] = found["map"].reshape(d, len(found["centre"]))
        found["points"] = found["points"].reshape(len(found["grades"]), d)
        self.learned_ = _Metric(**found)


def _fit_map(Z: npt.NDArray[np.float32], targets: Floats, ridge: float) -> tuple[Floats, Floats]:
    """The features' means and the ridge solution, from one pass over blocks of rows."""
    features, rows = Z.shape
    centre = Z.mean(axis=1, dtype=np.float64)
    gram, cross = np.zeros((features, features)), np.zeros((features, targets.shape[1]))
    for start in range(0, rows, ROWS_AT_ONCE):
        block = Z[:, start : start + ROWS_AT_ONCE] - centre[:, None]
        gram += block @ block.T
        cross += block @ targets[start : start + ROWS_AT_ONCE]
    # A feature that is constant after normalisation is left with rounding; it gets no say.
    constant = Z.min(axis=1) == Z.max(axis=1)
    gram[constant], gram[:, constant], cross[constant] = 0.0, 0.0, 0.0
    linear = np.linalg.solve(gram + ridge * rows * np.eye(features), cross).T
    return centre, np.asarray(linear)


def _embedded(Z: npt.NDArray[np.float32], centre: Floats, linear: Floats) -> Floats:
    """`float64[rows, d]`."""
    return np.asarray((linear @ Z - (linear @ centre)[:, None]).T)


def _merged(places: Floats, y: npt.NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """Distinct places, with the mean grade and the number of the rows at each."""
    if places.shape[1] == 0:
        return places[:1], np.array([y.mean(dtype=np.float64)]), np.array([float(len(y))])
    distinct, inverse = np.unique(places, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    counts = np.bincount(inverse).astype(np.float64)
    return distinct, np.bincount(inverse, weights=y) / counts, counts


def _neighbour_grades(metric: _Metric, places: Floats, neighbours: int) -> Floats:
    """The weighted mean grade of the `neighbours` nearest places, `float64[rows]`."""
    if len(metric.points) == 1:
        return np.full(len(places), metric.grades[0])
    from scipy.spatial import cKDTree

    tree = cKDTree(metric.points)
    k = min(neighbours + 1, len(metric.points))
    scores = np.empty(len(places))
    for start in range(0, len(places), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        distance, index = tree.query(places[rows], k=k)
        # Only ratios of distances count, so the nearest scale neither overflows nor vanishes.
        farthest = distance[:, -1:]
        ratio = np.divide(distance, farthest, out=np.zeros_like(distance), where=farthest > 0)
        weight = 1.0 - np.square(ratio)
        weight[weight.sum(axis=1) == 0.0] = 1.0  # all equally far
        weight *= metric.counts[index]
        scores[rows] = (weight * metric.grades[index]).sum(axis=1) / weight.sum(axis=1)
    return scores


def _ungrouped(values: Floats, rows: GroupedRows) -> Floats:
    """Values of grouped rows in the dataset's order of rows."""
    if rows.order is None:
        return values
    placed = np.empty_like(values)
    placed[rows.order] = values
    return placed
