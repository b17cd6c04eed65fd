"""What a model of ranking by terms says: what every posting adds to a score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from plackett._registry import Registry
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.parameters import check_number

__all__ = [
    "Postings",
    "TermModel",
    "check_parameter",
    "parse_term_model",
    "posting_blocks",
    "register_term_model",
    "term_model_names",
]

Floats = npt.NDArray[np.float64]
_BLOCK = 1 << 20


class Postings(NamedTuple):
    """Some postings of an index, one after the other.

    `rows` says which; `term` and `document` are their codes, `tf` how often the document has the
    term, `dl` how many tokens the document has.
    """

    rows: slice
    term: npt.NDArray[np.int64]
    document: npt.NDArray[np.int32]
    tf: Floats
    dl: Floats


def posting_blocks(index: InvertedIndex) -> Iterator[Postings]:
    """All postings in order, about a million at a time."""
    for start in range(0, index.n_postings, _BLOCK):
        rows = slice(start, min(start + _BLOCK, index.n_postings))
        first = int(np.searchsorted(index.posting_offsets, start, side="right")) - 1
        last = int(np.searchsorted(index.posting_offsets, rows.stop, side="left"))
        bounds = np.clip(index.posting_offsets[first : last + 1], start, rows.stop)
        term = np.repeat(np.arange(first, last), np.diff(bounds))
        document = np.asarray(index.posting_documents[rows])
        yield Postings(
            rows,
            term,
            document,
            index.posting_frequencies[rows].astype(np.float64),
            index.document_lengths[document].astype(np.float64),
        )


class TermModel(ABC):
    """A way to score documents by the terms that they share with a query.

    The score of a document that has a term of the query is the sum, over the tokens of the query
    that the index knows, of what the posting adds, plus, for every such token, what the document
    adds, and what the term adds, whether or not the one has the other. It is a value:
    `parse_term_model` reads its `repr`.
    """

    @abstractmethod
    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """What every posting adds: `float32[P]`.

        Raises
        ------
        ConfigurationError : the index lacks what the model reads, such as a field.
        """

    def constants(self, index: InvertedIndex) -> npt.NDArray[np.float32] | None:
        """What every document adds for a token of the query, `float32[N]`, none above 0; or None.

        Smoothing makes it: a language model gives every token some probability in every document.
        """
        return None

    def term_constants(self, index: InvertedIndex) -> npt.NDArray[np.float32] | None:
        """What a token of each term adds to every document, `float32[V]`; or None.

        It changes scores, not their order.
        """
        return None


_MODELS: Registry[type[TermModel]] = Registry("term model", "plackett.term_models")

ModelClass = TypeVar("ModelClass", bound="type[TermModel]")


def register_term_model(model: ModelClass) -> ModelClass:
    """Class decorator: make a model known under the name of its class."""
    _MODELS.enter(model.__name__, model)
    return model


def term_model_names() -> tuple[str, ...]:
    """The names of all models, those of other packages included."""
    return _MODELS.names()


def parse_term_model(text: str) -> TermModel:
    """The model that a text describes: its name, `DPH`, or a call, `Dirichlet(mu=2000)`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no model has the name.
    """
    made: Any = _MODELS.make(text if "(" in text else f"{text}()", example="Dirichlet(mu=1000)")
    model: TermModel = made
    return model


def check_parameter(name: str, value: float, low: float, high: float = np.inf) -> None:
    """Complain of a parameter that is no number above `low` and below `high`."""
    check_number(name, value, low, high, above=True, below=True)
