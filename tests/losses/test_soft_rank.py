"""SoftNDCG against the recursion of the paper, enumeration, and its limits."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses import soft_rank
from plackett.losses.soft_rank import SoftNDCG

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
Y = torch.tensor([1, 3, 0, 2])


def normal(value: float) -> float:
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


def by_enumeration(
    scores: list[float], labels: list[int], sigma: float, cutoff: int | None
) -> float:
    """Minus the expected nDCG: over all outcomes of the independent comparisons of a document."""
    length = len(scores)
    ranks = length if cutoff is None else cutoff
    gains = [2.0**label - 1.0 for label in labels]
    discounts = [1 / math.log2(2 + rank) if rank < ranks else 0.0 for rank in range(length)]
    ideal = sum(g * d for g, d in zip(sorted(gains, reverse=True), discounts, strict=True))
    total = 0.0
    for i in range(length):
        rivals = [j for j in range(length) if j != i]
        before = [normal((scores[j] - scores[i]) / (sigma * math.sqrt(2))) for j in rivals]
        for outcome in itertools.product((0, 1), repeat=length - 1):
            chance = math.prod(p if won else 1 - p for p, won in zip(before, outcome, strict=True))
            total += gains[i] * discounts[sum(outcome)] * chance
    return -total / ideal


@pytest.mark.parametrize(
    ("sigma", "expected"), [(1.0, 0.711540), (0.1, 0.714202), (0.01, 0.714222)]
)
def test_the_running_example(sigma: float, expected: float) -> None:
    assert SoftNDCG(sigma=sigma)(S, Y).item() == pytest.approx(-expected, abs=1e-6)


@pytest.mark.parametrize("cutoff", [None, 1, 2, 5, 9])
@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_all_outcomes_by_enumeration(cutoff: int | None, sigma: float) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        scores = torch.randn(6, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, 4, (6,), generator=generator)
        expected = by_enumeration(scores.tolist(), labels.tolist(), sigma, cutoff)
        found = SoftNDCG(sigma=sigma, cutoff=cutoff)(scores, labels).item()
        assert found == pytest.approx(expected, rel=1e-10)


def test_chances_of_ranks_sum_to_1_and_have_the_mean_of_the_comparisons() -> None:
    generator = torch.Generator().manual_seed(4)
    before = torch.rand(9, 5, generator=generator, dtype=torch.float64)
    before[2] = 0.0
    certain, _ = soft_rank._expected_discounts(before, torch.ones(9, dtype=torch.float64), False)
    torch.testing.assert_close(certain, torch.ones(5, dtype=torch.float64))
    ranks = torch.arange(1, 10, dtype=torch.float64)
    expected, _ = soft_rank._expected_discounts(before, ranks, False)
    torch.testing.assert_close(expected, 1.0 + before.sum(dim=0))


@pytest.mark.parametrize("ranks", [1, 3, 40, 90])
@pytest.mark.parametrize("length", [1, 2, 7, 90])
def test_compiled_loops_change_nothing(length: int, ranks: int) -> None:
    generator = torch.Generator().manual_seed(length)
    before = torch.rand(length, 30, generator=generator, dtype=torch.float64)
    before[:, :10] = before[:, :10].round()
    before[:, 10:20] = before[:, 10:20] ** 20
    before[length // 2] = 0.0
    discounts = 1.0 / torch.log2(2.0 + torch.arange(min(ranks, length), dtype=torch.float64))
    for sloped in (True, False):
        plain = soft_rank._expected_discounts(before, discounts, sloped)
        found = soft_rank._compiled_discounts(before, discounts, sloped)
        torch.testing.assert_close(found[0], plain[0], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(found[1], plain[1], rtol=1e-11, atol=1e-14)


def test_documents_are_shared_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.rand(20, 13, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    discounts = torch.linspace(1.0, 0.1, 5, dtype=torch.float64)
    alone = soft_rank._compiled_discounts(before, discounts, True)
    monkeypatch.setattr(soft_rank, "_WORTH_A_THREAD", 100)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    shared = soft_rank._compiled_discounts(before, discounts, True)
    assert all(torch.equal(one, other) for one, other in zip(alone, shared, strict=True))  # type: ignore[arg-type]


def test_two_documents_in_closed_form() -> None:
    scores = torch.tensor([0.4, -0.3], dtype=torch.float64)
    first = normal(0.7 / math.sqrt(2))
    found = SoftNDCG()(scores, torch.tensor([0, 1])).item()
    assert found == pytest.approx(-((1 - first) + first / math.log2(3)))


def test_equal_scores_have_binomial_ranks() -> None:
    found = SoftNDCG()(torch.zeros(5, dtype=torch.float64), torch.tensor([1, 0, 0, 0, 0])).item()
    expected = sum(math.comb(4, rank) / 16 / math.log2(2 + rank) for rank in range(5))
    assert found == pytest.approx(-expected)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("cutoff", [None, 1, 3, 20])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 11])
def test_the_gradient(
    cutoff: int | None, length: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soft_rank, "_MANY_RANKS", 0 if compiled else 128)
    generator = torch.Generator().manual_seed(length)
    scores = torch.randn(3, length, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (3, length), generator=generator)
    where = torch.ones_like(labels, dtype=torch.bool)
    where[1, length // 2 :] = False
    weights = torch.rand(3, length, generator=generator, dtype=torch.float64)
    loss = SoftNDCG(cutoff=cutoff, sigma=0.6)
    assert torch.autograd.gradcheck(
        lambda s: loss(s, labels, where=where, weights=weights, reduction="none"), scores
    )


def test_parts_of_a_batch_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(4, 12, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (4, 12), generator=generator)
    whole = SoftNDCG()(scores, labels)
    slope = torch.autograd.grad(whole, scores)[0]
    monkeypatch.setattr(soft_rank, "_CHUNK", 300)
    parts = SoftNDCG()(scores, labels)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, scores)[0], slope)
    torch.testing.assert_close(SoftNDCG()(scores.detach(), labels), whole.detach())


def test_scaling_the_scores_is_scaling_the_noise() -> None:
    torch.testing.assert_close(SoftNDCG(sigma=3.0)(3.0 * S, Y), SoftNDCG()(S, Y))


def test_lists_without_gain_and_of_one_document() -> None:
    scores, labels = torch.stack([S, S, S]), torch.stack([Y, 0 * Y, Y])
    where = torch.ones_like(labels, dtype=torch.bool)
    where[2, 1:] = False
    values = SoftNDCG()(scores, labels, where=where, reduction="none")
    assert values[1:].tolist() == [0.0, 0.0]
    assert SoftNDCG()(torch.zeros(2, 0), torch.zeros(2, 0)) == 0


def test_linear_gains() -> None:
    exponential = SoftNDCG()(S, torch.tensor([1, 1, 0, 0]))
    torch.testing.assert_close(SoftNDCG(gain="linear")(S, torch.tensor([1, 1, 0, 0])), exponential)
    assert SoftNDCG(gain="linear")(S, Y) != SoftNDCG()(S, Y)


def test_wrong_parameters() -> None:
    with pytest.raises(ConfigurationError, match="sigma"):
        SoftNDCG(sigma=0.0)
