"""The heaviest path that visits every node once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["HamiltonianPath", "hamiltonian_path", "path_weight"]

LARGEST_EXACT = 16  # 2^16 sets x 16 nodes of float64 are 8 MB
_STRETCH = 8  # the longest stretch that is moved at once
_ROUNDING = 1e-12  # of the largest weight: smaller gains are none


class HamiltonianPath(NamedTuple):
    """The nodes in the order of the path, `int64[n]`; its weight; is it proven heaviest?"""

    order: npt.NDArray[np.int64]
    weight: float
    exact: bool


def path_weight(order: npt.ArrayLike, weights: npt.ArrayLike) -> float:
    """The sum of `weights[order[k], order[k + 1]]`.

    >>> path_weight([0, 2, 1], [[0, 3, 1], [0.5, 0, 2], [2, 5, 0]])
    6.0
    """
    nodes = np.asarray(order, dtype=np.int64)
    return float(np.asarray(weights, dtype=np.float64)[nodes[:-1], nodes[1:]].sum())


def hamiltonian_path(
    weights: npt.ArrayLike, *, exact_up_to: int = 12, restarts: int = 4, seed: int = 0
) -> HamiltonianPath:
    """argmax over orders of the n nodes of sum_k weights[o_k, o_{k + 1}], a directed path.

    Up to `exact_up_to` nodes by dynamic programming over sets of nodes, in time 2^n n^2 (Held &
    Karp, "A dynamic programming approach to sequencing problems", 1962). Larger graphs by greedy
    insertion, and by insertion in random orders, each improved by reversing stretches (2-opt) and
    moving them (or-opt) until neither helps. The same input gives the same path.

    Parameters
    ----------
    weights : `float[n, n]`, of any sign; the diagonal plays no part.
    exact_up_to : at most 16.
    restarts : how many random orders of insertion are tried beside the greedy one.
    seed : of these orders.

    Raises
    ------
    DataError : not a square matrix of finite numbers.
    ConfigurationError : a parameter out of its range.

    >>> hamiltonian_path([[0, 3, 1], [0.5, 0, 2], [2, 5, 0]])
    HamiltonianPath(order=array([0, 2, 1]), weight=6.0, exact=True)
    """
    if not 0 <= exact_up_to <= LARGEST_EXACT:
        raise ConfigurationError(f"exact_up_to={exact_up_to} does not lie in 0 to {LARGEST_EXACT}.")
    if restarts < 0:
        raise ConfigurationError(f"restarts={restarts}; expected 0 or more.")
    matrix = np.ascontiguousarray(weights, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"weights of shape {matrix.shape}", expected="a square matrix")
    n = len(matrix)
    matrix = np.where(np.eye(n, dtype=bool), 0.0, matrix)
    if not np.isfinite(matrix).all():
        raise DataError("a weight that is not finite", expected="finite numbers")
    if n <= 2 or n <= exact_up_to:
        order = _smallest(matrix) if n <= 2 else _exact(matrix)
        return HamiltonianPath(order, path_weight(order, matrix), True)
    order = _improved(matrix, restarts, seed)
    return HamiltonianPath(order, path_weight(order, matrix), False)


def _smallest(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    order = np.arange(len(matrix))
    return order[::-1].copy() if len(matrix) == 2 and matrix[1, 0] > matrix[0, 1] else order


def _exact(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    from plackett.rankers.neural.hamiltonian_kernels import heaviest_path

    return heaviest_path(matrix)


def _improved(matrix: npt.NDArray[np.float64], restarts: int, seed: int) -> npt.NDArray[np.int64]:
    from plackett.rankers.neural.hamiltonian_kernels import improved_path

    n, random = len(matrix), np.random.default_rng(seed)
    turns = np.array([random.permutation(n) for _ in range(restarts)], dtype=np.int64)
    least = _ROUNDING * max(float(np.abs(matrix).max()), 1e-300)
    return improved_path(matrix, turns.reshape(restarts, n), _STRETCH, least)
