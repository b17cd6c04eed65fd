"""Losses of profits and bids: the cards' numbers, RankNet as their case, what is left alone."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.pairwise_named import RankNet
from plackett.losses.pairwise_value import PABCE, WelfareLoss

SCORES = torch.tensor([2, 1, 0.5, -1], dtype=torch.float64)


def gradient_of(loss: Loss, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    held = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(held, labels, reduction="sum"), held)[0]


def test_pabce_has_the_cards_number() -> None:
    profits = torch.tensor([100.0, 10.0, 1.0, 0.0], dtype=torch.float64)
    scores = torch.tensor([0.5, 0.8, -0.2, 0.0], dtype=torch.float64)
    assert PABCE()(scores, profits).item() == pytest.approx(1.092570, abs=1e-6)
    assert PABCE()(scores, torch.full_like(profits, 7.0)).item() == 0.0


def test_pabce_leaves_all_but_the_most_profitable_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 10, dtype=torch.float64, generator=generator)
    profits = torch.randn(2, 10, dtype=torch.float64, generator=generator) * 100
    best = profits.argsort(dim=1, descending=True)[:, :3]
    gradient = gradient_of(PABCE(top=3), scores, profits)
    touched = torch.zeros_like(scores).scatter_(1, best, 1.0).bool()
    assert (gradient[~touched] == 0).all()
    assert (gradient[touched] != 0).all()
    curvature = PABCE(top=3).curvature(scores, profits)
    assert curvature is not None
    assert ((curvature > 0) == touched).all()


def test_welfare_has_the_cards_number() -> None:
    scores = torch.logit(torch.tensor([0.3, 0.5, 0.1], dtype=torch.float64))
    clicks, bids = torch.tensor([1, 0, 0]), torch.tensor([2.0, 1.0, 4.0])
    assert WelfareLoss()(scores, clicks, weights=bids).item() == pytest.approx(2.485071, abs=1e-6)


def test_welfare_with_equal_bids_is_ranknet_of_the_rates() -> None:
    clicks = torch.tensor([1, 0, 0, 1])
    rates = torch.sigmoid(SCORES)
    expected = RankNet(pair_reduction="sum")(rates, clicks)
    torch.testing.assert_close(WelfareLoss()(SCORES, clicks), expected)
    torch.testing.assert_close(WelfareLoss()(SCORES, clicks, weights=torch.ones(4)), expected)


def test_welfare_of_bids_in_another_currency() -> None:
    scores, clicks = SCORES, torch.tensor([1, 0, 0, 1])
    bids = torch.tensor([2.0, 1.0, 4.0, 3.0])
    dear = WelfareLoss(sigma=0.1)(scores, clicks, weights=10 * bids)
    torch.testing.assert_close(dear, 10 * WelfareLoss()(scores, clicks, weights=bids))


def test_ads_that_are_padding_take_no_part_in_the_auction() -> None:
    scores = torch.cat([SCORES, torch.tensor([5.0, 9.0], dtype=torch.float64)])
    clicks = torch.tensor([1, 0, 0, 1, 1, 0])
    bids = torch.tensor([2.0, 1.0, 4.0, 3.0, 7.0, 0.0], dtype=torch.float64)
    where = torch.arange(6) < 4
    expected = WelfareLoss()(SCORES, clicks[:4], weights=bids[:4])
    torch.testing.assert_close(WelfareLoss()(scores, clicks, where=where, weights=bids), expected)
    unpaid = WelfareLoss()(scores, clicks, weights=bids * where)
    assert unpaid > expected + 0.1


def test_welfare_gradient_and_lists_that_say_nothing() -> None:
    bids = torch.tensor([2.0, 1.0, 4.0, 3.0], dtype=torch.float64)
    clicks = torch.tensor([1, 0, 0, 1])
    held = SCORES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda s: WelfareLoss()(s, clicks, weights=bids), held)
    alike = 1 / bids
    assert (gradient_of(WelfareLoss(), SCORES, torch.zeros(4)) == 0).all()
    value = WelfareLoss()(SCORES, alike, weights=bids)
    assert value.item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "make", [lambda: PABCE(top=1), lambda: PABCE(top=2.5), lambda: WelfareLoss(sigma=-1)]
)
def test_bad_parameters_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]
