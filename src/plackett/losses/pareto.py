"""A sweep over the weights of several objectives, and what of it is worth keeping."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["pareto_front", "simplex_weights"]


def simplex_weights(objectives: int, steps: int) -> tuple[tuple[float, ...], ...]:
    """All weights of `objectives` losses that are multiples of 1/steps and sum to 1.

    There are (steps + objectives - 1) choose (objectives - 1) of them, in descending order of the
    first weight.

    Raises
    ------
    ConfigurationError : fewer than 1 objective or step.

    >>> simplex_weights(2, 2)
    ((1.0, 0.0), (0.5, 0.5), (0.0, 1.0))
    """
    if objectives < 1 or steps < 1:
        raise ConfigurationError(f"{objectives=}, {steps=}; expected at least 1 of each.")
    sweep = []
    for bars in combinations(range(steps + objectives - 1), objectives - 1):
        edges = (-1, *bars, steps + objectives - 1)
        sweep.append(tuple((right - left - 1) / steps for left, right in pairwise(edges)))
    return tuple(reversed(sweep))


def pareto_front(points: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points are not dominated, where larger is better in every coordinate.

    A point is dominated by another that is at least as large in every coordinate and larger in one.
    Equal points do not dominate each other. Negate what should be small, such as a time.

    Parameters
    ----------
    points : `float[points, objectives]`.

    Raises
    ------
    DataError : not a table of numbers, or NaN in it.

    >>> pareto_front([[0.5, 0.9], [0.7, 0.7], [0.6, 0.6], [0.7, 0.7]])
    array([ True,  True, False,  True])
    """
    table = np.asarray(points, dtype=np.float64)
    if table.ndim != 2 or np.isnan(table).any():
        raise DataError(
            f"points of shape {table.shape}", expected="numbers [points, objectives], none NaN"
        )
    front = np.ones(len(table), dtype=np.bool_)
    for place, point in enumerate(table):
        others = table[front]
        front[place] = not ((others >= point).all(axis=1) & (others > point).any(axis=1)).any()
    return front
