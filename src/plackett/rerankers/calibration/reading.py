"""Calibrators by name, by description, and from a file."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import Path

from plackett.errors import ConfigurationError, CorruptFileError, UnknownNameError
from plackett.rerankers.calibration.calibrators import (
    FORMAT,
    VERSION,
    Calibrator,
    Isotonic,
    Platt,
    Temperature,
)

__all__ = ["calibrator_names", "get_calibrator", "load_calibrator", "parse_calibrator"]

_KINDS: dict[str, type[Calibrator]] = {kind.name: kind for kind in (Platt, Temperature, Isotonic)}


def calibrator_names() -> tuple[str, ...]:
    """The names of all calibrators."""
    return tuple(sorted(_KINDS))


def get_calibrator(name: str) -> type[Calibrator]:
    """The calibrator class with exactly this name: "platt", "temperature" or "isotonic".

    Raises
    ------
    UnknownNameError : there is none.
    """
    if name not in _KINDS:
        raise UnknownNameError("calibrator", name, _KINDS)
    return _KINDS[name]


def load_calibrator(path: str | Path) -> Calibrator:
    """Read what `Calibrator.save` wrote.

    Raises
    ------
    CorruptFileError : the file is no calibrator.
    """
    try:
        content = json.loads(Path(path).read_bytes())
        if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
            raise ValueError("of another format or version")
        return _made(get_calibrator(content.pop("kind")), content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFileError(
            f"no calibrator ({error})", expected=f"{FORMAT} {VERSION} as JSON", path=path
        ) from error


def parse_calibrator(text: str) -> Calibrator:
    """The calibrator that a text describes: its `repr`, or a path that ends in ".json".

    Raises
    ------
    ConfigurationError : the text is neither.
    CorruptFileError : the file is no calibrator.

    >>> parse_calibrator("Platt(slope=2.0, intercept=-1.0, score_kind='logit')").kind
    'logit'
    """
    if text.endswith(".json"):
        return load_calibrator(text)
    wrong = ConfigurationError(
        f"calibrator {text!r}; expected a path that ends in .json, or such as "
        "Platt(slope=1.5, intercept=-0.2, score_kind='logit')."
    )
    known = {kind.__name__: kind for kind in _KINDS.values()}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise wrong
        values = {str(pair.arg): ast.literal_eval(pair.value) for pair in call.keywords}
        return _made(known[call.func.id], values)
    except (SyntaxError, ValueError, TypeError, KeyError) as error:
        raise wrong from error


def _made(kind: type[Calibrator], values: dict[str, object]) -> Calibrator:
    wanted = {field.name for field in fields(kind)}
    if set(values) - wanted:
        raise ValueError(f"unknown {', '.join(sorted(set(values) - wanted))}")
    own = {
        name: tuple(float(x) for x in value) if isinstance(value, (list, tuple)) else value
        for name, value in values.items()
    }
    return kind(**own)
