"""Several comparisons at once: p-values adjusted so that chance has no more tries than it had.

An adjusted p-value is compared with alpha itself. `get_correction` finds one by its exact name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError, UnknownNameError

__all__ = [
    "CORRECTIONS",
    "Correction",
    "benjamini_hochberg",
    "bonferroni",
    "correction",
    "get_correction",
    "holm",
    "uncorrected",
]

Values = npt.NDArray[np.float64]
Adjust = Callable[[npt.ArrayLike], Values]


@dataclass(frozen=True)
class Correction:
    """A registered correction: its name, how a report calls it, and the function.

    The function takes the raw p-values `float64[k]` of one family and returns as many adjusted.
    """

    name: str
    label: str
    function: Adjust


CORRECTIONS: dict[str, Correction] = {}
"""All corrections by name, filled by `correction` where they are defined."""


def correction(name: str, label: str) -> Callable[[Adjust], Adjust]:
    """Register the decorated function as the correction `name`, called `label` in reports."""

    def register(function: Adjust) -> Adjust:
        CORRECTIONS[name] = Correction(name, label, function)
        return function

    return register


def get_correction(name: str) -> Correction:
    """The correction of this exact name; an unknown name lists the known ones.

    >>> get_correction("holm").function([0.01, 0.02])
    array([0.02, 0.02])
    """
    if name not in CORRECTIONS:
        raise UnknownNameError("correction", name, CORRECTIONS)
    return CORRECTIONS[name]


def _p_values(p_values: npt.ArrayLike) -> Values:
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise DataError("p-values outside of 0 to 1", expected="a vector of numbers from 0 to 1")
    return values


@correction("none", "no correction")
def uncorrected(p_values: npt.ArrayLike) -> Values:
    """The p-values as they are.

    >>> uncorrected([0.01, 0.04])
    array([0.01, 0.04])
    """
    values = _p_values(p_values)
    return np.array(values)


@correction("bonferroni", "Bonferroni")
def bonferroni(p_values: npt.ArrayLike) -> Values:
    """Bonferroni: `min(1, k p)`; controls the chance of any false claim among k comparisons.

    >>> bonferroni([0.01, 0.04, 0.6])
    array([0.03, 0.12, 1.  ])
    """
    values = _p_values(p_values)
    adjusted: Values = np.minimum(1.0, values * len(values))
    return adjusted


@correction("holm", "Holm")
def holm(p_values: npt.ArrayLike) -> Values:
    """Holm's step-down: the i-th smallest times (k - i + 1), made monotone.

    It controls the same error as Bonferroni and rejects at least as much.

    Paper: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 1979.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    values = _p_values(p_values)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted


@correction("benjamini_hochberg", "Benjamini-Hochberg")
def benjamini_hochberg(p_values: npt.ArrayLike) -> Values:
    """Benjamini and Hochberg's step-up: controls the share of false claims among all claims.

    The i-th smallest times k / i, made monotone from the largest down.

    Paper: Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the Royal
    Statistical Society B 1995.

    >>> benjamini_hochberg([0.01, 0.04, 0.03])
    array([0.03, 0.04, 0.04])
    """
    values = _p_values(p_values)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * len(values) / np.arange(1, len(values) + 1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(stepped[::-1])[::-1])
    return adjusted
