"""Other models than BM25 over the same index: language models, randomness, fields, pairs."""

from plackett.retrievers.models.base import (
    TermModel,
    parse_term_model,
    register_term_model,
    term_model_names,
)
from plackett.retrievers.models.bm25s import BM25S
from plackett.retrievers.models.dependence import SequentialDependence
from plackett.retrievers.models.fields import BM25F, FieldBM25
from plackett.retrievers.models.language import AbsoluteDiscounting, Dirichlet, JelinekMercer
from plackett.retrievers.models.lexical import Lexical
from plackett.retrievers.models.lucene import LuceneBM25
from plackett.retrievers.models.randomness import DPH, PL2, InL2

__all__ = [
    "BM25F",
    "BM25S",
    "DPH",
    "PL2",
    "AbsoluteDiscounting",
    "Dirichlet",
    "FieldBM25",
    "InL2",
    "JelinekMercer",
    "Lexical",
    "LuceneBM25",
    "SequentialDependence",
    "TermModel",
    "parse_term_model",
    "register_term_model",
    "term_model_names",
]
