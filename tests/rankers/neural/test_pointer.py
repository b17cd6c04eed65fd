"""The pointer ranker: its probabilities, its masks, its ways to decode, learning, saving."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker
from plackett.rankers.neural.inputs import fit_inputs
from plackett.rankers.neural.pointer import PointerNetwork, PointerRanker
from plackett.rankers.neural.pointer_decoding import (
    Memory,
    beam_order,
    greedy_order,
    order_logits,
    placed_order,
)
from plackett.rankers.neural.pointer_training import (
    label_order,
    order_log_probability,
    teacher_loss,
)

TINY = PointerRanker(hidden=(16,), process_steps=2, epochs=12, learning_rate=0.02, dropout=0.0)
WHERE = torch.arange(6)[None, :] < torch.tensor([[4], [6], [1]])
Known = tuple[PointerNetwork, Memory]
LABELS = torch.tensor([[0, 2, 1, 3, 0, 0], [1, 0, 4, 2, 3, 5], [1, 0, 0, 0, 0, 0]]).float()


def sorting(queries: int, seed: int, longest: int = 7) -> RankingDataset:
    """Lists of uneven length whose grades are the ranks of one feature of three."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, longest + 1, size=queries)
    X = rng.normal(size=(lengths.sum(), 3)).astype(np.float32)
    y = np.concatenate(
        [part.argsort().argsort() for part in np.split(X[:, 1], lengths.cumsum()[:-1])]
    )
    return RankingDataset(X, y=y + 1, qid=np.repeat(np.arange(queries), lengths))


def network(**parameters: object) -> PointerNetwork:
    ranker = PointerRanker(**{**TINY.get_params(), **parameters})
    inputs = fit_inputs(np.random.default_rng(0).normal(size=(20, 3)), ("a", "b", "c"), kind="none")
    model = ranker._fresh_network(inputs, 1).eval()
    assert isinstance(model, PointerNetwork)
    with torch.no_grad():  # sharper choices than those of fresh weights
        model.point.weight.mul_(4.0)
        model.of_state.weight.mul_(3.0)
    return model


@pytest.fixture
def memory() -> Known:
    torch.manual_seed(0)
    model = network()
    return model, model.remember(torch.randn(int(WHERE.sum()), 3), WHERE)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_orders(n: int) -> Tensor:
    return torch.tensor(list(itertools.permutations(range(n))))


def repeated(model: PointerNetwork, rows: Tensor, times: int) -> Memory:
    """The memory of one list, as often as wanted."""
    where = torch.ones((times, len(rows)), dtype=torch.bool)
    return model.remember(rows.repeat(times, 1), where)


@torch.no_grad()
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_probabilities_of_all_orders_sum_to_1(n: int) -> None:
    model, orders = network(), all_orders(n)
    memory = repeated(model, torch.randn(n, 3), len(orders))
    total = order_log_probability(model, memory, orders).double().exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-5)


@torch.no_grad()
def test_each_step_chooses_among_the_documents_that_are_left(memory: Known) -> None:
    model, known = memory
    order = label_order(LABELS, WHERE, generator())
    shares = order_logits(model, known, order).softmax(dim=2)
    for i, n in enumerate(WHERE.sum(dim=1).tolist()):
        for step in range(n):
            left = set(order[i, step:n].tolist())
            assert set(shares[i, step].nonzero().squeeze(1).tolist()) == left
            assert shares[i, step].sum().item() == pytest.approx(1.0)


@torch.no_grad()
def test_teacher_forcing_sees_the_logits_of_decoding(memory: Known) -> None:
    model, known = memory
    order, first = greedy_order(model, known, 6)
    logits = order_logits(model, known, order)
    assert (logits.argmax(dim=2) == order)[WHERE.gather(1, order)].all()
    torch.testing.assert_close(logits[:, 0][WHERE], first[WHERE])


@torch.no_grad()
def test_without_its_state_the_model_is_plackett_luce() -> None:
    model = network()
    model.of_state.weight.zero_()
    rows = torch.randn(int(WHERE.sum()), 3)
    scores = torch.zeros(WHERE.shape, dtype=torch.float64)
    scores[WHERE] = model(rows, WHERE).double()
    expected = []
    for s, y, here in zip(scores, LABELS, WHERE, strict=True):
        s = s[here][y[here].argsort(descending=True, stable=True)]
        expected.append(sum(s[k:].logsumexp(dim=0) - s[k] for k in range(len(s))))
    known = model.remember(rows, WHERE)
    order = LABELS.masked_fill(~WHERE, -1).argsort(dim=1, descending=True)
    found = -order_log_probability(model, known, order)
    torch.testing.assert_close(found.double(), torch.stack(expected), atol=1e-5, rtol=1e-5)
    loss = teacher_loss(model, known, LABELS, 6, generator())  # list 2 has one document
    assert loss.item() == pytest.approx(sum(expected[:2]).item() / 2, rel=1e-5)


@torch.no_grad()
def test_draws_follow_the_probabilities() -> None:
    model, rows = network(), torch.randn(3, 3)
    orders = all_orders(3)
    expected = order_log_probability(model, repeated(model, rows, 6), orders).exp()
    drawn, _ = greedy_order(model, repeated(model, rows, 4000), 3, generator())
    found = (drawn[:, None] == orders[None]).all(dim=2).float().mean(dim=0)
    assert (found - expected).abs().max() < 4 * 0.5 / math.sqrt(4000)


@torch.no_grad()
def test_a_wide_beam_finds_the_likeliest_order() -> None:
    for seed in range(5):
        torch.manual_seed(seed)
        model, rows = network(), torch.randn(4, 3)
        orders = all_orders(4)
        likely = order_log_probability(model, repeated(model, rows, 24), orders)
        one = repeated(model, rows, 1)
        wide, _ = beam_order(model, one, 4, 24)
        assert wide[0].tolist() == orders[likely.argmax()].tolist()
        narrow, _ = beam_order(model, one, 4, 1)
        assert (narrow == greedy_order(model, one, 4)[0]).all()


@torch.no_grad()
@pytest.mark.parametrize("beam", [1, 3, 40])
def test_decoded_orders_are_permutations_with_padding_last(memory: Known, beam: int) -> None:
    model, known = memory
    order = beam_order(model, known, 6, beam)[0] if beam > 1 else greedy_order(model, known, 6)[0]
    for found, n in zip(order.tolist(), WHERE.sum(dim=1).tolist(), strict=True):
        assert sorted(found) == list(range(6))
        assert sorted(found[:n]) == list(range(n))


def test_documents_beyond_the_decoded_follow_by_the_first_step() -> None:
    where = torch.tensor([[True] * 5 + [False]])
    first = torch.tensor([[0.5, 3.0, 1.0, 0.9, 2.0, 9.0]])
    scores = placed_order(torch.tensor([[3, 0]]), first, where)
    assert scores[0].tolist() == [-1.0, -2.0, -4.0, 0.0, -3.0, -5.0]


@pytest.mark.parametrize("decoding", ["greedy", "beam", "one_step"])
def test_permuting_documents_permutes_scores_and_padding_changes_nothing(decoding: str) -> None:
    torch.manual_seed(1)
    fitted = PointerRanker(**{**TINY.get_params(), "decoding": decoding, "longest_decoded": 4})
    data = sorting(12, 0)
    fitted.set_params(epochs=1, blocks=1).fit(data)
    scores = fitted.predict(data)
    shuffle = np.random.default_rng(1).permutation(len(data))
    np.testing.assert_allclose(fitted.predict(data.take_rows(shuffle)), scores[shuffle], atol=1e-5)
    for query in data.query_ids:
        rows = data.rows_of(query)
        alone = RankingDataset(np.array(data.X)[rows], y=data.y[rows], qid=["q"] * len(rows))
        np.testing.assert_allclose(fitted.predict(alone), scores[rows], atol=1e-5)
        if decoding != "one_step":
            assert sorted(scores[rows]) == list(range(1 - len(rows), 1))


@pytest.mark.parametrize(
    ("training", "least"),
    [
        ("teacher", 0.97),
        ("order_search", 0.97),
        ("seq2slate", 0.95),
        ("seq2slate_hinge", 0.95),
        ("reinforce", 0.93),
    ],
)
def test_it_learns_to_sort(training: str, least: float) -> None:
    ranker = PointerRanker(**{**TINY.get_params(), "training": training})
    ranker.fit(sorting(150, 0))
    assert ranker.score(sorting(60, 2)) > least
    ranker.set_params(decoding="beam")
    assert ranker.score(sorting(60, 2)) > least


def test_the_rollout_and_the_weights_of_steps_are_used() -> None:
    data, scores = sorting(30, 0), []
    for changed in ({}, {"rollout": "greedy"}, {"step_weights": "uniform"}):
        options = {"training": "seq2slate_hinge", "decoding": "one_step", "epochs": 2}
        ranker = PointerRanker(**{**TINY.get_params(), **options, **changed})
        scores.append(ranker.fit(data).predict(data))
    assert (scores[0] != scores[1]).any()
    assert (scores[0] != scores[2]).any()


def test_seed_saving_and_precision(tmp_path: Path) -> None:
    data = sorting(20, 3)
    ranker = PointerRanker(**{**TINY.get_params(), "epochs": 2})
    scores = ranker.fit(sorting(30, 0)).predict(data)
    assert (PointerRanker(**ranker.get_params()).fit(sorting(30, 0)).predict(data) == scores).all()
    ranker.save(tmp_path / "ranker")
    assert (load_ranker(tmp_path / "ranker").predict(data) == scores).all()
    assert set(ranker.importance()) == set(ranker.feature_names_)
    half = PointerRanker(**{**ranker.get_params(), "precision": "bfloat16", "blocks": 1})
    assert np.isfinite(half.fit(sorting(30, 0)).predict(data)).all()


def test_contributions_explain_one_step_only() -> None:
    data = sorting(4, 3)
    ranker = PointerRanker(**{**TINY.get_params(), "epochs": 1}).fit(data)
    with pytest.raises(ConfigurationError, match="one_step"):
        ranker.contributions(data)
    ranker.set_params(decoding="one_step")
    parts = ranker.contributions(data)
    np.testing.assert_allclose(
        parts.base + parts.values.sum(axis=1), ranker.predict(data), atol=1e-4
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "ListNet"},
        {"samples": 1},
        {"beam": 0},
        {"training": "sorting"},
        {"rollout": "beam"},
        {"step_weights": "rank"},
        {"decoding": "random"},
        {"longest_decoded": 0},
        {"hidden": ()},
    ],
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ConfigurationError, ValueError), match=next(iter(wrong))):
        PointerRanker(**wrong).check_parameters()
