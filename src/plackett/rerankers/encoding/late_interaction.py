"""Late interaction: the best match of each query token among a text's tokens, summed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenEncoder, TokenVectors
from plackett.encoders.max_sim import max_sim
from plackett.encoders.transformer import TokenMatrixEncoder
from plackett.rerankers.encoding.encoder_reranker import EncoderReranker
from plackett.rerankers.ranked import ScoreKind
from plackett.rerankers.registry import register

__all__ = ["LateInteractionReranker"]


@register("max-sim")
class LateInteractionReranker(EncoderReranker[TokenEncoder]):
    """MaxSim: score = sum over query tokens of the greatest product with a token of the text.

    Parameters
    ----------
    model : a model's folder; the description of a token encoder, such as
        "TokenMatrixEncoder('path', keep='no-punctuation')"; or a `TokenEncoder`.
    average : divide by the number of query tokens: with vectors of length 1, a score from -1 to 1
        that can be compared between queries.

    Raises
    ------
    ConfigurationError : the encoder gives no token matrices.

    Reference: Khattab & Zaharia, "ColBERT", SIGIR 2020.
    """

    encoder_kind = TokenEncoder
    documents_at_once = 2_000

    def __init__(self, model: TokenEncoder | str, *, average: bool = False) -> None:
        super().__init__(model)
        self.average = average

    def _default(self, model: str) -> TokenEncoder:
        return TokenMatrixEncoder(model)

    def _score_kind(self) -> ScoreKind:
        return "dot_product"

    def _scores(
        self, query: TokenVectors, row: int, documents: TokenVectors, first: int, last: int
    ) -> npt.NDArray[np.float64]:
        part = TokenVectors(documents.values, documents.offsets[first : last + 1])
        scores = max_sim(query[row], part).astype(np.float64)
        return scores / max(1, len(query[row])) if self.average else scores
