"""What the features ask of an index, and the collection statistics they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from plackett.data.ids import Ids
from plackett.errors import ConfigurationError

__all__ = ["ForwardIndex", "Statistics", "index_of"]

Floats = npt.NDArray[np.float64]


class ForwardIndex(Protocol):
    """The part of an inverted index that features read: `N` documents of `F` fields, `V` terms.

    `tokens` holds the term of every token in reading order; field f of document d is segment
    `d * F + f` of `token_offsets`.
    """

    document_ids: Ids
    n_documents: int
    n_terms: int
    fields: tuple[str, ...]
    document_lengths: npt.NDArray[np.int32]
    field_lengths: npt.NDArray[np.int32]
    collection_frequency: npt.NDArray[np.int64]

    @property
    def document_frequency(self) -> npt.NDArray[np.int64]: ...

    @property
    def tokens(self) -> npt.NDArray[np.int32]: ...

    @property
    def token_offsets(self) -> npt.NDArray[np.int64]: ...

    def encode_queries(self, texts: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]: ...


def index_of(source: Any) -> ForwardIndex:
    """The index itself, or the `index` of a retriever such as BM25.

    Raises
    ------
    ConfigurationError : the object has neither forward tokens nor such an index.
    """
    index = getattr(source, "index", source)
    if not callable(getattr(index, "encode_queries", None)):
        raise ConfigurationError(
            f"features over a {type(source).__name__}; expected an InvertedIndex, or a BM25, which "
            "has one."
        )
    found: ForwardIndex = index
    return found


@dataclass(frozen=True, eq=False)
class Statistics:
    """Statistics of the collection, per term `float64[V]` and in total.

    Attributes
    ----------
    n_documents : N.
    n_tokens : |C|, tokens in the collection.
    mean_length : avgdl, tokens a document; `mean_field_lengths`, `float64[F]`, tokens a field.
    document_frequency, collection_frequency : df and cf.
    idf : `ln(1 + (N - df + 0.5) / (df + 0.5))`, BM25's, never negative.
    log_idf : `ln(N / df)`, 0 for a term in every document.
    """

    n_documents: float
    n_tokens: float
    mean_length: float
    mean_field_lengths: Floats
    document_frequency: Floats
    collection_frequency: Floats
    idf: Floats
    log_idf: Floats
    _shared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, index: ForwardIndex) -> Statistics:
        """Count an index; `O(N + V)`."""
        n = float(index.n_documents)
        df = np.asarray(index.document_frequency, dtype=np.float64)
        cf = np.asarray(index.collection_frequency, dtype=np.float64)
        lengths = np.asarray(index.document_lengths)
        fields = np.asarray(index.field_lengths, dtype=np.float64)
        empty = len(lengths) == 0
        return cls(
            n_documents=n,
            n_tokens=float(lengths.sum(dtype=np.int64)),
            mean_length=0.0 if empty else float(lengths.mean()),
            mean_field_lengths=np.zeros(fields.shape[1]) if empty else fields.mean(axis=0),
            document_frequency=df,
            collection_frequency=cf,
            idf=np.log1p((n - df + 0.5) / (df + 0.5)),
            log_idf=np.log(np.maximum(n, 1.0) / np.maximum(df, 1.0)),
        )

    def shared(self, key: Any, compute: Callable[[], Any]) -> Any:
        """More statistics, which only some features need: `compute()`, called once for a key."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]
