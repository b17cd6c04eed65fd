"""Doors to language models: what ranking asks of them, and who answers."""

from plackett.llm.base import LanguageModel
from plackett.llm.door import Door
from plackett.llm.registry import parse_model, register_model
from plackett.llm.requests import (
    Answer,
    Attention,
    AttentionWeights,
    Failure,
    Generate,
    Generation,
    LabelScores,
    Likelihood,
    Message,
    NextToken,
    Prompt,
    Request,
    Shown,
    TokenLikelihood,
    TokenScore,
)

__all__ = [
    "Answer",
    "Attention",
    "AttentionWeights",
    "Door",
    "Failure",
    "Generate",
    "Generation",
    "LabelScores",
    "LanguageModel",
    "Likelihood",
    "Message",
    "NextToken",
    "Prompt",
    "Request",
    "Shown",
    "TokenLikelihood",
    "TokenScore",
    "parse_model",
    "register_model",
]
