"""Encoders by description."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import entry_points
from typing import Any, TypeVar

from plackett.errors import ConfigurationError, UnknownNameError

__all__ = ["describe_encoder", "encoder_names", "parse_encoder", "register_encoder"]

ENTRY_POINTS = "plackett.encoders"

_ENCODERS: dict[str, type[Any]] = {}

EncoderClass = TypeVar("EncoderClass", bound="type[Any]")


def register_encoder(encoder: EncoderClass) -> EncoderClass:
    """Class decorator: make an encoder known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    name = encoder.__name__
    known = _ENCODERS.setdefault(name, encoder)
    # A module that is read twice, as a test runner may do, defines the same class again.
    if (known.__module__, known.__qualname__) != (encoder.__module__, encoder.__qualname__):
        raise ConfigurationError(
            f"two encoders named {name!r}: {known.__module__} and {encoder.__module__}; rename one."
        )
    return encoder


def encoder_names() -> tuple[str, ...]:
    """The names of all encoders, those of other packages included, in order."""
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return tuple(sorted(plugins | set(_ENCODERS)))


def parse_encoder(text: str) -> Any:
    """The encoder that a text describes, as its `repr` does: a class and literal arguments.

    `TransformerEncoder('path/to/model', pooling='mean')`. Nothing is executed. Encoders of other
    packages come by the entry-point group `plackett.encoders`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no encoder has the name.
    """
    wrong = ConfigurationError(
        f"encoder {text!r}; expected a class and literal arguments, such as "
        "TransformerEncoder('path/to/model')."
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise wrong
        if any(pair.arg is None for pair in call.keywords):
            raise wrong
        values = [ast.literal_eval(value) for value in call.args]
        named = {str(pair.arg): ast.literal_eval(pair.value) for pair in call.keywords}
    except (SyntaxError, ValueError, TypeError) as error:
        raise wrong from error
    kind = _get(call.func.id)
    try:
        inspect.signature(kind).bind(*values, **named)
    except TypeError as error:
        raise ConfigurationError(f"encoder {text!r}: {error}.") from error
    return kind(*values, **named)


def describe_encoder(encoder: object) -> str:
    """`Class('model', name=value)`: parameters that are not at their defaults, by attributes."""
    parts = []
    for name, parameter in inspect.signature(type(encoder)).parameters.items():
        value = getattr(encoder, name)
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            parts.append(repr(value))
        elif value is not parameter.default and value != parameter.default:
            parts.append(f"{name}={value!r}")
    return f"{type(encoder).__name__}({', '.join(parts)})"


def _get(name: str) -> type[Any]:
    if name not in _ENCODERS:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            _ENCODERS[name] = entry.load()
    if name not in _ENCODERS:
        raise UnknownNameError("encoder", name, encoder_names())
    return _ENCODERS[name]
