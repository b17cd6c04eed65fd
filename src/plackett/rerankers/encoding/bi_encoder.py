"""A bi-encoder: query and text as vectors, compared by their angle or product."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import DenseEncoder
from plackett.encoders.pooling import normalised
from plackett.encoders.transformer import TransformerEncoder
from plackett.errors import ConfigurationError
from plackett.rerankers.encoding.encoder_reranker import EncoderReranker
from plackett.rerankers.ranked import ScoreKind
from plackett.rerankers.registry import register

__all__ = ["BiEncoderReranker"]

Vectors = npt.NDArray[np.float32]


@register("bi-encoder")
class BiEncoderReranker(EncoderReranker[DenseEncoder]):
    """Score = q . d, or q . d / (|q| |d|), of the vectors of query and text.

    Parameters
    ----------
    model : a model's folder in the layout of sentence-transformers; the description of a dense
        encoder, such as "TransformerEncoder('path', pooling='cls')"; or a `DenseEncoder`.
    similarity : "cosine" or "dot". The cosine with a vector of zeros is 0.

    Raises
    ------
    ConfigurationError : `similarity` is neither, or the encoder is not dense.

    Reference: Reimers & Gurevych, "Sentence-BERT", EMNLP 2019.
    """

    encoder_kind = DenseEncoder

    def __init__(
        self, model: DenseEncoder | str, *, similarity: Literal["cosine", "dot"] = "cosine"
    ) -> None:
        super().__init__(model)
        if similarity not in ("cosine", "dot"):
            raise ConfigurationError(f"similarity = {similarity!r}; expected 'cosine' or 'dot'.")
        self.similarity = similarity

    def _default(self, model: str) -> DenseEncoder:
        return TransformerEncoder(model)

    def _score_kind(self) -> ScoreKind:
        return "cosine" if self.similarity == "cosine" else "dot_product"

    def _scores(
        self, query: Vectors, row: int, documents: Vectors, first: int, last: int
    ) -> npt.NDArray[np.float64]:
        left, right = query[row], documents[first:last]
        if self.similarity == "cosine" and not self.encoder.normalised:
            left, right = normalised(left), normalised(right)
        return np.asarray(right @ left, dtype=np.float64)
