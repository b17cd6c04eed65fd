"""Borda's count: what every ranker gives away, ties, missing items, weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion import borda, borda_order


def by_hand(scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    points = np.zeros(scores.shape[1])
    n = scores.shape[1]
    for line, weight in zip(scores, weights, strict=True):
        listed = [i for i in range(n) if not np.isnan(line[i])]
        for i in range(n):
            if i not in listed:
                points[i] += weight * (n - len(listed) + 1) / 2
                continue
            above = sum(line[j] > line[i] for j in listed)
            equal = sum(line[j] == line[i] for j in listed)
            points[i] += weight * np.mean([n - r for r in range(above, above + equal)])
    return points


@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_points_are_those_of_the_places(seed: int, rankers: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (rankers, n)).astype(float)
    scores[rng.random(scores.shape) < 0.4] = np.nan
    weights = rng.random(rankers)
    found = borda(scores, weights)
    np.testing.assert_allclose(found, by_hand(scores, weights))
    # Each ranker gives away n (n + 1) / 2 points, however much of the list it ranks.
    assert found.sum() == pytest.approx(weights.sum() * n * (n + 1) / 2)


def test_nothing_for_the_missing_rewards_what_long_lists_have() -> None:
    scores = [[3.0, 2.0, 1.0], [np.nan, 1.0, np.nan]]
    assert borda(scores, unranked="nothing").tolist() == [3.0, 5.0, 1.0]
    assert borda(scores).tolist() == [4.5, 5.0, 2.5]
    with pytest.raises(ConfigurationError):
        borda(scores, unranked="all")  # type: ignore[arg-type]


def test_order_of_points() -> None:
    assert borda_order(["abc", "abc", "bca"]) == ["a", "b", "c"]
    assert borda_order(["abc", "bca"], [1, 3]) == ["b", "c", "a"]
    assert borda_order(["ab", "ba"]) == ["a", "b"]
    with pytest.raises(DataError):
        borda_order([])


@given(st.permutations(list(range(5))), st.permutations(list(range(4))))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rankers_does_not_matter(items: list[int], rankers: list[int]) -> None:
    scores = np.random.default_rng(0).random((4, 5))
    np.testing.assert_allclose(borda(scores[rankers][:, items]), borda(scores)[items])
