"""Doors to language models: what ranking asks of them, and who answers."""

from plackett.llm.base import LanguageModel
from plackett.llm.door import Door
from plackett.llm.fitting import Fitted, fit
from plackett.llm.local.llama_cpp import LlamaCpp
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.openai.model import OpenAI
from plackett.llm.oracle.model import Oracle
from plackett.llm.parsing.parser import Parsed, parse_answer
from plackett.llm.registry import model_names, parse_model, register_model
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
from plackett.llm.templates import PromptTemplate, prompt_names, prompt_template

__all__ = [
    "Answer",
    "Attention",
    "AttentionWeights",
    "Door",
    "Failure",
    "Fitted",
    "Generate",
    "Generation",
    "LabelScores",
    "LanguageModel",
    "Likelihood",
    "LlamaCpp",
    "Message",
    "NextToken",
    "OpenAI",
    "Oracle",
    "Parsed",
    "Prompt",
    "PromptTemplate",
    "Request",
    "Shown",
    "TokenLikelihood",
    "TokenScore",
    "Transformers",
    "fit",
    "model_names",
    "parse_answer",
    "parse_model",
    "prompt_names",
    "prompt_template",
    "register_model",
]
