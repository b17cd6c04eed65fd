"""What makes a longer query of a query and the documents that it found first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from plackett._registry import Registry
from plackett.retrievers.expansion.feedback import Feedback
from plackett.retrievers.inverted.index import InvertedIndex

__all__ = [
    "Expansion",
    "WeightedTerms",
    "expansion_names",
    "parse_expansion",
    "register_expansion",
]


class WeightedTerms(NamedTuple):
    """The terms of a query: `int32[t]`, each once and ascending, and `float64[t]` above 0."""

    terms: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]


class Expansion(ABC):
    """A way to expand a query. It is a value: its `repr` is read back by `parse_expansion`.

    Attributes
    ----------
    documents : how many of the first documents are read.
    """

    documents: int

    @abstractmethod
    def expand(
        self, index: InvertedIndex, query: WeightedTerms, feedback: Feedback
    ) -> WeightedTerms:
        """The longer query.

        Parameters
        ----------
        query : its terms, weighted by how often they occur; those that the index lacks are left
            out.
        feedback : of at most `documents` documents; of none where the query found none, and then
            the query stays as it is, to a factor.
        """


_EXPANSIONS: Registry[type[Expansion]] = Registry("expansion", "plackett.expansions")

ExpansionClass = TypeVar("ExpansionClass", bound="type[Expansion]")


def register_expansion(expansion: ExpansionClass) -> ExpansionClass:
    """Class decorator: make an expansion known under the name of its class."""
    _EXPANSIONS.enter(expansion.__name__, expansion)
    return expansion


def expansion_names() -> tuple[str, ...]:
    """The names of all expansions, those of other packages included."""
    return _EXPANSIONS.names()


def parse_expansion(text: str) -> Expansion:
    """The expansion that a text describes: its name, `RM3`, or a call, `RM3(terms=20)`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no expansion has the name.
    """
    described = text if "(" in text else f"{text}()"
    made: Any = _EXPANSIONS.make(described, example="RM3(documents=10, terms=10)")
    expansion: Expansion = made
    return expansion
