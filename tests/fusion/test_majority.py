"""Majorities: Condorcet's winner first, circles, unanimity, and the cost of orders."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.fusion import (
    condorcet_components,
    condorcet_fuse,
    condorcet_winner,
    copeland,
    kemeny_cost,
    kemeny_order,
    locally_sorted,
    preferences,
    schulze,
)

CIRCLE = np.array([[0, 2, 1], [1, 0, 2], [2, 1, 0]], dtype=float)
"""Three voters, abc, bca and cab."""


def ballots(seed: int, rankers: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return preferences(rng.permuted(np.tile(np.arange(float(n)), (rankers, 1)), axis=1))


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 7))
@settings(max_examples=80, deadline=None)
def test_condorcet_s_winner_comes_first_everywhere(seed: int, rankers: int, n: int) -> None:
    wins = ballots(seed, rankers, n)
    beats_all = [i for i in range(n) if all(wins[i, j] > wins[j, i] for j in range(n) if j != i)]
    assert condorcet_winner(wins) == (beats_all[0] if beats_all else None)
    if beats_all:
        assert condorcet_fuse(wins)[0] == beats_all[0]
        assert copeland(wins).argmax() == beats_all[0]
        assert schulze(wins).argmax() == beats_all[0]
        assert kemeny_order(wins).order[0] == beats_all[0]
        assert condorcet_components(wins)[0].tolist() == beats_all


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 7))
@settings(max_examples=60, deadline=None)
def test_groups_keep_the_extended_criterion_and_so_does_the_sort(
    seed: int, rankers: int, n: int
) -> None:
    wins = ballots(seed, rankers, n)
    groups = condorcet_components(wins)
    assert sorted(np.concatenate(groups).tolist()) == list(range(n))
    group_of = {int(i): g for g, members in enumerate(groups) for i in members}
    for i in range(n):
        for j in range(n):
            if group_of[i] < group_of[j]:
                assert wins[i, j] >= wins[j, i]
    order = condorcet_fuse(wins).tolist()
    assert sorted(order) == list(range(n))
    for above, below in pairwise(order):
        assert wins[above, below] >= wins[below, above]


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_local_sorting_never_costs_more(seed: int, rankers: int, n: int) -> None:
    wins = ballots(seed, rankers, n)
    start = np.random.default_rng(seed).permutation(n)
    found = locally_sorted(start, wins)
    assert kemeny_cost(found, wins) <= kemeny_cost(start, wins)
    assert (
        kemeny_order(wins).cost
        <= min(kemeny_cost(order, wins) for order in permutations(range(n))) + 1e-9
    )


def test_unanimity() -> None:
    order = [3, 0, 2, 1]
    wins = preferences(np.tile(-np.argsort(order).astype(float), (3, 1)))
    assert condorcet_fuse(wins).tolist() == order
    assert np.argsort(-schulze(wins)).tolist() == order
    assert [g.tolist() for g in condorcet_components(wins)] == [[i] for i in order]


def test_a_circle_is_one_group_with_three_best_rotations() -> None:
    assert condorcet_winner(CIRCLE) is None
    assert [sorted(g.tolist()) for g in condorcet_components(CIRCLE)] == [[0, 1, 2]]
    costs = {order: kemeny_cost(order, CIRCLE) for order in permutations(range(3))}
    best = [order for order, cost in costs.items() if cost == min(costs.values())]
    assert sorted(best) == [(0, 1, 2), (1, 2, 0), (2, 0, 1)]
    assert tuple(condorcet_fuse(CIRCLE).tolist()) in best
    assert schulze(CIRCLE).tolist() == [1.0, 1.0, 1.0]


def test_the_sort_does_not_depend_on_a_pivot_but_on_votes() -> None:
    wins = ballots(7, 5, 9)
    assert condorcet_fuse(wins).tolist() == condorcet_fuse(wins.copy()).tolist()


def schulze_by_paths(wins: np.ndarray) -> np.ndarray:
    """The strongest path over all simple paths."""
    n = len(wins)
    best = np.zeros((n, n))
    for length in range(2, n + 1):
        for path in permutations(range(n), length):
            steps = list(pairwise(path))
            if all(wins[a, b] > wins[b, a] for a, b in steps):
                width = min(wins[a, b] for a, b in steps)
                best[path[0], path[-1]] = max(best[path[0], path[-1]], width)
    return best


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_schulze_s_strongest_paths(seed: int, rankers: int, n: int) -> None:
    wins = ballots(seed, rankers, n)
    best = schulze_by_paths(wins)
    won = (best > best.T).sum(axis=1) + 0.5 * ((best == best.T).sum(axis=1) - 1)
    assert schulze(wins).tolist() == won.tolist()


@pytest.mark.parametrize("function", [condorcet_fuse, schulze, condorcet_components])
def test_nothing_to_order(function: object) -> None:
    assert len(function(np.zeros((0, 0)))) == 0  # type: ignore[operator]
