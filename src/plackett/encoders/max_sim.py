"""Late interaction: each query token looks for its best match among a document's tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.errors import ConfigurationError, DataError

__all__ = ["LANES", "in_lanes", "max_sim", "read_only"]

LANES = 32
"""A tile of products has so many columns."""
LEAST = 64
"""A thread takes at least so many documents."""


def max_sim(
    query: npt.NDArray[np.float32],
    documents: TokenVectors,
    rows: npt.ArrayLike | None = None,
    *,
    threads: int = 1,
) -> npt.NDArray[np.float32]:
    """Scores of documents for one query: `float32[n]`.

        s_i = sum over query tokens j of max over tokens t of document i of q_j . d_t

    Products are taken in tiles and never written to memory. Each is a sum of float32 numbers in the
    order of the components: the score of a document depends neither on the other documents nor on
    the threads.

    Parameters
    ----------
    query : `float32[m, d]`, the vectors of the query's tokens.
    documents : the token vectors of n documents; one without tokens scores 0. Their values may be
        float16, which are half as many bytes to read; the products are float32 all the same.
    rows : `int[r]`, the documents to score, read where they are; all by default.
    threads : how many may be used.

    Raises
    ------
    DataError : vectors of the two are of different lengths, or a row is none of a document.
    ConfigurationError : `threads` is below 1.

    Reference: Khattab & Zaharia, "ColBERT", SIGIR 2020.

    >>> documents = TokenVectors(np.eye(3, dtype=np.float32), np.array([0, 2, 3, 3]))
    >>> max_sim(np.eye(3, dtype=np.float32)[:2], documents).tolist()
    [2.0, 0.0, 0.0]
    >>> max_sim(np.eye(3, dtype=np.float32)[1:], documents, rows=[1]).tolist()
    [1.0]
    """
    from plackett.encoders.max_sim_kernels import max_sim_of_halves, max_sim_of_rows

    depth = documents.values.shape[1]
    if query.shape[1] != depth:
        raise DataError(
            f"query vectors of length {query.shape[1]} and document vectors of length {depth}",
            expected="both of one model",
        )
    if threads < 1:
        raise ConfigurationError(f"threads={threads}; expected 1 or more.")
    wanted = _checked_rows(rows, len(documents))
    out = np.zeros(len(wanted), dtype=np.float32)
    if depth == 0:
        return out
    columns = read_only(in_lanes(np.asarray(query, dtype=np.float32)))
    offsets = read_only(np.asarray(documents.offsets, dtype=np.int64))
    half = documents.values.dtype == np.float16
    kernel: Any = max_sim_of_halves if half else max_sim_of_rows
    values = read_only(
        np.ascontiguousarray(documents.values).view(np.uint16)
        if half
        else np.asarray(documents.values, dtype=np.float32)
    )

    def score(part: slice) -> None:
        kernel(values, offsets, wanted[part], columns, len(query), out[part])

    size = max(LEAST, -(-len(wanted) // threads))
    parts = [slice(start, start + size) for start in range(0, len(wanted), size)]
    if len(parts) <= 1:
        score(slice(0, len(wanted)))
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(score, parts))
    return out


def in_lanes(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors as the columns of tiles: `float32[groups, d, LANES]`, padded with zeros.

    Parameters
    ----------
    vectors : `float32[m, d]`; vector j is `[j // LANES, :, j % LANES]` of the result.

    >>> in_lanes(np.ones((33, 4), np.float32)).shape
    (2, 4, 32)
    """
    groups, depth = -(-len(vectors) // LANES), vectors.shape[1]
    padded = np.zeros((groups * LANES, depth), dtype=np.float32)
    padded[: len(vectors)] = vectors
    return np.ascontiguousarray(padded.reshape(groups, LANES, depth).transpose(0, 2, 1))


def read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous view that kernels are compiled for once, whether a file lies under it or not."""
    view: npt.NDArray[Any] = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def _checked_rows(rows: npt.ArrayLike | None, count: int) -> npt.NDArray[np.int64]:
    if rows is None:
        return np.arange(count, dtype=np.int64)
    wanted = np.array(rows, dtype=np.int64, ndmin=1)
    if len(wanted) and not 0 <= int(wanted.min()) <= int(wanted.max()) < count:
        raise DataError(f"rows from {wanted.min()} to {wanted.max()}", expected=f"0 to {count - 1}")
    return wanted
