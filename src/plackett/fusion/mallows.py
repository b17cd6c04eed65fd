"""The Mallows model: rankings scattered around a reference by Kendall's distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.kemeny import kemeny_order
from plackett.fusion.kendall import kendall_distance
from plackett.fusion.preferences import (
    Floats,
    Item,
    checked_weights,
    preferences,
    scores_of_rankings,
)

__all__ = [
    "Mallows",
    "agreement_by_gap",
    "expected_distance",
    "fit_mallows",
    "log_normaliser",
    "sample_mallows",
    "theta_of_distance",
]

THETA_LIMIT = 100.0
_SERIES = 1e-2  # below it a series is more exact than the difference of two large numbers


def _check_items(items: int) -> None:
    if items < 0:
        raise ConfigurationError(f"items={items}; expected at least 0.")


def log_normaliser(items: int, theta: float) -> float:
    """log of the sum over all orders of exp(-theta d), d being the distance from one order.

    Z = product over k = 1 ... n of (1 - e^(-k theta)) / (1 - e^(-theta)); n! at theta = 0.

    Parameters
    ----------
    items : n.
    theta : any finite number; negative favours the reversal.

    Mallows, "Non-null ranking models I", Biometrika 1957.

    >>> round(float(np.exp(log_normaliser(4, 1.0))), 6)
    3.193308
    """
    _check_items(items)
    k = np.arange(1.0, items + 1.0)
    size = abs(float(theta))
    if size < 1e-300:
        return float(np.log(k).sum())
    value = float(np.log(np.expm1(-k * size) / np.expm1(-size)).sum())
    # Reversing turns d into n (n - 1) / 2 - d.
    return value if theta > 0 else value + size * items * (items - 1) / 2.0


def expected_distance(items: int, theta: float) -> float:
    """The mean distance from the reference: n / (e^theta - 1) - sum_j j / (e^(j theta) - 1).

    It falls from n (n - 1) / 2 through n (n - 1) / 4 at theta = 0 to 0.

    >>> round(expected_distance(4, 1.0), 6)
    1.201078
    """
    _check_items(items)
    size = abs(float(theta))
    j = np.arange(1.0, items + 1.0)
    near = j * size < _SERIES
    x = np.where(near, 1.0, j * size)
    with np.errstate(over="ignore"):
        own = 1.0 / np.expm1(size) if size > 0 else 0.0
        far = own - j / np.expm1(x)
    series = (j - 1.0) / 2.0 - (j**2 - 1.0) * size / 12.0 + (j**4 - 1.0) * size**3 / 720.0
    value = float(np.where(near, series, far).sum())
    return value if theta >= 0 else items * (items - 1) / 2.0 - value


def agreement_by_gap(items: int, theta: float) -> Floats:
    """By how much more often than not a pair keeps its order, for each gap in the reference.

    Two items `k` positions apart keep their order with probability h(k + 1) - h(k),
    h(k) = k / (1 - e^(-k theta)), whatever stands around them.

    Returns
    -------
    `float64[n - 1]`, 2 P - 1 for k = 1 ... n - 1.

    Mallows 1957; Busa-Fekete, Huellermeier & Szoerenyi, "Preference-based rank elicitation using
    statistical models: the case of Mallows", ICML 2014.

    >>> agreement_by_gap(3, 0.0), agreement_by_gap(2, 100.0)
    (array([0., 0.]), array([1.]))
    """
    _check_items(items)
    size = abs(float(theta))
    k = np.arange(1.0, items + 1.0)
    near = k * size < _SERIES
    x = np.where(near, 1.0, k * size)
    # h(k) = k + k / (e^(k theta) - 1); the parts 1 / theta cancel in the difference.
    own = 1.0 / size if size > 0 else 0.0
    with np.errstate(over="ignore"):
        far = k / np.expm1(x) - own
    rest = np.where(near, -k / 2.0 + k**2 * size / 12.0 - k**4 * size**3 / 720.0, far)
    agreement = 2.0 * (1.0 + np.diff(rest)) - 1.0
    return np.asarray(np.clip(agreement, 0.0, 1.0) * (1.0 if theta >= 0 else -1.0))


def falling_root(
    function: Callable[[float], float], value: float, low: float, high: float
) -> float:
    """Where a falling function takes a value, between bounds, by bisection; a bound if nowhere."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if function(middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def theta_of_distance(items: int, distance: float, *, limit: float = THETA_LIMIT) -> float:
    """The theta whose expected distance is `distance`: its maximum-likelihood estimate.

    Parameters
    ----------
    distance : the mean distance from the reference, from 0 to n (n - 1) / 2.
    limit : theta is kept in -limit to limit; a distance of 0 gives `limit`.

    Raises
    ------
    DataError : a distance out of its range.

    >>> round(theta_of_distance(4, expected_distance(4, 1.0)), 6)
    1.0
    """
    _check_items(items)
    pairs = items * (items - 1) / 2.0
    if not 0.0 <= distance <= pairs:
        raise DataError(f"distance {distance}", expected=f"a number from 0 to {pairs:g}")
    if items < 2 or distance == pairs / 2.0:
        return 0.0
    nearer = min(distance, pairs - distance)
    size = limit
    if nearer > expected_distance(items, limit):
        size = falling_root(lambda theta: expected_distance(items, theta), nearer, 0.0, limit)
    return size if distance < pairs / 2.0 else -size


def sample_mallows(
    items: int, theta: float, size: int, *, seed: int | np.random.Generator = 0
) -> npt.NDArray[np.int64]:
    """Orders drawn exactly from the Mallows model around 0, 1, ..., n - 1, by repeated insertion.

    The i-th item is inserted so that it passes v of those before it with probability proportional
    to e^(-theta v).

    Returns
    -------
    `int64[size, n]`, items, best first.

    Doignon, Pekec & Regenwetter, "The repeated insertion model for rankings", Psychometrika 2004.

    >>> sample_mallows(4, 50.0, 2)
    array([[0, 1, 2, 3],
           [0, 1, 2, 3]])
    """
    _check_items(items)
    rng = np.random.default_rng(seed)
    position = np.zeros((size, items), dtype=np.int64)
    for i in range(items):
        steps = np.arange(i + 1.0)
        weight = np.exp(-theta * steps - max(0.0, -theta * i))
        cumulative = np.cumsum(weight)
        passed = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
        at = i - np.minimum(passed, i)
        position[:, :i] += position[:, :i] >= at[:, None]
        position[:, i] = at
    return np.argsort(position, axis=1)


@dataclass(frozen=True)
class Mallows:
    """P(order) = exp(-theta d(order, reference)) / Z, with Kendall's distance d.

    Parameters
    ----------
    reference : the items, the most likely order.
    theta : concentration; 0 is uniform.

    Raises
    ------
    DataError : an item twice in `reference`. ConfigurationError : theta is not finite.

    >>> round(float(np.exp(Mallows("abcd", 1.0).log_probability("abcd"))), 6)
    0.313155
    """

    reference: Sequence[object]
    theta: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.theta):
            raise ConfigurationError(f"theta={self.theta} is not finite.")
        if len(set(self.reference)) < len(self.reference):
            raise DataError("an item twice in the reference", expected="distinct items")

    def distance(self, order: Sequence[object]) -> int:
        """Kendall's distance of an order of the same items from the reference."""
        if len(order) != len(self.reference) or set(order) != set(self.reference):
            raise DataError("other items", expected="an order of the reference's items")
        scores, _ = scores_of_rankings([self.reference, order], self.reference)
        return kendall_distance(scores[0], scores[1])

    def log_probability(self, order: Sequence[object]) -> float:
        """The log of the probability of one order of the reference's items."""
        return -self.theta * self.distance(order) - log_normaliser(len(self.reference), self.theta)

    def expected_distance(self) -> float:
        """The mean distance of a draw from the reference."""
        return expected_distance(len(self.reference), self.theta)

    def sample(self, size: int, *, seed: int | np.random.Generator = 0) -> list[tuple[object, ...]]:
        """`size` orders, drawn exactly."""
        orders = sample_mallows(len(self.reference), self.theta, size, seed=seed)
        return [tuple(self.reference[i] for i in order) for order in orders.tolist()]


def fit_mallows(
    rankings: Sequence[Sequence[Item]],
    weights: npt.ArrayLike | None = None,
    *,
    limit: float = THETA_LIMIT,
) -> Mallows:
    """The maximum-likelihood Mallows model of complete rankings.

    Its reference is their weighted Kemeny order, its theta the one whose expected distance is their
    weighted mean distance from that order.

    Parameters
    ----------
    rankings : orders of the same items, best first.
    weights : `float[rankings]`, not negative and not all 0.
    limit : the largest theta, for rankings that all agree.

    Raises
    ------
    DataError : no rankings, different items, or weights that do not fit.

    >>> fit_mallows(["abc", "abc", "acb"]).reference
    ('a', 'b', 'c')
    """
    if len(rankings) == 0:
        raise DataError("no rankings", expected="at least one")
    scores, items = scores_of_rankings(rankings)
    if np.isnan(scores).any():
        raise DataError(
            "rankings of different items",
            expected="every item in every ranking",
            remedy="use RankingLabelModel, which takes partial rankings",
        )
    weight = checked_weights(weights, len(scores))
    if (weight < 0).any() or weight.sum() == 0:
        raise DataError("weights below 0 or all 0", expected="weights from 0 up, one above 0")
    order = kemeny_order(preferences(scores, weight)).order
    centre = np.empty(len(items))
    centre[order] = -np.arange(len(items), dtype=np.float64)
    distances = np.array([kendall_distance(row, centre) for row in scores], dtype=np.float64)
    mean = float(np.average(distances, weights=weight))
    theta = theta_of_distance(len(items), mean, limit=limit)
    return Mallows(tuple(items[column] for column in order), theta)
