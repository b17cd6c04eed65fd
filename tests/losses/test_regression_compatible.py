"""RCR: its numbers, its common optimum, and its two ends."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from plackett.errors import ConfigurationError, DataError
from plackett.losses.listnet import SoftmaxCrossEntropy
from plackett.losses.regression_compatible import RCR

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
YB = torch.tensor([0, 1, 0, 1])


def gradient_of(
    loss: RCR | SoftmaxCrossEntropy, scores: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    variable = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(variable, labels), variable)[0]


def test_the_running_example() -> None:
    assert RCR(listwise=1.0)(S, YB).item() == pytest.approx(1.730854, abs=1e-6)
    assert RCR(listwise=0.0)(S, YB).item() == pytest.approx(4.727528, abs=1e-6)
    assert RCR()(S, YB).item() == pytest.approx(3.229191, abs=1e-6)


def test_without_the_listwise_part_it_is_the_cross_entropy() -> None:
    expected = binary_cross_entropy_with_logits(S, YB.double(), reduction="sum")
    torch.testing.assert_close(RCR(listwise=0.0)(S, YB), expected)


@pytest.mark.parametrize("listwise", [0.0, 0.5, 1.0])
def test_both_parts_are_least_at_the_expected_label(listwise: float) -> None:
    chances = torch.tensor([0.2, 0.7, 0.5, 0.9], dtype=torch.float64)
    assert gradient_of(RCR(listwise), torch.logit(chances), chances).abs().max() < 1e-10
    grades = torch.tensor([0.4, 3.0, 1.2, 2.0], dtype=torch.float64)
    scores = torch.log(torch.expm1(grades))
    assert gradient_of(RCR(listwise, form="graded"), scores, grades).abs().max() < 1e-10


def test_the_softmax_loss_is_not_least_there() -> None:
    chances = torch.tensor([0.2, 0.7, 0.5, 0.9], dtype=torch.float64)
    assert gradient_of(SoftmaxCrossEntropy(), torch.logit(chances), chances).abs().max() > 0.01


def test_the_graded_form_by_definition() -> None:
    grades = torch.tensor([1, 3, 0, 2])
    expected = softplus(S)
    listwise = -(grades.double() / 6 * (expected / expected.sum()).log()).sum()
    value = 0.3 * (expected - grades).square().sum() + 0.7 * listwise
    torch.testing.assert_close(RCR(0.7, form="graded")(S, grades), value)


@pytest.mark.parametrize("loss", [RCR(0.4, threshold=2), RCR(0.4, form="graded")])
def test_the_gradient_with_weights(loss: RCR) -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (3, 5), generator=generator)
    weights = torch.rand(3, 5, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, weights=weights), scores)


def test_lists_without_a_relevant_document_have_the_regression_alone() -> None:
    value = RCR()(S, torch.zeros(4))
    torch.testing.assert_close(value, 0.5 * softplus(S).sum())
    one = RCR()(S[:1], torch.ones(1))
    torch.testing.assert_close(one, 0.5 * softplus(-S[0]))


def test_a_threshold_does_not_read_padding() -> None:
    where = torch.tensor([True, True, True, False])
    found = RCR(threshold=0)(S, YB, where=where)
    torch.testing.assert_close(found, RCR(threshold=0)(S[:3], YB[:3]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_very_low_and_very_high_scores(dtype: torch.dtype) -> None:
    for loss in (RCR(1.0), RCR(1.0, form="graded")):
        scores = torch.tensor([-1e4, -1e4 + 1, 1e4], dtype=dtype, requires_grad=True)
        value = loss(scores, torch.tensor([0, 1, 0]))
        assert torch.isfinite(value)
        assert torch.isfinite(torch.autograd.grad(value, scores)[0]).all()
    low = torch.tensor([-40.0, -39.0], dtype=dtype)
    expected = math.log1p(math.exp(-1))
    for loss in (RCR(1.0), RCR(1.0, form="graded")):
        assert loss(low, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-5)


def test_wrong_parameters_and_labels() -> None:
    with pytest.raises(ConfigurationError, match="listwise"):
        RCR(listwise=1.5)
    with pytest.raises(ConfigurationError, match="form"):
        RCR(form="ordinal")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no effect"):
        RCR(form="graded", threshold=1)
    with pytest.raises(DataError, match=r"RCR\(threshold=1\)"):
        RCR()(S, torch.tensor([0, 4, 0, 1]))
