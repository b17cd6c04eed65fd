"""What a routing tree is before it is trained: splits in halves along principal components."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["neighbour_pairs", "principal_splits"]

Floats = npt.NDArray[np.float32]
POWERS = 8
SPREAD = 2.0
"""The standard deviation of what a sigmoid is taken of, among the vectors that come to a split."""


def principal_splits(vectors: Floats, depth: int) -> tuple[Floats, Floats]:
    """Weights `[2^D - 1, d]` and biases `[2^D - 1]` of a tree whose leaves are about as full.

    >>> weights, biases = principal_splits(np.array([[0], [1], [2], [3]], np.float32), 1)
    >>> (weights @ np.array([[0, 1, 2, 3]]) + biases[:, None] > 0).sum()
    np.int64(2)
    """
    splits = 2**depth - 1
    weights = np.zeros((splits, vectors.shape[1]), dtype=np.float32)
    biases = np.zeros(splits, dtype=np.float32)
    members = [np.arange(len(vectors))]
    for split in range(splits):
        rows = members[split]
        axis, limit, spread = _cut(vectors[rows].astype(np.float64))
        weights[split] = axis * (SPREAD / spread)
        biases[split] = -limit * (SPREAD / spread)
        left = vectors[rows] @ weights[split] + biases[split] > 0
        members += [rows[left], rows[~left]]
    return weights, biases


def _cut(vectors: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float, float]:
    """The first principal component, the median along it, and the deviation (1 where none)."""
    dimension = vectors.shape[1]
    axis = np.ones(dimension) / np.sqrt(dimension)
    if len(vectors) < 2:
        return axis, 0.0, 1.0
    centred = vectors - vectors.mean(axis=0)
    start = centred[np.argmax(np.square(centred).sum(axis=1))]
    for _ in range(POWERS):
        length = float(np.linalg.norm(start))
        if length == 0:
            break
        axis = start / length
        start = centred.T @ (centred @ axis)
    along = vectors @ axis
    spread = float(along.std())
    return axis, float(np.median(along)), spread if spread > 0 else 1.0


def neighbour_pairs(vectors: Floats, sample: int, seed: int) -> tuple[Floats, Floats]:
    """Some of the vectors, and for each of them the nearest other one among these.

    What a tree is trained on where there are no queries: near vectors are to go the same way.
    """
    from plackett.retrievers.dense.scan import Codes, best_of_all

    rng = np.random.default_rng(seed)
    rows = np.arange(len(vectors))
    if len(rows) > sample:
        rows = np.sort(rng.choice(len(rows), sample, replace=False))
    chosen = np.ascontiguousarray(vectors[rows], dtype=np.float32)
    if len(chosen) < 2:
        return chosen, chosen
    lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen, dtype=np.float64))
    unit = (chosen / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
    every = np.arange(len(unit))
    found, _ = best_of_all(unit, Codes(unit), every, 2, threads=1, least=len(unit))
    other = np.where(found[:, 0] == every, found[:, 1], found[:, 0])
    return chosen, chosen[other]
