"""Losses, pair functions and pair weights by name, and the text form that they share.

Every one is an immutable value whose `repr` parses back:

    Pairwise(Hinge(margin=0.5), LambdaWeight(truncation=10)) + 0.1 * BinaryCrossEntropy()
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.base import known_measures

if TYPE_CHECKING:
    from plackett.losses.base import Loss

__all__ = ["described", "get", "names", "parse_loss", "register"]

ENTRY_POINTS = "plackett.losses"

_PARTS: dict[str, type[Any]] = {}

Part = TypeVar("Part", bound=type[Any])


def register(part: Part) -> Part:
    """Class decorator: make a loss, a pair function or a pair weight known under its class's name.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    known = _PARTS.setdefault(part.__name__, part)
    # A module that is read twice, as a test runner may do, defines the same class again.
    if (known.__module__, known.__qualname__) != (part.__module__, part.__qualname__):
        raise ConfigurationError(
            f"two losses named {part.__name__!r}: {known.__module__} and {part.__module__}; "
            "rename one."
        )
    return part


def _load() -> None:
    """Read the modules whose definitions register themselves."""
    import plackett.losses  # noqa: F401


def names() -> tuple[str, ...]:
    """The names of all losses, those of other packages included, in order."""
    from plackett.losses.base import Loss

    _load()
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    own = {name for name, part in _PARTS.items() if issubclass(part, Loss)}
    return tuple(sorted(plugins | own))


def get(name: str) -> type[Loss]:
    """The loss class with exactly this name.

    Other packages add theirs by the entry-point group `plackett.losses`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("ListNet")()
    ListNet()
    """
    known = names()
    if name not in known:
        raise UnknownNameError("loss", name, known)
    found: type[Loss] = _part(name)
    return found


def _part(name: str) -> Any:
    if name not in _PARTS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            _PARTS[name] = entry.load()
    if name not in _PARTS:
        raise UnknownNameError("loss", name, {*names(), *_PARTS})
    return _PARTS[name]


def parse_loss(text: str | Loss) -> Loss:
    """The loss that a text describes; a loss is handed back as it is.

    Names stand for losses, pair functions, pair weights and measures; values are literals or such
    descriptions; `+` and `*` make weighted sums, `@` sets a measure's cutoff. Nothing is executed:
    the text is read as a Python expression and taken apart.

    Raises
    ------
    ConfigurationError : the text is no such description.
    UnknownNameError : no loss, part or parameter has the name; the message lists those that exist.

    >>> parse_loss("LambdaRank(truncation=10)")
    LambdaRank(truncation=10)
    >>> parse_loss("ListNet + 0.5 * Approx(nDCG@10)")
    1.0 * ListNet() + 0.5 * Approx(nDCG@10)
    """
    from plackett.losses.base import Loss

    _load()
    if isinstance(text, Loss):
        return text
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise _unreadable(text) from error
    value = _instance(_evaluated(expression, text))
    if not isinstance(value, Loss):
        raise ConfigurationError(f"{text!r} is {value!r}; expected a loss, such as ListNet().")
    return value


def _unreadable(text: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot read the loss {text!r}; write it as LambdaRank(truncation=10) or "
        "ListNet + 0.5 * Approx(nDCG@10)."
    )


_OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Mult: lambda a, b: a * b,
    ast.MatMult: lambda a, b: a @ b,
}


def _evaluated(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Name):
        measures = known_measures()
        return measures[node.id] if node.id in measures else _part(node.id)
    if isinstance(node, ast.Call):
        return _called(node, text)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        sides = [_instance(_evaluated(side, text)) for side in (node.left, node.right)]
        try:
            return _OPERATIONS[type(node.op)](*sides)
        except TypeError as error:
            raise _unreadable(text) from error
    if isinstance(node, (ast.Tuple, ast.List)):
        return tuple(_instance(_evaluated(element, text)) for element in node.elts)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise _unreadable(text) from error


def _instance(value: Any) -> Any:
    """A bare name stands for the loss or part with its default parameters."""
    if not isinstance(value, type):
        return value
    needed = [
        field.name
        for field in (dataclasses.fields(value) if dataclasses.is_dataclass(value) else ())
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if needed:
        raise ConfigurationError(
            f"{value.__name__} needs {', '.join(needed)}: write {value.__name__}({needed[0]}=...)."
        )
    return value()


def _called(node: ast.Call, text: str) -> Any:
    if not isinstance(node.func, ast.Name) or any(word.arg is None for word in node.keywords):
        raise _unreadable(text)
    part = _evaluated(node.func, text)
    values = [_instance(_evaluated(argument, text)) for argument in node.args]
    words = {str(word.arg): _instance(_evaluated(word.value, text)) for word in node.keywords}
    known = [field.name for field in dataclasses.fields(part) if field.init]
    for name in words:
        if name not in known:
            raise UnknownNameError(f"parameter of {node.func.id}", name, known)
    try:
        return part(*values, **words)
    except TypeError as error:
        raise ConfigurationError(f"cannot read {text!r}: {error}.") from error


def described(part: Any) -> str:
    """The text of a loss or part: its name and the parameters that differ from their defaults.

    A required parameter stands first, without its name.
    """
    shown = []
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required:
            shown.append(repr(value))
            continue
        default = (
            field.default_factory()
            if field.default_factory is not dataclasses.MISSING
            else field.default
        )
        if value != default:
            shown.append(f"{field.name}={value!r}")
    return f"{type(part).__name__}({', '.join(shown)})"
