"""Elo ratings, which depend on the order of the games, and so are averaged over many orders."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.pair_counts import checked_wins
from plackett.fusion.preferences import Floats

__all__ = ["elo", "elo_of_strengths", "elo_of_wins"]

INITIAL = 1500.0
_SCALE = 400.0


def elo(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    result: npt.ArrayLike,
    items: int,
    *,
    k: float = 32.0,
    weights: npt.ArrayLike | None = None,
    shuffles: int = 0,
    seed: int = 0,
) -> Floats:
    """Ratings after a series of games: R_a += k (S - E), E = 1 / (1 + 10^((R_b - R_a) / 400)).

    What one side gains the other loses, so the mean stays at 1500.

    Parameters
    ----------
    first, second : `int[m]`, who plays.
    result : `float[m]`, 1 where the first wins, 0.5 for a tie, 0 where it loses.
    items : n.
    k : the most that a game can move; 4 to 16 where there are many games.
    weights : `float[m]`, factors of k; 1 by default.
    shuffles : play the games in so many random orders and take the mean of the ratings; 0 plays
        them once, in the order given, which then decides much.
    seed : of the orders.

    Returns
    -------
    `float64[n]`.

    Raises
    ------
    DataError : unequal lengths, an item out of range or against itself, a result outside [0, 1].
    ConfigurationError : k not above 0, or a negative number of shuffles.

    Elo, "The Rating of Chessplayers, Past and Present", 1978.

    >>> elo([0], [1], [1.0], items=3)
    array([1516., 1484., 1500.])
    """
    a, b, s, weight = _checked_games(first, second, result, items, weights)
    if not 0 < k < np.inf or shuffles < 0:
        raise ConfigurationError(
            f"k={k}, shuffles={shuffles}; expected k above 0 and shuffles from 0 up."
        )
    generator = np.random.default_rng(seed)
    orders = np.arange(len(a))[None, :]
    if shuffles:
        orders = generator.permuted(np.repeat(orders, shuffles, axis=0), axis=1)
    rows = np.arange(len(orders))
    ratings = np.full((len(orders), items), INITIAL)
    for games in orders.T:  # the t-th game of every order at once
        one, other = a[games], b[games]
        gap = ratings[rows, other] - ratings[rows, one]
        expected = 1.0 / (1.0 + 10.0 ** (np.clip(gap / _SCALE, -300.0, 300.0)))
        change = k * weight[games] * (s[games] - expected)
        ratings[rows, one] += change
        ratings[rows, other] -= change
    return np.asarray(ratings.mean(axis=0))


def _checked_games(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    result: npt.ArrayLike,
    items: int,
    weights: npt.ArrayLike | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, Floats]:
    a = np.asarray(first, dtype=np.int64)
    b = np.asarray(second, dtype=np.int64)
    s = np.asarray(result, dtype=np.float64)
    weight = np.ones(s.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if a.ndim != 1 or not a.shape == b.shape == s.shape == weight.shape:
        raise DataError(
            f"games of shapes {a.shape}, {b.shape}, {s.shape} and {weight.shape}",
            expected="equal lengths",
        )
    if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= items):
        raise DataError("a player out of range", expected=f"players from 0 to {items - 1}")
    if (a == b).any():
        raise DataError("a player against itself", expected="two players a game")
    if not ((s >= 0) & (s <= 1)).all() or not (np.isfinite(weight) & (weight >= 0)).all():
        raise DataError("a result outside [0, 1] or a negative weight", expected="0, 0.5 or 1")
    return a, b, s, weight


def elo_of_wins(
    wins: npt.ArrayLike, *, k: float = 32.0, shuffles: int = 32, seed: int = 0
) -> Floats:
    """Elo ratings from a matrix of wins, which says nothing of the order of the games.

    A weight of w is as many games, rounded up, that share it: 2.5 wins are three games that move
    `k * 2.5 / 3` at most. Games are played in `shuffles` random orders.

    Parameters
    ----------
    wins : `float[n, n]`, how often i beat j.
    k, shuffles, seed : as in `elo`; at least one shuffle.

    Returns
    -------
    `float64[n]`, of mean 1500.

    >>> elo_of_wins([[0, 1], [0, 0]])
    array([1516., 1484.])
    """
    counts = checked_wins(wins)
    if shuffles < 1:
        raise ConfigurationError(f"shuffles={shuffles}; expected at least 1.")
    winner, loser = np.nonzero(counts)
    weight = counts[winner, loser]
    games = np.ceil(weight).astype(np.int64)
    return elo(
        np.repeat(winner, games),
        np.repeat(loser, games),
        np.ones(int(games.sum())),
        len(counts),
        k=k,
        weights=np.repeat(weight / games, games),
        shuffles=shuffles,
        seed=seed,
    )


def elo_of_strengths(strength: npt.ArrayLike) -> Floats:
    """Bradley-Terry strengths on Elo's scale: 400 / ln 10 times their logs, of mean 1500.

    The order of the games plays no part in them.

    >>> elo_of_strengths([10.0, 1.0])
    array([1700., 1300.])
    """
    values = np.asarray(strength, dtype=np.float64)
    if values.ndim != 1 or not (values > 0).all():
        raise DataError(f"strengths of shape {values.shape}", expected="a vector of numbers > 0")
    logs = np.log(values) * (_SCALE / np.log(10.0))
    return np.asarray(logs - logs.mean() + INITIAL) if len(logs) else logs
