"""Coordinate ascent on any ranking measure.

Metzler and Croft, "Linear feature-based models for information retrieval", Information Retrieval
10, 2007: change one weight at a time, by steps that double, keep what raises the measure, and start
anew from several points, because the measure has many local maxima.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import concatenate_ranges, lengths_to_offsets, segment_of_rows
from plackett.metrics.base import Measure
from plackett.metrics.judged import JudgedLists
from plackett.rankers.objective import MeanMeasure

__all__ = ["Ascent", "AscentSettings", "Lists", "coordinate_ascent", "pessimistic_lists"]

Floats = npt.NDArray[np.float64]

# A change counts as a rise only beyond what rounding could make.
RISE = 1e-12


class Lists(NamedTuple):
    """Normalised features `Z`, `float32[features, rows]`, grades `y`, `float32[rows]`, and
    `offsets`, `int64[q + 1]`, of grouped rows."""

    Z: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True)
class AscentSettings:
    """Where to start, how to step and when to stop; `LinearRanker` documents each."""

    restarts: int
    passes: int
    step: float
    growth: float
    steps: int
    tolerance: float
    patience: int
    seed: int


class Ascent(NamedTuple):
    """`weights` is `float64[features]`, absolute values summing to 1; `value` the mean measure they
    reach, on the validation lists where there are any, and minus infinity where nothing was
    learned; `history` that of each pass of the winning
    start; `interrupted` says whether Ctrl-C ended the search."""

    weights: Floats
    value: float
    history: tuple[float, ...]
    interrupted: bool


def pessimistic_lists(
    Z: npt.NDArray[np.float32], y: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64]
) -> Lists:
    """The lists with rows of lower grade first, and without those whose grades are all equal.

    Equal scores stand in the order of their rows, so a weight that only makes ties cannot look
    good, whatever the order of the rows in the training file. A list of equal grades has the same
    measure in any order.
    """
    order = np.lexsort((y, segment_of_rows(offsets)))
    low, high = y[order][offsets[:-1]], y[order][offsets[1:] - 1]
    kept = np.flatnonzero(high > low)
    lengths = np.diff(offsets)[kept]
    rows = order[concatenate_ranges(offsets[kept], lengths)]
    return Lists(np.ascontiguousarray(Z[:, rows]), y[rows], lengths_to_offsets(lengths))


class LineEvaluator:
    """The mean measure of `scores + step * feature` for many steps at once.

    Most measures read the ranks of relevant documents only; that is tried on a few random scorings,
    and the ranks of all documents are handed over to a measure for which it is not so.
    """

    def __init__(self, measure: Measure, lists: Lists, rng: np.random.Generator) -> None:
        self.measure, self.lists = measure, lists
        self.sign = 1.0 if measure.higher_is_better else -1.0
        self._rank_only(np.flatnonzero(lists.y > 0))
        if not self._agrees(rng):
            self._rank_only(np.arange(len(lists.y)))

    def _rank_only(self, wanted: npt.NDArray[np.int64]) -> None:
        """Hand the ranks of the `wanted` rows to the measure, and no others."""
        segment = segment_of_rows(self.lists.offsets)[wanted]
        self.wanted = wanted
        self.counts = np.bincount(segment, minlength=len(self.lists.offsets) - 1)
        self.grades = self.lists.y[wanted].astype(np.float64)

    def _agrees(self, rng: np.random.Generator) -> bool:
        """Whether the measure has its true value on a few random scorings."""
        truth = MeanMeasure(self.measure, self.lists.y, self.lists.offsets)
        for _ in range(3):
            scores = rng.normal(size=len(self.lists.y))
            found = self.values(scores, self.lists.Z[0], np.zeros(1))[0]
            if not np.isclose(found, truth(scores), atol=1e-9):
                return False
        return True

    def values(self, scores: Floats, column: npt.NDArray[np.float32], steps: Floats) -> Floats:
        """The mean measure for each step, `float64[steps]`; greater is better."""
        from plackett.rankers.linear_kernels import ranks_along

        lists, shape = self.lists, (len(steps), len(self.wanted))
        ranks, grades = np.empty(shape, dtype=np.int64), np.empty(shape)
        ranks_along(
            scores,
            column,
            steps,
            lists.y,
            lists.offsets,
            self.wanted,
            lengths_to_offsets(self.counts),
            ranks,
            grades,
        )
        offsets = lengths_to_offsets(np.tile(self.counts, len(steps)))
        judged = JudgedLists(
            retrieved=np.tile(np.diff(lists.offsets), len(steps)),
            offsets=offsets,
            rank=ranks.ravel(),
            grade=grades.ravel(),
            judged_offsets=offsets,
            judged_grade=np.tile(self.grades, len(steps)),
        )
        per_query = self.measure.compute(judged).reshape(len(steps), -1)
        mean: Floats = self.sign * per_query.mean(axis=1)
        return mean


def coordinate_ascent(
    train: Lists, valid: Lists | None, measure: Measure, settings: AscentSettings
) -> Ascent:
    """The weights with the best mean measure that the search finds.

    Parameters
    ----------
    train : lists from `pessimistic_lists`; where there are none, or no feature tells their rows
        apart, there is nothing to learn, and all weights are 0.
    valid : where given, the weights after the pass with the best measure on these lists win.
    """
    n_features = len(train.Z)
    best = Ascent(np.zeros(n_features), -np.inf, (), False)
    if len(train.y) == 0:
        return best
    rng = np.random.default_rng(settings.seed)
    evaluator = LineEvaluator(measure, train, rng)
    on_valid = None if valid is None else MeanMeasure(measure, valid.y, valid.offsets)
    try:
        for start in _starts(evaluator, settings.restarts, rng):
            history: list[float] = []
            stale = 0
            top = -np.inf
            for weights, value in _passes(evaluator, start, settings, rng):
                if valid is not None and on_valid is not None:
                    value = on_valid(weights @ valid.Z)
                history.append(value)
                if value > best.value + RISE:
                    best = Ascent(weights.copy(), value, tuple(history), False)
                stale = 0 if value > top + RISE else stale + 1
                top = max(top, value)
                if valid is not None and stale >= settings.patience:
                    break
    except KeyboardInterrupt:
        if not best.history:
            raise
        return best._replace(interrupted=True)
    return best


def _starts(evaluator: LineEvaluator, restarts: int, rng: np.random.Generator) -> Iterator[Floats]:
    """All features in their better direction, then the best one alone, then random weights.

    A feature that is constant inside every query cannot order anything: its weight stays 0.
    """
    Z, offsets = evaluator.lists.Z, evaluator.lists.offsets
    spread = np.maximum.reduceat(Z, offsets[:-1], axis=1) > np.minimum.reduceat(
        Z, offsets[:-1], axis=1
    )
    useful = spread.any(axis=1)
    if not useful.any():
        return
    nothing = np.zeros(Z.shape[1])
    alone = np.array([evaluator.values(nothing, column, np.array([1.0, -1.0])) for column in Z])
    sign = np.where(alone[:, 0] >= alone[:, 1], 1.0, -1.0) * useful
    for restart in range(restarts):
        if restart == 0:
            start = sign.copy()
        elif restart == 1:
            winner = int(np.where(useful, alone.max(axis=1), -np.inf).argmax())
            start = np.zeros(len(Z))
            start[winner] = sign[winner]
        else:
            start = rng.normal(size=len(Z)) * useful
        yield start / np.abs(start).sum()


def _passes(
    evaluator: LineEvaluator, start: Floats, settings: AscentSettings, rng: np.random.Generator
) -> Iterator[tuple[Floats, float]]:
    """The weights and their measure after each pass over all features, until one gains little."""
    Z = evaluator.lists.Z
    lengths = settings.step * settings.growth ** np.arange(settings.steps)
    weights = start.copy()
    value = float(evaluator.values(weights @ Z, Z[0], np.zeros(1))[0])
    for _ in range(settings.passes):
        before = value
        scores = weights @ Z  # anew in each pass, so that rounding does not pile up
        for f in rng.permutation(len(Z)):
            # Steps both ways, to the mirrored weight, and to none.
            targets = np.concatenate(
                [weights[f] + lengths, weights[f] - lengths, [-weights[f], 0.0]]
            )
            steps = targets - weights[f]
            if np.abs(weights).sum() - abs(weights[f]) < RISE:  # the last weight may not go
                steps = steps[np.abs(targets) > RISE]
            values = evaluator.values(scores, Z[f], steps)
            winner = int(values.argmax())
            if values[winner] > value + RISE:
                value = float(values[winner])
                weights[f] += steps[winner]
                scores = scores + steps[winner] * Z[f]
                size = np.abs(weights).sum()
                weights, scores = weights / size, scores / size
        yield weights, value
        if value - before <= settings.tolerance:
            return
