"""Learned sparse weights (SPLADE): the terms that query and text share, weighted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import SparseEncoder
from plackett.encoders.transformer import TransformerSparseEncoder
from plackett.rerankers.encoding.encoder_reranker import EncoderReranker
from plackett.rerankers.ranked import ScoreKind
from plackett.rerankers.registry import register

__all__ = ["LearnedSparseReranker"]


@register("splade")
class LearnedSparseReranker(EncoderReranker[SparseEncoder]):
    """Score = sum over terms of (weight in the query) x (weight in the text).

    Parameters
    ----------
    model : the folder of a masked language model trained as SPLADE; the description of a sparse
        encoder, such as "TransformerSparseEncoder('path', top_k=128)"; or a `SparseEncoder`.

    Raises
    ------
    ConfigurationError : the encoder is not sparse.

    Reference: Formal, Piwowarski & Clinchant, "SPLADE", SIGIR 2021.
    """

    encoder_kind = SparseEncoder

    def __init__(self, model: SparseEncoder | str) -> None:
        super().__init__(model)

    def _default(self, model: str) -> SparseEncoder:
        return TransformerSparseEncoder(model)

    def _score_kind(self) -> ScoreKind:
        return "dot_product"

    def _scores(
        self, query: Any, row: int, documents: Any, first: int, last: int
    ) -> npt.NDArray[np.float64]:
        products = documents[first:last] @ query[row].T
        return np.asarray(products.toarray()[:, 0], dtype=np.float64)
