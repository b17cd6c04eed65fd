"""Vectors in parts: where parts begin, which centroids are nearest, what codes stand for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "CENTROIDS",
    "Bounds",
    "Codes",
    "Floats",
    "assigned",
    "gathered",
    "part_bounds",
    "turned",
]

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]
Bounds = npt.NDArray[np.int64]
CENTROIDS = 256
"""A byte names so many."""


def part_bounds(dimension: int, parts: int) -> Bounds:
    """Where each part of a vector begins, and the last one ends.

    >>> part_bounds(7, 3)
    array([0, 3, 5, 7])
    """
    widths = np.full(parts, dimension // parts, dtype=np.int64)
    widths[: dimension % parts] += 1
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(widths)])


def turned(vectors: Floats, rotation: Floats) -> Floats:
    """`vectors @ rotation`, a row the same whatever the other rows are."""
    from plackett.retrievers.dense.product_quantisation_kernels import rotate

    into = np.empty((len(vectors), rotation.shape[1]), dtype=np.float32)
    rotate(np.ascontiguousarray(vectors), np.ascontiguousarray(rotation), into)
    return into


def assigned(vectors: Floats, centroids: Floats, bounds: Bounds) -> Codes:
    """The nearest centroid of each part of rotated vectors."""
    from plackett.retrievers.dense.product_quantisation_kernels import nearest_centroids

    codes = np.empty((len(vectors), len(bounds) - 1), dtype=np.uint8)
    squares = np.square(centroids, dtype=np.float32)
    halves = np.add.reduceat(squares, bounds[:-1], axis=1).T / np.float32(2)
    columns = np.ascontiguousarray(centroids.T, dtype=np.float32)
    nearest_centroids(vectors, columns, np.ascontiguousarray(halves), bounds, codes)
    return codes


def gathered(codes: Codes, centroids: Floats, bounds: Bounds) -> Floats:
    """The centroids that codes name, side by side, `float32[n, d]`."""
    part = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    stood: Floats = centroids[codes[:, part], np.arange(centroids.shape[1])]
    return stood
