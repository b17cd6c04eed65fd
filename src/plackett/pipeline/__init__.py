"""Stages of a ranking pipeline and the operators `%`, `>>` and `|` that compose them."""

from plackett.pipeline.applying import apply_stage, timed_search
from plackett.pipeline.base import Reranker, Retriever, Stage
from plackett.pipeline.description import parse_pipeline
from plackett.pipeline.merging import interleave

__all__ = [
    "Reranker",
    "Retriever",
    "Stage",
    "apply_stage",
    "interleave",
    "parse_pipeline",
    "timed_search",
]
