"""How a split reads its feature: what becomes of missing values, zeros and categories."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ZERO", "Reading"]

ZERO = 1e-35
"""LightGBM takes numbers no further from 0 than this for 0."""


class Reading(IntEnum):
    """What a split compares with its threshold, made of the value v of its feature.

    A split sends a document to the right where what it reads is greater than the threshold.
    """

    MISSING_AS_ZERO = 0
    """v, or 0 where v is missing (NaN)."""
    MISSING_LEFT = 1
    """v, or minus infinity where v is missing."""
    MISSING_OR_ZERO_LEFT = 2
    """v, or minus infinity where v is missing or 0."""
    MISSING_RIGHT = 3
    """v, or infinity where v is missing."""
    IS_MISSING = 4
    """1 where v is missing, or else -1."""
    IS_MISSING_OR_ZERO = 5
    """1 where v is missing or 0, or else -1."""
    NOT_IN_SET = 6
    """-1 where v, cut to a whole number, is in the split's set of categories, or else 1."""
