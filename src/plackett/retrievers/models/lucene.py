"""BM25 as Lucene computes it, the coarse lengths of documents included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import TermModel, register_term_model
from plackett.retrievers.weighting import Weighting

__all__ = ["LuceneBM25", "coarse_lengths"]

_EXACT = 40
_BITS = 4


def coarse_lengths(lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Lengths as Lucene keeps them, in one byte: exact to 40, then with four significant bits.

    A length n above 40 becomes 24 plus n - 24 with all but its four highest bits cleared.

    >>> coarse_lengths(np.array([0, 40, 41, 57, 100, 1000])).tolist()
    [0, 40, 40, 56, 96, 984]
    """
    exact = np.asarray(lengths, dtype=np.int64)
    offset = _EXACT - (1 << _BITS)
    rest = np.maximum(exact - offset, 1)
    shift = np.maximum(np.floor(np.log2(rest)).astype(np.int64) - (_BITS - 1), 0)
    return np.where(exact < _EXACT, exact, offset + (rest >> shift << shift))


@register_term_model
@dataclass(frozen=True)
class LuceneBM25(TermModel):
    """BM25 of Lucene: its idf, and lengths of documents that are kept in one byte.

        w = ln(1 + (N - df + 0.5) / (df + 0.5)) tf / (tf + k1 (1 - b + b dl' / avgdl))

    dl' is the coarse length, avgdl the mean of the true ones. With the analyzer "english" and the
    defaults, which are Anserini's, rankings are those of Anserini.

    Parameters
    ----------
    k1, b : see `Weighting`.
    """

    k1: float = 0.9
    b: float = 0.4

    def __post_init__(self) -> None:
        Weighting("lucene", self.k1, self.b)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        out = np.empty(index.n_postings, dtype=np.float32)
        Weighting("lucene", self.k1, self.b).impacts(
            index.posting_offsets,
            index.posting_documents,
            index.posting_frequencies,
            coarse_lengths(index.document_lengths).astype(np.int32),
            index.mean_length,
            out,
        )
        return out
