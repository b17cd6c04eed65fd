"""Cutoffs by rule: above a score, near the best one, before the largest gap, at the elbow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.selection.base import Cutoff, check_limits, limited
from plackett.selection.registry import register

__all__ = [
    "Elbow",
    "FixedCutoff",
    "LargestGap",
    "MarginThreshold",
    "RelativeThreshold",
    "ScoreThreshold",
]

Floats = npt.NDArray[np.float64]


def _descending(scores: npt.ArrayLike) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or np.isnan(values).any() or (values[1:] > values[:-1]).any():
        raise DataError(
            "scores that are no ranked list", expected="one row of numbers, best first, none NaN"
        )
    return values


@register
@dataclass(frozen=True)
class FixedCutoff(Cutoff):
    """The first k of every list, whatever their scores.

    Parameters
    ----------
    k : 0 or more.

    >>> FixedCutoff(2).cutoff([3.0, 2.0, 1.0])
    2
    """

    k: int

    def __post_init__(self) -> None:
        check_limits(self.k, None)

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """min(k, n)."""
        return min(self.k, len(_descending(scores)))


@register
@dataclass(frozen=True)
class ScoreThreshold(Cutoff):
    """What scores at least `minimum`.

    The same threshold for every query makes sense where scores are comparable between queries:
    probabilities of a calibrated re-ranker are, those of BM25 are not.

    Parameters
    ----------
    minimum : the lowest score that is kept.
    at_least, at_most : how many documents to keep in any case, and not to exceed.

    Raises
    ------
    ConfigurationError : a threshold that is not finite, or limits that contradict each other.

    >>> ScoreThreshold(0.5).cutoff([0.9, 0.5, 0.4])
    2
    """

    minimum: float
    at_least: int = 0
    at_most: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.at_least, self.at_most)
        if not np.isfinite(self.minimum):
            raise ConfigurationError(f"minimum={self.minimum}; expected a finite number.")

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many scores reach the threshold, within the limits."""
        values = _descending(scores)
        # A Run holds float32: 0.7 that was stored must still reach a threshold of 0.7.
        with np.errstate(over="ignore"):
            reached = values.astype(np.float32) >= np.float32(self.minimum)
        return limited(int(reached.sum()), len(values), self.at_least, self.at_most)


@register
@dataclass(frozen=True)
class RelativeThreshold(Cutoff):
    """What scores at least a share of the list's best score: `s >= share * max s`.

    For scores with a true zero (BM25, probabilities, counts).

    Parameters
    ----------
    share : from 0 (all) to 1 (only what ties with the best).
    at_least, at_most : how many documents to keep in any case, and not to exceed.

    Raises
    ------
    ConfigurationError : a share outside 0 to 1, or limits that contradict each other.
    DataError : a negative score, of which a share means nothing.

    >>> RelativeThreshold(0.5).cutoff([8.0, 4.0, 3.0])
    2
    """

    share: float
    at_least: int = 1
    at_most: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.at_least, self.at_most)
        if not 0.0 <= self.share <= 1.0:
            raise ConfigurationError(f"share={self.share}; expected 0 to 1.")

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many scores reach the share of the first, within the limits."""
        values = _descending(scores)
        if len(values) and values[-1] < 0:
            raise DataError(
                f"score {values[-1]:g}",
                expected="scores of 0 or more, of which a share can be taken",
                remedy="MarginThreshold(margin), or calibrate the scores",
            )
        reached = values >= self.share * values[:1]
        return limited(int(reached.sum()), len(values), self.at_least, self.at_most)


@register
@dataclass(frozen=True)
class MarginThreshold(Cutoff):
    """What scores no more than `margin` below the list's best: `s >= max s - margin`.

    For scores without a true zero, such as logits.

    Parameters
    ----------
    margin : 0 or more, in the unit of the scores.
    at_least, at_most : how many documents to keep in any case, and not to exceed.

    >>> MarginThreshold(2.0).cutoff([1.0, -1.0, -1.5])
    2
    """

    margin: float
    at_least: int = 1
    at_most: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.at_least, self.at_most)
        if not self.margin >= 0.0:
            raise ConfigurationError(f"margin={self.margin}; expected 0 or more.")

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many scores are near enough to the first, within the limits."""
        values = _descending(scores)
        reached = values >= values[:1] - self.margin
        return limited(int(reached.sum()), len(values), self.at_least, self.at_most)


@register
@dataclass(frozen=True)
class LargestGap(Cutoff):
    """What stands before the largest drop between neighbours: `k = argmax s_k - s_(k+1)`.

    Of equal drops the first counts. A list without any drop is kept whole.

    Parameters
    ----------
    at_least, at_most : between which k the drop is looked for.

    >>> LargestGap().cutoff([9.0, 8.0, 2.0, 1.0])
    2
    """

    at_least: int = 1
    at_most: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.at_least, self.at_most)

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """Where the largest drop between the limits is."""
        values = _bounded(_descending(scores))
        n = len(values)
        first = max(self.at_least, 1)
        last = min(n - 1, n - 1 if self.at_most is None else self.at_most)
        drops = values[first - 1 : last] - values[first : last + 1]
        k = first + int(np.argmax(drops)) if len(drops) and drops.max() > 0 else n
        return limited(k, n, self.at_least, self.at_most)


@register
@dataclass(frozen=True)
class Elbow(Cutoff):
    """What stands before the elbow of the score curve.

    With ranks and scores both scaled to 0 to 1, the elbow is the rank at which the curve lies
    farthest below the straight line from its first to its last point. A curve that never lies
    below it has no elbow, and the list is kept whole.

    Satopaa, Albrecht, Irwin & Raghavan, "Finding a 'kneedle' in a haystack", ICDCS workshops 2011.

    Parameters
    ----------
    at_least, at_most : how many documents to keep in any case, and not to exceed.

    >>> Elbow().cutoff([10.0, 9.0, 1.0, 0.5, 0.0])
    2
    """

    at_least: int = 1
    at_most: int | None = None

    def __post_init__(self) -> None:
        check_limits(self.at_least, self.at_most)

    def cutoff(self, scores: npt.ArrayLike) -> int:
        """How many documents stand before the elbow, within the limits."""
        values = _bounded(_descending(scores))
        n = len(values)
        k = n
        if n > 2 and values[0] > values[-1]:
            height = (values - values[-1]) / (values[0] - values[-1])
            below = 1.0 - np.linspace(0.0, 1.0, n) - height
            # Rounding alone must not bend a straight line.
            k = int(np.argmax(below)) if below.max() > 1e-9 else n
        return limited(k, n, self.at_least, self.at_most)


def _bounded(values: Floats) -> Floats:
    """Infinite scores stand for the largest that a Run's float32 can hold."""
    largest = float(np.finfo(np.float32).max)
    return np.clip(values, -largest, largest)
