"""Compiled loops over the ranks of a document; imported only when they are wanted on a CPU."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["discounts_of_ranks"]

Floats = npt.NDArray[np.float64]

# Chances below this, at the ends of a distribution, are taken to be 0.
SMALLEST = 1e-30


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def with_document(  # pragma: no cover
    state: Floats, after: Floats, low: int, high: int, chance: float
) -> tuple[int, int]:
    """The distribution of the rank after one more document, and where it begins and ends.

    `state` holds chances from `low` to below `high`; what moves beyond the last rank is dropped.
    """
    stay = 1.0 - chance
    after[low] = state[low] * stay
    for k in range(low + 1, high):
        after[k] = state[k] * stay + state[k - 1] * chance
    if high < len(state):
        after[high] = state[high - 1] * chance
        high += 1
    while low < high - 1 and after[low] < SMALLEST:
        low += 1
    while high > low + 1 and after[high - 1] < SMALLEST:
        high -= 1
    return low, high


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
def expected_step(state: Floats, outlook: Floats, low: int, high: int) -> float:  # pragma: no cover
    """By how much the expectation rises if one more document stands before."""
    total = 0.0
    for k in range(low, high):
        total += state[k] * (outlook[k + 1] - outlook[k])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def discounts_of_ranks(  # pragma: no cover
    before: Floats,
    discounts: Floats,
    sloped: bool,
    first: int,
    last: int,
    expected: Floats,
    slopes: Floats,
) -> None:
    """E[discount of the rank] of the documents `first` to `last`, and the derivatives by `before`.

    `before[R, L]` are the chances that the others stand before each. One distribution in every
    sqrt(L) is kept; the way back computes those between again, and carries the expected discount
    given the rank so far.
    """
    length, ranks = before.shape[1], len(discounts)
    stride = int(np.sqrt(length)) + 1
    kept = np.empty((length // stride + 1, ranks))
    kept_ends = np.empty((length // stride + 1, 2), dtype=np.int64)
    states = np.empty((stride + 1, ranks))
    ends = np.empty((stride + 1, 2), dtype=np.int64)
    outlook = np.empty(ranks + 1)
    for row in range(first, last):
        states[0, 0] = 1.0
        low, high = 0, 1
        for j in range(length):
            place = j % stride
            if place == 0 and j > 0:
                states[0, low:high] = states[stride, low:high]
            if place == 0:
                kept[j // stride, low:high] = states[0, low:high]
                kept_ends[j // stride, 0], kept_ends[j // stride, 1] = low, high
            low, high = with_document(states[place], states[place + 1], low, high, before[row, j])
        final = states[(length - 1) % stride + 1]
        total = 0.0
        for k in range(low, high):
            total += final[k] * discounts[k]
        expected[row] = total
        if not sloped:
            continue
        outlook[:ranks] = discounts
        outlook[ranks] = 0.0
        for block in range((length - 1) // stride, -1, -1):
            start = block * stride
            stop = min(start + stride, length)
            low, high = kept_ends[block, 0], kept_ends[block, 1]
            states[0, low:high] = kept[block, low:high]
            for j in range(start, stop):
                ends[j - start, 0], ends[j - start, 1] = low, high
                low, high = with_document(
                    states[j - start], states[j - start + 1], low, high, before[row, j]
                )
            for j in range(stop - 1, start - 1, -1):
                low, high = ends[j - start, 0], ends[j - start, 1]
                slopes[row, j] = expected_step(states[j - start], outlook, low, high)
                chance = before[row, j]
                for k in range(min(j + 1, ranks)):
                    outlook[k] += (outlook[k + 1] - outlook[k]) * chance
