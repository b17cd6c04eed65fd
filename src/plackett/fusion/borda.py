"""Borda's count: points for places."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.preferences import Floats, checked_scores, checked_weights, scores_of_rankings

__all__ = ["Unranked", "borda", "borda_order"]

Item = TypeVar("Item", bound=Hashable)

Unranked = Literal["share", "nothing"]
"""What items get that a ranker leaves out: the points that are left, in equal shares, or none."""


def borda(
    scores: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    unranked: Unranked = "share",
) -> Floats:
    """Borda points: of n items the r-th of a ranker gets n - r + 1, summed over the rankers.

    Items of equal score share the points of their places. Those that a ranker leaves out share
    what is left, (n - listed + 1) / 2 each, so that every ranker gives away as many points;
    weighted, this is Borda-fuse.

    Parameters
    ----------
    scores : `float[m, n]`, scores of m rankers, higher is better, NaN for an item left out.
    weights : `float[m]`.
    unranked : see `Unranked`.

    Returns
    -------
    `float64[n]`.

    Raises
    ------
    DataError : shapes that do not fit, or an infinite score.

    Borda 1781; Aslam & Montague, "Models for metasearch", SIGIR 2001.

    >>> borda([[3, 2, 1], [np.nan, 5, np.nan]])
    array([4.5, 5. , 2.5])
    """
    matrix = checked_scores(scores)
    weight = checked_weights(weights, len(matrix))
    if unranked not in ("share", "nothing"):
        raise ConfigurationError(f'unranked={unranked!r}; expected "share" or "nothing".')
    n = matrix.shape[1]
    points = np.zeros(n)
    for line, factor in zip(matrix, weight, strict=True):
        listed = np.flatnonzero(~np.isnan(line))
        values, place, counts = np.unique(-line[listed], return_inverse=True, return_counts=True)
        last = np.cumsum(counts)  # the last place of each group of equal scores, from 1
        mean_place = last - (counts - 1) / 2.0
        given = np.full(n, (n - len(listed) + 1) / 2.0 if unranked == "share" else 0.0)
        if len(values):
            given[listed] = n + 1.0 - mean_place[place]
        points += factor * given
    return points


def borda_order(
    rankings: Sequence[Sequence[Item]], weights: npt.ArrayLike | None = None
) -> list[Item]:
    """The items by Borda points, best first; equal ones in order of first appearance.

    Parameters
    ----------
    rankings : one a ranker, each of distinct items, best first; an item may be missing from some.
    weights : `float[rankings]`.

    Raises
    ------
    DataError : no rankings, an item twice in one, weights that do not fit.

    >>> borda_order(["abc", "acb", "bac"])
    ['a', 'b', 'c']
    """
    if len(rankings) == 0:
        raise DataError("no rankings", expected="at least one")
    scores, items = scores_of_rankings(rankings)
    points = np.round(borda(scores, weights), 9)
    return [items[column] for column in np.argsort(-points, kind="stable")]
