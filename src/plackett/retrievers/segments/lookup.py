"""The vectors of given documents, and their products with a query: what a search would score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import max_sim
from plackett.retrievers.segments.base import SegmentedRetriever

__all__ = ["DocumentLookup", "probe_of", "products_with"]

Floats = npt.NDArray[np.float32]


class DocumentLookup:
    """Finds the vectors of documents by their codes into `retriever.document_ids`.

    The vectors are those that were indexed, in full, whatever structure searches them.

    Parameters
    ----------
    retriever : an index of dense, sparse or token vectors.

    >>> import tempfile
    >>> from plackett.retrievers.dense import Dense
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Dense.from_vectors(["a", "b", "c"], np.eye(3), folder).delete(["a"])
    ...     [(place.tolist(), part) for place, part in DocumentLookup(index).blocks(np.array([1]))]
    [([0], array([[0., 0., 1.]], dtype=float32))]
    """

    def __init__(self, retriever: SegmentedRetriever[Any]) -> None:
        self.retriever = retriever
        self._live = [segment.live_rows for segment in retriever.segments]
        self._starts = np.cumsum([0, *map(len, self._live)])

    def blocks(self, codes: npt.NDArray[np.integer]) -> Iterator[tuple[npt.NDArray[np.int64], Any]]:
        """Some places in `codes` and the vectors of their documents, in memory, segment by segment.

        A code below 0 is in no block.
        """
        segment = np.searchsorted(self._starts, codes, side="right") - 1
        for number, live in enumerate(self._live):
            places = np.flatnonzero((segment == number) & (codes >= 0))
            if len(places):
                rows = live[codes[places] - self._starts[number]]
                vectors = self.retriever.segments[number].vectors
                yield places, self.retriever.vectors.take(vectors, rows)


def probe_of(queries: Any, number: int) -> Floats:
    """One query to compare documents with.

    `float32[d]` of dense vectors or of a sparse matrix, `float32[m, d]` of token vectors.
    """
    if isinstance(queries, TokenVectors | np.ndarray):
        probe: Floats = queries[number]
        return probe
    whole: Floats = queries[[number]].toarray()[0]
    return whole


def products_with(probe: Floats, vectors: Any) -> Floats:
    """The scores of n documents for one query: `float32[n]`.

    The product of vectors, or of weights; of token vectors, the sum over the query's tokens of the
    best product with a token of the document. A document's score does not depend on the others
    (of token vectors, to 1e-6).

    Parameters
    ----------
    probe : see `probe_of`.
    vectors : `float32[n, d]`, a CSR matrix n x d, or `TokenVectors` of n documents.

    >>> products_with(np.array([1, 2], np.float32), np.array([[3, 4], [0, 1]], np.float32))
    array([11.,  2.], dtype=float32)
    """
    if isinstance(vectors, TokenVectors):
        return max_sim(probe, vectors)
    if isinstance(vectors, np.ndarray):
        # Row by row: the bits of a sum by matrix products depend on how many rows there are.
        sums: Floats = np.einsum("ij,j->i", vectors, probe)
        return sums
    weighted: Floats = np.asarray(vectors @ probe, dtype=np.float32)
    return weighted
