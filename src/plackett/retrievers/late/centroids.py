"""Centroids of token vectors, by k-means, and what is left of a vector beside its centroid."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.max_sim import LANES, in_lanes, read_only

__all__ = [
    "LENGTH_ERROR",
    "in_parts",
    "learn_centroids",
    "nearest_centroids",
    "residual_buckets",
    "residual_bytes",
]

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int32]
LENGTH_ERROR = 1e-3
"""Vectors whose lengths differ from 1 by less are of length 1."""
PER_THREAD = 4_096


def learn_centroids(
    sample: Floats, count: int, *, iterations: int, unit: bool, seed: int, threads: int
) -> Floats:
    """Centroids of vectors by k-means: `float32[count, d]`.

    It begins with distinct vectors of the sample. Each iteration gives every vector to its nearest
    centroid, and moves each centroid to the mean of its vectors; one without vectors stays.

    Parameters
    ----------
    sample : `float32[t, d]`, with `count` vectors or more.
    iterations : how often.
    unit : make centroids of length 1, for vectors of length 1 (spherical k-means).
    seed : draws the first centroids.
    threads : how many may be used; the centroids do not depend on it.

    >>> learn_centroids(
    ...     np.array([[1, 0], [3, 0], [0, 8]], np.float32), 2,
    ...     iterations=3, unit=False, seed=0, threads=1,
    ... )
    array([[2., 0.],
           [0., 8.]], dtype=float32)
    """
    from plackett.retrievers.late.centroid_kernels import add_up

    drawn = np.sort(np.random.default_rng(seed).choice(len(sample), count, replace=False))
    centroids: Floats = np.array(sample[drawn], dtype=np.float32)
    for _ in range(iterations):
        codes = nearest_centroids(sample, centroids, threads=threads)
        sums = np.zeros(centroids.shape, dtype=np.float64)
        counts = np.zeros(count, dtype=np.int64)
        add_up(read_only(sample), codes, sums, counts)
        held = counts > 0
        means = sums[held] / counts[held, None]
        if unit:
            lengths = np.linalg.norm(means, axis=1, keepdims=True)
            means = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0)
        centroids[held] = means
    return centroids


def nearest_centroids(values: Floats, centroids: Floats, *, threads: int) -> Codes:
    """The nearest centroid of each vector: `int32[t]`; of equally near ones the first.

    >>> nearest_centroids(np.eye(2, dtype=np.float32), -np.eye(2, dtype=np.float32), threads=1)
    array([1, 0], dtype=int32)
    """
    from plackett.retrievers.late.centroid_kernels import nearest

    columns = in_lanes(centroids)
    half_squares = np.full(len(columns) * LANES, np.inf, dtype=np.float32)
    half_squares[: len(centroids)] = np.einsum("ij,ij->i", centroids, centroids) / 2
    codes: Codes = np.zeros(len(values), dtype=np.int32)
    given = read_only(values)

    def assign(part: slice) -> None:
        nearest(given[part], columns, half_squares.reshape(-1, LANES), codes[part])

    in_parts(assign, len(values), threads)
    return codes


def in_parts(work: Callable[[slice], Any], count: int, threads: int) -> None:
    """Do work on parts of `count` things by several threads."""
    size = max(PER_THREAD, -(-count // threads))
    parts = [slice(start, start + size) for start in range(0, count, size)]
    if len(parts) == 1:
        work(parts[0])
    elif parts:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, parts))


def residual_bytes(dimension: int, bits: int) -> int:
    """How many bytes the residual of a vector takes.

    >>> residual_bytes(128, 2), residual_bytes(5, 4)
    (32, 3)
    """
    return -(-dimension * bits // 8)


def residual_buckets(
    sample: Floats, codes: Codes, centroids: Floats, bits: int
) -> tuple[Floats, Floats]:
    """Where components of residuals are cut into `2**bits` buckets, and what each stands for.

    The cutoffs are the quantiles i / 2^b of all components x - c, i = 1 ... 2^b - 1; the buckets'
    values are the quantiles (i + 1/2) / 2^b, i = 0 ... 2^b - 1.

    Parameters
    ----------
    sample, codes : vectors, and the centroid of each.

    Reference: Santhanam et al., "ColBERTv2", NAACL 2022.

    >>> values = np.linspace(-1, 1, 101, dtype=np.float32)[:, None]
    >>> zero = np.zeros((1, 1), np.float32)
    >>> residual_buckets(values, np.zeros(101, np.int32), zero, 1)
    (array([0.], dtype=float32), array([-0.5,  0.5], dtype=float32))
    """
    residuals = sample - centroids[codes]
    steps = 1 << bits
    cutoffs = np.quantile(residuals, np.arange(1, steps) / steps)
    weights = np.quantile(residuals, (np.arange(steps) + 0.5) / steps)
    return cutoffs.astype(np.float32), weights.astype(np.float32)
