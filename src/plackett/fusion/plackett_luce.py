"""The Plackett-Luce model: strengths behind whole or partial rankings."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.markov_chains import stationary
from plackett.fusion.pair_counts import is_strongly_connected
from plackett.fusion.preferences import Floats, checked_weights

__all__ = ["PlackettLuce", "plackett_luce", "plackett_luce_log_likelihood"]

Item = TypeVar("Item", bound=Hashable)
Unlisted = Literal["absent", "below"]
_Order = npt.NDArray[np.int64]


class PlackettLuce(NamedTuple, Generic[Item]):
    """Items and their strengths `float64[n]`, shares of 1 (relative to 1 under a prior).

    `log_likelihood` is at these strengths, `iterations` how many steps were taken, and `converged`
    says whether they sufficed.
    """

    items: tuple[Item, ...]
    strength: Floats
    log_likelihood: float
    iterations: int
    converged: bool


class _List(NamedTuple):
    """The items of one list, best first; how many stages it has; its weight."""

    order: _Order
    stages: int
    weight: float


def plackett_luce(
    rankings: Sequence[Sequence[Item]],
    weights: npt.ArrayLike | None = None,
    *,
    items: Sequence[Item] | None = None,
    top: int | None = None,
    unlisted: Unlisted = "absent",
    prior: float = 0.0,
    method: Literal["mm", "spectral"] = "mm",
    tolerance: float = 1e-10,
    max_iterations: int = 10_000,
) -> PlackettLuce[Item]:
    """Maximum-likelihood strengths: each place goes to one of those left, in proportion to them.

    P(ranking) = product over stages t of gamma_(t) / sum_{still available} gamma. Hunter's MM step
    is gamma_i <- w_i / sum over the stages at which i is still available of 1 / sum_{available}
    gamma, w_i being the stages that i won. "spectral" takes the stationary distribution of a chain
    that goes from those left to the winner at rate 1 / sum_{available} gamma, again and again: its
    fixed point is the same.

    Parameters
    ----------
    rankings : one a ranker, each of distinct items, best first.
    weights : `float[rankings]`, at least 0.
    items : all items; by default those of the rankings in order of first appearance.
    top : read only the first places of each ranking; what follows was available, no more.
    unlisted : "absent": an item that a ranking lacks was not available to it; "below": it was, and
        did not get a place, as in a list of the best few of all.
    prior : so many wins and as many losses of every item against a virtual one of strength 1.
    method, tolerance, max_iterations : how to find them; the tolerance is the largest change of a
        log-strength in the last step.

    Raises
    ------
    DataError : no rankings, an item twice in one, weights that do not fit; or, without a prior,
        rankings that determine no finite strengths.
    ConfigurationError : a parameter out of range; a prior with "spectral".

    Hunter, "MM algorithms for generalized Bradley-Terry models", Annals of Statistics 2004;
    Maystre & Grossglauser, "Fast and accurate inference of Plackett-Luce models", NIPS 2015.

    >>> plackett_luce(["012", "021", "102", "201"]).strength.round(4)
    array([0.618, 0.191, 0.191])
    """
    if (top is not None and top < 1) or prior < 0 or method not in ("mm", "spectral"):
        raise ConfigurationError(
            f"top={top}, prior={prior}, method={method!r}; expected top from 1, prior from 0 up, "
            '"mm" or "spectral".'
        )
    if prior > 0 and method == "spectral":
        raise ConfigurationError('prior=0 is all that method="spectral" takes; use "mm".')
    lists, names = _lists(rankings, weights, items, top, unlisted)
    n = len(names)
    if prior == 0.0 and not is_strongly_connected(_beaten(lists, n)):
        raise DataError(
            "items that are never placed below some of the others",
            expected="rankings in which everyone can be reached by wins from everyone",
            remedy="pass prior=0.1",
        )
    strength = np.ones(n)
    converged = n < 2 and prior == 0.0
    iterations = 0
    while not converged and iterations < max_iterations:
        if method == "mm":
            following = _mm_step(lists, strength, prior)
        else:
            following = _spectral_step(lists, strength)
        if prior == 0.0:
            following = following / np.exp(np.log(following).mean())
        change = float(np.abs(np.log(following / strength)).max(initial=0.0))
        strength, iterations = following, iterations + 1
        converged = change <= tolerance
    likelihood = _log_likelihood(lists, strength, prior)
    if prior == 0.0 and n:
        strength = strength / strength.sum()
    return PlackettLuce(tuple(names), strength, likelihood, iterations, converged)


def plackett_luce_log_likelihood(
    rankings: Sequence[Sequence[Item]],
    strength: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    items: Sequence[Item] | None = None,
    top: int | None = None,
    unlisted: Unlisted = "absent",
) -> float:
    """The log-probability of rankings under strengths, `float[n]` in the order of `items`.

    >>> round(float(np.exp(plackett_luce_log_likelihood(["ab"], [3.0, 1.0]))), 6)
    0.75
    """
    lists, names = _lists(rankings, weights, items, top, unlisted)
    values = np.asarray(strength, dtype=np.float64)
    if values.shape != (len(names),) or not (values > 0).all():
        raise DataError(
            f"strengths of shape {values.shape}", expected=f"{len(names)} numbers above 0"
        )
    return _log_likelihood(lists, values, 0.0)


def _lists(
    rankings: Sequence[Sequence[Item]],
    weights: npt.ArrayLike | None,
    items: Sequence[Item] | None,
    top: int | None,
    unlisted: Unlisted,
) -> tuple[list[_List], list[Item]]:
    if len(rankings) == 0:
        raise DataError("no rankings", expected="at least one")
    if unlisted not in ("absent", "below"):
        raise ConfigurationError(f'unlisted={unlisted!r}; expected "absent" or "below".')
    weight = checked_weights(weights, len(rankings))
    if (weight < 0).any():
        raise DataError("a negative weight", expected="weights from 0 up")
    found = dict.fromkeys(item for ranking in rankings for item in ranking)
    names = list(found) if items is None else list(items)
    place = {item: column for column, item in enumerate(names)}
    unknown = [item for item in found if item not in place]
    if unknown or len(place) < len(names):
        raise DataError(
            f"item {unknown[0]!r} in a ranking" if unknown else "an item twice among the items",
            expected="rankings of the items given, each of them once",
        )
    lists = []
    for row, ranking in enumerate(rankings):
        listed = [place[item] for item in ranking]
        if len(set(listed)) < len(listed):
            raise DataError(f"an item twice in ranking {row}", expected="distinct items")
        rest = sorted(set(place.values()) - set(listed)) if unlisted == "below" else []
        stages = min(len(listed), len(listed) if top is None else top, len(listed + rest) - 1)
        if stages > 0 and weight[row] > 0:
            order = np.array(listed + rest, dtype=np.int64)
            lists.append(_List(order, stages, float(weight[row])))
    return lists, names


def _beaten(lists: Sequence[_List], n: int) -> Floats:
    wins = np.zeros((n, n))
    for order, stages, weight in lists:
        for t in range(stages):
            wins[order[t], order[t + 1 :]] += weight
    return wins


def _available(order: _Order, stages: int, strength: Floats) -> Floats:
    """The sum of the strengths still available at each stage."""
    sums: Floats = np.cumsum(strength[order][::-1])[::-1][:stages]
    return sums


def _mm_step(lists: Sequence[_List], strength: Floats, prior: float) -> Floats:
    won = np.full(len(strength), prior)
    below = 2.0 * prior / (strength + 1.0)
    for order, stages, weight in lists:
        won[order[:stages]] += weight
        # Available until the stage it won, or to the last: a sum of inverses that goes on growing.
        inverse = weight * np.cumsum(1.0 / _available(order, stages, strength))
        below[order] += inverse[np.minimum(np.arange(len(order)), stages - 1)]
    return np.asarray(won / below)


def _spectral_step(lists: Sequence[_List], strength: Floats) -> Floats:
    n = len(strength)
    rates = np.zeros((n, n))
    for order, stages, weight in lists:
        rate = weight / _available(order, stages, strength)
        for t in range(stages):
            rates[order[t + 1 :], order[t]] += rate[t]
    leaving = rates.sum(axis=1)
    moves = rates / leaving.max()
    moves[np.diag_indices(n)] = 1.0 - leaving / leaving.max()
    return stationary(np.maximum(moves, 0.0))


def _log_likelihood(lists: Sequence[_List], strength: Floats, prior: float) -> float:
    logs = np.log(strength)
    total = prior * float((logs - 2.0 * np.logaddexp(logs, 0.0)).sum())
    for order, stages, weight in lists:
        available = np.log(_available(order, stages, strength))
        total += weight * float((logs[order[:stages]] - available).sum())
    return total
