"""Dropout: the share, the mean, the gradient, the generator, evaluation."""

from __future__ import annotations

import math

import pytest
import torch

from plackett.rankers.neural.dropout import LEVELS, Dropout, RectifiedDropout, dropped, rectified


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75])
def test_the_share_and_the_mean(share: float) -> None:
    torch.manual_seed(0)
    values = torch.ones(200_000, dtype=torch.float64)
    found = dropped(values, share)
    exact = round(share * LEVELS) / LEVELS
    assert abs(exact - share) <= 0.5 / LEVELS
    # Within four standard errors.
    error = 4 * math.sqrt(exact * (1 - exact) / len(values))
    assert abs((found == 0).double().mean().item() - exact) < error
    assert abs(found.mean().item() - 1.0) < error / (1 - exact)
    kept = found[found != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - exact)))


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 9)])
def test_neighbours_are_dropped_on_their_own(shape: tuple[int, ...]) -> None:
    """All patterns of two neighbours occur as often as their chances say."""
    torch.manual_seed(1)
    assert dropped(torch.ones(shape), 0.5).shape == shape
    draws = dropped(torch.ones(40_000, 2), 0.25) != 0
    both = draws.all(dim=1).double().mean().item()
    assert both == pytest.approx(0.75**2, abs=0.01)


def test_the_seed_decides_the_mask() -> None:
    values = torch.randn(64, 33)
    masks = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        masks.append(dropped(values, 0.4))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert not torch.equal(dropped(values, 0.4), masks[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_is_the_mask_times_its_scale(dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    values = torch.randn(50, 20, dtype=dtype, requires_grad=True)
    outer = torch.randn(50, 20, dtype=dtype)
    found = dropped(values, 0.25)
    assert found.dtype == dtype
    (gradient,) = torch.autograd.grad(found, values, outer)
    mask = (found != 0).to(dtype)
    torch.testing.assert_close(gradient, outer * mask / 0.75)
    torch.testing.assert_close(found, values.detach() * mask / 0.75)


def test_it_is_off_at_evaluation_and_without_a_share() -> None:
    values = torch.randn(100)
    module = Dropout(0.5)
    assert not torch.equal(module(values), values)
    assert module.eval()(values) is values
    assert Dropout(0.0)(values) is values
    assert dropped(values, 0.4 / LEVELS) is values


def test_what_is_handed_in_is_not_changed() -> None:
    values = torch.ones(100)
    dropped(values, 0.5)
    assert (values == 1).all()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_rectifier_and_dropout_at_once(share: float, dtype: torch.dtype) -> None:
    """Values and gradients are those of one after the other."""
    found = []
    for work in (lambda x: dropped(x.relu(), share), lambda x: rectified(x, share)):
        values = torch.linspace(-3, 3, 4_001, dtype=dtype).view(-1, 1).requires_grad_()
        torch.manual_seed(2)
        out = work(values)
        (gradient,) = torch.autograd.grad(out.square().sum(), values)
        found.append((out, gradient))
    torch.testing.assert_close(found[0], found[1])
    module = RectifiedDropout(share).eval()
    torch.testing.assert_close(module(torch.tensor([-1.0, 2.0])), torch.tensor([0.0, 2.0]))


def test_compiled_loops_draw_the_same_masks() -> None:
    """Single precision goes through loops of our own, double precision through torch."""
    masks = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        masks.append(dropped(torch.ones(31, 7, dtype=dtype), 0.3).double())
    torch.testing.assert_close(masks[0], masks[1], rtol=1e-6, atol=0)


def test_strided_and_empty_values() -> None:
    values = torch.randn(6, 8).t()
    torch.manual_seed(4)
    assert ((rectified(values, 0.5) > 0) <= (values > 0)).all()
    assert rectified(torch.empty(0, 3), 0.5).shape == dropped(torch.empty(0, 3), 0.5).shape


def test_a_value_that_is_no_number_is_not_hidden() -> None:
    values = torch.full((4_000,), float("nan"), requires_grad=True)
    torch.manual_seed(6)
    out = rectified(values, 0.5)
    assert out.isnan().any()
    out.sum().backward()
    assert values.grad is not None
    assert (values.grad[out.isnan()] == 2.0).all()
