"""Scores of different systems on one scale, list by list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import positions_within, segment_of_rows, segment_sums
from plackett.errors import ConfigurationError, DataError
from plackett.fusion.preferences import Floats

__all__ = ["Normalisation", "Ties", "mean_ranks", "normalised"]

Offsets = npt.NDArray[np.int64]
Ties = Literal["average", "order"]
Normalisation = Literal[
    "none",
    "min_max",
    "max",
    "sum",
    "z_score",
    "three_sigma",
    "rank",
    "borda",
    "sigmoid",
    "logit",
]
"""How the scores of a list become comparable with those of another: see `normalised`."""

_Rule: TypeAlias = Callable[[Floats, Offsets], Floats]


def mean_ranks(score: npt.ArrayLike, offsets: Offsets, ties: Ties = "average") -> Floats:
    """The rank of every row in its list, from 1, `float64[n]`.

    Parameters
    ----------
    score : `float[n]`, best first inside each list.
    offsets : `int64[q + 1]`.
    ties : "average": rows of equal score share the mean of their ranks, so that no chance decides
        between them; "order": their order in the list does.

    >>> mean_ranks([3.0, 1.0, 1.0, 9.0], np.array([0, 3, 4]))
    array([1. , 2.5, 2.5, 1. ])
    """
    if ties not in get_args(Ties):
        raise ConfigurationError(f'ties={ties!r}; expected "average" or "order".')
    values = np.asarray(score, dtype=np.float64)
    ranks: Floats = positions_within(offsets).astype(np.float64) + 1.0
    if ties == "order" or len(values) == 0:
        return ranks
    lists = segment_of_rows(offsets)
    new = np.ones(len(values), dtype=bool)
    new[1:] = (values[1:] != values[:-1]) | (lists[1:] != lists[:-1])
    if bool(new.all()):
        return ranks
    group = np.cumsum(new) - 1
    return np.asarray((np.bincount(group, weights=ranks) / np.bincount(group))[group])


def normalised(
    score: npt.ArrayLike, offsets: Offsets, method: Normalisation, *, ties: Ties = "average"
) -> Floats:
    """The scores of each list on a common scale, `float64[n]`; no rule turns an order round.

    "min_max": (s - min) / (max - min); 0.5 where all are equal.
    "max": s / max, which must be above 0.
    "sum": (s - min) / sum (s - min); 1 / n where all are equal.
    "z_score": (s - mean) / standard deviation; 0 where all are equal.
    "three_sigma": 0.5 + (s - mean) / (6 standard deviations), cut to 0 and 1; 0.5 where all are
    equal: one outlier squeezes the others less than under "min_max".
    "rank": 1 - (rank - 1) / n, n being the length of the list.
    "sigmoid": 1 / (1 + e^-s), for logits; "logit": log(s / (1 - s)), for probabilities, which are
    kept 1e-6 away from 0 and 1. "none": s.
    "borda" needs to know the other lists: `fuse` does it.

    Parameters
    ----------
    score : `float[n]`, best first inside each list.
    offsets : `int64[q + 1]`.
    ties : as in `mean_ranks`, for "rank".

    Raises
    ------
    DataError : infinite scores, no score above 0 for "max", no probabilities for "logit".

    >>> normalised([4.0, 3.0, 2.0, 7.0], np.array([0, 3, 4]), "min_max")
    array([1. , 0.5, 0. , 0.5])
    """
    values = np.asarray(score, dtype=np.float64)
    if method == "rank":
        lengths = np.diff(offsets)[segment_of_rows(offsets)]
        return np.asarray(1.0 - (mean_ranks(values, offsets, ties) - 1.0) / lengths)
    if method not in _RULES:
        known = ", ".join(name for name in get_args(Normalisation))
        raise ConfigurationError(f"normalise={method!r}; expected one of {known}.")
    if not np.isfinite(values).all():
        raise DataError(
            "an infinite score",
            expected="finite scores, whose sizes can be compared",
            remedy='fuse by ranks, such as method="rrf"',
        )
    return _RULES[method](values, offsets)


def _extremes(values: Floats, offsets: Offsets) -> tuple[Floats, Floats]:
    """The least and the greatest score of every row's list, `float64[n]` each."""
    filled = np.diff(offsets) > 0
    starts = offsets[:-1][filled]
    rows = segment_of_rows(offsets)
    least, greatest = np.zeros(len(filled)), np.zeros(len(filled))
    if len(starts):
        least[filled] = np.minimum.reduceat(values, starts)
        greatest[filled] = np.maximum.reduceat(values, starts)
    return least[rows], greatest[rows]


def _min_max(values: Floats, offsets: Offsets) -> Floats:
    least, greatest = _extremes(values, offsets)
    span = greatest - least
    return np.where(span > 0, (values - least) / np.where(span > 0, span, 1.0), 0.5)


def _by_max(values: Floats, offsets: Offsets) -> Floats:
    _, greatest = _extremes(values, offsets)
    if (greatest <= 0).any():
        raise DataError(
            f"a list whose largest score is {greatest[greatest <= 0][0]:g}",
            expected='a score above 0 in each list for normalise="max"',
            remedy='use "min_max" or "z_score"',
        )
    return np.asarray(values / greatest)


def _by_sum(values: Floats, offsets: Offsets) -> Floats:
    least, _ = _extremes(values, offsets)
    rows = segment_of_rows(offsets)
    above = values - least
    total = segment_sums(above, offsets)[rows]
    return np.where(
        total > 0, above / np.where(total > 0, total, 1.0), 1.0 / np.diff(offsets)[rows]
    )


def _z_score(values: Floats, offsets: Offsets) -> Floats:
    rows = segment_of_rows(offsets)
    lengths = np.diff(offsets)[rows]
    centred = values - segment_sums(values, offsets)[rows] / lengths
    deviation = np.sqrt(segment_sums(centred**2, offsets)[rows] / lengths)
    least, greatest = _extremes(values, offsets)
    spread = (greatest > least) & (deviation > 0)
    return np.where(spread, centred / np.where(spread, deviation, 1.0), 0.0)


def _three_sigma(values: Floats, offsets: Offsets) -> Floats:
    return np.clip(0.5 + _z_score(values, offsets) / 6.0, 0.0, 1.0)


def _sigmoid(values: Floats, offsets: Offsets) -> Floats:
    small: Floats = np.exp(-np.abs(values))
    above: Floats = np.where(values >= 0, 1.0, small)
    return above / (1.0 + small)


def _logit(values: Floats, offsets: Offsets) -> Floats:
    if ((values < 0) | (values > 1)).any():
        raise DataError(
            "scores that are no probabilities",
            expected='numbers from 0 to 1 for normalise="logit"',
            remedy='use "z_score", or "none" for logits',
        )
    kept: Floats = np.clip(values, 1e-6, 1.0 - 1e-6)
    odds: Floats = np.log(kept) - np.log1p(-kept)
    return odds


def _unchanged(values: Floats, offsets: Offsets) -> Floats:
    copied: Floats = values.copy()
    return copied


_RULES: dict[str, _Rule] = {
    "none": _unchanged,
    "min_max": _min_max,
    "max": _by_max,
    "sum": _by_sum,
    "z_score": _z_score,
    "three_sigma": _three_sigma,
    "sigmoid": _sigmoid,
    "logit": _logit,
}
