"""Contradictions in answers about pairs, counted against their definitions."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.fusion import calibrated_preference, cyclic_triads, inconsistency


@given(st.integers(0, 10_000), st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_circles_are_those_of_kendall_and_babington_smith(seed: int, n: int) -> None:
    beats = np.triu(np.random.default_rng(seed).random((n, n)) < 0.5, k=1)
    wins = (beats | (~beats.T & np.tri(n, k=-1, dtype=bool))).astype(float)
    scores = wins.sum(axis=1).astype(int)
    by_formula = comb(n, 3) - sum(comb(int(w), 2) for w in scores)
    by_hand = sum(
        1 for a, b, c in combinations(range(n), 3) if wins[a, b] == wins[b, c] == wins[c, a]
    )
    assert cyclic_triads(wins) == by_formula == by_hand


def test_a_tie_closes_no_circle() -> None:
    wins = np.array([[0, 1, 0.5], [0, 0, 1], [0.5, 0, 0]])
    assert cyclic_triads(wins) == 0


@given(st.integers(0, 10_000), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_calibrated_preferences_of_both_sides_sum_to_one(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.random((n, n))
    p[rng.random((n, n)) < 0.1] = np.nan
    found = calibrated_preference(p)
    assert (found + found.T == 1.0).all()
    assert found.min() > 0.268
    assert found.max() < 0.732
    known = ~np.isnan(p) & ~np.isnan(p.T) & ~np.eye(n, dtype=bool)
    np.testing.assert_array_equal((found > 0.5)[known], (p > p.T)[known])
    expected = np.exp(p) / (np.exp(p) + np.exp(p.T))
    np.testing.assert_allclose(found[known], expected[known])
    assert (found[~known] == 0.5).all()


@pytest.mark.parametrize("bias", [0.0, 0.3, 0.9, 1.0])
def test_nothing_but_a_bias_prefers_nothing(bias: float) -> None:
    assert (calibrated_preference(np.full((4, 4), bias)) == 0.5).all()
    report = inconsistency(np.full((4, 4), bias))
    assert report.order_rate == 1.0
    assert report.cyclic_triads == 0
    assert report.first_preferred == (1.0 if bias > 0.5 else 0.0)


def test_answers_that_contradict_nothing() -> None:
    truth = np.array([2, 0, 1])
    p = (truth[:, None] > truth[None, :]).astype(float)
    report = inconsistency(p)
    assert (report.pairs, report.order_inconsistent, report.triads) == (3, 0, 1)
    assert report.first_preferred == 0.5
    assert report.cyclic_rate == 0.0


def test_missing_answers_are_not_counted() -> None:
    p = np.array([[np.nan, 0.9, np.nan], [0.8, np.nan, 0.4], [0.7, 0.7, np.nan]])
    report = inconsistency(p)
    assert (report.pairs, report.order_inconsistent) == (2, 1)
    empty = inconsistency(np.full((1, 1), np.nan))
    assert (empty.order_rate, empty.cyclic_rate, empty.first_preferred) == (0.0, 0.0, 0.5)


def test_what_are_no_answers() -> None:
    for matrix in ([[0, 1]], [[0, 2], [0, 0]], [[0, -1], [0, 0]]):
        with pytest.raises(DataError):
            inconsistency(matrix)
    with pytest.raises(DataError):
        cyclic_triads([[0, 1]])
