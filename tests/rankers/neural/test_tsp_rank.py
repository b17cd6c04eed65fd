"""TSPRank: the card's numbers, its two losses, order-invariance, long lists, learning, saving."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker
from plackett.rankers.neural.hamiltonian import path_weight
from plackett.rankers.neural.inputs import fit_inputs
from plackett.rankers.neural.tsp_rank import (
    TSPNetwork,
    TSPRank,
    global_path_loss,
    local_path_loss,
)

EXAMPLE = torch.tensor([[[0, 3, 1], [0.5, 0, 2], [2, 5, 0]]], dtype=torch.float64)
GOLD = torch.tensor([[0, 1, 2]])
FULL = torch.ones((1, 3), dtype=torch.bool)
TINY = TSPRank(
    hidden=(16,),
    blocks=1,
    heads=2,
    feed_forward=16,
    epochs=15,
    learning_rate=0.02,
    dropout=0.0,
    exact_up_to=6,
    restarts=1,
)


def sorting(queries: int, seed: int, shortest: int = 1, longest: int = 6) -> RankingDataset:
    """Lists of uneven length whose grades are the ranks of one feature of three."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, size=queries)
    X = rng.normal(size=(lengths.sum(), 3)).astype(np.float32)
    y = np.concatenate(
        [part.argsort().argsort() for part in np.split(X[:, 1], lengths.cumsum()[:-1])]
    )
    return RankingDataset(X, y=y + 1, qid=np.repeat(np.arange(queries), lengths))


def exact_hinge(weights: np.ndarray, gold: list[int]) -> float:
    raised = weights + 1.0
    raised[gold[:-1], gold[1:]] -= 1.0
    best = max(path_weight(order, raised) for order in itertools.permutations(gold))
    return (best - path_weight(gold, raised)) / len(gold)


def test_local_loss_of_the_example() -> None:
    rows = 0.126928, 0.201413
    uniform = local_path_loss(EXAMPLE, GOLD, FULL, "uniform").item()
    weighted = local_path_loss(EXAMPLE, GOLD, FULL, "rank").item()
    assert uniform == pytest.approx(sum(rows) / 2, abs=1e-6)
    assert weighted == pytest.approx((2 * rows[0] + 3 * rows[1]) / 5, abs=1e-6)


def test_global_loss_of_the_example() -> None:
    for exact_up_to in (0, 10):
        loss = global_path_loss(EXAMPLE, GOLD, FULL, exact_up_to=exact_up_to, restarts=1)
        assert loss.item() == pytest.approx(1.0)


def test_the_diagonal_and_padding_play_no_part() -> None:
    torch.manual_seed(0)
    where = torch.arange(5)[None, :] < torch.tensor([[3], [5], [1]])
    adjacency = torch.randn(3, 5, 5, dtype=torch.float64)
    gold = torch.tensor([[2, 0, 1, 3, 4], [4, 3, 0, 1, 2], [0, 1, 2, 3, 4]])
    other = adjacency + 100.0 * torch.eye(5)
    other[0, 3:] = other[0, :, 3:] = -50.0
    for weights in ("rank", "uniform"):
        values = local_path_loss(adjacency, gold, where, weights)
        torch.testing.assert_close(local_path_loss(other, gold, where, weights), values)
        alone = local_path_loss(adjacency[:1, :3, :3], gold[:1, :3], where[:1, :3], weights)
        torch.testing.assert_close(values[:1], alone)
        assert values[2].item() == 0.0
    values = global_path_loss(adjacency, gold, where, exact_up_to=10, restarts=0)
    expected = [
        exact_hinge(adjacency[i].numpy(), gold[i, :n].tolist()) for i, n in enumerate((3, 5, 1))
    ]
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))
    again = global_path_loss(other, gold, where, exact_up_to=10, restarts=0)
    torch.testing.assert_close(again, values)


def test_both_losses_have_the_gradient_of_their_values() -> None:
    torch.manual_seed(1)
    adjacency = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True)
    where = torch.arange(4)[None, :] < torch.tensor([[3], [4]])
    gold = torch.tensor([[1, 2, 0, 3], [3, 1, 0, 2]])

    def hinge(a: torch.Tensor) -> torch.Tensor:
        return global_path_loss(a, gold, where, exact_up_to=10, restarts=0)

    assert torch.autograd.gradcheck(lambda a: local_path_loss(a, gold, where, "rank"), adjacency)
    assert torch.autograd.gradcheck(hinge, adjacency)


def test_a_right_path_that_leads_by_the_margin_costs_nothing() -> None:
    gold = torch.tensor([[3, 1, 0, 2]])
    adjacency = torch.zeros(1, 4, 4)
    adjacency[0, gold[0, :-1], gold[0, 1:]] = 1.0
    where = torch.ones((1, 4), dtype=torch.bool)
    assert global_path_loss(adjacency, gold, where, exact_up_to=10, restarts=0).item() == 0.0
    adjacency *= 0.9
    assert global_path_loss(adjacency, gold, where, exact_up_to=10, restarts=0).item() > 0.0


@pytest.mark.parametrize("seed", range(4))
def test_a_lead_of_the_number_of_edges_over_every_path_costs_nothing(seed: int) -> None:
    n, rng = 5, np.random.default_rng(seed)
    weights, gold = rng.normal(size=(n, n)), rng.permutation(n)
    others = [o for o in itertools.permutations(range(n)) if list(o) != gold.tolist()]
    lead = path_weight(gold, weights) - max(path_weight(o, weights) for o in others)
    # Raising every right edge alike raises the right path at least by one of them over any other.
    weights[gold[:-1], gold[1:]] += max(0.0, n - 1 - lead)
    best = max(path_weight(o, weights) for o in others)
    assert path_weight(gold, weights) - best >= n - 1 - 1e-9
    where = torch.ones((1, n), dtype=torch.bool)
    loss = global_path_loss(
        torch.from_numpy(weights)[None],
        torch.from_numpy(gold)[None],
        where,
        exact_up_to=10,
        restarts=0,
    )
    assert loss.item() == pytest.approx(0.0, abs=1e-12)


@torch.no_grad()
def test_pair_scores_do_not_depend_on_the_order_of_the_documents() -> None:
    torch.manual_seed(2)
    inputs = fit_inputs(np.random.default_rng(0).normal(size=(20, 3)), ("a", "b", "c"), kind="none")
    model = TINY._fresh_network(inputs, 1).eval()
    assert isinstance(model, TSPNetwork)
    rows, shuffle = torch.randn(7, 3), torch.randperm(7)
    where = torch.ones((1, 7), dtype=torch.bool)
    pairs = model.adjacency(model.embed(rows, where)[None])[0]
    moved = model.adjacency(model.embed(rows[shuffle], where)[None])[0]
    torch.testing.assert_close(moved, pairs[shuffle][:, shuffle], atol=1e-5, rtol=0)
    assert not torch.allclose(pairs, pairs.T)
    e = model.embed(rows, where)
    one = (e[2] @ model.bilinear.weight.T @ e[5]) / math.sqrt(e.shape[1])
    torch.testing.assert_close(pairs[2, 5], one, atol=1e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def fitted() -> TSPRank:
    return TSPRank(**TINY.get_params()).fit(sorting(150, 0))


def test_permuting_documents_permutes_scores_and_padding_changes_nothing(fitted: TSPRank) -> None:
    data = sorting(20, 4, longest=12)
    scores = fitted.predict(data)
    shuffle = np.random.default_rng(1).permutation(len(data))
    assert (fitted.predict(data.take_rows(shuffle)) == scores[shuffle]).all()
    for query in data.query_ids:
        rows = data.rows_of(query)
        alone = RankingDataset(np.array(data.X)[rows], y=data.y[rows], qid=["q"] * len(rows))
        assert (fitted.predict(alone) == scores[rows]).all()
        assert sorted(scores[rows]) == list(range(1 - len(rows), 1))


def test_it_learns_to_sort(fitted: TSPRank) -> None:
    assert fitted.score(sorting(60, 2)) > 0.97
    hinge = TSPRank(**{**TINY.get_params(), "learning": "global"}).fit(sorting(150, 0))
    assert hinge.score(sorting(60, 2)) > 0.95


def test_long_lists_are_ordered_by_the_head_below_the_path(fitted: TSPRank) -> None:
    data = sorting(5, 6, shortest=40, longest=60)
    parameters = fitted.get_params()
    by_path = fitted.set_params(longest_path=8).predict(data)
    by_head = fitted.set_params(longest_path=1).predict(data)
    fitted.set_params(**parameters)
    assert (by_path[by_head <= -8] == by_head[by_head <= -8]).all()
    assert (by_path != by_head).any()
    top = by_head > -8
    for query in data.query_ids:
        rows = data.rows_of(query)
        assert sorted(by_path[rows][top[rows]]) == list(range(-7, 1))


def test_seed_saving_and_precision(fitted: TSPRank, tmp_path: Path) -> None:
    data = sorting(20, 3)
    scores = fitted.predict(data)
    assert (TSPRank(**TINY.get_params()).fit(sorting(150, 0)).predict(data) == scores).all()
    fitted.save(tmp_path / "ranker")
    assert (load_ranker(tmp_path / "ranker").predict(data) == scores).all()
    assert set(fitted.importance()) == set(fitted.feature_names_)
    half = TSPRank(**{**TINY.get_params(), "precision": "bfloat16", "epochs": 1})
    assert np.isfinite(half.fit(data).predict(data)).all()


def test_lists_that_teach_nothing_move_nothing() -> None:
    X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    data = RankingDataset(X, y=[2, 2, 2, 0, 0, 1], qid=[0, 0, 0, 1, 1, 2])
    first, last = (TSPRank(**{**TINY.get_params(), "epochs": e}).fit(data) for e in (1, 3))
    for a, b in zip(first.network_.parameters(), last.network_.parameters(), strict=True):
        if a.shape != first.network_.head.weight.shape and a.shape != (1,):
            torch.testing.assert_close(a, b, atol=0, rtol=0)


def test_positions_are_not_explained_by_parts(fitted: TSPRank) -> None:
    with pytest.raises(ConfigurationError, match="feature_ablation"):
        fitted.contributions(sorting(2, 0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "ListNet"},
        {"exact_up_to": 17},
        {"learning": "both"},
        {"transition_weights": "none"},
        {"longest_path": 0},
        {"restarts": -1},
        {"heads": 3},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        TSPRank(**wrong).check_parameters()
