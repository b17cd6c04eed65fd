"""Queries made longer by what the first documents say: RM3, Bo1, KL."""

from plackett.retrievers.expansion.base import (
    Expansion,
    expansion_names,
    parse_expansion,
    register_expansion,
)
from plackett.retrievers.expansion.divergence import KL, Bo1
from plackett.retrievers.expansion.expanded import Expanded
from plackett.retrievers.expansion.relevance_model import RM3

__all__ = [
    "KL",
    "RM3",
    "Bo1",
    "Expanded",
    "Expansion",
    "expansion_names",
    "parse_expansion",
    "register_expansion",
]
