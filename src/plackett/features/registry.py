"""Features by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.features.base import Compute, Feature, Kind, Level

__all__ = ["feature", "get", "names", "register"]

ENTRY_POINTS = "plackett.features"

_FEATURES: dict[str, Feature] = {}


def register(definition: Feature) -> Feature:
    """Make a feature known under its name.

    Raises
    ------
    ConfigurationError : another feature has the name.
    """
    if _FEATURES.setdefault(definition.name, definition) is not definition:
        raise ConfigurationError(f"two features named {definition.name!r}; rename one.")
    return definition


def feature(
    name: str,
    *,
    description: str,
    formula: str,
    low: float | None = None,
    high: float | None = None,
    kind: Kind = "index",
    level: Level = "document",
    by_field: bool = False,
    needs: tuple[str, ...] = ("frequencies",),
    version: int = 1,
) -> Callable[[Compute], Compute]:
    """Decorator: register a function `(candidates, field) -> float64[rows]` as a feature."""

    def registrar(compute: Compute) -> Compute:
        register(
            Feature(
                name,
                description,
                formula,
                compute,
                low=low,
                high=high,
                kind=kind,
                level=level,
                by_field=by_field,
                needs=needs,
                version=version,
            )
        )
        return compute

    return registrar


def names() -> tuple[str, ...]:
    """The names of all features, those of other packages included, in order."""
    _load_own()
    plugins = {entry.name for entry in entry_points(group=ENTRY_POINTS)}
    return tuple(sorted(plugins | set(_FEATURES)))


def get(name: str) -> Feature:
    """The feature with exactly this name.

    Other packages add theirs by the entry-point group `plackett.features`: each entry names a
    `Feature`.

    Raises
    ------
    UnknownNameError : there is none; the message lists all names.

    >>> get("bm25").by_field
    True
    """
    _load_own()
    if name not in _FEATURES:
        for entry in entry_points(group=ENTRY_POINTS, name=name):
            register(entry.load())
    if name not in _FEATURES:
        raise UnknownNameError("feature", name, names())
    return _FEATURES[name]


def _load_own() -> None:
    """Import the modules whose definitions fill the registry."""
    from plackett.features import (
        dependence,
        feedback,
        lexical,
        neighbours,
        proximity,
        query,
        spans,
        specificity,
        term_statistics,
    )

    _ = (
        dependence,
        feedback,
        lexical,
        neighbours,
        proximity,
        query,
        spans,
        specificity,
        term_statistics,
    )
