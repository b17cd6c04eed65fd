"""Encoders by description."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any, TypeVar

from plackett._registry import Registry
from plackett.encoders.cache import VectorCache

__all__ = ["describe_encoder", "encoder_names", "parse_encoder", "register_encoder"]

_ENCODERS: Registry[type[Any]] = Registry("encoder", "plackett.encoders")

EncoderClass = TypeVar("EncoderClass", bound="type[Any]")


def register_encoder(encoder: EncoderClass) -> EncoderClass:
    """Class decorator: make an encoder known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    _ENCODERS.enter(encoder.__name__, encoder)
    return encoder


def encoder_names() -> tuple[str, ...]:
    """The names of all encoders, those of other packages included, in order."""
    return _ENCODERS.names()


def parse_encoder(text: str) -> Any:
    """The encoder that a text describes, as its `repr` does: a class and literal arguments.

    `TransformerEncoder('path/to/model', pooling='mean')`. Nothing is executed. Encoders of other
    packages come by the entry-point group `plackett.encoders`.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no encoder has the name.
    """
    return _ENCODERS.make(text, example="TransformerEncoder('path/to/model')")


def describe_encoder(encoder: object, *, without: Collection[str] = ()) -> str:
    """`Class('model', name=value)`: parameters that are not at their defaults, by attributes.

    A cache of vectors is told by its path; one in memory, and the parameters `without`, are left
    out, as no description could bring them back.
    """
    parts = []
    for name, parameter in inspect.signature(type(encoder)).parameters.items():
        value = getattr(encoder, name)
        if isinstance(value, VectorCache):
            value = None if value.path is None else str(value.path)
        if name in without:
            continue
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            parts.append(repr(value))
        elif value is not parameter.default and value != parameter.default:
            parts.append(f"{name}={value!r}")
    return f"{type(encoder).__name__}({', '.join(parts)})"
