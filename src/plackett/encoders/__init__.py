"""Encoders: texts to vectors, sparse weights or token matrices, and pairs to scores."""

from plackett.encoders.base import (
    DenseEncoder,
    Encoded,
    Encoder,
    Kind,
    PairScorer,
    SparseEncoder,
    TokenEncoder,
    TokenVectors,
)
from plackett.encoders.cache import VectorCache
from plackett.encoders.max_sim import max_sim
from plackett.encoders.onnx_export import to_onnx
from plackett.encoders.pairs import CrossEncoder
from plackett.encoders.registry import encoder_names, parse_encoder, register_encoder
from plackett.encoders.service import EmbeddingService
from plackett.encoders.static import StaticEncoder
from plackett.encoders.transformer import (
    TokenMatrixEncoder,
    TransformerEncoder,
    TransformerSparseEncoder,
)

__all__ = [
    "CrossEncoder",
    "DenseEncoder",
    "EmbeddingService",
    "Encoded",
    "Encoder",
    "Kind",
    "PairScorer",
    "SparseEncoder",
    "StaticEncoder",
    "TokenEncoder",
    "TokenMatrixEncoder",
    "TokenVectors",
    "TransformerEncoder",
    "TransformerSparseEncoder",
    "VectorCache",
    "encoder_names",
    "max_sim",
    "parse_encoder",
    "register_encoder",
    "to_onnx",
]
