"""The I-divergence against the card's numbers and its minimum."""

import math

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.i_divergence import IDivergence


def test_value_gradient_and_curvature_of_the_example() -> None:
    scores = torch.tensor([[0.5]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[2.0]])
    loss = IDivergence()
    value = loss(scores, labels)
    (gradient,) = torch.autograd.grad(value, scores)
    curvature = loss.curvature(scores.detach(), labels)
    assert value.item() == pytest.approx(0.444558, abs=1e-6)
    assert gradient.item() == pytest.approx(-1.351279, abs=1e-6)
    assert curvature is not None
    assert curvature.item() == pytest.approx(1.648721, abs=1e-6)
    assert (-gradient / curvature).item() == pytest.approx(0.819592, abs=1e-6)


def test_it_is_zero_at_the_logarithm_of_the_shifted_label() -> None:
    labels = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
    assert IDivergence()(torch.log(labels + 1), labels).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("score", [-1e4, 29.0, 31.0, 1e4])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_extreme_scores_stay_finite(score: float, offset: float) -> None:
    scores = torch.tensor([score], requires_grad=True)
    value = IDivergence(offset)(scores, torch.tensor([0.0]))
    value.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()


def test_gradient_is_that_of_the_value() -> None:
    labels = torch.tensor([[1.0, 3.0, 0.0]], dtype=torch.float64)
    scores = torch.tensor([[2.0, 1.0, -1.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: IDivergence()(s, labels), (scores,))


@pytest.mark.parametrize("offset", [-1.0, math.inf, math.nan])
def test_an_offset_out_of_range_is_refused(offset: float) -> None:
    with pytest.raises(ConfigurationError):
        IDivergence(offset)
