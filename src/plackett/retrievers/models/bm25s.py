"""BM25 as the package bm25s computes it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import TermModel, posting_blocks, register_term_model
from plackett.retrievers.parameters import check_number
from plackett.retrievers.weighting import VARIANTS, Weighting

__all__ = ["BM25S"]

DELTA = 0.5


@register_term_model
@dataclass(frozen=True)
class BM25S(TermModel):
    """BM25 with the scores of the package bm25s, to compare with it or to take its place.

    Three things differ from `BM25`: the defaults are k1 1.5 and, where there is a delta, 0.5;
    Robertson's idf is never below 0, so that a term in half of the documents or more counts
    nothing; and "bm25l" and "bm25+" are computed also for tf = 0, so that every document gets

        idf delta (k1 + 1) / (k1 + delta)  for bm25l,  idf delta  for bm25+

    for each token of the query. A term that occurs then adds that much less than in `BM25`: in
    "bm25+", delta changes no ranking.

    bm25s fills its k places also with documents that have no term of the query; here they are no
    results.

    Parameters
    ----------
    variant : "robertson", "lucene", "atire", "bm25l" or "bm25+": bm25s' `method`.
    k1, b : see `Weighting`.
    delta : 0 or more; of "bm25l" and "bm25+" alone.

    Raises
    ------
    UnknownNameError : no variant has that name.
    ConfigurationError : a parameter out of its range.

    Lu, X. H., 2024. BM25S: orders of magnitude faster lexical search via eager sparse scoring.

    >>> BM25S("bm25+").weighting.delta
    0.5
    """

    variant: str = "lucene"
    k1: float = 1.5
    b: float = 0.75
    delta: float = DELTA

    def __post_init__(self) -> None:
        check_number("delta", self.delta)
        if self.weighting.delta is None and self.delta != DELTA:
            raise ConfigurationError(f"the variant {self.variant!r} has no delta")

    @property
    def weighting(self) -> Weighting:
        """The formula for the terms that occur."""
        known = VARIANTS.get(self.variant)
        has_delta = known is not None and known.delta is not None
        return Weighting(self.variant, self.k1, self.b, self.delta if has_delta else None)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """What a posting adds beyond what every document gets."""
        out = np.empty(index.n_postings, dtype=np.float32)
        weighting = self.weighting
        if self.variant == "bm25+":  # all get delta: without it, no digits are lost
            weighting = replace(weighting, delta=0.0)
        weighting.impacts(
            index.posting_offsets,
            index.posting_documents,
            index.posting_frequencies,
            index.document_lengths,
            index.mean_length,
            out,
        )
        if self.variant == "robertson":
            np.maximum(out, np.float32(0.0), out=out)
        constants = self.term_constants(index)
        if constants is not None and self.variant == "bm25l":
            for block in posting_blocks(index):
                out[block.rows] -= constants[block.term]
        return out

    def term_constants(self, index: InvertedIndex) -> npt.NDArray[np.float32] | None:
        """idf tfc(tf = 0), `float32[V]`; None where it is 0."""
        weighting = self.weighting
        if weighting.delta is None:
            return None
        idf = weighting.idf(index.n_documents, index.document_frequency)
        raised = (self.k1 + 1.0) / (self.k1 + self.delta) if self.variant == "bm25l" else 1.0
        return (idf * self.delta * raised).astype(np.float32)
