"""LDR and ALDR: numbers, limits, the maximum over mixtures, derivatives."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses import robust_softmax
from plackett.losses.base import Loss
from plackett.losses.listnet import SoftmaxCrossEntropy
from plackett.losses.robust_softmax import ALDRKL, LDR

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
ONE = torch.tensor([0, 1, 0, 0])
Y = torch.tensor([1, 3, 0, 2])


def leads(place: int, margin: float) -> torch.Tensor:
    return S - S[place] + margin * (torch.arange(4) != place).double()


def by_definition(labels: torch.Tensor, temperature: float, margin: float) -> float:
    shares = (labels.double() / labels.sum()).tolist()
    terms = [
        temperature * ((leads(i, margin) / temperature).logsumexp(0) - math.log(4)).item()
        for i in range(4)
    ]
    return sum(share * term for share, term in zip(shares, terms, strict=True))


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(0.001, 1.098614), (0.1, 0.961372), (1.0, 0.187320), (10.0, -0.242859), (1e4, -0.299942)],
)
def test_the_running_example(temperature: float, expected: float) -> None:
    assert LDR(temperature)(S, ONE).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.001, 0.05, 1.0, 30.0])
@pytest.mark.parametrize("margin", [0.0, 0.1, 2.0])
def test_several_relevant_documents_by_definition(temperature: float, margin: float) -> None:
    expected = by_definition(Y, temperature, margin)
    assert LDR(temperature, margin)(S, Y).item() == pytest.approx(expected, rel=1e-9)


def test_without_margin_it_is_the_softmax_loss() -> None:
    found = LDR(temperature=1.0, margin=0.0)(S, Y) + math.log(4)
    torch.testing.assert_close(found, SoftmaxCrossEntropy()(S, Y))


def test_the_limits_are_the_strongest_rival_and_the_mean() -> None:
    assert LDR(1e-7)(S, ONE).item() == pytest.approx(leads(1, 0.1).max().item(), abs=1e-5)
    assert LDR(1e7)(S, ONE).item() == pytest.approx(leads(1, 0.1).mean().item(), abs=1e-5)


def test_it_is_the_worst_mixture() -> None:
    lead = leads(1, 0.1)
    value = LDR(temperature=0.8)(S, ONE).item()
    generator = torch.Generator().manual_seed(1)
    mixtures = torch.rand(500, 4, generator=generator, dtype=torch.float64)
    mixtures = mixtures / mixtures.sum(-1, keepdim=True)
    worst = (lead / 0.8).softmax(0)
    for mixture in (*mixtures, worst):
        penalty = (mixture * (4 * mixture).log()).sum()
        reached = ((mixture * lead).sum() - 0.8 * penalty).item()
        assert reached <= value + 1e-12
    assert reached == pytest.approx(value)


def test_it_falls_as_the_temperature_rises() -> None:
    values = [LDR(temperature)(S, ONE).item() for temperature in (0.01, 0.1, 1.0, 10.0, 100.0)]
    assert values == sorted(values, reverse=True)


def test_a_dominant_document_keeps_its_digits() -> None:
    scores = torch.tensor([30.0, 0.0, 1.0], requires_grad=True)
    value = LDR(temperature=0.5, margin=40.0)(scores, torch.tensor([1, 0, 0]))
    exact = LDR(temperature=0.5, margin=40.0)(scores.detach().double(), torch.tensor([1, 0, 0]))
    assert value.item() == pytest.approx(exact.item(), rel=1e-6)
    assert exact.item() == pytest.approx(
        0.5 * (math.log(1 + math.exp(20.0) + math.exp(22.0)) - math.log(3)), rel=1e-9
    )
    assert torch.isfinite(torch.autograd.grad(value, scores)[0]).all()


@pytest.mark.parametrize("loss", [LDR(), LDR(0.2, 1.0), LDR(5.0, 0.0)])
def test_derivatives_of_both_orders(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robust_softmax, "_CHUNK", 40)
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[1, 3, 0, 2, 0], [0, 1, 1, 0, 2], [0, 0, 0, 0, 0]])
    where = torch.ones_like(labels, dtype=torch.bool)
    where[1, 3:] = False
    weights = torch.rand(3, 5, generator=generator, dtype=torch.float64)

    def total(at: torch.Tensor) -> torch.Tensor:
        return loss(at, labels, where=where, weights=weights, reduction="sum")

    assert torch.autograd.gradcheck(total, scores)
    found = loss.curvature(scores.detach(), labels, where=where, weights=weights)
    assert found is not None
    hessian = torch.autograd.functional.hessian(total, scores)
    for i, j in itertools.product(range(3), range(5)):
        assert found[i, j].item() == pytest.approx(hessian[i, j, i, j].item(), abs=1e-10)


def test_the_adapted_temperature_by_definition() -> None:
    chances = (S / 1.5).softmax(0)
    divergence = (chances * chances.log()).sum().item() + math.log(4)
    adapted = 1.5 - 1.5 / (3.0 * math.log(4)) * divergence
    moved = 3.0 * math.log(4) / (2 * 1.5) * (adapted - 1.5) ** 2
    expected = by_definition(Y, adapted, 0.1) - moved
    assert ALDRKL(1.5, 0.1, 3.0)(S, Y).item() == pytest.approx(expected)


def test_its_gradient_is_that_of_ldr_at_the_adapted_temperature() -> None:
    chances = S.softmax(0)
    divergence = (chances * chances.log()).sum().item() + math.log(4)
    adapted = 1.0 - divergence / (2.0 * math.log(4))
    first, second = S.clone().requires_grad_(), S.clone().requires_grad_()
    found = torch.autograd.grad(ALDRKL()(first, Y), first)[0]
    expected = torch.autograd.grad(LDR(adapted)(second, Y), second)[0]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ALDRKL().curvature(S, Y), LDR(adapted).curvature(S, Y))


def test_equal_scores_keep_the_temperature() -> None:
    level = torch.zeros(4, dtype=torch.float64)
    torch.testing.assert_close(ALDRKL()(level, Y), LDR()(level, Y))
    # Surest: 1 - 1 / adaptivity of it.
    sure = torch.tensor([1e3, 0.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(ALDRKL()(sure, ONE), LDR(0.5)(sure, ONE) - math.log(4) * 0.25)


@pytest.mark.parametrize("loss", [LDR(), ALDRKL()])
def test_nothing_to_learn(loss: Loss) -> None:
    assert loss(S, torch.zeros(4)) == 0
    assert loss(S[:1], torch.ones(1)) == 0
    assert loss(torch.zeros(2, 0), torch.zeros(2, 0)) == 0


def test_wrong_parameters() -> None:
    for kind in (LDR, ALDRKL):
        with pytest.raises(ConfigurationError, match="temperature"):
            kind(temperature=0.0)
        with pytest.raises(ConfigurationError, match="margin"):
            kind(margin=-0.1)
    with pytest.raises(ConfigurationError, match="adaptivity"):
        ALDRKL(adaptivity=1.0)
