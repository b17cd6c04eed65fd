"""Mixtures of a transformer's layers: which of them speak for a token, and how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from plackett.errors import ConfigurationError

__all__ = ["Layers", "checked_layers"]

Layers = tuple[tuple[int, float], ...]
"""Pairs of a layer and its share; shares sum to 1. Layer 0 is what goes into the first block, layer
i what comes out of block i, and -1 the last."""


def checked_layers(layers: Sequence[int] | Mapping[int, float] | None, depth: int) -> Layers | None:
    """The shares of layers, or None where it is the last layer alone.

    Parameters
    ----------
    layers : layers of equal share, or a weight each, which are divided by their sum.
    depth : how many blocks the model has; a layer is counted from 0 to depth, or from the end.

    Raises
    ------
    ConfigurationError : no layers, one that the model does not have or twice, or weights that are
        not finite or sum to 0.

    >>> checked_layers((1, -1), depth=6), checked_layers({-1: 3.0, -2: 1.0}, depth=6)
    (((1, 0.5), (6, 0.5)), ((5, 0.25), (6, 0.75)))
    >>> checked_layers([-1], depth=6) is None
    True
    """
    if layers is None:
        return None
    weights = layers if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
    if len(weights) != len(layers) or not weights:
        raise ConfigurationError(f"layers = {layers!r}; expected one or more, each once.")
    placed: dict[int, float] = {}
    for layer, weight in weights.items():
        whole = isinstance(layer, int) and not isinstance(layer, bool)
        if not whole or not -depth - 1 <= layer <= depth:
            raise ConfigurationError(f"layer {layer!r}; expected 0 to {depth}, or -1 for the last.")
        place = layer % (depth + 1)
        if place in placed:
            raise ConfigurationError(f"layers = {layers!r}; layer {place} is named twice.")
        placed[place] = float(weight)
    total = sum(placed.values())
    if not all(map(math.isfinite, placed.values())) or total == 0:
        raise ConfigurationError(f"layers = {layers!r}; expected finite weights with a sum.")
    found = tuple((place, placed[place] / total) for place in sorted(placed))
    return None if found == ((depth, 1.0),) else found
