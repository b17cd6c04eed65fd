"""Other models than BM25 over the same index: language models, randomness, fields."""

from plackett.retrievers.models.base import (
    TermModel,
    parse_term_model,
    register_term_model,
    term_model_names,
)
from plackett.retrievers.models.fields import BM25F, FieldBM25
from plackett.retrievers.models.language import AbsoluteDiscounting, Dirichlet, JelinekMercer
from plackett.retrievers.models.lexical import Lexical
from plackett.retrievers.models.lucene import LuceneBM25
from plackett.retrievers.models.randomness import DPH, PL2, InL2

__all__ = [
    "BM25F",
    "DPH",
    "PL2",
    "AbsoluteDiscounting",
    "Dirichlet",
    "FieldBM25",
    "InL2",
    "JelinekMercer",
    "Lexical",
    "LuceneBM25",
    "TermModel",
    "parse_term_model",
    "register_term_model",
    "term_model_names",
]
