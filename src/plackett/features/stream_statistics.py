"""Statistics of the collection by stream: what a stream, some fields of each document, holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.features.statistics import ForwardIndex, Statistics

__all__ = ["Idf", "StreamStatistics"]

Idf = Literal["plain", "smoothed"]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class StreamStatistics:
    """Frequencies in each of `S` streams; number S is the whole document.

    Attributes
    ----------
    of_field : `int32[F]`, the stream of each field of the index, -1 for none.
    document_frequency : `int32[S, V]`, documents with the term in the stream.
    collection_frequency : `int64[S, V]`, occurrences of the term in the stream.
    mean_length : `float64[S + 1]`, tokens of the stream, mean over all documents.
    collection : the statistics of whole documents.
    """

    of_field: Codes
    document_frequency: npt.NDArray[np.int32]
    collection_frequency: npt.NDArray[np.int64]
    mean_length: Floats
    collection: Statistics

    @classmethod
    def of(
        cls, index: ForwardIndex, collection: Statistics, of_field: Codes, streams: int
    ) -> StreamStatistics:
        """Count an index; one pass over all its tokens."""
        from plackett.features.stream_kernels import count_streams

        shape = (streams, index.n_terms)
        df, cf = np.zeros(shape, np.int32), np.zeros(shape, np.int64)
        tokens, offsets = np.asarray(index.tokens), np.asarray(index.token_offsets)
        count_streams(of_field, tokens, offsets, df, cf, np.zeros(shape, np.int32))
        mean = np.zeros(streams + 1)
        for field, stream in enumerate(of_field.tolist()):
            if stream >= 0:
                mean[stream] += collection.mean_field_lengths[field]
        mean[-1] = collection.mean_length
        return cls(of_field, df, cf, mean, collection)

    def idf(self, kind: Idf, terms: Codes | slice) -> Floats:
        """`float64[S + 1, terms]`; 0 for a term that the stream has nowhere.

        "plain" is ln(N / df), "smoothed" ln(1 + (N - df + 0.5) / (df + 0.5)).
        """
        n, whole = self.collection.n_documents, self.collection.document_frequency[terms]
        df = np.concatenate([self.document_frequency[:, terms], whole[None]])
        some = np.maximum(df, 1.0)
        rarity = np.log(n / some) if kind == "plain" else np.log1p((n - some + 0.5) / (some + 0.5))
        return np.where(df > 0, rarity, 0.0)

    def share(self, terms: Codes) -> Floats:
        """p = cf / |C|, `float64[S + 1, terms]`; 0 for a term that the stream has nowhere."""
        whole = self.collection.collection_frequency[terms]
        cf = np.concatenate([self.collection_frequency[:, terms], whole[None]])
        tokens = self.mean_length * self.collection.n_documents
        share: Floats = cf / np.maximum(tokens, 1.0)[:, None]
        return share
