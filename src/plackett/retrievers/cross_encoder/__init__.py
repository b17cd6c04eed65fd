"""The documents that a cross-encoder puts highest, found with few of its calls."""

from plackett.retrievers.cross_encoder.plans import AdaptiveRounds, EveryDocument, FixedAnchors
from plackett.retrievers.cross_encoder.retriever import CrossEncoderNeighbours

__all__ = ["AdaptiveRounds", "CrossEncoderNeighbours", "EveryDocument", "FixedAnchors"]
