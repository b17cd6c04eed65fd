"""What a search may try: ranges and alternatives, as texts that a file or an option can hold."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from plackett.errors import ConfigurationError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Alternatives", "Range", "SearchSpace", "default_space", "parse_space"]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `logarithmic`: even in their logarithm."""

    low: float
    high: float
    integer: bool
    logarithmic: bool

    def suggest(self, trial: Any, name: str) -> Any:
        """A value for an Optuna trial."""
        if self.integer:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.logarithmic)
        return trial.suggest_float(name, self.low, self.high, log=self.logarithmic)


@dataclass(frozen=True)
class Alternatives:
    """One of several values."""

    values: tuple[Any, ...]

    def suggest(self, trial: Any, name: str) -> Any:
        """A value for an Optuna trial."""
        return trial.suggest_categorical(name, list(self.values))


SearchSpace = Mapping[str, Range | Alternatives]


def parse_space(texts: Mapping[str, str]) -> dict[str, Range | Alternatives]:
    """Ranges and alternatives from their texts.

    Raises
    ------
    ConfigurationError : a text is neither.

    >>> parse_space({"leaves": "7..63:log", "loss": "ListNet|RankNet"})["leaves"]
    Range(low=7, high=63, integer=True, logarithmic=True)
    """
    return {name: _parsed(name, text) for name, text in texts.items()}


def _parsed(name: str, text: str) -> Range | Alternatives:
    if "|" in text:
        return Alternatives(tuple(_literal(value.strip()) for value in text.split("|")))
    span, _, scale = text.partition(":")
    low, dots, high = (_literal(part.strip()) for part in span.partition(".."))
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (low, high))
    if not dots or not numeric or not low < high or scale not in ("", "log"):
        raise ConfigurationError(
            f"cannot read the search {name}={text!r}; write low..high, low..high:log, or "
            "alternatives such as ListNet|RankNet."
        )
    if scale and low <= 0:
        raise ConfigurationError(f"{name}={text!r}: a logarithmic range starts above 0.")
    integer = isinstance(low, int) and isinstance(high, int)
    return Range(low, high, integer, bool(scale))


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def default_space(kind: str) -> dict[str, Range | Alternatives]:
    """What is tried for a ranker where nothing else is said.

    Raises
    ------
    ConfigurationError : there is no default for this ranker.
    """
    text = files("plackett.experiment").joinpath("search_spaces.toml").read_text(encoding="utf-8")
    spaces = tomllib.loads(text)
    if kind not in spaces:
        raise ConfigurationError(
            f"there is no default search for {kind}; say what to try, such as "
            f"learning_rate=0.001..0.1:log. Defaults exist for: {', '.join(spaces)}."
        )
    return parse_space(spaces[kind])
