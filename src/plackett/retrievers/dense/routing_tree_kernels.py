"""The leaves of a tree of soft splits by probability, and the documents in them (compiled)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _logit(weights: Any, bias: Any, vector: Any) -> Any:  # pragma: no cover
    total = np.float32(0)
    for j in range(len(vector)):
        total += weights[j] * vector[j]
    return total + bias


@njit(cache=True, nogil=True)
def _log_sigmoid(x: Any) -> Any:  # pragma: no cover
    """`log(1 / (1 + exp(-x)))`, which neither overflows nor loses small values."""
    value = np.float64(x)
    if value >= 0:
        return -np.log1p(np.exp(-value))
    return value - np.log1p(np.exp(value))


@njit(cache=True, nogil=True, inline="always")
def _before(first: Any, node: Any, second: Any, other: Any) -> Any:  # pragma: no cover
    return first > second or (first == second and node < other)


@njit(cache=True, nogil=True)
def _enter(chances: Any, nodes: Any, size: int, chance: Any, node: int) -> None:  # pragma: no cover
    """Add a node to the heap of those to be looked at, the most probable first."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if not _before(chance, node, chances[parent], nodes[parent]):
            break
        chances[place], nodes[place] = chances[parent], nodes[parent]
        place = parent
    chances[place], nodes[place] = chance, node


@njit(cache=True, nogil=True)
def _leave(chances: Any, nodes: Any, size: int) -> None:  # pragma: no cover
    """Take the first node off a heap of `size` nodes."""
    chance, node, place = chances[size - 1], nodes[size - 1], 0
    held = size - 1
    while True:
        child = 2 * place + 1
        if child >= held:
            break
        other = child + 1
        if other < held and _before(chances[other], nodes[other], chances[child], nodes[child]):
            child = other
        if not _before(chances[child], nodes[child], chance, node):
            break
        chances[place], nodes[place] = chances[child], nodes[child]
        place = child
    chances[place], nodes[place] = chance, node


@njit(cache=True, nogil=True)
def best_leaves(
    vectors: Any,
    weights: Any,
    biases: Any,
    sizes: Any,
    width: int,
    least: int,
    leaves: Any,
    chances: Any,
    counts: Any,
) -> None:  # pragma: no cover
    """The leaves of each vector by falling probability, until there are enough.

    A node's probability is at least that of each node below it, so the most probable node not
    looked at yet, where it is a leaf, is the next leaf: no more of the tree is looked at.

    Parameters
    ----------
    vectors : `float32[n, d]`.
    weights, biases : `float32[s, d]`, `float32[s]` of the s = 2^D - 1 splits, as in a heap.
    sizes : `int64[2^D]`, how many documents each leaf has.
    width, least : at least so many leaves, with so many documents in all.
    leaves, chances : `int32[n, m]`, `float32[n, m]`, to fill; chances are logarithms.
    counts : `int64[n]`, to fill with how many leaves were found, at most `m`.
    """
    splits = len(biases)
    waiting, nodes = np.empty(splits + 2, dtype=np.float64), np.empty(splits + 2, dtype=np.int64)
    for i in range(len(vectors)):
        waiting[0], nodes[0] = 0.0, 0
        size, found, documents = 1, 0, 0
        while size > 0 and found < leaves.shape[1] and (found < width or documents < least):
            chance, node = waiting[0], nodes[0]
            _leave(waiting, nodes, size)
            size -= 1
            if node >= splits:
                leaves[i, found] = node - splits
                chances[i, found] = chance
                documents += sizes[node - splits]
                found += 1
                continue
            logit = _logit(weights[node], biases[node], vectors[i])
            _enter(waiting, nodes, size, chance + _log_sigmoid(logit), 2 * node + 1)
            _enter(waiting, nodes, size + 1, chance + _log_sigmoid(-logit), 2 * node + 2)
            size += 2
        counts[i] = found


@njit(cache=True, nogil=True)
def documents_of_leaves(
    leaves: Any, counts: Any, offsets: Any, members: Any, allowed: Any, seen: Any, rows: Any
) -> None:  # pragma: no cover
    """The documents in each query's leaves, each once.

    Parameters
    ----------
    leaves, counts : of `best_leaves`.
    offsets, members : `int64[l + 1]`, `int32[e]`: the rows in leaf l are
        `members[offsets[l]:offsets[l + 1]]`.
    allowed : `bool[n]`, which rows may be found, or of length 0 for all.
    seen : `int64[n]` of -1.
    rows : `int64[q, m]` of -1, to fill from the left.
    """
    filtered = len(allowed) > 0
    for q in range(len(leaves)):
        place = 0
        for i in range(counts[q]):
            leaf = leaves[q, i]
            for at in range(offsets[leaf], offsets[leaf + 1]):
                row = members[at]
                if seen[row] == q or (filtered and not allowed[row]):
                    continue
                seen[row] = q
                rows[q, place] = row
                place += 1
