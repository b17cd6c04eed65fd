"""What an article's age is worth: learned from when a crowd of forecasters came to know better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["RecencyCurve", "half_life_weight"]

POINTS = 109
"""Points of the grid over a question's life, as in the paper."""
ROUNDING = 1e-9
"""A gradient up to this is the rounding of a constant, which must not tell times apart."""


def half_life_weight(age: float, half_life: float) -> float:
    """2^(-age / half_life): what an age is worth that decays by half each `half_life`.

    Parameters
    ----------
    age : in any unit; what lies in the future counts as new.
    half_life : in the same unit, more than 0.

    >>> [half_life_weight(age, 30.0) for age in (0.0, 30.0, 60.0)]
    [1.0, 0.5, 0.25]
    """
    if not half_life > 0:
        raise ConfigurationError(f"a half-life of {half_life!r}; expected a positive number.")
    return float(2.0 ** (-max(0.0, age) / half_life))


@dataclass(frozen=True)
class RecencyCurve:
    """How fast a crowd's accuracy rises at each moment of a question's life.

    News that came when forecasters improved is worth more than news that changed nothing.

    Parameters
    ----------
    slopes : gradients at evenly spaced times from 0, when a question opens, to 1, when it
        closes; none is negative.

    Raises
    ------
    ConfigurationError : no slope, or one that is negative or not finite.

    Paper: AutoCast++: Enhancing World Event Prediction with Zero-shot Ranking-based Context
    Retrieval (2024).

    >>> curve = RecencyCurve.fit([([0.0, 0.5, 1.0], [0.5, 0.5, 0.9])])
    >>> curve.weight(0.1), round(curve.weight(0.8), 6)
    (0.0, 1.0)
    """

    slopes: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.slopes or not all(math.isfinite(s) and s >= 0 for s in self.slopes):
            raise ConfigurationError("the slopes of a recency curve are finite and not negative.")

    @classmethod
    def fit(
        cls,
        histories: Iterable[tuple[Sequence[float], Sequence[float]]],
        *,
        points: int = POINTS,
        span: tuple[float, float] = (0.05, 0.97),
    ) -> RecencyCurve:
        """Learn the curve from training questions.

        The accuracy of each question is interpolated linearly on a grid of `points` times, the mean
        over questions is differentiated, and negative gradients are raised to 0. Outside `span`,
        where few forecasts were made, the curve goes on as it is at the span's edge.

        Parameters
        ----------
        histories : one `(times, accuracies)` a question; times from 0 (it opens) to 1 (it closes)
            in ascending order, accuracies of the crowd at these times.
        points : of the grid.
        span : the part of the grid that is kept.

        Raises
        ------
        DataError : no question, or times and accuracies that do not belong together.
        """
        if points < 2 or not 0.0 <= span[0] < span[1] <= 1.0:
            raise ConfigurationError(
                f"points = {points}, span = {span}; expected 2 or more, and two shares in order."
            )
        grid = np.linspace(0.0, 1.0, points)
        curves = [_on_grid(times, accuracies, grid) for times, accuracies in histories]
        if not curves:
            raise DataError("no question", expected="the history of at least one")
        slopes = np.gradient(np.mean(curves, axis=0), grid)
        slopes = np.where(slopes > ROUNDING, slopes, 0.0)
        kept = np.flatnonzero((grid >= span[0]) & (grid <= span[1]))
        if not len(kept):
            raise ConfigurationError(f"no point of {points} lies in {span}; take more points.")
        inside = np.clip(np.arange(points), kept[0], kept[-1])
        return cls(tuple(slopes[inside].tolist()))

    def slope(self, time: float) -> float:
        """The gradient at a time, interpolated linearly; times outside 0 to 1 count as its ends."""
        grid = np.linspace(0.0, 1.0, len(self.slopes))
        return float(np.interp(time, grid, self.slopes))

    def weight(self, time: float) -> float:
        """The slope as a share of the steepest; 1 everywhere for a crowd that learned nothing."""
        steepest = max(self.slopes)
        return self.slope(time) / steepest if steepest > 0 else 1.0


def _on_grid(
    times: Sequence[float], accuracies: Sequence[float], grid: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    when = np.asarray(times, dtype=np.float64)
    accuracy = np.asarray(accuracies, dtype=np.float64)
    if when.ndim != 1 or when.shape != accuracy.shape or not len(when):
        raise DataError(
            f"times {when.shape} and accuracies {accuracy.shape}", expected="as many, at least one"
        )
    if not (np.isfinite(when).all() and np.isfinite(accuracy).all()) or (np.diff(when) < 0).any():
        raise DataError("times out of order or not finite", expected="finite times, ascending")
    return np.asarray(np.interp(grid, when, accuracy), dtype=np.float64)
