"""How far comparisons contradict themselves: by the order shown, and around triples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError
from plackett.fusion.preferences import Floats

__all__ = ["Inconsistency", "calibrated_preference", "cyclic_triads", "inconsistency"]


@dataclass(frozen=True)
class Inconsistency:
    """What a matrix of answers contradicts.

    Attributes
    ----------
    pairs : pairs that were asked in both orders.
    order_inconsistent : of these, pairs where both answers name the same place, first or second.
    first_preferred : the share of all answers that prefer what was shown first.
    triads : triples of items.
    cyclic_triads : of these, those in which a beats b, b beats c and c beats a, once the answers of
        both orders are put together.
    """

    pairs: int
    order_inconsistent: int
    first_preferred: float
    triads: int
    cyclic_triads: int

    @property
    def order_rate(self) -> float:
        """The share of pairs whose answer depends on the order shown; 0 without pairs."""
        return self.order_inconsistent / self.pairs if self.pairs else 0.0

    @property
    def cyclic_rate(self) -> float:
        """The share of triples that go in circles; 0 without triples."""
        return self.cyclic_triads / self.triads if self.triads else 0.0


def _probabilities(matrix: npt.ArrayLike) -> Floats:
    values = np.array(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DataError(f"answers of shape {values.shape}", expected="a square matrix")
    np.fill_diagonal(values, np.nan)
    known = values[~np.isnan(values)]
    if (known < 0).any() or (known > 1).any():
        raise DataError("an answer outside [0, 1]", expected="probabilities, or NaN for none")
    return values


def calibrated_preference(probabilities: npt.ArrayLike) -> Floats:
    """Both orders in one number: P*_ij = e^{P_ij} / (e^{P_ij} + e^{P_ji}).

    P_ij is the probability that i, shown first, is preferred to j. i is preferred exactly where
    P_ij > P_ji, so that a reader who prefers what is shown first by the same amount everywhere
    prefers nothing. P* lies between 0.269 and 0.731: it is a score, not a probability.

    Parameters
    ----------
    probabilities : `float[n, n]`; NaN where there was no answer, and then P* is 0.5.

    Returns
    -------
    `float64[n, n]` with P*_ij + P*_ji = 1, and 0.5 on the diagonal.

    Zeng et al., "LLM-RankFusion: mitigating intrinsic inconsistency in LLM-based ranking", 2024.

    >>> calibrated_preference([[0, 1], [0, 0]]).round(3)
    array([[0.5  , 0.731],
           [0.269, 0.5  ]])
    """
    values = _probabilities(probabilities)
    gap = np.nan_to_num(values - values.T)
    # The half of a matrix decides, so that both halves sum to 1 to the last digit.
    upper = np.triu(1.0 / (1.0 + np.exp(-gap)), k=1)
    lower = np.tril(1.0 - upper.T, k=-1)
    result: Floats = upper + lower
    np.fill_diagonal(result, 0.5)
    return result


def cyclic_triads(wins: npt.ArrayLike) -> int:
    """How many triples go in a circle: a beats b, b beats c, c beats a.

    In a tournament without ties it is C(n, 3) - sum_i C(w_i, 2), w_i being the wins of i; a triple
    with a tie in it is no circle.

    Parameters
    ----------
    wins : `float[n, n]`; i beats j where wins[i, j] > wins[j, i].

    Kendall & Babington Smith, "On the method of paired comparisons", Biometrika 1940.

    >>> cyclic_triads([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    1
    """
    values = np.asarray(wins, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        raise DataError(f"comparisons of shape {values.shape}", expected="a square matrix")
    beats = (values > values.T).astype(np.float64)
    # The trace of the cube counts each circle once from each of its three items.
    return round(float(((beats @ beats) * beats.T).sum()) / 3.0)


def inconsistency(probabilities: npt.ArrayLike) -> Inconsistency:
    """What the answers about pairs, asked in both orders, contradict.

    Parameters
    ----------
    probabilities : `float[n, n]`: P_ij, that i, shown first, is preferred to j; NaN: no answer.

    >>> report = inconsistency([[0, 1, 1], [1, 0, 1], [0, 0, 0]])
    >>> report.order_rate, report.cyclic_triads
    (0.3333333333333333, 0)
    """
    values = _probabilities(probabilities)
    n = len(values)
    i, j = np.triu_indices(n, k=1)
    there, back = values[i, j], values[j, i]
    asked = ~(np.isnan(there) | np.isnan(back))
    same_place = asked & ((there > 0.5) & (back > 0.5) | (there < 0.5) & (back < 0.5))
    answers = values[~np.isnan(values)]
    first = float(((answers > 0.5) + 0.5 * (answers == 0.5)).mean()) if len(answers) else 0.5
    return Inconsistency(
        int(asked.sum()),
        int(same_place.sum()),
        first,
        n * (n - 1) * (n - 2) // 6,
        cyclic_triads(calibrated_preference(values)),
    )
