"""ListNet and the softmax loss against torch's cross-entropy, closed forms and the example."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.listnet import ListNet, SoftmaxCrossEntropy

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
Y = torch.tensor([1, 3, 0, 2])


def gradient_of(loss: Loss, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    variable = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(variable, labels), variable)[0]


def test_the_running_example() -> None:
    assert ListNet()(S, Y).item() == pytest.approx(1.897833, abs=1e-6)
    assert SoftmaxCrossEntropy()(S, Y).item() == pytest.approx(1.995182, abs=1e-6)
    one = torch.tensor([0, 1, 0, 0])
    assert SoftmaxCrossEntropy()(S, one).item() == pytest.approx(1.495182, abs=1e-6)


def test_the_gradient_is_a_difference_of_softmaxes() -> None:
    gradient = gradient_of(ListNet(), S, Y)
    torch.testing.assert_close(gradient, S.softmax(0) - Y.double().softmax(0))
    assert gradient.tolist() == pytest.approx([0.522316, -0.419706, 0.103930, -0.206540], abs=1e-6)
    shares = Y.double() / 6
    torch.testing.assert_close(gradient_of(SoftmaxCrossEntropy(), S, Y), S.softmax(0) - shares)


def test_torch_says_the_same() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(7, 9, generator=generator, dtype=torch.float64)
    grades = torch.randint(1, 5, (7, 9), generator=generator)
    for temperature in (0.3, 1.0, 4.0):
        target = (grades.double() / temperature).softmax(-1)
        expected = cross_entropy(scores, target)
        torch.testing.assert_close(ListNet(temperature)(scores, grades), expected)
        expected = cross_entropy(
            scores / temperature, grades.double() / grades.sum(-1, keepdim=True)
        )
        torch.testing.assert_close(SoftmaxCrossEntropy(temperature)(scores, grades), expected)
    relevant = torch.randint(0, 9, (7,), generator=generator)
    labels = torch.nn.functional.one_hot(relevant, 9)
    torch.testing.assert_close(
        SoftmaxCrossEntropy()(scores, labels), cross_entropy(scores, relevant)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2, 3, 100, 5000])
def test_numpy_says_the_same_of_lists_of_all_lengths(dtype: torch.dtype, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    scores = 3.0 * torch.randn(length, generator=generator).to(dtype)
    labels = torch.randint(0, 5, (length,), generator=generator)
    labels[0] = 4
    s, y = scores.double().numpy(), labels.double().numpy()
    chances = np.exp(s - s.max()) / np.exp(s - s.max()).sum()
    tolerance = 2e-5 if dtype == torch.float32 else 1e-12
    for loss, target in (
        (ListNet(), np.exp(y) / np.exp(y).sum()),
        (SoftmaxCrossEntropy(), y / y.sum()),
    ):
        expected = -(target * np.log(chances)).sum() if length > 1 else 0.0
        assert loss(scores, labels).item() == pytest.approx(expected, rel=tolerance)
        if length > 1:
            found = gradient_of(loss, scores, labels).double().numpy()
            np.testing.assert_allclose(
                found, chances - target, rtol=10 * tolerance, atol=tolerance / length
            )


def test_the_least_value_is_the_entropy_of_the_target() -> None:
    target = (Y.double() / 0.7).softmax(0)
    entropy = -(target * target.log()).sum()
    best = Y.double() / 0.7 + 5.0
    torch.testing.assert_close(ListNet(temperature=0.7)(best, Y), entropy)
    assert gradient_of(ListNet(temperature=0.7), best, Y).abs().max() < 1e-12


def test_a_low_temperature_leaves_the_best_document() -> None:
    torch.testing.assert_close(ListNet(temperature=1e-3)(S, Y), -S.log_softmax(0)[1])


@pytest.mark.parametrize("loss", [ListNet(), SoftmaxCrossEntropy()])
def test_lists_that_say_nothing_leave_the_mean(loss: Loss) -> None:
    scores = torch.stack([S, S, S])
    labels = torch.stack([Y, torch.zeros_like(Y), Y])
    where = torch.ones_like(labels, dtype=torch.bool)
    where[2, 1:] = False
    values = loss(scores, labels, where=where, reduction="none")
    assert values[1:].tolist() == [0.0, 0.0]
    torch.testing.assert_close(loss(scores, labels, where=where), values[0])
    assert (loss.curvature(scores, labels, where=where)[1:] == 0).all()  # type: ignore[index]


def test_labels_below_0_have_no_share() -> None:
    labels = torch.tensor([1, 3, -2, 2])
    torch.testing.assert_close(SoftmaxCrossEntropy()(S, labels), SoftmaxCrossEntropy()(S, Y))


@pytest.mark.parametrize("loss", [ListNet(), SoftmaxCrossEntropy()])
def test_weights_multiply_the_target(loss: Loss) -> None:
    weights = torch.tensor([[2.0, 0.5, 1.0, 0.0]], dtype=torch.float64)
    target = Y.double().softmax(0) if isinstance(loss, ListNet) else Y.double() / 6
    expected = -(weights[0] * target * S.log_softmax(0)).sum()
    torch.testing.assert_close(loss(S[None], Y[None], weights=weights), expected)


@pytest.mark.parametrize("loss", [ListNet(0.5), SoftmaxCrossEntropy(0.3)])
def test_derivatives_of_both_orders(loss: Loss) -> None:
    scores = S[None].clone().requires_grad_()
    weights = torch.tensor([[2.0, 0.5, 1.0, 0.1]], dtype=torch.float64)
    labels = Y[None]
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, weights=weights), scores)
    hessian = torch.autograd.functional.hessian(
        lambda s: loss(s, labels, weights=weights, reduction="sum"), scores
    )
    found = loss.curvature(scores, labels, weights=weights)
    assert found is not None
    torch.testing.assert_close(found.detach()[0], hessian[0, :, 0].diagonal())


@pytest.mark.parametrize("kind", [ListNet, SoftmaxCrossEntropy])
@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_temperatures_are_positive(kind: type[ListNet], temperature: float) -> None:
    with pytest.raises(ConfigurationError, match="temperature"):
        kind(temperature=temperature)


def test_no_documents_and_no_lists() -> None:
    assert ListNet()(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
    assert ListNet()(torch.zeros(0, 4), torch.zeros(0, 4)) == 0
    assert SoftmaxCrossEntropy()(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
