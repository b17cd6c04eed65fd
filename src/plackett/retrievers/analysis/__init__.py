"""Analysis: from a text to the terms of an index."""

from plackett.retrievers.analysis.base import (
    ANALYZERS,
    Analyzer,
    FunctionAnalyzer,
    TextAnalyzer,
    get_analyzer,
    register_analyzer,
)

__all__ = [
    "ANALYZERS",
    "Analyzer",
    "FunctionAnalyzer",
    "TextAnalyzer",
    "get_analyzer",
    "register_analyzer",
]
