"""Token vectors made into one vector a text."""

from __future__ import annotations

from typing import Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError

__all__ = ["Pooling", "checked_pooling", "normalised", "pool"]

Pooling = Literal["mean", "cls", "last", "max", "weighted-mean"]
"""Which token vectors speak for a text. "mean" of all; "cls": the first; "last": that of the last
token, for models that read from left to right; "max": the greatest value of each dimension;
"weighted-mean": token i (from 1) counts i times."""

Floats = npt.NDArray[np.float32]


def checked_pooling(pooling: str) -> Pooling:
    """`pooling`, if it is one.

    Raises
    ------
    ConfigurationError : it is none of `Pooling`.
    """
    if pooling not in get_args(Pooling):
        raise ConfigurationError(f"pooling = {pooling!r}; expected one of {get_args(Pooling)}.")
    return cast("Pooling", pooling)


def pool(hidden: Floats, mask: npt.NDArray[np.int64], pooling: Pooling) -> Floats:
    """One vector a text: `float32[b, d]`.

    Parameters
    ----------
    hidden : `float32[b, l, d]`, token vectors, padded on the right.
    mask : `int64[b, l]`, 1 for real tokens.
    pooling : see `Pooling`.

    >>> hidden = np.array([[[1.0], [3.0], [9.0]]], dtype=np.float32)
    >>> pool(hidden, np.array([[1, 1, 0]]), "mean").tolist()
    [[2.0]]
    """
    lengths = mask.sum(axis=1)
    rows = np.arange(len(hidden))
    if pooling == "cls":
        return np.asarray(hidden[:, 0])
    if pooling == "last":
        return np.asarray(hidden[rows, np.maximum(lengths, 1) - 1])
    if pooling == "max":
        lowest = np.finfo(np.float32).min
        return np.asarray(np.where(mask[:, :, None] == 1, hidden, lowest).max(axis=1))
    weights = mask.astype(np.float32)
    if pooling == "weighted-mean":
        weights = weights * np.arange(1, mask.shape[1] + 1, dtype=np.float32)
    total = np.maximum(weights.sum(axis=1), 1.0)
    summed = np.einsum("bl,bld->bd", weights, hidden)
    return np.asarray(summed / total[:, None], dtype=np.float32)


def normalised(vectors: Floats) -> Floats:
    """Vectors of length 1 along the last axis; a vector of zeros stays one.

    >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    safe = np.where(lengths > 0, lengths, 1.0)
    return np.asarray(vectors / safe, dtype=np.float32)
