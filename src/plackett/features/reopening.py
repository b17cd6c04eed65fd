"""A feature of a saved set, made again from what the file says and what is given anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plackett.errors import ConfigurationError
from plackett.features.base import BoundFeature, Feature
from plackett.features.candidates import Candidates
from plackett.features.custom import column_feature, constant_feature, function_feature
from plackett.features.registry import get
from plackett.features.streams import Streams, stream_feature

__all__ = ["reopened"]

Functions = Mapping[str, Callable[[Candidates], Any]]
Sources = Mapping[str, Any]


def reopened(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> BoundFeature:
    """A feature of a saved set.

    Parameters
    ----------
    entry : its schema.
    functions : the set's functions by name.
    sources : the indexes or encoders of its vector scores, by name.

    Raises
    ------
    ConfigurationError : the feature has changed since, or a function or a source is missing, or
        the source is another than that of before.
    """
    made = _MAKERS.get(entry["kind"], _registered)(entry, functions, sources)
    if made.version != entry["version"]:
        raise ConfigurationError(
            f"feature {made.name!r} was saved in version {entry['version']}, and this plackett has "
            f"version {made.version}: a ranker trained on the old values does not fit; "
            "extract the features and train again."
        )
    return BoundFeature(made, entry["field"])


def _registered(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    return get(entry["feature"])


def _column(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    column, part = entry.get("column"), entry.get("part", "value")
    return column_feature(entry["feature"], entry["description"], column=column, part=part)


def _function(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    name = entry["feature"]
    if name not in functions:
        raise ConfigurationError(
            f"feature {name!r} is a function, which is not saved; pass functions={{{name!r}: ...}}."
        )
    return function_feature(name, functions[name], entry["description"])


def _vectors(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    from plackett.features.vector_scores import vector_features

    name = entry["source"]
    if name not in sources:
        raise ConfigurationError(
            f"feature {entry['feature']!r} is a score of {name!r}, whose vectors are not saved; "
            f"pass sources={{{name!r}: the index or the encoder}}."
        )
    made = vector_features(name, sources[name], [entry["value"]])[0]
    identity = dict(made.facts)["identity"]
    if identity != entry["identity"]:
        raise ConfigurationError(
            f"source {name!r} of identity {identity}; expected {entry['identity']}, which the "
            "feature set was saved with."
        )
    return made


def _part(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    from plackett.features.part_scores import part_feature

    part, count = int(entry["part"]), int(entry["parts"])
    return part_feature(entry["source"], entry["value"], part, count)


def _stream(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    streams = Streams.from_text(entry["streams"])
    name, level = entry["feature"], entry["level"]
    return stream_feature(name, streams, entry["family"], entry["stream"], level)


def _constant(entry: Mapping[str, Any], functions: Functions, sources: Sources) -> Feature:
    return constant_feature(entry["feature"], entry["description"])


_MAKERS: dict[str, Callable[[Mapping[str, Any], Functions, Sources], Feature]] = {
    "column": _column,
    "function": _function,
    "vectors": _vectors,
    "part": _part,
    "stream": _stream,
    "constant": _constant,
}
