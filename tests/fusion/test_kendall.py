"""Kendall's distance by counting, and between many rankers at once."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.fusion.kendall import kendall_distance, kendall_pairs
from plackett.fusion.preferences import pair_signs, preferences, scores_of_rankings

SCORES = st.lists(st.one_of(st.integers(0, 4).map(float), st.just(float("nan"))), max_size=8)


def counted(x: np.ndarray, y: np.ndarray) -> int:
    return sum(
        (x[i] > x[j] and y[i] < y[j]) or (x[i] < x[j] and y[i] > y[j])
        for i, j in combinations(range(len(x)), 2)
    )


@given(st.data(), SCORES)
@settings(max_examples=100, deadline=None)
def test_the_distance_counts_pairs_in_opposite_order(data: st.DataObject, x: list[float]) -> None:
    y = data.draw(st.permutations(x))
    first, second = np.array(x), np.array(y)
    assert kendall_distance(first, second) == counted(first, second)


@given(st.integers(0, 1000), st.integers(1, 4), st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_all_pairs_of_rankers_at_once(seed: int, rankers: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, size=(rankers, items)).astype(float)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    found = kendall_pairs(scores)
    for a in range(rankers):
        for b in range(rankers):
            assert found.distance[a, b] == counted(scores[a], scores[b])
            ordered = np.abs(pair_signs(scores)).astype(bool)
            assert found.pairs[a, b] == (ordered[a] & ordered[b]).sum()


def test_laws() -> None:
    rng = np.random.default_rng(0)
    x, y, z = rng.normal(size=(3, 30))
    assert kendall_distance(x, x) == 0
    assert kendall_distance(x, -x) == 30 * 29 // 2
    assert kendall_distance(x, y) == kendall_distance(y, x)
    assert kendall_distance(x, z) <= kendall_distance(x, y) + kendall_distance(y, z)


def test_preferences_and_signs_say_the_same() -> None:
    scores, items = scores_of_rankings(["acb", "bc"], items="abc")
    assert items == ["a", "b", "c"]
    assert pair_signs(scores).tolist() == [[1, 1, -1], [0, 0, 1]]
    assert preferences(scores, [2, 1]).tolist() == [[0, 2, 2], [0, 0, 1], [0, 2, 0]]
    assert preferences(scores, [-2, 1]).tolist() == [[0, 0, 0], [2, 0, 3], [2, 0, 0]]


def test_bad_input() -> None:
    with pytest.raises(DataError, match="shapes"):
        kendall_distance([1, 2], [1])
    with pytest.raises(DataError, match="infinite"):
        kendall_pairs([[1, np.inf]])
    with pytest.raises(DataError, match="matrix"):
        preferences([1, 2])
    with pytest.raises(DataError, match="'z'"):
        scores_of_rankings(["az"], items="a")
    with pytest.raises(DataError, match="distinct"):
        scores_of_rankings(["a"], items="aa")
