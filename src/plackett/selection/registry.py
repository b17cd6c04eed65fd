"""Selectors by name, and their descriptions read back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from plackett._registry import Registry
from plackett.errors import ConfigurationError
from plackett.pipeline.base import Stage
from plackett.pipeline.description import parse_pipeline

if TYPE_CHECKING:
    from plackett.selection.base import Selector

__all__ = ["get", "names", "parse_selector", "register", "stages"]

_SELECTORS: Registry[type[Selector]] = Registry("selector", "plackett.selectors")

SelectorClass = TypeVar("SelectorClass", bound="type[Selector]")


def register(selector: SelectorClass) -> SelectorClass:
    """Class decorator: make a selector known under the name of its class.

    Raises
    ------
    ConfigurationError : another class has the name.
    """
    _SELECTORS.enter(selector.__name__, selector)
    return selector


def names() -> tuple[str, ...]:
    """The names of all selectors, those of other packages included, in order.

    >>> "ScoreThreshold" in names()
    True
    """
    return _SELECTORS.names()


def get(name: str) -> type[Selector]:
    """The selector class with exactly this name.

    Other packages add theirs by the entry-point group `plackett.selectors`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("FixedCutoff")(k=3)
    FixedCutoff(k=3)
    """
    return _SELECTORS.get(name)


def stages() -> dict[str, Callable[..., Stage]]:
    """What `parse_pipeline` needs to read selectors: their names and what makes them.

    A class that has `load` is known as `Name.load` too.
    """
    made: dict[str, Callable[..., Stage]] = {}
    for name in names():
        kind = get(name)
        made[name] = kind
        load = getattr(kind, "load", None)
        if load is not None:
            made[f"{name}.load"] = load
    return made


def parse_selector(text: str) -> Selector:
    """The selector that a text describes, as its `repr` does.

    Raises
    ------
    ConfigurationError : the text is no such description, or describes something else.
    UnknownNameError : no selector has the name.

    >>> parse_selector("ScoreThreshold(minimum=0.5, at_most=10)")
    ScoreThreshold(minimum=0.5, at_least=0, at_most=10)
    """
    from plackett.selection.base import Selector

    made = parse_pipeline(text, stages())
    if not isinstance(made, Selector):
        raise ConfigurationError(f"{text!r} is a pipeline; expected one selector.")
    return made
