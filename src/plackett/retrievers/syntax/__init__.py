"""Queries with signs: required and excluded terms, phrases, prefixes, words nearly spelt so."""

from plackett.retrievers.syntax.parsing import Clause, parse_query
from plackett.retrievers.syntax.spelling import Suggestion, suggestions
from plackett.retrievers.syntax.syntax_search import SyntaxSearch

__all__ = ["Clause", "Suggestion", "SyntaxSearch", "parse_query", "suggestions"]
