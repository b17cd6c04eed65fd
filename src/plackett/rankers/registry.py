"""Rankers by name."""

from __future__ import annotations

import ast
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from plackett.rankers.base import Ranker

__all__ = ["get", "names", "parse", "register"]

ENTRY_POINTS = "plackett.rankers"

_RANKERS: dict[str, type[Ranker]] = {}

RankerClass = TypeVar("RankerClass", bound="type[Ranker]")


def register(ranker: RankerClass) -> RankerClass:
    """Class decorator: make a ranker known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    name = ranker.__name__
    known = _RANKERS.setdefault(name, ranker)
    # A module that is read twice, as a test runner may do, defines the same class again.
    if (known.__module__, known.__qualname__) != (ranker.__module__, ranker.__qualname__):
        raise ConfigurationError(
            f"two rankers named {name!r}: {known.__module__} and {ranker.__module__}; rename one."
        )
    return ranker


def names() -> tuple[str, ...]:
    """The names of all rankers, those of other packages included, in order."""
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return tuple(sorted(plugins | set(_RANKERS)))


def get(name: str) -> type[Ranker]:
    """The ranker class with exactly this name.

    Other packages add theirs by the entry-point group `plackett.rankers`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("LambdaMART")
    <class 'plackett.rankers.lambdamart.LambdaMART'>
    """
    if name not in _RANKERS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            _RANKERS[name] = entry.load()
    if name not in _RANKERS:
        raise UnknownNameError("ranker", name, names())
    return _RANKERS[name]


def parse(text: str) -> Ranker:
    """The ranker whose `repr` is `text`: a name and keyword parameters with literal values.

    Nothing is executed: the text is read as a Python expression and taken apart.

    Raises
    ------
    ConfigurationError : the text is no such description.
    UnknownNameError : no ranker, or no parameter, has the name.

    >>> parse("LambdaMART(trees=10)")
    LambdaMART(trees=10)
    """
    wrong = ConfigurationError(
        f"ranker {text!r}; expected a name and literal keyword parameters, "
        "such as LambdaMART(trees=300)."
    )
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise wrong from error
    if isinstance(expression, ast.Name):
        return get(expression.id)()
    if not (isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name)):
        raise wrong
    if expression.args or any(keyword.arg is None for keyword in expression.keywords):
        raise wrong
    try:
        parameters = {str(pair.arg): ast.literal_eval(pair.value) for pair in expression.keywords}
    except (ValueError, TypeError) as error:
        raise wrong from error
    return get(expression.func.id)().set_params(**parameters)
