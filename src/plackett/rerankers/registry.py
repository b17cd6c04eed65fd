"""Re-rankers of texts by name."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from plackett.rerankers.base import TextReranker

__all__ = ["Reranker", "describe", "get", "name_of", "names", "parse", "register"]

ENTRY_POINTS = "plackett.rerankers"

_RERANKERS: dict[str, type[TextReranker]] = {}

RerankerClass = TypeVar("RerankerClass", bound="type[TextReranker]")


def register(name: str) -> Callable[[RerankerClass], RerankerClass]:
    """Class decorator: make a re-ranker known under a name such as "cross-encoder".

    Raises
    ------
    ConfigurationError : another class has the name.
    """

    def enter(reranker: RerankerClass) -> RerankerClass:
        known = _RERANKERS.setdefault(name, reranker)
        # A module that is read twice, as a test runner may do, defines the same class again.
        if (known.__module__, known.__qualname__) != (reranker.__module__, reranker.__qualname__):
            raise ConfigurationError(
                f"two re-rankers named {name!r}: {known.__module__} and {reranker.__module__}; "
                "rename one."
            )
        return reranker

    return enter


def names() -> tuple[str, ...]:
    """The names of all re-rankers, those of other packages included, in order."""
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return tuple(sorted(plugins | set(_RERANKERS)))


def get(name: str) -> type[TextReranker]:
    """The re-ranker class with exactly this name.

    Other packages add theirs by the entry-point group `plackett.rerankers`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("word-overlap").__name__
    'WordOverlap'
    """
    if name not in _RERANKERS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            _RERANKERS[name] = entry.load()
    if name not in _RERANKERS:
        raise UnknownNameError("re-ranker", name, names())
    return _RERANKERS[name]


def name_of(reranker: TextReranker) -> str:
    """The name under which a re-ranker's class is known; the class's own where it has none."""
    for name, known in _RERANKERS.items():
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


def parse(text: str) -> TextReranker:
    """The re-ranker that a text describes: `name`, `name(parameter=value, ...)` or its `repr`.

    Nothing is executed: the text is taken apart, and values are literal.

    Raises
    ------
    ConfigurationError : the text is no such description.
    UnknownNameError : no re-ranker has the name.

    >>> parse("word-overlap"), parse("Reranker('word-overlap')")
    (Reranker('word-overlap'), Reranker('word-overlap'))
    """
    wrong = ConfigurationError(
        f"re-ranker {text!r}; expected a name and literal keyword parameters, "
        "such as prp(model=\"Transformers('path')\", k=10)."
    )
    name, bracket, rest = text.strip().partition("(")
    try:
        call = ast.parse(f"f({rest}" if bracket else "f()", mode="eval").body
        if not isinstance(call, ast.Call) or any(pair.arg is None for pair in call.keywords):
            raise wrong
        values = [ast.literal_eval(value) for value in call.args]
        parameters = {str(pair.arg): ast.literal_eval(pair.value) for pair in call.keywords}
    except (SyntaxError, ValueError, TypeError) as error:
        raise wrong from error
    if name.strip() == "Reranker" and len(values) == 1:
        return Reranker(str(values[0]), **parameters)
    if values:
        raise wrong
    return Reranker(name.strip(), **parameters)
