"""A short form of every vector finds candidates; the whole vectors put them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.dense.scan import Codes, best_of_all, best_of_candidates
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.structure import Searcher

__all__ = [
    "DTYPES",
    "CoarseSearcher",
    "check_coarse",
    "check_half",
    "dealt",
    "open_codes",
    "rescored",
    "stacked",
    "write_codes",
]

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, "int | None"], None]
Part = TypeVar("Part")
DTYPES = ("float32", "float16", "int8")
LEAST = 16_384
BATCH = 8_192
LARGEST_HALF = float(np.finfo(np.float16).max)


def check_coarse(dtype: str, oversampling: int) -> None:
    """Check the parameters that structures with a short form share.

    Raises
    ------
    ConfigurationError : another type, or fewer than one candidate a result.
    """
    if dtype not in DTYPES:
        raise ConfigurationError(f"dtype={dtype!r}; expected one of {', '.join(DTYPES)}.")
    if oversampling < 1:
        raise ConfigurationError(f"oversampling={oversampling}; expected 1 or more.")


def _batches(vectors: Vectors, progress: Progress | None) -> Iterator[Vectors]:
    for start in range(0, len(vectors), BATCH):
        yield vectors[start : start + BATCH]
        if progress is not None:
            progress(min(start + BATCH, len(vectors)), len(vectors))


def write_codes(
    vectors: Vectors,
    folder: Path,
    *,
    dtype: str,
    dimension: int,
    keep_length: bool,
    progress: Progress | None,
) -> None:
    """Write the first components of every vector in a number type, as `codes.npy`, `scales.npy`.

    int8 holds `round(127 x / max |x|)` of each vector and the scale `max |x| / 127`.

    Parameters
    ----------
    keep_length : a vector that is cut is made as long as it was, which keeps cosines cosines.

    Raises
    ------
    DataError : a component is beyond what float16 holds.
    """
    with ExitStack() as opened:
        codes = opened.enter_context(ArrayWriter(folder / "codes.npy", dtype))
        scales = opened.enter_context(ArrayWriter(folder / "scales.npy", np.float32))
        for batch in _batches(vectors, progress):
            short = np.ascontiguousarray(batch[:, :dimension])
            if keep_length and dimension < batch.shape[1]:
                short = short * _stretch(batch, short)[:, None]
            if dtype == "int8":
                largest = np.abs(short).max(axis=1, initial=0).astype(np.float32)
                scale = largest / np.float32(127)
                divisor = np.where(scale > 0, scale, np.float32(1))
                short = np.clip(np.rint(short / divisor[:, None]), -127, 127)
                scales.append(scale)
            elif dtype == "float16":
                check_half(short)
            codes.append(short.astype(dtype).reshape(-1))


def _stretch(whole: Vectors, short: Vectors) -> Vectors:
    """How much longer whole vectors are than short ones; 0 for a short one without length."""
    above, below = (
        np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64)) for part in (whole, short)
    )
    ratio: Vectors = np.divide(above, below, out=np.zeros_like(above), where=below > 0).astype(
        np.float32
    )
    return ratio


def check_half(values: Vectors) -> None:
    """Check that float16 holds the components.

    Raises
    ------
    DataError : it does not.
    """
    largest = float(np.abs(values).max(initial=0))
    if largest > LARGEST_HALF:
        raise DataError(
            f"a component of size {largest:g}",
            expected=f"at most {LARGEST_HALF:g}, what float16 holds",
            remedy="make the vectors of length 1, or take dtype='int8'",
        )


def open_codes(folder: Path, *, rows: int, dimension: int, dtype: str) -> Codes:
    """What `write_codes` wrote, memory-mapped.

    Raises
    ------
    CorruptFileError : the files are not as they must be.
    """
    flat = open_array(folder / "codes.npy", dtype, (rows * dimension,))
    scaled = rows if dtype == "int8" else 0
    scales = open_array(folder / "scales.npy", np.float32, (scaled,))
    return Codes(flat.reshape(rows, dimension), scales if scaled else None)


class CoarseSearcher(Searcher[Vectors]):
    """Compares the short forms of all documents, and rescores the best.

    Parameters
    ----------
    codes : the short form of every vector.
    vectors : whole.
    oversampling : candidates a result; the exact answer where they are all documents.
    """

    def __init__(self, codes: Codes, vectors: Vectors, oversampling: int) -> None:
        self._codes, self._vectors, self._oversampling = codes, vectors, oversampling

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None,
        threads: int,
    ) -> Ranking:
        """The `k` best of `oversampling * k` candidates."""
        rows = np.arange(len(self._codes)) if allowed is None else np.flatnonzero(allowed)
        short = np.ascontiguousarray(queries[:, : self._codes.values.shape[1]])
        wanted = self._oversampling * k
        found, _ = best_of_all(short, self._codes, rows, wanted, threads=threads, least=LEAST)
        return rescored(queries, self._vectors, found, k, threads=threads)


def rescored(
    queries: Vectors, vectors: Vectors, candidates: npt.NDArray[Any], k: int, *, threads: int
) -> Ranking:
    """The best of each query's candidates by the whole vectors, queries dealt out to threads."""
    # In the order of the rows, the vectors are read from the disk in one direction.
    ordered = np.sort(candidates.astype(np.int64), axis=1)[:, ::-1]
    return stacked(
        dealt(
            lambda at: best_of_candidates(queries[at], vectors, ordered[at], k),
            len(queries),
            threads=threads,
        )
    )


def dealt(
    work: Callable[[slice], Part], queries: int, *, threads: int, most: int | None = None
) -> list[Part]:
    """What `work` makes of all queries, dealt out to threads in groups, in their order.

    Parameters
    ----------
    work : takes the place of some queries that follow one another; at least once, for none at all.
    most : how many of them a group has at most.

    >>> dealt(lambda at: at.stop - at.start, 5, threads=2)
    [3, 2]
    """
    size = max(1, -(-queries // threads))
    if most is not None:
        size = min(size, most)
    parts = [slice(at, min(at + size, queries)) for at in range(0, max(1, queries), size)]
    if threads == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def stacked(parts: list[Ranking]) -> Ranking:
    """Rankings of some queries each, as one of all."""
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return Ranking(
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        np.concatenate([part.documents for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
