"""Aggregators of comparisons: exact on consistent ones, right by hand, alike in what they keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import DataError, UnknownNameError
from plackett.fusion import (
    additive,
    aggregate,
    aggregator,
    aggregator_names,
    copeland,
    greedy,
    kwiksort,
    win_rate,
    wins_of_pairs,
)

NAMES = aggregator_names()


def order_of(scores: np.ndarray) -> list[int]:
    return np.argsort(-scores, kind="stable").tolist()


def tournament(truth: np.ndarray, sure: float = 1.0) -> np.ndarray:
    wins = np.where(truth[:, None] > truth[None, :], sure, 1.0 - sure)
    np.fill_diagonal(wins, 0.0)
    return wins


def test_the_registry_has_exactly_these() -> None:
    assert set(NAMES) == {
        "win_rate", "additive", "greedy", "kwiksort", "copeland", "pagerank",
        "rank_centrality", "eigenvector", "bradley_terry", "newman", "elo",
    }  # fmt: skip
    with pytest.raises(UnknownNameError, match="pagerank"):
        aggregator("page_rank")
    with pytest.raises(DataError):
        aggregate([[0, 1]], "additive")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sure", [1.0, 0.9])
@given(seed=st.integers(0, 10_000), n=st.integers(1, 9))
@settings(max_examples=15, deadline=None)
def test_complete_comparisons_without_contradictions_give_their_order(
    name: str, sure: float, seed: int, n: int
) -> None:
    truth = np.random.default_rng(seed).permutation(n)
    scores = aggregate(tournament(truth, sure), name, seed=seed)
    assert order_of(scores) == order_of(truth.astype(float))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("kwiksort", "elo")])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_numbers_of_the_items_do_not_matter(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.random((6, 6))
    order = rng.permutation(6)
    shuffled = aggregate(wins[np.ix_(order, order)], name)
    np.testing.assert_allclose(shuffled, aggregate(wins, name)[order], atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_evidence_changes_nothing(name: str) -> None:
    assert order_of(aggregate(np.zeros((5, 5)), name)) == [0, 1, 2, 3, 4]
    ties = np.full((5, 5), 0.5)
    np.fill_diagonal(ties, 0.0)
    if name != "elo":  # whose orders of games are drawn
        assert order_of(aggregate(ties, name).round(9)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", NAMES)
def test_an_item_that_was_never_compared_gets_the_least_score(name: str) -> None:
    wins = np.zeros((4, 4))
    wins[0, 3] = wins[3, 2] = wins[0, 2] = 1.0
    scores = aggregate(wins, name)
    assert np.isfinite(scores).all()
    assert scores[1] == scores.min()
    assert order_of(scores)[:2] == [0, 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_fixes_the_result_and_the_argument_stays(name: str) -> None:
    wins = np.random.default_rng(0).random((7, 7))
    copy = wins.copy()
    np.testing.assert_array_equal(aggregate(wins, name, seed=5), aggregate(wins, name, seed=5))
    np.testing.assert_array_equal(wins, copy)


def test_probabilities_of_both_orders_add_up_to_sym_sum() -> None:
    rng = np.random.default_rng(1)
    p = rng.random((5, 5))
    i, j = np.nonzero(~np.eye(5, dtype=bool))
    wins = wins_of_pairs(i, j, p[i, j], items=5)
    for item in range(5):
        others = [other for other in range(5) if other != item]
        by_hand = sum(p[item, o] + (1 - p[o, item]) for o in others)
        assert additive(wins)[item] == pytest.approx(by_hand)


def test_additive_with_each_pair_asked_once_counts_wins() -> None:
    truth = np.array([3, 1, 2, 0])
    i, j = np.triu_indices(4, k=1)
    wins = wins_of_pairs(i, j, (truth[i] > truth[j]).astype(float), items=4)
    assert additive(wins).tolist() == truth.tolist()
    assert copeland(wins).tolist() == truth.tolist()
    np.testing.assert_allclose(win_rate(wins), truth / 3)


def greedy_by_hand(wins: np.ndarray) -> list[int]:
    left, order = list(range(len(wins))), []
    while left:
        values = [sum(wins[v, u] - wins[u, v] for u in left if u != v) for v in left]
        best = left[int(np.argmax(np.round(values, 9)))]
        order.append(best)
        left.remove(best)
    return order


@given(st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_greedy_takes_the_best_of_those_left(seed: int, n: int) -> None:
    wins = np.random.default_rng(seed).integers(0, 4, (n, n)).astype(float)
    assert order_of(greedy(wins)) == greedy_by_hand(wins)


def test_greedy_agrees_with_the_total_order_by_at_least_half() -> None:
    """Cohen, Schapire and Singer's bound: half of the best agreement, here of any order's."""
    from itertools import permutations

    for seed in range(15):
        wins = np.random.default_rng(seed).random((5, 5))
        agreement = [
            sum(wins[o[a], o[b]] for a in range(5) for b in range(a + 1, 5))
            for o in permutations(range(5))
        ]
        mine = order_of(greedy(wins))
        own = sum(wins[mine[a], mine[b]] for a in range(5) for b in range(a + 1, 5))
        assert own >= max(agreement) / 2


def test_kwiksort_gives_items_their_places_not_places_their_items() -> None:
    """An implementation in use returned the inverse permutation: z x w y came out as y w x z."""
    order = [3, 1, 2, 0]  # best first; its inverse differs from it for the order below
    truth = np.empty(4)
    truth[[2, 0, 3, 1]] = [3, 2, 1, 0]
    for seed in range(10):
        assert order_of(kwiksort(tournament(truth), seed=seed)) == [2, 0, 3, 1]
    assert order != [2, 0, 3, 1]


@given(st.integers(0, 10_000), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_kwiksort_is_an_order_whatever_contradicts(seed: int, n: int) -> None:
    wins = np.random.default_rng(seed).integers(0, 3, (n, n)).astype(float)
    assert sorted(kwiksort(wins, seed=seed).tolist()) == list(range(1, n + 1))


def test_kwiksort_reaches_as_deep_as_it_must() -> None:
    assert order_of(kwiksort(np.zeros((2000, 2000)))) == list(range(2000))


def test_copeland_by_hand() -> None:
    wins = np.array([[0, 2, 1], [1, 0, 1], [1, 3, 0]], dtype=float)
    assert copeland(wins).tolist() == [1.5, 0.0, 1.5]


def test_more_comparisons_with_errors_recover_more_of_the_order() -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(20)[::-1]
    for name in ("win_rate", "bradley_terry", "rank_centrality", "pagerank", "additive"):
        found = []
        for share in (0.15, 0.5, 1.0):
            agreed = []
            for _ in range(15):
                i, j = np.triu_indices(20, k=1)
                kept = rng.random(len(i)) < share
                i, j = i[kept], j[kept]
                p = np.where(rng.random(len(i)) < 0.1, 0.0, 1.0)
                scores = aggregate(wins_of_pairs(i, j, p, items=20), name)
                agreed.append(np.corrcoef(np.argsort(np.argsort(scores)), truth)[0, 1])
            found.append(np.mean(agreed))
        assert found[0] < found[1] < found[2], name
        assert found[2] > (0.7 if name == "pagerank" else 0.9), name
