"""Late interaction: each query token looks for its best match among a document's tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.errors import DataError

__all__ = ["max_sim"]

_ROWS = 1 << 15


def max_sim(query: npt.NDArray[np.float32], documents: TokenVectors) -> npt.NDArray[np.float32]:
    """Scores of documents for one query: `float32[n]`.

        s_i = sum over query tokens j of max over tokens t of document i of q_j . d_t

    Parameters
    ----------
    query : `float32[m, d]`, the vectors of the query's tokens.
    documents : the token vectors of n documents; one without tokens scores 0.

    Raises
    ------
    DataError : vectors of the two are of different lengths.

    Reference: Khattab & Zaharia, "ColBERT", SIGIR 2020.

    >>> documents = TokenVectors(np.eye(3, dtype=np.float32), np.array([0, 2, 3, 3]))
    >>> max_sim(np.eye(3, dtype=np.float32)[:2], documents).tolist()
    [2.0, 0.0, 0.0]
    """
    from plackett.encoders.max_sim_kernels import sum_of_maxima

    if query.shape[1] != documents.values.shape[1]:
        raise DataError(
            f"query vectors of length {query.shape[1]} and document vectors of length "
            f"{documents.values.shape[1]}",
            expected="both of one model",
        )
    values = np.ascontiguousarray(documents.values, dtype=np.float32)
    transposed = np.ascontiguousarray(query.T, dtype=np.float32)
    offsets = np.asarray(documents.offsets, dtype=np.int64)
    out = np.zeros(len(documents), dtype=np.float32)
    start = 0
    while start < len(documents):
        # Blocks of whole documents, so that no more than this many products are held at once.
        limit = offsets[start] + _ROWS
        stop = max(start + 1, int(np.searchsorted(offsets, limit, side="right")) - 1)
        first, last = int(offsets[start]), int(offsets[stop])
        similarity = values[first:last] @ transposed  # [tokens, m]
        sum_of_maxima(similarity, offsets[start : stop + 1], first, out[start:stop])
        start = stop
    return out
