"""Chains: their long run against powers of the matrix, the four chains by hand, consistency."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion import (
    chain_of_rankings,
    condorcet_components,
    eigenvector,
    markov_chain,
    pagerank,
    preferences,
    rank_centrality,
    stationary,
)

VARIANTS = ["MC1", "MC2", "MC3", "MC4"]


def rankings(seed: int, rankers: int, n: int, missing: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, (rankers, n)).astype(float)
    scores[rng.random(scores.shape) < missing] = np.nan
    return scores


def chain_by_hand(scores: np.ndarray, variant: str) -> np.ndarray:
    """The four chains as their definitions read, one item and one ranker at a time."""
    m, n = scores.shape
    rows = np.zeros((n, n))
    for i in range(n):
        placing = [r for r in range(m) if not np.isnan(scores[r, i])]
        if variant == "MC4":
            for j in range(n):
                both = [r for r in placing if not np.isnan(scores[r, j])]
                better = sum(scores[r, j] > scores[r, i] for r in both)
                worse = sum(scores[r, j] < scores[r, i] for r in both)
                if better > worse:
                    rows[i, j] += 1 / n
        elif variant == "MC1":
            bag = [j for r in placing for j in range(n) if scores[r, j] >= scores[r, i]]
            for j in bag:
                rows[i, j] += 1 / len(bag)
        else:
            for r in placing:
                if variant == "MC2":
                    above = [j for j in range(n) if scores[r, j] >= scores[r, i]]
                    for j in above:
                        rows[i, j] += 1 / len(placing) / len(above)
                else:
                    listed = [j for j in range(n) if not np.isnan(scores[r, j])]
                    for j in listed:
                        if scores[r, j] > scores[r, i]:
                            rows[i, j] += 1 / len(placing) / len(listed)
        rows[i, i] += 1 - rows[i].sum()
    return rows


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6), st.sampled_from(VARIANTS))
@settings(max_examples=80, deadline=None)
def test_the_chains_are_those_of_the_definitions(
    seed: int, rankers: int, n: int, variant: str
) -> None:
    scores = rankings(seed, rankers, n)
    found = chain_of_rankings(scores, variant)
    np.testing.assert_allclose(found, chain_by_hand(scores, variant), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


@given(st.integers(0, 10_000), st.integers(1, 7), st.sampled_from([0.05, 0.3, 1.0]))
@settings(max_examples=40, deadline=None)
def test_the_long_run_is_where_powers_of_the_matrix_go(seed: int, n: int, teleport: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.random((n, n)) * (rng.random((n, n)) < 0.5) + np.eye(n) * 1e-3
    rows /= rows.sum(axis=1, keepdims=True)
    found = stationary(rows, teleport=teleport)
    power = np.linalg.matrix_power((1 - teleport) * rows + teleport / n, 2000)
    np.testing.assert_allclose(found, power[0], atol=1e-9)
    assert found.sum() == pytest.approx(1.0)


def test_the_long_run_without_teleport_balances() -> None:
    rows = np.random.default_rng(0).random((6, 6)) + 0.1
    rows /= rows.sum(axis=1, keepdims=True)
    found = stationary(rows)
    np.testing.assert_allclose(found @ rows, found, atol=1e-12)
    assert stationary(np.zeros((0, 0))).tolist() == []


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("teleport", [0.01, 0.05, 0.15])
def test_rankers_that_agree_give_their_order(variant: str, teleport: float) -> None:
    order = np.random.default_rng(1).permutation(12)
    scores = np.tile(-np.argsort(order).astype(float), (3, 1))
    points = markov_chain(scores, variant, teleport=teleport)
    assert np.argsort(-points).tolist() == order.tolist()
    assert points.sum() == pytest.approx(1.0)


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_mc4_places_a_majority_s_first_group_before_all_others(
    seed: int, rankers: int, n: int
) -> None:
    scores = np.random.default_rng(seed).permuted(
        np.tile(np.arange(float(n)), (rankers, 1)), axis=1
    )
    wins = preferences(scores)
    groups = condorcet_components(wins)
    top = groups[0]
    # With an even number of rankers a group may only draw with the rest.
    if not all((wins[i, j] > wins[j, i]) for i in top for g in groups[1:] for j in g):
        return
    points = markov_chain(scores, "MC4", teleport=1e-6)
    rest = [j for g in groups[1:] for j in g]
    if rest:
        assert points[top].min() > points[rest].max()


def test_weights_are_repetitions() -> None:
    scores = rankings(3, 3, 5)
    twice = scores[[0, 0, 1, 2]]
    for variant in VARIANTS:
        np.testing.assert_allclose(
            chain_of_rankings(scores, variant, [2, 1, 1]), chain_of_rankings(twice, variant)
        )


def power_iteration(wins: np.ndarray, damping: float = 0.85) -> np.ndarray:
    """PageRank from loser to winner, the plain way."""
    n = len(wins)
    rank = np.full(n, 1 / n)
    for _ in range(500):
        following = np.full(n, (1 - damping) / n)
        for loser in range(n):
            lost = wins[:, loser]
            share = lost / lost.sum() if lost.sum() else np.full(n, 1 / n)
            following += damping * rank[loser] * share
        rank = following
    return rank


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_pagerank_is_the_plain_iteration(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.random((n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(wins, 0.0)
    np.testing.assert_allclose(pagerank(wins, majority=False), power_iteration(wins), atol=1e-9)
    only_winners = np.where(wins >= wins.T, wins, 0.0)
    np.testing.assert_allclose(pagerank(wins), power_iteration(only_winners), atol=1e-9)


@pytest.mark.parametrize("n", [3, 8])
def test_rank_centrality_orders_every_tournament_without_contradictions(n: int) -> None:
    """A version of it in use had two nodes for who both wins and loses, and divided wins of one
    pair by games of another from four items on: most orders came out wrong."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth = rng.permutation(n)
        wins = (truth[:, None] > truth[None, :]).astype(float)
        assert np.argsort(-rank_centrality(wins)).tolist() == np.argsort(-truth).tolist()


def test_rank_centrality_is_in_balance_at_the_strengths_and_finds_them() -> None:
    strength = np.array([0.4, 0.3, 0.2, 0.1])
    share = strength[:, None] / (strength[:, None] + strength[None, :])
    wins = share * 1e6
    np.testing.assert_allclose(rank_centrality(wins), strength, atol=1e-5)
    few = wins.copy()
    few[0, 2] = few[2, 0] = 0.0  # not every pair need be compared
    np.testing.assert_allclose(rank_centrality(few), strength, atol=1e-5)


def test_rank_centrality_by_hand() -> None:
    wins = np.array([[0, 3, 2], [1, 0, 3], [2, 1, 0]], dtype=float)
    rows = np.array([[0, 1 / 4, 2 / 4], [3 / 4, 0, 1 / 4], [2 / 4, 3 / 4, 0]]) / 2
    rows += np.diag(1 - rows.sum(axis=1))
    found = rank_centrality(wins, prior=1e-9)
    np.testing.assert_allclose(found @ rows, found, atol=1e-8)


def test_rank_centrality_of_parts_that_never_met() -> None:
    wins = np.zeros((5, 5))
    wins[0, 1] = wins[3, 2] = 3.0
    found = rank_centrality(wins)
    assert found.sum() == pytest.approx(1.0)
    assert found[[0, 1]].sum() == pytest.approx(0.4)
    assert found[4] == pytest.approx(0.2)
    assert found[0] > found[1]
    assert found[3] > found[2]


def test_keener_s_vector_is_the_leading_eigenvector() -> None:
    rng = np.random.default_rng(2)
    wins = rng.integers(0, 4, (7, 7)).astype(float)
    np.fill_diagonal(wins, 0.0)
    share = (wins + 1) / (wins + wins.T + 2)
    values, vectors = np.linalg.eig(share)
    leading = np.abs(np.real(vectors[:, np.real(values).argmax()]))
    np.testing.assert_allclose(eigenvector(wins), leading / leading.sum(), atol=1e-10)
    assert eigenvector(np.zeros((0, 0))).tolist() == []
    np.testing.assert_allclose(eigenvector(np.zeros((3, 3))), 1 / 3)


def test_what_is_no_chain_is_refused() -> None:
    for rows in ([[0.5, 0.6], [0.5, 0.5]], [[1.0, 0.0]], [[-1.0, 2.0], [0.5, 0.5]]):
        with pytest.raises(DataError):
            stationary(rows)
    for call in (
        lambda: stationary([[1.0]], teleport=2.0),
        lambda: markov_chain([[1.0, 2.0]], teleport=0.0),
        lambda: chain_of_rankings([[1.0, 2.0]], "MC5"),  # type: ignore[arg-type]
        lambda: pagerank([[0, 1], [0, 0]], damping=1.0),
        lambda: rank_centrality([[0, 1], [0, 0]], prior=0.0),
        lambda: eigenvector([[0, 1], [0, 0]], prior=0.0),
    ):
        with pytest.raises(ConfigurationError):
            call()
    with pytest.raises(DataError):
        chain_of_rankings([[1.0, 2.0]], weights=[-1.0])
    assert pagerank(np.zeros((0, 0))).tolist() == []
