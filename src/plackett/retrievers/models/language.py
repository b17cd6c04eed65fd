"""Query likelihood: how probable a document's smoothed language model makes the query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import (
    TermModel,
    check_parameter,
    posting_blocks,
    register_term_model,
)

__all__ = ["AbsoluteDiscounting", "Dirichlet", "JelinekMercer"]

Floats = npt.NDArray[np.float64]


def _background(index: InvertedIndex) -> Floats:
    """p(t) = cf / |C| of every term."""
    shares: Floats = index.collection_frequency / max(index.n_tokens, 1)
    return shares


@register_term_model
@dataclass(frozen=True)
class Dirichlet(TermModel):
    """Query likelihood with Dirichlet's smoothing.

        score = sum over tokens t of the query of ln(1 + tf / (mu p(t))) + ln(mu / (dl + mu))

    which is ln P(query | document) less what does not depend on the document. p(t) = cf / |C|.

    Parameters
    ----------
    mu : above 0, the weight of the collection in tokens. Anserini takes 1,000, Lucene 2,000.

    Zhai, C. and Lafferty, J., 2004. A study of smoothing methods for language models applied to
    information retrieval. TOIS 22(2).
    """

    mu: float = 1000.0

    def __post_init__(self) -> None:
        check_parameter("mu", self.mu, 0.0)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """ln(1 + tf / (mu p))."""
        out = np.empty(index.n_postings, dtype=np.float32)
        shares = _background(index)
        for block in posting_blocks(index):
            out[block.rows] = np.log1p(block.tf / (self.mu * shares[block.term]))
        return out

    def constants(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """ln(mu / (dl + mu))."""
        lengths = index.document_lengths.astype(np.float64)
        return np.log(self.mu / (lengths + self.mu)).astype(np.float32)


@register_term_model
@dataclass(frozen=True)
class JelinekMercer(TermModel):
    """Query likelihood with a fixed share of the collection's model.

        score = sum over tokens t of the query of ln(1 + (1 - share) (tf / dl) / (share p(t)))

    Parameters
    ----------
    share : between 0 and 1, of the collection; about 0.1 for short queries, 0.7 for long ones.

    Zhai, C. and Lafferty, J., 2004. A study of smoothing methods for language models applied to
    information retrieval. TOIS 22(2).
    """

    share: float = 0.1

    def __post_init__(self) -> None:
        check_parameter("share", self.share, 0.0, 1.0)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """ln(1 + (1 - share) (tf / dl) / (share p))."""
        out = np.empty(index.n_postings, dtype=np.float32)
        shares = _background(index)
        odds = (1.0 - self.share) / self.share
        for block in posting_blocks(index):
            out[block.rows] = np.log1p(odds * block.tf / block.dl / shares[block.term])
        return out


@register_term_model
@dataclass(frozen=True)
class AbsoluteDiscounting(TermModel):
    """Query likelihood with a constant taken from every count and given to the collection's model.

        P(t | d) = (max(tf - delta, 0) + delta u p(t)) / dl

    The score is the sum of ln P(t | d) over the tokens of the query, less what does not depend on
    the document; u is how many different terms the document has.

    Parameters
    ----------
    delta : between 0 and 1.

    Zhai, C. and Lafferty, J., 2004. A study of smoothing methods for language models applied to
    information retrieval. TOIS 22(2).
    """

    delta: float = 0.7

    def __post_init__(self) -> None:
        check_parameter("delta", self.delta, 0.0, 1.0)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """ln(1 + max(tf - delta, 0) / (delta u p))."""
        out = np.empty(index.n_postings, dtype=np.float32)
        shares, distinct = _background(index), _distinct_terms(index)
        for block in posting_blocks(index):
            given = self.delta * distinct[block.document] * shares[block.term]
            out[block.rows] = np.log1p((block.tf - self.delta) / given)
        return out

    def constants(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """ln(delta u / dl); 0 for a document without terms."""
        lengths = index.document_lengths.astype(np.float64)
        share = self.delta * _distinct_terms(index) / np.maximum(lengths, 1.0)
        return np.log(np.where(lengths > 0, share, 1.0)).astype(np.float32)


def _distinct_terms(index: InvertedIndex) -> Floats:
    """How many different terms each document has."""
    counts = np.zeros(index.n_documents, dtype=np.int64)
    for block in posting_blocks(index):
        counts += np.bincount(block.document, minlength=index.n_documents)
    return counts.astype(np.float64)
