"""Building an index by centroids: what is written beside the token vectors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import floor, log2, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import read_only
from plackett.retrievers.inverted.arrays import ArrayWriter
from plackett.retrievers.late.centroids import (
    LENGTH_ERROR,
    in_parts,
    learn_centroids,
    nearest_centroids,
    residual_buckets,
    residual_bytes,
)

__all__ = ["code_type", "usual_centroids", "write_centroids"]

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, "int | None"], None]
BATCH = 1 << 15
SAMPLED = 32
"""So many vectors a centroid are drawn for k-means."""
MOST_SAMPLED = 1 << 20
MEASURED = 1 << 15
"""So many residuals tell where the buckets are."""


def usual_centroids(tokens: int) -> int:
    """How many centroids an index of so many tokens has, at most one a token.

    >>> usual_centroids(1_000_000), usual_centroids(3), usual_centroids(0)
    (8192, 3, 0)
    """
    return min(tokens, 1 << floor(log2(16 * sqrt(tokens)))) if tokens else 0


def code_type(centroids: int) -> np.dtype[Any]:
    """The type that holds the number of a centroid.

    >>> code_type(65_536), code_type(65_537)
    (dtype('uint16'), dtype('int32'))
    """
    return np.dtype(np.uint16 if centroids <= 1 << 16 else np.int32)


def write_centroids(
    vectors: TokenVectors,
    folder: Path,
    *,
    count: int | None,
    bits: int,
    iterations: int,
    seed: int,
    threads: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Learn centroids, and write every token's code and residual, and every centroid's documents.

    Memory holds the sample of vectors that the centroids are learned from, the codes, the lists,
    and one batch.

    Returns
    -------
    What opens the files: the number of centroids, the bits, the entries of all lists, and whether
    vectors have length 1.
    """
    total, dimension = vectors.values.shape
    used = min(total, usual_centroids(total) if count is None else count)
    sample = _sampled(vectors.values, used, seed)
    lengths = np.linalg.norm(sample, axis=1)
    unit = bool((np.abs(lengths - 1) < LENGTH_ERROR).all())
    centroids = np.zeros((0, dimension), dtype=np.float32)
    weights = np.zeros(1 << bits, dtype=np.float32)
    cutoffs = weights[1:]
    if used:
        centroids = learn_centroids(
            sample, used, iterations=iterations, unit=unit, seed=seed, threads=threads
        )
        measured = sample[:: -(-len(sample) // MEASURED)]
        nearest = nearest_centroids(measured, centroids, threads=threads)
        cutoffs, weights = residual_buckets(measured, nearest, centroids, bits)
    codes = _write_codes(vectors.values, centroids, cutoffs, bits, folder, threads, progress)
    starts, listed = _lists(codes, np.asarray(vectors.offsets), used)
    np.save(folder / "plaid_centroids.npy", centroids.reshape(-1))
    np.save(folder / "plaid_weights.npy", weights)
    np.save(folder / "plaid_starts.npy", starts)
    np.save(folder / "plaid_listed.npy", listed)
    return {"centroids": used, "bits": bits, "entries": len(listed), "unit": unit}


def _sampled(values: Floats, centroids: int, seed: int) -> Floats:
    """Vectors to learn centroids from, in memory."""
    size = min(len(values), max(centroids, min(SAMPLED * centroids, MOST_SAMPLED)))
    if size == len(values):
        return np.ascontiguousarray(values)
    rows = np.random.default_rng(seed).choice(len(values), size, replace=False)
    return np.ascontiguousarray(values[np.sort(rows)])


def _write_codes(
    values: Floats,
    centroids: Floats,
    cutoffs: Floats,
    bits: int,
    folder: Path,
    threads: int,
    progress: Progress | None,
) -> npt.NDArray[Any]:
    """Write the centroid and the residual of every vector, a batch at a time; the centroids."""
    from plackett.retrievers.late.centroid_kernels import encode_residuals

    kind = code_type(len(centroids))
    codes = np.zeros(len(values), dtype=kind)
    width = residual_bytes(values.shape[1], bits)
    with ExitStack() as opened:
        code_file = opened.enter_context(ArrayWriter(folder / "plaid_codes.npy", kind))
        residuals = opened.enter_context(ArrayWriter(folder / "plaid_residuals.npy", np.uint8))
        for start in range(0, len(values), BATCH):
            batch = read_only(values[start : start + BATCH])
            found = nearest_centroids(batch, centroids, threads=threads)
            packed = np.zeros((len(batch), width), dtype=np.uint8)

            def encode(
                part: slice,
                batch: npt.NDArray[Any] = batch,
                found: npt.NDArray[np.int32] = found,
                packed: npt.NDArray[np.uint8] = packed,
            ) -> None:
                encode_residuals(batch[part], found[part], centroids, cutoffs, bits, packed[part])

            in_parts(encode, len(batch), threads)
            codes[start : start + len(batch)] = found
            code_file.append(found.astype(kind))
            residuals.append(packed.reshape(-1))
            if progress is not None:
                progress(start + len(batch), len(values))
    return codes


def _lists(
    codes: npt.NDArray[Any], offsets: npt.NDArray[np.int64], centroids: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """The documents of every centroid, ascending: where each list starts, and all lists."""
    from plackett.retrievers.late.centroid_kernels import fill_lists, list_lengths

    lengths = np.zeros(centroids, dtype=np.int64)
    list_lengths(codes, read_only(offsets), lengths)
    starts = lengths_to_offsets(lengths)
    listed = np.zeros(int(starts[-1]), dtype=np.int32)
    fill_lists(codes, read_only(offsets), starts[:-1].copy(), listed)
    return starts, listed
