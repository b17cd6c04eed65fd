"""Elo: nothing is lost between players, the order of games matters once and not on average."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion import bradley_terry, elo, elo_of_strengths, elo_of_wins


def by_hand(games: list[tuple[int, int, float]], n: int, k: float) -> np.ndarray:
    ratings = [1500.0] * n
    for a, b, result in games:
        expected = 1 / (1 + 10 ** ((ratings[b] - ratings[a]) / 400))
        ratings[a] += k * (result - expected)
        ratings[b] -= k * (result - expected)
    return np.array(ratings)


@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_ratings_are_the_textbook_s_and_sum_to_the_same(
    seed: int, games: int, shuffles: int
) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 6, games)
    b = (a + rng.integers(1, 6, games)) % 6
    result = rng.choice([0.0, 0.5, 1.0], games)
    found = elo(a, b, result, 6, k=20.0, shuffles=shuffles, seed=seed)
    assert found.sum() == pytest.approx(6 * 1500.0)
    if shuffles == 0:
        games_list = list(zip(a.tolist(), b.tolist(), result.tolist(), strict=True))
        np.testing.assert_allclose(found, by_hand(games_list, 6, 20.0))


def test_one_order_decides_much_and_the_mean_of_many_does_not() -> None:
    rng = np.random.default_rng(0)
    truth = np.linspace(1, -1, 5)
    i, j = np.triu_indices(5, k=1)
    a, b = np.tile(i, 20), np.tile(j, 20)
    result = (rng.random(200) < 1 / (1 + np.exp(truth[b] - truth[a]))).astype(float)
    backwards = elo(a[::-1], b[::-1], result[::-1], 5)
    assert np.abs(elo(a, b, result, 5) - backwards).max() > 5.0
    one = elo(a, b, result, 5, shuffles=400, seed=1)
    other = elo(a[::-1], b[::-1], result[::-1], 5, shuffles=400, seed=2)
    assert np.abs(one - other).max() < 10.0
    wins = np.zeros((5, 5))
    np.add.at(wins, (a, b), result)
    np.add.at(wins, (b, a), 1 - result)
    strength = bradley_terry(wins).strength
    assert np.corrcoef(one, elo_of_strengths(strength))[0, 1] > 0.97


def test_the_seed_fixes_the_orders() -> None:
    wins = np.random.default_rng(0).integers(0, 4, (6, 6))
    np.testing.assert_array_equal(elo_of_wins(wins, seed=3), elo_of_wins(wins, seed=3))
    assert (elo_of_wins(wins, seed=3) != elo_of_wins(wins, seed=4)).any()


def test_ratings_of_wins_order_a_tournament_and_share_out_parts_of_games() -> None:
    n = 8
    wins = np.triu(np.ones((n, n)), k=1)
    assert (np.diff(elo_of_wins(wins)) < 0).all()
    assert elo_of_wins(np.array([[0, 0.5], [0, 0]])).tolist() == [1508.0, 1492.0]
    even = np.array([[0, 2.5], [2.5, 0]])
    assert np.abs(elo_of_wins(even, shuffles=500) - 1500).max() < 2.0


def test_strengths_on_elo_s_scale_give_elo_s_expectations() -> None:
    strength = bradley_terry([[0, 3, 2], [1, 0, 3], [2, 1, 0]]).strength
    ratings = elo_of_strengths(strength)
    assert ratings.mean() == pytest.approx(1500.0)
    expected = 1 / (1 + 10 ** ((ratings[1] - ratings[0]) / 400))
    assert expected == pytest.approx(strength[0] / (strength[0] + strength[1]))
    assert elo_of_strengths([]).tolist() == []


def test_games_that_are_none_are_refused() -> None:
    for a, b, result in (([0], [0], [1.0]), ([0], [5], [1.0]), ([0], [1], [2.0]), ([0], [], [])):
        with pytest.raises(DataError):
            elo(a, b, result, 3)
    with pytest.raises(DataError):
        elo([0], [1], [1.0], 2, weights=[-1.0])
    with pytest.raises(ConfigurationError):
        elo([0], [1], [1.0], 2, k=0.0)
    with pytest.raises(ConfigurationError):
        elo_of_wins([[0, 1], [0, 0]], shuffles=0)
    with pytest.raises(DataError):
        elo_of_strengths([1.0, 0.0])
