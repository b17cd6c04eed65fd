"""The set ranker: equivariance, no trace of padding, long lists, learning, saving."""

from pathlib import Path

import numpy as np
import pytest
import torch

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers.base import load_ranker
from plackett.rankers.neural.inputs import fit_inputs
from plackett.rankers.neural.set_attention import CrossAttention, InducedBlock
from plackett.rankers.neural.set_ranker import SetRanker

TINY = SetRanker(
    hidden=(16,), blocks=1, heads=2, feed_forward=16, inducing=3, epochs=15, learning_rate=0.02
)


def sorting(queries: int, seed: int, shortest: int = 1, longest: int = 9) -> RankingDataset:
    """Lists of uneven length whose grades are the ranks of one feature of three."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, size=queries)
    X = rng.normal(size=(lengths.sum(), 3)).astype(np.float32)
    y = np.concatenate(
        [part.argsort().argsort() for part in np.split(X[:, 1], lengths.cumsum()[:-1])]
    )
    return RankingDataset(X, y=np.minimum(y + 1, 4), qid=np.repeat(np.arange(queries), lengths))


@pytest.fixture(scope="module")
def fitted() -> SetRanker:
    return SetRanker(**TINY.get_params()).fit(sorting(120, 0), sorting(30, 1))


def network(**parameters: object) -> torch.nn.Module:
    ranker = SetRanker(**{**TINY.get_params(), **parameters})
    inputs = fit_inputs(np.random.default_rng(0).normal(size=(20, 3)), ("a", "b", "c"), kind="none")
    return ranker._fresh_network(inputs, 1).eval()


@torch.no_grad()
def test_permuting_documents_permutes_scores() -> None:
    model, rows = network(blocks=2), torch.randn(11, 3)
    where = torch.ones((1, 11), dtype=torch.bool)
    shuffle = torch.randperm(11)
    torch.testing.assert_close(
        model(rows[shuffle], where), model(rows, where)[shuffle], atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_a_list_scores_the_same_alone_and_beside_longer_ones() -> None:
    model, rows = network(blocks=2), torch.randn(10, 3)
    where = torch.arange(7)[None, :] < torch.tensor([[2], [7], [1]])
    together = model(rows, where).split([2, 7, 1])
    for part, expected in zip(rows.split([2, 7, 1]), together, strict=True):
        alone = model(part, torch.ones((1, len(part)), dtype=torch.bool))
        torch.testing.assert_close(alone, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_score_depends_on_the_other_documents_but_not_on_other_lists() -> None:
    model, rows = network(), torch.randn(6, 3)
    where = torch.ones((2, 3), dtype=torch.bool)
    moved = rows.clone()
    moved[2] += 1.0
    before, after = model(rows, where), model(moved, where)
    assert (before[:3] != after[:3]).all()
    assert (before[3:] == after[3:]).all()


def test_attention_is_a_mean_of_values_under_the_mask() -> None:
    attention = CrossAttention(4, 2, 0.0)
    with torch.no_grad():
        attention.ask.weight.zero_()
        attention.ask.bias.zero_()
    keys, where = torch.randn(1, 5, 4), torch.tensor([[True, True, False, True, False]])
    values = attention.project(keys)[..., 4:]
    expected = attention.out(values[where].mean(dim=0))
    found = attention(torch.randn(1, 2, 4), keys, where)
    torch.testing.assert_close(found, expected.expand(1, 2, 4))


def test_lists_of_5000_documents_pass_forward_and_backward() -> None:
    block = InducedBlock(8, 2, 8, 4, 0.0)
    rows = torch.randn(5000, 8, requires_grad=True)
    block(rows, torch.ones((1, 5000), dtype=torch.bool)).square().sum().backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()
    assert block.points.grad is not None
    assert (block.points.grad != 0).any()


def test_it_learns_to_sort(fitted: SetRanker) -> None:
    assert fitted.score(sorting(60, 2)) > 0.97


def test_the_same_seed_gives_equal_predictions(fitted: SetRanker) -> None:
    again = SetRanker(**TINY.get_params()).fit(sorting(120, 0), sorting(30, 1))
    data = sorting(20, 3)
    assert (again.predict(data) == fitted.predict(data)).all()


def test_a_saved_ranker_predicts_the_same(fitted: SetRanker, tmp_path: Path) -> None:
    fitted.save(tmp_path / "ranker")
    data = sorting(20, 3)
    assert (load_ranker(tmp_path / "ranker").predict(data) == fitted.predict(data)).all()


@pytest.mark.parametrize(
    "wrong", [{"inducing": 0}, {"heads": 3}, {"hidden": ()}, {"dropout": 1.0}, {"blocks": -1}]
)
def test_wrong_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SetRanker(**wrong).check_parameters()
