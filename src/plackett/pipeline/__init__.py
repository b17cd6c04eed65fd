"""Stages of a ranking pipeline and the operators `%`, `>>` and `|` that compose them."""

from plackett.pipeline.base import Reranker, Retriever, apply_stage, interleave, timed_search

__all__ = ["Reranker", "Retriever", "apply_stage", "interleave", "timed_search"]
