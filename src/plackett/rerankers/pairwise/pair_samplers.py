"""Which pairs to compare when not all can be: ordered pairs of positions, by five designs.

Pair (i, j) is asked once, i shown first. Positions are those of the first stage, so that designs of
neighbours compare documents that it could not tell apart well.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.rerankers.pairwise.pair_sorting import Pair

__all__ = [
    "Sampler",
    "biased_window_pairs",
    "full_pairs",
    "grouped_pairs",
    "random_pairs",
    "window_pairs",
]

Sampler = Literal["full", "random", "window", "biased-window", "grouped"]


def full_pairs(n: int) -> list[Pair]:
    """Every ordered pair: n (n - 1) of them.

    >>> full_pairs(3)
    [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    """
    return [(i, j) for i in range(n) for j in range(n) if i != j]


def random_pairs(
    n: int,
    partners: int,
    *,
    scores: npt.ArrayLike | None = None,
    power: float = 0.0,
    seed: int = 0,
) -> list[Pair]:
    """Each item against as many others, drawn without repetition.

    Parameters
    ----------
    partners : how many, at most n - 1: every item is shown first so often.
    scores : `float[n]` first-stage scores; j is drawn for i in proportion to |s_i - s_j|^power.
    power : 0 draws all alike; above 0 favours partners with distant scores, below 0 near ones.
    seed : of the draws.

    Raises
    ------
    DataError : a power without scores, or scores that are not one finite number an item.

    >>> [sum(i == item for i, _ in random_pairs(6, 2)) for item in range(6)]
    [2, 2, 2, 2, 2, 2]
    """
    generator = np.random.default_rng(seed)
    values = None if scores is None else np.asarray(scores, dtype=np.float64)
    if power != 0.0 and (values is None or values.shape != (n,) or not np.isfinite(values).all()):
        raise DataError(
            "no first-stage scores",
            expected=f"one finite score for each of {n} documents where power is not 0",
            remedy="re-rank a run, or pass power=0",
        )
    pairs: list[Pair] = []
    for i in range(n):
        others = np.array([j for j in range(n) if j != i], dtype=np.int64)
        weights = np.ones(len(others))
        if values is not None and power != 0.0:
            # Equal scores are a distance as well: without a floor such a pair could not be drawn.
            gaps = np.abs(values[others] - values[i])
            weights = np.maximum(gaps, 1e-6 * max(float(np.ptp(values)), 1e-300)) ** power
            if not np.isfinite(weights).all() or not weights.sum() > 0:
                weights = np.ones(len(others))
        count = min(partners, len(others))
        if count:
            share = weights / weights.sum()
            drawn = generator.choice(others, size=count, replace=False, p=share)
            pairs += [(i, int(j)) for j in np.sort(drawn)]
    return pairs


def window_pairs(n: int, size: int, dilation: int = 1) -> list[Pair]:
    """Item i against i + d, i + 2 d, ..., i + size d, counted round in a circle.

    Every item is shown first and second equally often; with size n - 1 and dilation 1 they are all
    pairs. Steps that come back to an earlier partner are left out.

    >>> window_pairs(4, 2)
    [(0, 1), (0, 2), (1, 2), (1, 3), (2, 0), (2, 3), (3, 0), (3, 1)]
    """
    return _circle(n, [step * dilation for step in range(1, size + 1)])


def biased_window_pairs(n: int, size: int) -> list[Pair]:
    """As `window_pairs`, with steps that grow: many near partners, few far ones.

    The steps are `size` different ones from 1 to n - 1, evenly spaced by their logarithms as far
    as whole numbers can be.

    >>> sorted({j - i for i, j in biased_window_pairs(20, 4) if j > i and i == 0})
    [1, 3, 7, 19]
    """
    size = min(size, n - 1)
    steps: list[int] = []
    for wanted in np.geomspace(1, max(n - 1, 1), max(size, 1)):
        left = size - len(steps) - 1  # steps that have still to find room above this one
        step = max(round(float(wanted)), steps[-1] + 1 if steps else 1)
        steps.append(min(step, n - 1 - left))
    return _circle(n, steps)


def _circle(n: int, steps: list[int]) -> list[Pair]:
    distinct = {step % n for step in steps if step % n} if n else set()
    return [(i, j) for i in range(n) for j in sorted((i + step) % n for step in distinct)]


def grouped_pairs(n: int, size: int) -> list[Pair]:
    """All ordered pairs inside groups of `size` neighbours, and between neighbouring groups.

    The last group neighbours the first.

    >>> len(grouped_pairs(6, 2)), len(grouped_pairs(8, 2)), len(full_pairs(8))
    (30, 40, 56)
    """
    groups = -(-n // size)
    pairs = []
    for i, j in full_pairs(n):
        apart = abs(i // size - j // size)
        if min(apart, groups - apart) <= 1:
            pairs.append((i, j))
    return pairs


def sampled_pairs(
    sampler: Sampler,
    n: int,
    *,
    size: int,
    dilation: int,
    scores: npt.ArrayLike | None,
    power: float,
    seed: int,
) -> list[Pair]:
    """The ordered pairs of the sampler of this name.

    Raises
    ------
    ConfigurationError : no such sampler, or a size or dilation below 1.
    """
    if size < 1 or dilation < 1:
        raise ConfigurationError(f"size={size}, dilation={dilation}; expected integers from 1 up.")
    if sampler == "full":
        return full_pairs(n)
    if sampler == "random":
        return random_pairs(n, size, scores=scores, power=power, seed=seed)
    if sampler == "window":
        return window_pairs(n, size, dilation)
    if sampler == "biased-window":
        return biased_window_pairs(n, size)
    if sampler == "grouped":
        return grouped_pairs(n, size)
    raise ConfigurationError(f"sampler={sampler!r}; expected {', '.join(get_args(Sampler))}.")
