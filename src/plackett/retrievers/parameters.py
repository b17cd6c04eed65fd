"""Checks of the parameters of models and expansions."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from plackett.errors import ConfigurationError

__all__ = ["check_count", "check_number"]


def check_number(
    name: str,
    value: Any,
    low: float = 0.0,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> None:
    """Refuse what is no finite number from `low` to `high`.

    Parameters
    ----------
    name : of the parameter, for the message.
    above, below : `low`, or `high`, itself is refused too.

    Raises
    ------
    ConfigurationError : it is none.

    >>> check_number("mu", float("nan"), above=True)
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: mu=nan; expected a number above 0.
    """
    number = _as_float(value)
    high_enough = low < number if above else low <= number
    low_enough = number < high if below else number <= high
    if high_enough and low_enough and math.isfinite(number):
        return
    span = f"above {low:g}" if above else f"of {low:g} or more"
    if high < math.inf:
        span = f"between {low:g} and {high:g}" if above and below else f"from {low:g} to {high:g}"
    raise ConfigurationError(f"{name}={value!r}; expected a number {span}.")


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no whole number of `least` or more.

    Raises
    ------
    ConfigurationError : it is none.

    >>> check_count("k", 2.5)
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: k=2.5; expected a whole number of 1 or more.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ConfigurationError(f"{name}={value!r}; expected a whole number of {least} or more.")


def _as_float(value: Any) -> float:
    """The number; nan for what is none, and infinity for an integer that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf
