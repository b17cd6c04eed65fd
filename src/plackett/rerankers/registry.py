"""Re-rankers of texts by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from plackett._registry import Registry, read_call
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.rerankers.base import TextReranker

__all__ = ["Reranker", "describe", "get", "name_of", "names", "parse", "register"]

_RERANKERS: Registry[type[TextReranker]] = Registry("re-ranker", "plackett.rerankers")

RerankerClass = TypeVar("RerankerClass", bound="type[TextReranker]")


def register(name: str) -> Callable[[RerankerClass], RerankerClass]:
    """Class decorator: make a re-ranker known under a name such as "cross-encoder".

    Raises
    ------
    ConfigurationError : another class has the name.
    """

    def enter(reranker: RerankerClass) -> RerankerClass:
        _RERANKERS.enter(name, reranker)
        return reranker

    return enter


def names() -> tuple[str, ...]:
    """The names of all re-rankers, those of other packages included, in order."""
    return _RERANKERS.names()


def get(name: str) -> type[TextReranker]:
    """The re-ranker class with exactly this name.

    Other packages add theirs by the entry-point group `plackett.rerankers`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("word-overlap").__name__
    'WordOverlap'
    """
    return _RERANKERS.get(name)


def name_of(reranker: TextReranker) -> str:
    """The name under which a re-ranker's class is known; the class's own where it has none."""
    for name, known in _RERANKERS:
        if known is type(reranker):
            return name
    return type(reranker).__name__


def Reranker(name: str, **parameters: object) -> TextReranker:  # noqa: N802 - reads as a class
    """The re-ranker of this name.

    Parameters
    ----------
    name : see `names()`.
    parameters : those of the class that has the name; `help(get(name))` tells them.

    Raises
    ------
    UnknownNameError : no re-ranker has the name.
    ConfigurationError : a parameter that it does not have, or one that is missing.

    >>> Reranker("word-overlap")
    Reranker('word-overlap')
    """
    kind = get(name)
    signature = inspect.signature(kind)
    try:
        signature.bind(**parameters)
    except TypeError as error:
        raise ConfigurationError(
            f"re-ranker {name!r}: {error}; its parameters are {', '.join(signature.parameters)}."
        ) from error
    return kind(**parameters)


def describe(reranker: TextReranker) -> str:
    """`Reranker('name', ...)` with the parameters that are not at their defaults.

    Parameters are read from the attributes of the same names; a model is given by its own
    description, so that the text can be read back.
    """
    from plackett.llm.base import LanguageModel

    parts = [repr(name_of(reranker))]
    for name, parameter in inspect.signature(type(reranker)).parameters.items():
        value = getattr(reranker, name)
        if value is parameter.default or value == parameter.default:
            continue
        shown = repr(repr(value)) if isinstance(value, LanguageModel) else repr(value)
        parts.append(f"{name}={shown}")
    return f"Reranker({', '.join(parts)})"


def parse(text: str, options: Mapping[str, object] | None = None) -> TextReranker:
    """The re-ranker that a text describes: `name`, `name(parameter=value, ...)` or its `repr`.

    Nothing is executed: the text is taken apart, and values are literal.

    Parameters
    ----------
    text : the description.
    options : further parameters, which may be any objects.

    Raises
    ------
    ConfigurationError : the text is no such description, or gives a parameter of `options` too.
    UnknownNameError : no re-ranker has the name.

    >>> parse("word-overlap"), parse("Reranker('word-overlap')")
    (Reranker('word-overlap'), Reranker('word-overlap'))
    """
    call = read_call(text)
    if call is not None and call.name == "Reranker" and len(call.values) == 1:
        call = call._replace(name=str(call.values[0]), values=[])
    if call is None or call.values:
        raise ConfigurationError(
            f"re-ranker {text!r}; expected a name and literal keyword parameters, "
            "such as prp(model=\"Transformers('path')\", k=10)."
        )
    further = dict(options or {})
    twice = sorted(set(further) & set(call.named))
    if twice:
        raise ConfigurationError(
            f"re-ranker {text!r} gives {twice[0]!r}, which an option gives too."
        )
    return Reranker(call.name, **call.named, **further)
