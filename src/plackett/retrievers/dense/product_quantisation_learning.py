"""Learning the rotation and the centroids of product quantisation by alternation."""

from __future__ import annotations

import numpy as np

from plackett.retrievers.dense.product_quantisation_parts import (
    CENTROIDS,
    Bounds,
    Codes,
    Floats,
    assigned,
    gathered,
    part_bounds,
    turned,
)

__all__ = ["balanced_components", "learned"]


def learned(
    vectors: Floats, parts: int, rotated: bool, rounds: int, rng: np.random.Generator
) -> tuple[Floats | None, Floats]:
    """The rotation, if one is wanted, and the centroids `[c, d]` of contiguous vectors."""
    bounds = part_bounds(vectors.shape[1], parts)
    rotation = balanced_components(vectors, bounds) if rotated else None
    values = vectors if rotation is None else turned(vectors, rotation)
    centroids = _drawn(values, rng)
    if rotation is not None:
        for _ in range(rounds):
            codes = assigned(values, centroids, bounds)
            centroids = _means(values, codes, centroids, bounds)
            rotation = _nearest_rotation(vectors, gathered(codes, centroids, bounds))
            values = turned(vectors, rotation)
    for _ in range(rounds):
        codes = assigned(values, centroids, bounds)
        centroids = _means(values, codes, centroids, bounds)
    return rotation, centroids


def balanced_components(vectors: Floats, bounds: Bounds) -> Floats:
    """The principal components, `float32[d, d]`, dealt out to the parts fairly.

    From the largest variance on, each component goes to the part whose variances have the smallest
    product so far, among those with room: at the end the products are about the same.
    """
    covariance = np.cov(vectors.astype(np.float64), rowvar=False, bias=True)
    variances, axes = np.linalg.eigh(np.atleast_2d(covariance))
    # A part of no variance counts as full as one of a very small one.
    weights = np.log(np.maximum(variances, 1e-12 * max(float(variances.max()), 1e-30)))
    room = np.diff(bounds).copy()
    sums = np.zeros(len(room))
    columns: list[list[int]] = [[] for _ in room]
    shift = float(weights.min())
    for component in np.argsort(-variances, kind="stable").tolist():
        part = int(np.argmin(np.where(room > 0, sums, np.inf)))
        columns[part].append(component)
        sums[part] += weights[component] - shift
        room[part] -= 1
    order = [component for part in columns for component in part]
    return np.ascontiguousarray(axes[:, order], dtype=np.float32)


def _nearest_rotation(vectors: Floats, targets: Floats) -> Floats:
    """The orthogonal R for which `vectors @ R` comes nearest to targets, in squares."""
    product = vectors.astype(np.float64).T @ targets.astype(np.float64)
    left, _, right = np.linalg.svd(product)
    return np.ascontiguousarray(left @ right, dtype=np.float32)


def _drawn(values: Floats, rng: np.random.Generator) -> Floats:
    """The first centroids: so many different vectors as there are, at most 256."""
    count = min(CENTROIDS, len(values))
    rows = rng.choice(len(values), count, replace=False)
    drawn: Floats = values[np.sort(rows)]
    return drawn


def _means(values: Floats, codes: Codes, centroids: Floats, bounds: Bounds) -> Floats:
    """The mean of what is assigned to each centroid; a spare one goes where errors are largest."""
    from plackett.retrievers.dense.product_quantisation_kernels import centroid_sums

    sums = np.zeros(centroids.shape, dtype=np.float64)
    counts = np.zeros((len(bounds) - 1, len(centroids)), dtype=np.int64)
    centroid_sums(values, codes, bounds, sums, counts)
    means = np.empty_like(centroids)
    for part, count in enumerate(counts):
        columns = slice(bounds[part], bounds[part + 1])
        mine = sums[:, columns] / np.maximum(count, 1)[:, None]
        empty = np.flatnonzero(count == 0)
        if len(empty):
            off = np.square(values[:, columns] - mine[codes[:, part]]).sum(axis=1)
            worst = np.argsort(-off, kind="stable")[: len(empty)]
            mine[empty[: len(worst)]] = values[worst, columns]
        means[:, columns] = mine
    return means
