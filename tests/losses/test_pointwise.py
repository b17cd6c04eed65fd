"""Pointwise losses against closed forms and the running example."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import Loss
from plackett.losses.pointwise import (
    BinaryCrossEntropy,
    Ordinal,
    RootMeanSquaredError,
    SquaredError,
)

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
Y = torch.tensor([1, 3, 0, 2])
YB = torch.tensor([0, 1, 0, 1])


def test_the_running_example() -> None:
    assert RootMeanSquaredError()(S, Y).item() == pytest.approx(1.887459, abs=1e-6)
    assert SquaredError()(S, Y).item() == pytest.approx(1.887459**2, abs=1e-5)
    assert BinaryCrossEntropy()(S, YB).item() == pytest.approx(1.181882, abs=1e-6)
    tied = Ordinal(thresholds=(-1.0, 0.0, 1.0))
    assert tied(S, Y).item() == pytest.approx(2.476255, abs=1e-6)


def test_the_gradient_of_cross_entropy() -> None:
    scores = S.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(BinaryCrossEntropy()(scores, YB), scores)
    assert gradient.tolist() == pytest.approx([0.220199, -0.067235, 0.155615, -0.182765], abs=1e-6)
    torch.testing.assert_close(gradient, (torch.sigmoid(S) - YB) / 4)


@pytest.mark.parametrize("loss", [SquaredError(), RootMeanSquaredError()])
def test_a_perfect_fit_costs_nothing_and_moves_nothing(loss: Loss) -> None:
    scores = Y.double().requires_grad_()
    value = loss(scores, Y)
    assert value.item() == 0
    assert (torch.autograd.grad(value, scores)[0] == 0).all()


def test_the_root_of_one_document_is_its_distance() -> None:
    scores = torch.tensor([[3.5], [-1.0]], dtype=torch.float64)
    found = RootMeanSquaredError()(scores, torch.tensor([[1], [2]]), reduction="none")
    assert found.tolist() == [2.5, 3.0]


@pytest.mark.parametrize("kind", [SquaredError, RootMeanSquaredError])
def test_the_scale_multiplies_scores(kind: type[SquaredError] | type[RootMeanSquaredError]) -> None:
    chances = torch.sigmoid(S)
    torch.testing.assert_close(kind(scale=4.0)(chances, Y), kind()(4 * chances, Y))
    with pytest.raises(ConfigurationError, match="above 0"):
        kind(scale=0.0)


def test_the_mean_is_over_real_documents_with_their_weights() -> None:
    where = torch.tensor([True, True, False, True])
    weights = torch.tensor([1.0, 0.5, 9.0, 2.0], dtype=torch.float64)
    expected = (1.0 * 1.0 + 0.5 * 4.0 + 2.0 * 9.0) / 3
    assert SquaredError()(S, Y, where=where, weights=weights).item() == pytest.approx(expected)


def test_cross_entropy_takes_probabilities_and_thresholds() -> None:
    soft = torch.tensor([0.1, 0.9, 0.3, 0.5], dtype=torch.float64)
    expected = (torch.nn.functional.softplus(S) - soft * S).mean()
    torch.testing.assert_close(BinaryCrossEntropy()(S, soft), expected)
    torch.testing.assert_close(
        BinaryCrossEntropy(threshold=2)(S, Y), BinaryCrossEntropy()(S, (Y >= 2).long())
    )


def test_cross_entropy_refuses_grades() -> None:
    with pytest.raises(DataError, match=r"labels from 0 to 3.*threshold=1"):
        BinaryCrossEntropy()(S, Y)


def test_cross_entropy_is_least_at_the_log_odds() -> None:
    soft = torch.tensor([0.1, 0.9, 0.3, 0.5], dtype=torch.float64)
    scores = torch.logit(soft).requires_grad_()
    (gradient,) = torch.autograd.grad(BinaryCrossEntropy()(scores, soft), scores)
    torch.testing.assert_close(gradient, torch.zeros(4, dtype=torch.float64))


def test_ordinal_by_document() -> None:
    tied = Ordinal(thresholds=(-1.0, 0.0, 1.0))
    found = tied(S[:, None], Y[:, None], reduction="none")
    assert found.tolist() == pytest.approx([3.488777, 1.133337, 3.149567, 2.133337], abs=1e-6)


def test_tied_ordinal_is_the_free_form_of_shifted_scores() -> None:
    thresholds = (-1.0, 0.25, 1.0)
    outputs = S[:, None] - torch.tensor(thresholds, dtype=torch.float64)
    torch.testing.assert_close(Ordinal(thresholds=thresholds)(S, Y), Ordinal()(outputs, Y))


def test_one_grade_is_cross_entropy() -> None:
    expected = BinaryCrossEntropy(threshold=1)(S, Y)
    torch.testing.assert_close(Ordinal()(S, Y), expected)
    torch.testing.assert_close(Ordinal()(S[:, None], Y), expected)


def test_the_relevance_at_the_optimum_is_the_expected_grade() -> None:
    # Chances of the grades 0..3; the optimal output k is the log odds of reaching k.
    chances = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64)
    reached = chances.flip(0).cumsum(0).flip(0)[1:]
    outputs = torch.logit(reached).requires_grad_()
    risk = sum(
        chance * Ordinal()(outputs[None], torch.tensor([grade]))
        for grade, chance in enumerate(chances)
    )
    assert isinstance(risk, torch.Tensor)
    (gradient,) = torch.autograd.grad(risk, outputs)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)
    expected = (chances * torch.arange(4)).sum()
    torch.testing.assert_close(Ordinal().relevance(outputs.detach()), expected)


def test_outputs_go_by_the_highest_grade() -> None:
    assert [Ordinal().outputs(grade) for grade in (0.0, 1.0, 2.5, 4.0)] == [1, 1, 3, 4]
    assert Ordinal(thresholds=(0.0, 1.0)).outputs(4.0) == 1


def test_ordinal_that_does_not_fit() -> None:
    with pytest.raises(ConfigurationError, match="increasing"):
        Ordinal(thresholds=(1.0, 0.0))
    with pytest.raises(DataError, match="one output"):
        Ordinal(thresholds=(0.0, 1.0))(torch.zeros(1, 4, 2), Y[None])
