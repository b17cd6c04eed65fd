"""Compiled searches for the heaviest path through all nodes; imported only when one is wanted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["heaviest_path", "improved_path"]


@njit(cache=True, nogil=True)
def heaviest_path(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:  # pragma: no cover
    """The best path by dynamic programming over the sets of visited nodes: O(2^n n^2)."""
    n = len(weights)
    sets = 1 << n
    best = np.full((sets, n), -np.inf)
    before = np.full((sets, n), -1, dtype=np.int8)
    for node in range(n):
        best[1 << node, node] = 0.0
    for visited in range(1, sets):
        for last in range(n):
            value = best[visited, last]
            if value == -np.inf:
                continue
            for following in range(n):
                if visited >> following & 1:
                    continue
                reached = visited | 1 << following
                if value + weights[last, following] > best[reached, following]:
                    best[reached, following] = value + weights[last, following]
                    before[reached, following] = last
    order = np.empty(n, dtype=np.int64)
    visited = sets - 1
    node = int(np.argmax(best[visited]))
    for position in range(n - 1, -1, -1):
        order[position] = node
        earlier = int(before[visited, node])
        visited ^= 1 << node
        node = earlier
    return order


@njit(cache=True, nogil=True)
def _gain_of_insertion(  # pragma: no cover
    weights: npt.NDArray[np.float64],
    path: npt.NDArray[np.int64],
    length: int,
    position: int,
    node: int,
) -> float:
    gain = 0.0
    if position > 0:
        gain += weights[path[position - 1], node]
    if position < length:
        gain += weights[node, path[position]]
    if 0 < position < length:
        gain -= weights[path[position - 1], path[position]]
    return gain


@njit(cache=True, nogil=True)
def _insert(  # pragma: no cover
    path: npt.NDArray[np.int64], length: int, position: int, node: int
) -> None:
    for place in range(length, position, -1):
        path[place] = path[place - 1]
    path[position] = node


@njit(cache=True, nogil=True)
def _greedy(  # pragma: no cover
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """From the heaviest edge, insert the node that adds most where it does, until none is left."""
    n = len(weights)
    path = np.empty(n, dtype=np.int64)
    outside = np.ones(n, dtype=np.bool_)
    first, second, value = 0, 1, -np.inf
    for i in range(n):
        for j in range(n):
            if i != j and weights[i, j] > value:
                first, second, value = i, j, weights[i, j]
    path[0], path[1] = first, second
    outside[first] = outside[second] = False
    for length in range(2, n):
        gain, chosen, where = -np.inf, -1, 0
        for node in range(n):
            if not outside[node]:
                continue
            for position in range(length + 1):
                found = _gain_of_insertion(weights, path, length, position, node)
                if found > gain:
                    gain, chosen, where = found, node, position
        _insert(path, length, where, chosen)
        outside[chosen] = False
    return path


@njit(cache=True, nogil=True)
def _inserted(  # pragma: no cover
    weights: npt.NDArray[np.float64], turns: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Insert the nodes in this order of turns, each where it adds most."""
    path = np.empty(len(turns), dtype=np.int64)
    path[0] = turns[0]
    for length in range(1, len(turns)):
        gain, where = -np.inf, 0
        for position in range(length + 1):
            found = _gain_of_insertion(weights, path, length, position, turns[length])
            if found > gain:
                gain, where = found, position
        _insert(path, length, where, turns[length])
    return path


@njit(cache=True, nogil=True)
def _edge(  # pragma: no cover
    weights: npt.NDArray[np.float64], path: npt.NDArray[np.int64], i: int, j: int
) -> float:
    """The weight from position i to position j; 0 beyond an end."""
    if i < 0 or j >= len(path):
        return 0.0
    weight: float = weights[path[i], path[j]]
    return weight


@njit(cache=True, nogil=True)
def _reversal(  # pragma: no cover
    weights: npt.NDArray[np.float64], path: npt.NDArray[np.int64], least: float
) -> tuple[float, int, int]:
    """2-opt: the best stretch to reverse from the first place where one gains, and its gain.

    Its inner edges change direction, and with it weight.
    """
    n = len(path)
    gain, start, stop = 0.0, -1, -1
    for i in range(n - 1):
        turned = 0.0
        for j in range(i + 1, n):
            turned += weights[path[j], path[j - 1]] - weights[path[j - 1], path[j]]
            found = turned - _edge(weights, path, i - 1, i) - _edge(weights, path, j, j + 1)
            found += _edge(weights, path, i - 1, j) + _edge(weights, path, i, j + 1)
            if found > gain:
                gain, start, stop = found, i, j
        if gain > least:
            break
    return gain, start, stop


@njit(cache=True, nogil=True)
def _move(  # pragma: no cover
    weights: npt.NDArray[np.float64], path: npt.NDArray[np.int64], longest: int, least: float
) -> tuple[float, int, int, int]:
    """Or-opt: the best stretch of at most `longest` nodes to move from the first place where one
    gains: its gain, its ends, and the position to put it behind.
    """
    n = len(path)
    gain, start, stop, behind = 0.0, -1, -1, -1
    for i in range(n):
        for j in range(i, min(n, i + longest)):
            opened = _edge(weights, path, i - 1, i) + _edge(weights, path, j, j + 1)
            closed = 0.0
            if i > 0 and j + 1 < n:
                closed = weights[path[i - 1], path[j + 1]]
            for k in range(-1, n):
                if i - 1 <= k <= j:
                    continue
                found = closed - opened - _edge(weights, path, k, k + 1)
                found += _edge(weights, path, j, k + 1)
                if k >= 0:
                    found += weights[path[k], path[i]]
                if found > gain:
                    gain, start, stop, behind = found, i, j, k
        if gain > least:
            break
    return gain, start, stop, behind


@njit(cache=True, nogil=True)
def _climb(  # pragma: no cover
    weights: npt.NDArray[np.float64], path: npt.NDArray[np.int64], longest: int, least: float
) -> npt.NDArray[np.int64]:
    """Reversals and moves that gain, again and again, until none gains more than `least`."""
    while True:
        turn, start, stop = _reversal(weights, path, least)
        move, first, last, behind = _move(weights, path, longest, least)
        if max(turn, move) <= least:
            return path
        if turn >= move:
            _reverse(path, start, stop)
        elif behind < first:  # to exchange two neighbouring stretches, reverse both, then the whole
            _exchange(path, behind + 1, first, last)
        else:
            _exchange(path, first, last + 1, behind)


@njit(cache=True, nogil=True)
def _reverse(path: npt.NDArray[np.int64], start: int, stop: int) -> None:  # pragma: no cover
    while start < stop:
        path[start], path[stop] = path[stop], path[start]
        start += 1
        stop -= 1


@njit(cache=True, nogil=True)
def _exchange(  # pragma: no cover
    path: npt.NDArray[np.int64], start: int, middle: int, stop: int
) -> None:
    """Put positions middle..stop before start..middle - 1."""
    _reverse(path, start, middle - 1)
    _reverse(path, middle, stop)
    _reverse(path, start, stop)


@njit(cache=True, nogil=True)
def improved_path(  # pragma: no cover
    weights: npt.NDArray[np.float64],
    turns: npt.NDArray[np.int64],
    longest: int,
    least: float,
) -> npt.NDArray[np.int64]:
    """The best path of greedy insertion and of one insertion for each row of turns, all improved.

    A gain below `least` is rounding.
    """
    best, weight = np.empty(0, dtype=np.int64), -np.inf
    for attempt in range(len(turns) + 1):
        path = _greedy(weights) if attempt == 0 else _inserted(weights, turns[attempt - 1])
        path = _climb(weights, path, longest, least)
        total = 0.0
        for position in range(1, len(path)):
            total += weights[path[position - 1], path[position]]
        if total > weight + least:
            best, weight = path, total
    return best
