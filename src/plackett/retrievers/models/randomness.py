"""Divergence from randomness: how surprising a term's frequency in a document is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import (
    Postings,
    TermModel,
    check_parameter,
    posting_blocks,
    register_term_model,
)

__all__ = ["DPH", "PL2", "InL2"]

Floats = npt.NDArray[np.float64]
# The share of a document that one term may fill in DPH, whose formula ends at 1.
LARGEST_SHARE = 0.99999


@register_term_model
@dataclass(frozen=True)
class DPH(TermModel):
    """Hypergeometric randomness with Popper's normalisation, without parameters.

        w = (1 - r)^2 / (tf + 1) (tf log2(tf (avgdl / dl) (N / cf)) + 0.5 log2(2 pi tf (1 - r)))

    r = min(tf / dl, 0.99999). Only documents whose sum is above 0 are results.

    Amati, G. et al., 2007. FUB, IASI-CNR and University of Tor Vergata at TREC 2007 Blog track.
    """

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        out = np.empty(index.n_postings, dtype=np.float32)
        for block in posting_blocks(index):
            share = block.tf / block.dl
            r = np.minimum(share, LARGEST_SHARE)
            rarity = index.n_documents / index.collection_frequency[block.term]
            information = block.tf * np.log2(share * index.mean_length * rarity)
            information += 0.5 * np.log2(2.0 * np.pi * block.tf * (1.0 - r))
            out[block.rows] = (1.0 - r) ** 2 / (block.tf + 1.0) * information
        return out


def _normalised(block: Postings, index: InvertedIndex, c: float) -> Floats:
    """tfn = tf log2(1 + c avgdl / dl), the second normalisation."""
    tfn: Floats = block.tf * np.log2(1.0 + c * index.mean_length / block.dl)
    return tfn


@register_term_model
@dataclass(frozen=True)
class PL2(TermModel):
    """Poisson randomness, Laplace's after-effect, the second normalisation.

        w = (tfn log2(1 / f) + f log2(e) + 0.5 log2(2 pi tfn) + tfn log2(tfn / e)) / (tfn + 1)

    tfn = tf log2(1 + c avgdl / dl), f = cf / N. Only documents whose sum is above 0 are results.

    Parameters
    ----------
    c : above 0; the greater, the less a document's length counts.

    Amati, G. and van Rijsbergen, C. J., 2002. Probabilistic models of information retrieval based
    on measuring the divergence from randomness. TOIS 20(4).
    """

    c: float = 1.0

    def __post_init__(self) -> None:
        check_parameter("c", self.c, 0.0)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        out = np.empty(index.n_postings, dtype=np.float32)
        for block in posting_blocks(index):
            tfn = _normalised(block, index, self.c)
            f = index.collection_frequency[block.term] / index.n_documents
            information = tfn * np.log2(tfn / np.e / f) + f * np.log2(np.e)
            information += 0.5 * np.log2(2.0 * np.pi * tfn)
            out[block.rows] = information / (tfn + 1.0)
        return out


@register_term_model
@dataclass(frozen=True)
class InL2(TermModel):
    """Inverse document frequency, Laplace's after-effect, the second normalisation.

        w = tfn / (tfn + 1) log2((N + 1) / (df + 0.5)),  tfn = tf log2(1 + c avgdl / dl)

    Parameters
    ----------
    c : above 0; the greater, the less a document's length counts.

    Amati, G. and van Rijsbergen, C. J., 2002. Probabilistic models of information retrieval based
    on measuring the divergence from randomness. TOIS 20(4).
    """

    c: float = 1.0

    def __post_init__(self) -> None:
        check_parameter("c", self.c, 0.0)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        out = np.empty(index.n_postings, dtype=np.float32)
        rarity = np.log2((index.n_documents + 1.0) / (index.document_frequency + 0.5))
        for block in posting_blocks(index):
            tfn = _normalised(block, index, self.c)
            out[block.rows] = tfn / (tfn + 1.0) * rarity[block.term]
        return out
