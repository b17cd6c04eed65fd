"""The Z-loss: its numbers, invariances and gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from plackett.errors import ConfigurationError
from plackett.losses.z_loss import ZLoss, standardised

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
ONE = torch.tensor([0, 1, 0, 0])
Y = torch.tensor([1, 3, 0, 2])


def test_the_running_example() -> None:
    everywhere = torch.ones(1, 4, dtype=torch.bool)
    z = standardised(S[None], everywhere)[0]
    assert z.tolist() == pytest.approx([1.270171, 0.346410, -0.115470, -1.501111], abs=1e-6)
    assert ZLoss()(S, ONE).item() == pytest.approx(1.072415, abs=1e-6)


def test_several_relevant_documents_share_it() -> None:
    z = (S - S.mean()) / S.std(correction=0)
    expected = (Y.double() / 6 * softplus(0.5 * (2.0 - z)) / 0.5).sum()
    torch.testing.assert_close(ZLoss(sharpness=0.5, aim=2.0)(S, Y), expected)
    weights = torch.tensor([[2.0, 0.0, 1.0, 0.5]], dtype=torch.float64)
    expected = (weights[0] * Y.double() / 6 * softplus(1.0 - z)).sum()
    torch.testing.assert_close(ZLoss()(S[None], Y[None], weights=weights), expected)


def test_neither_scale_nor_shift_matter() -> None:
    torch.testing.assert_close(ZLoss()(3 * S + 7, Y), ZLoss()(S, Y))
    torch.testing.assert_close(ZLoss()(1e-6 * S - 2, Y), ZLoss()(S, Y), rtol=1e-6, atol=0)


def test_the_gradient_is_orthogonal_to_shift_and_scale() -> None:
    scores = S.clone().requires_grad_()
    gradient = torch.autograd.grad(ZLoss()(scores, ONE), scores)[0]
    assert abs(gradient.sum().item()) < 1e-12
    assert abs((gradient * S).sum().item()) < 1e-12
    deviation = S.std(correction=0)
    z = (S - S.mean()) / deviation
    expected = -torch.sigmoid(1.0 - z[1]) / deviation * (ONE - 0.25 - z[1] * z / 4)
    torch.testing.assert_close(gradient, expected)


def test_finite_differences_with_padding() -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (3, 5), generator=generator)
    where = torch.ones_like(labels, dtype=torch.bool)
    where[1, 3:] = False
    loss = ZLoss(sharpness=2.0, aim=0.5)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, where=where), scores)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0.0, 0.1, 1e4])
def test_equal_scores_do_not_move(dtype: torch.dtype, level: float) -> None:
    scores = torch.full((7,), level, dtype=dtype, requires_grad=True)
    value = ZLoss()(scores, torch.arange(7))
    assert value.item() == pytest.approx(math.log1p(math.e), rel=1e-6)
    assert (torch.autograd.grad(value, scores)[0] == 0).all()


def test_nothing_to_learn() -> None:
    assert ZLoss()(S, torch.zeros(4)) == 0
    assert ZLoss()(S[:1], torch.ones(1)) == 0
    assert ZLoss()(torch.zeros(2, 0), torch.zeros(2, 0)) == 0


def test_the_highest_standardised_score() -> None:
    z = standardised(torch.tensor([[5.0, 0.0, 0.0, 0.0]]), torch.ones(1, 4, dtype=torch.bool))
    assert z[0, 0].item() == pytest.approx(math.sqrt(3))


def test_wrong_parameters() -> None:
    with pytest.raises(ConfigurationError, match="sharpness"):
        ZLoss(sharpness=0.0)
    with pytest.raises(ConfigurationError, match="aim"):
        ZLoss(aim=float("nan"))
