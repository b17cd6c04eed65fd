"""Kemeny orders against all permutations, their laws, and the split by majorities."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.kemeny import kemeny, kemeny_cost, kemeny_order
from plackett.fusion.kendall import kendall_distance
from plackett.fusion.mallows import sample_mallows
from plackett.fusion.preferences import preferences, scores_of_rankings


def cheapest(weights: np.ndarray) -> float:
    return min(kemeny_cost(order, weights) for order in permutations(range(len(weights))))


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_exact_order_is_the_cheapest_of_all(
    seed: int, items: int, rankers: int, partial: bool
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, size=(rankers, items)).astype(float)
    if partial:
        scores[rng.random(scores.shape) < 0.3] = np.nan
    weights = preferences(scores, rng.normal(size=rankers))
    found = kemeny_order(weights)
    assert found.exact
    assert sorted(found.order.tolist()) == list(range(items))
    assert found.cost == pytest.approx(cheapest(weights))
    assert found.cost == pytest.approx(kemeny_cost(found.order, weights))


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_the_search_finds_no_less_than_the_optimum_and_stands_at_no_worse_than_its_starts(
    seed: int, items: int
) -> None:
    weights = np.random.default_rng(seed).random((items, items))
    np.fill_diagonal(weights, 0.0)
    best, searched = kemeny_order(weights), kemeny_order(weights, exact=1)
    borda = np.argsort(-(weights - weights.T).sum(axis=1), kind="stable")
    assert best.cost - 1e-12 <= searched.cost <= kemeny_cost(borda, weights) + 1e-12


def test_the_search_on_random_preferences_is_close_to_the_optimum() -> None:
    excess = []
    for seed in range(30):
        weights = np.random.default_rng(seed).random((10, 10))
        best, searched = kemeny_order(weights), kemeny_order(weights, exact=6)
        excess.append(searched.cost / best.cost - 1)
    assert min(excess) >= -1e-12
    assert np.mean(excess) < 0.002
    assert np.mean(np.array(excess) < 1e-9) > 0.7


def test_search_on_long_noisy_lists_comes_near_the_truth() -> None:
    orders = sample_mallows(60, 0.15, 15, seed=1)
    scores = -np.argsort(orders, axis=1).astype(float)
    found = kemeny_order(preferences(scores))
    truth = -np.arange(60.0)
    single = np.mean([kendall_distance(row, truth) for row in scores])
    place = np.empty(60)
    place[found.order] = -np.arange(60.0)
    assert kendall_distance(place, truth) < single / 2
    assert found.cost <= kemeny_cost(np.arange(60), preferences(scores))


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_identical_rankings_give_that_ranking(copies: int) -> None:
    assert "".join(kemeny(["dbca"] * copies)) == "dbca"


def test_weights_choose_between_rankings_and_negative_ones_reverse() -> None:
    assert kemeny(["abc", "cba"], [2, 1]) == ["a", "b", "c"]
    assert kemeny(["abc", "cba"], [1, 2]) == ["c", "b", "a"]
    assert kemeny(["abc"], [-1]) == ["c", "b", "a"]


def test_partial_rankings_join_into_one() -> None:
    assert "".join(kemeny(["abc", "cd", "de"])) == "abcde"
    assert kemeny(["", "ab"]) == ["a", "b"]


def test_the_condorcet_cycle_costs_its_weakest_edge() -> None:
    # a > b by 2, b > c by 2, c > a by 1: the cycle is cut at c > a.
    weights = preferences(scores_of_rankings(["abc", "abc", "bca", "cab"])[0])
    found = kemeny_order(weights)
    assert found.order.tolist() == [0, 1, 2]
    assert found.cost == cheapest(weights)


def test_names_of_the_items_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    weights = rng.random((9, 9))
    order = rng.permutation(9)
    plain, mixed = kemeny_order(weights), kemeny_order(weights[np.ix_(order, order)])
    assert order[mixed.order].tolist() == plain.order.tolist()


def test_a_majority_order_of_thousands_of_items_is_exact_and_quick() -> None:
    values = np.random.default_rng(0).normal(size=1500)
    found = kemeny_order(preferences(values[None]))
    assert found.exact
    assert found.cost == 0.0
    assert (np.diff(values[found.order]) < 0).all()


def test_no_items_and_one_item() -> None:
    assert kemeny_order(np.zeros((0, 0))).order.tolist() == []
    assert kemeny_order(np.zeros((1, 1))).order.tolist() == [0]


def test_bad_input() -> None:
    with pytest.raises(DataError, match="no rankings"):
        kemeny([])
    with pytest.raises(DataError, match="twice"):
        kemeny(["aba"])
    with pytest.raises(DataError, match="weights"):
        kemeny(["ab"], [1, 2])
    with pytest.raises(DataError, match="square"):
        kemeny_order(np.zeros((2, 3)))
    with pytest.raises(DataError, match="preference"):
        kemeny_order([[0, -1], [0, 0]])
    with pytest.raises(ConfigurationError, match="exact=19"):
        kemeny_order(np.zeros((2, 2)), exact=19)
