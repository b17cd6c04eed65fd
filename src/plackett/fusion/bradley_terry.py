"""The Bradley-Terry model: strengths behind comparisons of two."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.pair_counts import checked_wins, is_strongly_connected
from plackett.fusion.preferences import Floats

__all__ = [
    "BradleyTerry",
    "bradley_terry",
    "bradley_terry_log_likelihood",
    "bradley_terry_standard_errors",
]

Method = Literal["mm", "newman", "newton"]


class BradleyTerry(NamedTuple):
    """Strengths of the items, and how they were found.

    `strength` is `float64[n]`: shares of 1 without a prior; with one, relative to the virtual
    item's 1. `log_likelihood` is at these strengths, the prior's part included; `iterations` is how
    many were needed, and `converged` says whether they sufficed.
    """

    strength: Floats
    log_likelihood: float
    iterations: int
    converged: bool

    @property
    def log_strength(self) -> Floats:
        """log of the strengths, on which differences are log-odds: `float64[n]`."""
        return np.asarray(np.log(self.strength))


def bradley_terry(
    wins: npt.ArrayLike,
    *,
    ties: npt.ArrayLike | None = None,
    margin: float = 0.0,
    prior: float = 0.0,
    method: Method = "mm",
    tolerance: float = 1e-10,
    max_iterations: int = 20_000,
) -> BradleyTerry:
    """Maximum-likelihood strengths pi with P(i beats j) = pi_i / (pi_i + e^margin pi_j).

    Hunter's MM step is pi_i <- W_i / sum_j n_ij / (pi_i + pi_j), W_i being the wins of i and n_ij
    the comparisons with j; it never lowers the likelihood. Newman's step,
    pi_i <- sum_j w_ij pi_j / (pi_i + pi_j) / sum_j w_ji / (pi_i + pi_j), has the same fixed point
    and mostly needs far fewer steps; it is taken for all items at once, half the way in logs.
    Newton's own on log pi needs about ten, of n^3 work each.

    Parameters
    ----------
    wins : `float[n, n]`, how often i beat j.
    ties : `float[n, n]`, symmetric: how often i and j came out equal. Without a margin a tie is
        half a win for both; with one it is modelled as Rao and Kupper do, at a given margin.
    margin : how much log-strength it takes to win at even odds; 0 is Bradley and Terry's model.
    prior : so many wins and as many losses of every item against a virtual one of strength 1. Above
        0 strengths are finite whatever was compared; 0.1 hardly moves well compared items.
    method : "mm", "newman" or "newton".
    tolerance : the largest change of a log-strength in the last step.
    max_iterations : after so many steps the result is given as not converged.

    Raises
    ------
    DataError : matrices that do not fit, or, without a prior, comparisons that determine no finite
        strengths (see `is_strongly_connected`).
    ConfigurationError : a negative margin or prior, or an unknown method.

    Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 2004; Newman,
    "Efficient computation of rankings from pairwise comparisons", JMLR 2023; Rao & Kupper, "Ties in
    paired-comparison experiments", JASA 1967.

    >>> bradley_terry([[0, 3, 2], [1, 0, 3], [2, 1, 0]]).strength.round(4)
    array([0.4518, 0.3206, 0.2275])
    """
    if not (0.0 <= margin < np.inf and 0.0 <= prior < np.inf):
        raise ConfigurationError(f"margin={margin}, prior={prior}; expected numbers from 0 up.")
    if method not in _STEPS:
        raise ConfigurationError(f"method={method!r}; expected {', '.join(_STEPS)}.")
    counts = _with_ties(wins, ties, margin)
    if prior == 0.0 and not is_strongly_connected(counts):
        raise DataError(
            "items that never lost to some of the others",
            expected="comparisons in which everyone can be reached by wins from everyone",
            remedy="pass prior=0.1",
        )
    theta = float(np.exp(margin))
    step = _STEPS[method]
    strength = np.ones(len(counts))
    converged = len(counts) == 0 or (len(counts) == 1 and prior == 0.0)
    if method == "newman" and not converged:
        # A start from who wins how much: far from the end each step is a small one.
        strength = (counts.sum(axis=1) + prior) / (counts.sum(axis=0) + prior)
    iterations = 0
    while not converged and iterations < max_iterations:
        following = step(counts, strength, theta, prior)
        if prior == 0.0:
            following /= np.exp(np.log(following).mean())
        change = float(np.abs(np.log(following / strength)).max(initial=0.0))
        strength, iterations = following, iterations + 1
        converged = change <= tolerance
    likelihood = _log_likelihood(counts, strength, theta, prior)
    if prior == 0.0 and len(strength):
        strength = strength / strength.sum()
    return BradleyTerry(strength, likelihood, iterations, converged)


def bradley_terry_log_likelihood(
    wins: npt.ArrayLike,
    strength: npt.ArrayLike,
    *,
    ties: npt.ArrayLike | None = None,
    margin: float = 0.0,
    prior: float = 0.0,
) -> float:
    """sum_ij w_ij log(pi_i / (pi_i + e^margin pi_j)), and the prior's part; constants left out.

    >>> round(bradley_terry_log_likelihood([[0, 1], [1, 0]], [0.5, 0.5]), 6)
    -1.386294
    """
    counts = _with_ties(wins, ties, margin)
    values = np.asarray(strength, dtype=np.float64)
    if values.shape != (len(counts),) or not (values > 0).all():
        raise DataError(
            f"strengths of shape {values.shape}", expected=f"{len(counts)} numbers above 0"
        )
    return _log_likelihood(counts, values, float(np.exp(margin)), prior)


def bradley_terry_standard_errors(
    wins: npt.ArrayLike,
    strength: npt.ArrayLike,
    *,
    ties: npt.ArrayLike | None = None,
    margin: float = 0.0,
    prior: float = 0.0,
) -> Floats:
    """Standard errors of the log-strengths, from the inverse of the observed information.

    Without a prior they are those of log-strengths that sum to 0; the matrix is then inverted on
    that space.

    Returns
    -------
    `float64[n]`.

    >>> bradley_terry_standard_errors([[0, 50], [50, 0]], [0.5, 0.5])
    array([0.1, 0.1])
    """
    counts = _with_ties(wins, ties, margin)
    pi = np.asarray(strength, dtype=np.float64)
    theta = float(np.exp(margin))
    information = _information(counts, pi, theta, prior)
    inverse = np.linalg.inv(information) if prior > 0 else np.linalg.pinv(information)
    return np.asarray(np.sqrt(np.diag(inverse)))


def _with_ties(wins: npt.ArrayLike, ties: npt.ArrayLike | None, margin: float) -> Floats:
    """Wins with ties in them: halves, or, under a margin, a win of both sides."""
    counts = checked_wins(wins)
    if ties is None:
        return counts
    equal = checked_wins(ties)
    if equal.shape != counts.shape or not np.array_equal(equal, equal.T):
        raise DataError(
            f"ties of shape {equal.shape}", expected=f"a symmetric matrix of shape {counts.shape}"
        )
    return counts + (equal if margin > 0 else equal / 2.0)


def _mm_step(counts: Floats, pi: Floats, theta: float, prior: float) -> Floats:
    # share[i, j]: the wins of i over j, by the sum of strengths in their probability.
    share = counts / (pi[:, None] + theta * pi[None, :])
    # As winner i stands in the sum with weight 1, as loser with weight theta.
    below = share.sum(axis=1) + theta * share.sum(axis=0) + 2.0 * prior / (pi + 1.0)
    return np.asarray((counts.sum(axis=1) + prior) / below)


def _newman_step(counts: Floats, pi: Floats, theta: float, prior: float) -> Floats:
    share = counts / (pi[:, None] + theta * pi[None, :])
    virtual = prior / (pi + 1.0)
    above = theta * (share @ pi) + virtual
    below = theta * share.sum(axis=0) + virtual
    # All at once, two items would swap their errors for ever; half of each step, in logs, does not.
    return np.asarray(np.sqrt(pi * above / below))


def _information(counts: Floats, pi: Floats, theta: float, prior: float) -> Floats:
    """Minus the Hessian of the log-likelihood in the log-strengths."""
    won = pi[:, None] / (pi[:, None] + theta * pi[None, :])
    weight = counts * won * (1.0 - won)
    weight = weight + weight.T
    virtual = pi / (pi + 1.0)
    own = weight.sum(axis=1) + 2.0 * prior * virtual * (1.0 - virtual)
    return np.asarray(np.diag(own) - weight)


def _newton_step(counts: Floats, pi: Floats, theta: float, prior: float) -> Floats:
    lost = counts * (theta * pi[None, :] / (pi[:, None] + theta * pi[None, :]))
    slope = lost.sum(axis=1) - lost.sum(axis=0) + prior * (1.0 - 2.0 * pi / (pi + 1.0))
    information = _information(counts, pi, theta, prior)
    if prior == 0.0:
        information += 1.0 / len(pi)  # along equal log-strengths nothing curves, nor pulls
    step = np.linalg.solve(information, slope)
    # Far from the maximum a whole step may be too long; the likelihood must not fall.
    before = _log_likelihood(counts, pi, theta, prior)
    share = min(1.0, 4.0 / max(float(np.abs(step).max(initial=0.0)), 1e-300))
    while share > 1e-6:
        following: Floats = pi * np.exp(share * step)
        if _log_likelihood(counts, following, theta, prior) >= before:
            return following
        share /= 2.0
    return pi


_STEPS = {"mm": _mm_step, "newman": _newman_step, "newton": _newton_step}


def _log_likelihood(counts: Floats, pi: Floats, theta: float, prior: float) -> float:
    logs = np.log(pi)
    bound = float(np.log(theta))
    won = logs[:, None] - np.logaddexp(logs[:, None], bound + logs[None, :])
    virtual = logs - 2.0 * np.logaddexp(logs, 0.0)
    return float((counts * won).sum() + prior * virtual.sum())
