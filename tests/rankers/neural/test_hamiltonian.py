"""The heaviest path: exact against all orders, heuristics against exact, the card's example."""

import itertools

import numpy as np
import pytest

from plackett.errors import ConfigurationError, DataError
from plackett.rankers.neural.hamiltonian import hamiltonian_path, path_weight

EXAMPLE = [[0, 3, 1], [0.5, 0, 2], [2, 5, 0]]


@pytest.mark.parametrize("exact_up_to", [0, 12])
def test_the_example_of_three_nodes(exact_up_to: int) -> None:
    path = hamiltonian_path(EXAMPLE, exact_up_to=exact_up_to)
    assert path.order.tolist() == [0, 2, 1]
    assert path.weight == 6.0
    assert path.exact == (exact_up_to == 12)
    weights = sorted(path_weight(o, EXAMPLE) for o in itertools.permutations(range(3)))
    assert weights[-2:] == [5.5, 6.0]
    assert path_weight([0, 1, 2], EXAMPLE) == 5.0


@pytest.mark.parametrize("n", range(1, 9))
def test_dynamic_programming_finds_the_best_of_all_orders(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(3 if n < 8 else 1):
        weights = rng.normal(size=(n, n))
        path = hamiltonian_path(weights)
        best = max(path_weight(order, weights) for order in itertools.permutations(range(n)))
        assert sorted(path.order) == list(range(n))
        assert path.weight == pytest.approx(best)
        assert path.weight == path_weight(path.order, weights)


def test_the_heuristic_stays_close_to_the_best() -> None:
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(40):
        weights = rng.normal(size=(9, 9))
        best = hamiltonian_path(weights).weight
        found = hamiltonian_path(weights, exact_up_to=0)
        assert sorted(found.order) == list(range(9))
        assert not found.exact
        assert found.weight <= best + 1e-9
        losses.append((best - found.weight) / best)
    assert np.mean(losses) < 0.01
    assert np.mean(np.array(losses) < 1e-9) > 0.75


@pytest.mark.parametrize("n", [15, 60])
def test_the_heuristic_finds_a_path_that_was_laid(n: int) -> None:
    rng = np.random.default_rng(n)
    laid = rng.permutation(n)
    weights = rng.random((n, n))
    weights[laid[:-1], laid[1:]] += 2.0
    assert hamiltonian_path(weights, exact_up_to=0).order.tolist() == laid.tolist()


def test_more_restarts_are_never_worse_and_the_same_call_gives_the_same_path() -> None:
    weights = np.random.default_rng(3).normal(size=(25, 25))
    found = [hamiltonian_path(weights, exact_up_to=0, restarts=r).weight for r in (0, 2, 8)]
    assert found == sorted(found)
    again = hamiltonian_path(weights, exact_up_to=0, restarts=8, seed=0)
    assert again.weight == found[-1]


def test_the_diagonal_plays_no_part_and_nothing_is_changed() -> None:
    weights = np.random.default_rng(4).normal(size=(6, 6))
    kept = weights.copy()
    order = hamiltonian_path(weights).order
    assert (weights == kept).all()
    np.fill_diagonal(weights, np.nan)
    assert (hamiltonian_path(weights).order == order).all()


def test_small_graphs() -> None:
    assert hamiltonian_path(np.zeros((0, 0))).order.tolist() == []
    assert hamiltonian_path([[7.0]]).order.tolist() == [0]
    assert hamiltonian_path([[0.0, 1.0], [2.0, 0.0]]).order.tolist() == [1, 0]
    assert hamiltonian_path([[0.0, 1.0], [2.0, 0.0]], exact_up_to=0).weight == 2.0


def test_what_it_refuses() -> None:
    with pytest.raises(DataError, match="square"):
        hamiltonian_path(np.zeros((2, 3)))
    with pytest.raises(DataError, match="finite"):
        hamiltonian_path([[0.0, np.inf], [0.0, 0.0]])
    with pytest.raises(ConfigurationError, match="exact_up_to=17"):
        hamiltonian_path(EXAMPLE, exact_up_to=17)
    with pytest.raises(ConfigurationError, match="restarts=-1"):
        hamiltonian_path(EXAMPLE, restarts=-1)
