"""Matrices of comparisons: what is counted, what is refused, and connection against paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.fusion import is_strongly_connected, wins_of_pairs
from plackett.fusion.pair_counts import checked_wins


@given(st.integers(0, 10_000), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_every_answered_comparison_gives_away_one_point(seed: int, pairs: int) -> None:
    rng = np.random.default_rng(seed)
    i = rng.integers(0, 5, pairs)
    j = (i + rng.integers(1, 5, pairs)) % 5
    p = np.where(rng.random(pairs) < 0.2, np.nan, rng.random(pairs))
    wins = wins_of_pairs(i, j, p, items=5)
    assert wins.sum() == pytest.approx((~np.isnan(p)).sum())
    assert (np.diag(wins) == 0).all()
    by_hand = np.zeros((5, 5))
    for a, b, chance in zip(i, j, p, strict=True):
        if not np.isnan(chance):
            by_hand[a, b] += chance
            by_hand[b, a] += 1 - chance
    np.testing.assert_allclose(wins, by_hand)


@pytest.mark.parametrize(
    ("i", "j", "p"),
    [
        ([0], [0], [0.5]),
        ([0], [3], [0.5]),
        ([-1], [1], [0.5]),
        ([0], [1], [1.5]),
        ([0], [1], [-0.1]),
        ([0, 1], [1], [0.5]),
    ],
)
def test_comparisons_that_are_none_are_refused(i: list, j: list, p: list) -> None:
    with pytest.raises(DataError):
        wins_of_pairs(i, j, p, items=3)


@pytest.mark.parametrize(
    "matrix", [[[0, 1]], [0, 1], [[0, -1], [1, 0]], [[0, np.nan], [1, 0]], [[0, np.inf], [1, 0]]]
)
def test_matrices_that_count_nothing_are_refused(matrix: list) -> None:
    with pytest.raises(DataError):
        checked_wins(matrix)


def test_the_diagonal_is_not_read_and_the_argument_not_changed() -> None:
    given_matrix = np.array([[np.nan, 2.0], [1.0, 7.0]])
    copy = given_matrix.copy()
    assert checked_wins(given_matrix).tolist() == [[0.0, 2.0], [1.0, 0.0]]
    np.testing.assert_array_equal(given_matrix, copy)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_connection_is_a_path_both_ways(seed: int, n: int) -> None:
    wins = (np.random.default_rng(seed).random((n, n)) < 0.4).astype(float)
    np.fill_diagonal(wins, 0.0)
    reach = np.eye(n) + wins
    for _ in range(n):
        reach = np.minimum(reach @ reach, 1.0)
    assert is_strongly_connected(wins) == bool((reach > 0).all())
