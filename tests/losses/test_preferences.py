"""Preference losses: cases of one another, the cards' numbers, what is held constant."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import Loss
from plackett.losses.plackett_luce import ListMLE
from plackett.losses.preferences import DPO, DPOPL, IPO, LiPOLambda, SLiC, implicit_rewards
from plackett.losses.registry import parse_loss

REWARDS = torch.tensor([0.1, 0.9, 0.3, 0.6], dtype=torch.float64)
SCORES = torch.tensor([0.1, 0.25, -0.05, 0.15], dtype=torch.float64)
LOSSES = [LiPOLambda(), LiPOLambda(2.0), DPO(), DPO(margin=0.5), SLiC(), IPO(), DPOPL()]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def test_lipo_has_the_cards_numbers() -> None:
    assert LiPOLambda()(SCORES, REWARDS).item() == pytest.approx(0.882608, abs=1e-6)
    assert LiPOLambda(2.0)(SCORES, REWARDS).item() == pytest.approx(0.611777, abs=1e-6)


def test_lipo_written_out() -> None:
    ranks = 1 + SCORES.argsort(descending=True).argsort()
    total = 0.0
    for i, j in itertools.permutations(range(4), 2):
        if REWARDS[i] > REWARDS[j]:
            change = abs(1 / math.log(1 + ranks[i]) - 1 / math.log(1 + ranks[j]))
            gain = float(2 ** REWARDS[i] - 2 ** REWARDS[j])
            total += gain * change * math.log1p(math.exp(float(SCORES[j] - SCORES[i])))
    assert LiPOLambda()(SCORES, REWARDS).item() == pytest.approx(total)


def test_dpo_has_the_cards_number() -> None:
    pair = torch.tensor([0.25, -0.05], dtype=torch.float64)
    assert DPO()(pair, torch.tensor([1, 0])).item() == pytest.approx(0.554355, abs=1e-6)


def test_two_responses_are_one_likelihood() -> None:
    pair, labels = torch.tensor([[0.25, -0.05]], dtype=torch.float64), torch.tensor([[0, 1]])
    torch.testing.assert_close(DPO()(pair, labels), DPOPL()(pair, labels))
    torch.testing.assert_close(DPO().curvature(pair, labels), DPOPL().curvature(pair, labels))
    ratio = LiPOLambda(2.0)(pair, labels) / DPO()(pair, labels)
    assert ratio.item() == pytest.approx(1 - 1 / math.log2(3))


def test_slic_and_ipo_written_out() -> None:
    margins = torch.stack(
        [SCORES[i] - SCORES[j] for i in range(4) for j in range(4) if REWARDS[i] > REWARDS[j]]
    )
    torch.testing.assert_close(SLiC(0.2)(SCORES, REWARDS), (0.2 - margins).clamp(min=0).mean())
    torch.testing.assert_close(IPO(0.1)(SCORES, REWARDS), (margins - 5).square().mean())


def test_dpopl_is_the_likelihood_of_all_orders() -> None:
    total = 0.0
    for order in itertools.permutations(range(4)):
        ranks = torch.empty(4)
        ranks[list(order)] = torch.arange(4, 0, -1.0)
        total += math.exp(-DPOPL()(SCORES, ranks).item())
    assert total == pytest.approx(1.0)


@every_loss
def test_gradient_and_curvature(loss: Loss) -> None:
    scores = torch.stack([SCORES, SCORES.flip(0)]).requires_grad_()
    labels = REWARDS.expand(2, 4)
    where = torch.tensor([[True] * 4, [True, True, True, False]])
    assert torch.autograd.gradcheck(
        lambda s: loss(s, labels, where=where, reduction="none"), scores
    )
    found = loss.curvature(scores.detach(), labels, where=where)
    if found is None:
        return

    def gradient(at: torch.Tensor) -> torch.Tensor:
        held = at.detach().requires_grad_()
        return torch.autograd.grad(loss(held, labels, where=where, reduction="sum"), held)[0]

    step = 1e-6
    for document in range(4):
        moved = torch.zeros_like(scores)
        moved[:, document] = step
        change = (gradient(scores + moved) - gradient(scores - moved))[:, document] / (2 * step)
        torch.testing.assert_close(found[:, document], change, rtol=1e-5, atol=1e-8)


@every_loss
def test_extremes_padding_and_text(loss: Loss) -> None:
    assert parse_loss(repr(loss)) == loss
    scores = torch.tensor([[1e4, -1e4, 0.0], [1.0, 2.0, 3.0]], requires_grad=True)
    labels = torch.tensor([[0.0, 1.0, 0.5], [1.0, 1.0, 1.0]])
    for where in (torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3, dtype=torch.bool)):
        value = loss(scores, labels, where=where)
        (gradient,) = torch.autograd.grad(value, scores)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
        assert (gradient[1] == 0).all()
    padded = loss(
        torch.cat([SCORES, torch.full((3,), 9.0)]),
        torch.cat([REWARDS, torch.ones(3)]),
        where=torch.arange(7) < 4,
    )
    torch.testing.assert_close(padded, loss(SCORES, REWARDS))


def test_dpopl_is_listmle_without_random_ties() -> None:
    labels = torch.tensor([1.0, 0.5, 1.0, 0.5], dtype=torch.float64)
    for given in (REWARDS, labels):
        expected = ListMLE(ties="index")(SCORES, given)
        torch.testing.assert_close(DPOPL()(SCORES, given), expected)
    assert not DPOPL().stochastic


def test_weights_of_responses() -> None:
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    found = DPOPL()(SCORES, REWARDS, weights=weights)
    order = REWARDS.argsort(descending=True)
    terms = [
        weights[order[k]] * (SCORES[order[k:]].logsumexp(0) - SCORES[order[k]]) for k in range(4)
    ]
    torch.testing.assert_close(found, torch.stack(terms).sum())


def test_implicit_rewards_leave_the_reference_alone() -> None:
    policy = torch.tensor([[-3.0, -5.0]], requires_grad=True)
    reference = torch.tensor([[-4.0, -4.0]], requires_grad=True)
    scores = implicit_rewards(policy, reference, beta=0.5)
    torch.testing.assert_close(scores, torch.tensor([[0.5, -0.5]]))
    DPO()(scores, torch.tensor([[1, 0]])).backward()  # type: ignore[no-untyped-call]
    assert policy.grad is not None
    assert reference.grad is None
    half = implicit_rewards(policy.half(), reference.half())
    assert half.dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: implicit_rewards(torch.zeros(2), torch.zeros(3)), DataError),
        (lambda: implicit_rewards(torch.zeros(2), torch.zeros(2), beta=0), ConfigurationError),
        (lambda: LiPOLambda(discount_base=1), ConfigurationError),
        (lambda: DPO(margin=math.nan), ConfigurationError),
        (lambda: SLiC(margin=0), ConfigurationError),
        (lambda: IPO(tau=-1), ConfigurationError),
    ],
)
def test_bad_parameters_are_refused(make: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        make()  # type: ignore[operator]
