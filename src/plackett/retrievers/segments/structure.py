"""How the vectors of one segment are searched: exactly, or by a structure that skips most."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from plackett._registry import Registry
from plackett.errors import ConfigurationError
from plackett.retrievers.inverted.impacts import Ranking

__all__ = [
    "Searcher",
    "Structure",
    "chosen_structure",
    "get_structure",
    "parse_structure",
    "register_structure",
]

Vectors = TypeVar("Vectors")
Allowed = npt.NDArray[np.bool_]
Progress = Callable[[int, "int | None"], None]


class Searcher(ABC, Generic[Vectors]):
    """One segment, open for search."""

    @abstractmethod
    def search(self, queries: Vectors, k: int, *, allowed: Allowed | None, threads: int) -> Ranking:
        """The `k` best documents of every query, or what the structure takes for them.

        Parameters
        ----------
        queries : checked vectors.
        allowed : `bool[n]`, the documents that may be results; None allows all. A structure finds
            `k` of them where so many are allowed.
        threads : how many may be used; the result does not depend on it.

        Returns
        -------
        Rows of the segment and scores, best first; of equal scores the lower row is first.
        """


class Structure(ABC, Generic[Vectors]):
    """A way to search vectors. It is a value: its `repr` is read back by `parse_structure`.

    Class attributes
    ----------------
    of : the kind of vectors, "dense", "sparse" or "tokens".
    exact : whether what it finds is what comparing with every document finds.
    """

    of: ClassVar[str]
    exact: ClassVar[bool] = False

    @abstractmethod
    def build(self, vectors: Vectors, folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        """Write what the search needs beside the vectors, into `folder`.

        Returns what `open` needs to know, as plain values.
        """

    @abstractmethod
    def open(self, vectors: Vectors, folder: Path, facts: Mapping[str, Any]) -> Searcher[Vectors]:
        """Open what `build` wrote.

        Raises
        ------
        CorruptFileError : a file is not what it must be.
        """


_STRUCTURES: Registry[type[Structure[Any]]] = Registry("structure", "plackett.structures")

StructureClass = TypeVar("StructureClass", bound="type[Structure[Any]]")


def register_structure(structure: StructureClass) -> StructureClass:
    """Class decorator: make a structure known under the name of its class."""
    _STRUCTURES.enter(structure.__name__, structure)
    return structure


def get_structure(name: str) -> type[Structure[Any]]:
    """The structure with exactly this name.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.
    """
    return _STRUCTURES.get(name)


def parse_structure(text: str) -> Structure[Any]:
    """The structure that a text describes, as its `repr` does: `HNSW(links=32)`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no structure has the name.
    """
    made: Structure[Any] = _STRUCTURES.make(text, example="HNSW(links=32)")
    return made


def chosen_structure(structure: Structure[Any] | str, of: str, index: str) -> Structure[Any]:
    """A structure, or the one that a text describes, if it is for vectors of this kind.

    Parameters
    ----------
    of : "dense", "sparse" or "tokens".
    index : the class that is to be searched by it, for the message.

    Raises
    ------
    ConfigurationError : it is for others.
    """
    chosen = parse_structure(structure) if isinstance(structure, str) else structure
    if chosen.of != of:
        raise ConfigurationError(
            f"structure={chosen!r} is for {chosen.of} vectors; {index} has {of} ones."
        )
    return chosen
