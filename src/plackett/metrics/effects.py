"""How large a difference is, and how large it would have to be to be seen."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.metrics.significance import paired_differences

__all__ = [
    "WinsTiesLosses",
    "cliffs_delta",
    "cohens_d",
    "detectable_difference",
    "power_of_t_test",
    "sample_size",
    "standardised_mean_difference",
    "win_rate",
    "wins_ties_losses",
]


class WinsTiesLosses(NamedTuple):
    """On how many queries the first system is better, equal, worse."""

    wins: int
    ties: int
    losses: int


def _ratio(difference: float, spread: float) -> float:
    if spread > 1e-12 * abs(difference):
        return difference / spread
    return math.copysign(math.inf, difference) if difference else 0.0


def cohens_d(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Cohen's d of paired differences (d_z): their mean over their standard deviation.

    By Cohen's habit 0.2 is small, 0.5 medium, 0.8 large. No spread at all: infinite, or 0 where
    there is no difference either.

    >>> cohens_d([2.0, 3.0, 4.0], [1.0, 1.0, 1.0])
    2.0
    """
    differences = paired_differences(first, second)
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return _ratio(float(differences.mean()), spread)


def standardised_mean_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The mean difference over the pooled deviation of the two systems' values.

    `(mean(a) - mean(b)) / sqrt((var(a) + var(b)) / 2)`: unlike Cohen's d of the differences it does
    not grow with the correlation of the systems.

    >>> standardised_mean_difference([2.0, 3.0, 4.0], [1.0, 2.0, 3.0])
    1.0
    """
    mean = float(paired_differences(first, second).mean())
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(one) < 2:
        return _ratio(mean, 0.0)
    return _ratio(mean, math.sqrt((float(one.var(ddof=1)) + float(other.var(ddof=1))) / 2))


def wins_ties_losses(first: npt.ArrayLike, second: npt.ArrayLike) -> WinsTiesLosses:
    """Queries on which `first` is above, equal to and below `second`.

    >>> wins_ties_losses([1.0, 0.5, 0.5], [0.5, 0.5, 0.7])
    WinsTiesLosses(wins=1, ties=1, losses=1)
    """
    differences = paired_differences(first, second)
    wins = int((differences > 0).sum())
    losses = int((differences < 0).sum())
    return WinsTiesLosses(wins, len(differences) - wins - losses, losses)


def win_rate(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The share of queries won, ties counted half: 0.5 means neither is ahead.

    >>> win_rate([1.0, 0.5], [0.5, 0.5])
    0.75
    """
    wins, ties, losses = wins_ties_losses(first, second)
    return (wins + ties / 2) / (wins + ties + losses)


def cliffs_delta(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Cliff's delta of the pairs: the share of queries won less the share lost, from -1 to 1.

    Paper: Cliff, "Dominance statistics", Psychological Bulletin 1993.

    >>> cliffs_delta([1.0, 0.5], [0.5, 0.5])
    0.5
    """
    return 2 * win_rate(first, second) - 1


def _check(*, n: int = 2, sd: float = 1.0, alpha: float = 0.05, power: float = 0.8) -> None:
    if n < 1 or sd < 0 or not 0 < alpha < 1 or not 0 < power < 1:
        raise ConfigurationError(
            f"n = {n}, sd = {sd}, alpha = {alpha}, power = {power}; "
            "n must be at least 1, sd at least 0, alpha and power between 0 and 1."
        )


def power_of_t_test(difference: float, *, n: int, sd: float, alpha: float = 0.05) -> float:
    """The chance that a two-sided paired t test over n queries sees a true mean difference.

    `P(|T| > t_{1 - alpha/2, n - 1})` for T of the noncentral t with n - 1 degrees of freedom and
    noncentrality `difference sqrt(n) / sd`; `sd` is the deviation of the per-query differences.

    Paper: Cohen, "Statistical power analysis for the behavioral sciences", 1988; for retrieval,
    Webber, Moffat and Zobel, "Statistical power in retrieval experimentation", CIKM 2008.

    >>> round(power_of_t_test(0.5, n=34, sd=1.0), 3)
    0.808
    """
    from scipy import special

    _check(n=n, sd=sd, alpha=alpha)
    if n == 1:
        return 0.0
    if sd == 0:
        return 1.0 if difference else alpha
    critical = float(special.stdtrit(n - 1, 1 - alpha / 2))
    noncentrality = abs(difference) * math.sqrt(n) / sd
    if noncentrality > critical + 12:  # beyond doubt; the distribution function loses its digits
        return 1.0
    above = 1 - float(special.nctdtr(n - 1, noncentrality, critical))
    below = float(special.nctdtr(n - 1, noncentrality, -critical))
    return above + (below if math.isfinite(below) else 0.0)


def detectable_difference(n: int, *, sd: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """The smallest true mean difference a paired t test over n queries sees with this power.

    Infinite for one query, 0 without spread.

    >>> round(detectable_difference(225, sd=0.1), 4)
    0.0188
    """
    from scipy import optimize

    _check(n=n, sd=sd, alpha=alpha, power=power)
    if n == 1:
        return math.inf
    if sd == 0:
        return 0.0
    if power <= alpha:  # without any difference the test already claims one so often
        return 0.0
    high = sd
    while power_of_t_test(high, n=n, sd=sd, alpha=alpha) < power:
        high *= 2
    return float(
        optimize.brentq(
            lambda difference: power_of_t_test(difference, n=n, sd=sd, alpha=alpha) - power,
            0.0,
            high,
            xtol=1e-12,
        )
    )


def sample_size(difference: float, *, sd: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """The fewest queries with which a paired t test sees this mean difference with this power.

    >>> sample_size(0.5, sd=1.0)
    34
    """
    _check(sd=sd, alpha=alpha, power=power)
    if not difference:
        raise ConfigurationError("difference is 0; no number of queries shows a difference of 0.")
    high = 2
    while power_of_t_test(difference, n=high, sd=sd, alpha=alpha) < power:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        if power_of_t_test(difference, n=middle, sd=sd, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high
