"""Fusions as short texts: what command lines and experiment files write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plackett._registry import read_call
from plackett.errors import ConfigurationError
from plackett.fusion.run_fusion import Fusion

__all__ = ["parse_fusion"]


def parse_fusion(
    text: str,
    *,
    normalise: str | None = None,
    weights: Sequence[float] | None = None,
    depth: int | None = None,
) -> Fusion:
    """The fusion that a text describes, with what is said beside it.

    Parameters
    ----------
    text : a method, or a method and named values: `rrf`, `comb_sum(normalise='z_score')`.
    normalise, weights, depth : see `fuse`; None where the text says it, or nothing does.

    Raises
    ------
    ConfigurationError : no such form, a parameter that fusions lack, or one that is said twice.
    UnknownNameError : no method has the name.

    >>> parse_fusion("comb_sum(normalise='z_score')", weights=[0.7, 0.3]).weights
    (0.7, 0.3)
    """
    call = read_call(text)
    if call is None or call.values:
        raise ConfigurationError(
            f"fusion {text!r}; expected a method and named values, such as rrf(k=10)."
        )
    beside = {"normalise": normalise, "weights": weights, "depth": depth}
    given = {name: value for name, value in beside.items() if value is not None}
    twice = sorted(given.keys() & call.named.keys())
    if twice:
        raise ConfigurationError(f"{twice[0]} is said twice: in {text!r} and beside it.")
    settings: dict[str, Any] = {"method": call.name} | call.named | given
    if isinstance(settings.get("weights"), list):
        settings["weights"] = tuple(settings["weights"])
    try:
        return Fusion(**settings)
    except TypeError as error:
        raise ConfigurationError(f"fusion {text!r}: {error}.") from error
