"""Losses of a teacher's scores: divergence, Plackett-Luce distillation and margins."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn.functional import kl_div

from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.distillation_list import PLD, KLDistillation, MarginMSE
from plackett.losses.plackett_luce import ListMLE

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
T = torch.tensor([3.0, 1.0, 2.0, 0.5], dtype=torch.float64)
# The same lists with the true document, the second, in front.
FRONT = torch.tensor([1, 0, 2, 3])


def lists(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores, teacher = (
        torch.randn(4, 6, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    where = torch.ones(4, 6, dtype=torch.bool)
    where[1, 4:] = False
    where[2] = False
    where[3, 1:] = False
    return scores, teacher, where, torch.rand(4, 6, generator=generator, dtype=torch.float64)


def test_the_numbers_of_pld() -> None:
    loss = PLD(positive_first=True)
    assert loss(S[FRONT], T[FRONT]).item() == pytest.approx(0.326599, abs=1e-6)
    scores, order = S[FRONT], [0, 1, 2, 3]
    weights = T.softmax(0)[FRONT].tolist()
    assert weights == pytest.approx([0.085369, 0.630796, 0.232057, 0.051779], abs=1e-6)
    expected = sum(
        weight * (scores[order[k:]].logsumexp(0) - scores[k]).item()
        for k, weight in enumerate(weights)
    )
    assert loss(scores, T[FRONT]).item() == pytest.approx(expected)


def test_a_sure_teacher_gives_the_softmax_loss() -> None:
    sure = torch.tensor([100.0, 0.0, 0.0, 0.0])
    for loss in (PLD(positive_first=True), PLD()):
        assert loss(S[FRONT], sure).item() == pytest.approx(1.495182, abs=1e-6)


def test_a_hot_teacher_gives_listmle() -> None:
    hot = PLD(temperature=1e9)(S, T)
    torch.testing.assert_close(hot, ListMLE()(S, T) / 4)


def test_pld_does_not_see_a_shift_of_the_teacher() -> None:
    torch.testing.assert_close(PLD()(S, T + 50.0), PLD()(S, T))
    assert PLD(positive_first=True)(S, T) == pytest.approx(PLD()(S, T).item())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_torch_says_the_same_of_the_divergence(temperature: float) -> None:
    scores, teacher, _, _ = lists()
    expected = temperature**2 * kl_div(
        (scores / temperature).log_softmax(-1),
        (teacher / temperature).softmax(-1),
        reduction="batchmean",
    )
    torch.testing.assert_close(KLDistillation(temperature)(scores, teacher), expected)


def test_the_divergence_vanishes_at_the_teacher() -> None:
    scores = (T + 7.0).requires_grad_()
    value = KLDistillation()(scores, T)
    assert value.item() == pytest.approx(0.0, abs=1e-12)
    assert torch.autograd.grad(value, scores)[0].abs().max() < 1e-12


def test_margins_by_definition() -> None:
    scores, teacher, where, weights = lists(1)
    for i in range(4):
        places = [j for j in range(6) if where[i, j]]
        pairs = []
        for j, k in itertools.combinations(places, 2):
            best = j if teacher[i, j] >= teacher[i, k] else k
            gap = (scores[i, j] - scores[i, k]) - (teacher[i, j] - teacher[i, k])
            pairs.append((weights[i, best] * gap.square()).item())
        found = MarginMSE()(
            scores[i : i + 1],
            teacher[i : i + 1],
            where=where[i : i + 1],
            weights=weights[i : i + 1],
        )
        assert found.item() == pytest.approx(sum(pairs) / max(len(pairs), 1))


def test_margins_with_the_positive() -> None:
    errors = S - T
    expected = (errors[0] - errors[1:]).square().mean()
    torch.testing.assert_close(MarginMSE(positive_first=True)(S, T), expected)
    where = torch.tensor([False, True, True, True])
    assert MarginMSE(positive_first=True)(S, T, where=where) == 0


def test_margins_are_a_variance() -> None:
    torch.testing.assert_close(MarginMSE()(S, T), 2 * (S - T).var())
    assert MarginMSE()(T + 3.0, T).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "loss",
    [
        KLDistillation(0.7),
        PLD(2.0),
        PLD(positive_first=True),
        MarginMSE(),
        MarginMSE(positive_first=True),
    ],
)
def test_derivatives_of_both_orders(loss: Loss) -> None:
    scores, teacher, where, weights = lists(3)

    def total(at: torch.Tensor) -> torch.Tensor:
        return loss(at, teacher, where=where, weights=weights, reduction="sum")

    def slope(at: torch.Tensor) -> torch.Tensor:
        variable = at.clone().requires_grad_()
        return torch.autograd.grad(total(variable), variable)[0]

    assert torch.autograd.gradcheck(total, scores.clone().requires_grad_())
    found = loss.curvature(scores, teacher, where=where, weights=weights)
    assert found is not None
    assert (found >= 0).all()
    for i, j in itertools.product(range(4), range(6)):
        step = torch.zeros_like(scores)
        step[i, j] = 1e-5
        expected = (slope(scores + step) - slope(scores - step))[i, j] / 2e-5
        assert found[i, j].item() == pytest.approx(expected.item(), abs=1e-7)


@pytest.mark.parametrize("loss", [KLDistillation(), PLD(), PLD(positive_first=True), MarginMSE()])
def test_no_documents_and_a_teacher_of_large_numbers(loss: Loss) -> None:
    assert loss(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
    scores = (1e4 * S.float()).requires_grad_()
    value = loss(scores, -1e4 * T.float())
    assert torch.isfinite(value)
    assert torch.isfinite(torch.autograd.grad(value, scores)[0]).all()


def test_what_is_handed_in_is_not_changed() -> None:
    before = T.clone()
    PLD(positive_first=True)(S, T)
    assert torch.equal(T, before)


@pytest.mark.parametrize("kind", [KLDistillation, PLD])
def test_temperatures_are_positive(kind: type[PLD]) -> None:
    with pytest.raises(ConfigurationError, match="temperature"):
        kind(temperature=0.0)
