"""The retrievers by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TypeVar

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.pipeline.base import Retriever

__all__ = ["ENTRY_POINTS", "Retriever", "get", "names", "register"]

ENTRY_POINTS = "plackett.retrievers"
RETRIEVERS: dict[str, type[Retriever]] = {}

Kind = TypeVar("Kind", bound=type[Retriever])


def register(name: str) -> Callable[[Kind], Kind]:
    """A decorator that enters a class under `name`; a name that is taken is an error."""

    def enter(kind: Kind) -> Kind:
        known = RETRIEVERS.get(name)
        # The same class again is a module that was imported anew.
        if known is not None and known.__qualname__ != kind.__qualname__:
            raise ConfigurationError(f"the retriever {name!r} exists already")
        RETRIEVERS[name] = kind
        return kind

    return enter


def get(name: str) -> type[Retriever]:
    """The class of a retriever: ours, or one that a package offers as `plackett.retrievers`.

    Raises
    ------
    UnknownNameError : no retriever has that name.

    >>> get("bm25").__name__
    'BM25'
    """
    if name in RETRIEVERS:
        return RETRIEVERS[name]
    for offer in entry_points(group=ENTRY_POINTS, name=name):
        kind = offer.load()
        if not (isinstance(kind, type) and issubclass(kind, Retriever)):
            raise ConfigurationError(f"the entry point {offer.value!r} is no Retriever")
        return kind
    raise UnknownNameError("retriever", name, names())


def names() -> tuple[str, ...]:
    """The names that `get` knows.

    >>> "bm25" in names()
    True
    """
    return tuple(sorted({*RETRIEVERS, *(offer.name for offer in entry_points(group=ENTRY_POINTS))}))
