"""Re-rankers of texts: a better order for the candidates of a query."""

from plackett.rerankers.base import Documents, Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering, Ranked, RankedDocument, ScoreKind
from plackett.rerankers.registry import Reranker, get, names, parse, register
from plackett.rerankers.strategy import (
    Asking,
    MalformedAnswerError,
    Policy,
    Steps,
    StrategyReranker,
)
from plackett.rerankers.word_overlap import WordOverlap

__all__ = [
    "Asking",
    "Candidates",
    "Documents",
    "MalformedAnswerError",
    "Ordering",
    "Outcome",
    "Policy",
    "Ranked",
    "RankedDocument",
    "Reranker",
    "ScoreKind",
    "Steps",
    "StrategyReranker",
    "TextReranker",
    "WordOverlap",
    "get",
    "names",
    "parse",
    "register",
]
