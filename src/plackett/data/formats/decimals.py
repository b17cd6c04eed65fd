"""Decimal numbers as text: what counts as one, the same in every format and every kernel."""

from __future__ import annotations

import re

import numpy as np

__all__ = ["parse_number", "to_float32"]

_NUMBER = re.compile(
    rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE
)


def parse_number(token: bytes) -> float | None:
    """The number that `token` writes, or None where it writes none.

    Decimal notation, with or without an exponent; "inf", "infinity" and "nan" in any case. Python's
    underscores and any other script's digits are no numbers.

    >>> parse_number(b"-1.5e3"), parse_number(b"1_000"), parse_number(b"Inf")
    (-1500.0, None, inf)
    """
    return float(token) if _NUMBER.fullmatch(token) else None


def to_float32(value: float) -> float:
    """`value` rounded to float32; beyond its range infinite, without a warning."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))
