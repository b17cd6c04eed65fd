"""Stages of a ranking pipeline and the operators `%`, `>>` and `|` that compose them."""

from plackett.pipeline.applying import apply_stage, timed_search
from plackett.pipeline.base import Reranker, Retriever, Stage
from plackett.pipeline.budget import fit_to_latency
from plackett.pipeline.budget_report import LatencyBudget
from plackett.pipeline.description import parse_pipeline
from plackett.pipeline.merging import interleave
from plackett.pipeline.query_writing import QueryWriter, WrittenQueries

__all__ = [
    "LatencyBudget",
    "QueryWriter",
    "Reranker",
    "Retriever",
    "Stage",
    "WrittenQueries",
    "apply_stage",
    "fit_to_latency",
    "interleave",
    "parse_pipeline",
    "timed_search",
]
