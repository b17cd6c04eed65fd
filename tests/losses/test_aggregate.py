"""Losses of a list's mean response: bag, instance and between."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.aggregate import AggregateResponse
from plackett.losses.pointwise import BinaryCrossEntropy, SquaredError

F = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
Y = torch.tensor([0, 3, 3])


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.111111), (1.0, 1.666667), (0.5, 0.888889)])
def test_examples(share: float, expected: float) -> None:
    assert AggregateResponse(share)(F, Y).item() == pytest.approx(expected, abs=1e-6)


def test_instances_are_the_bag_and_the_variance() -> None:
    difference = AggregateResponse(1.0)(F, Y) - AggregateResponse(0.0)(F, Y)
    torch.testing.assert_close(difference, F.var(correction=0))
    assert difference.item() == pytest.approx(1.555556, abs=1e-6)


def test_only_the_mean_of_the_labels_is_used() -> None:
    for form in ("squared", "logistic"):
        loss = AggregateResponse(0.3, form=form)
        labels = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
        torch.testing.assert_close(loss(F, labels), loss(F, torch.full((3,), 0.5)))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_bag_of_one_is_pointwise(share: float) -> None:
    scores, labels = F[:, None], torch.tensor([[0], [1], [1]])
    torch.testing.assert_close(
        AggregateResponse(share)(scores, labels), SquaredError()(scores, labels)
    )
    torch.testing.assert_close(
        AggregateResponse(share, form="logistic")(scores, labels),
        BinaryCrossEntropy()(scores, labels),
    )


def test_the_logistic_bag_is_the_cross_entropy_of_the_mean_chance() -> None:
    where = torch.tensor([[True, True, False], [True, True, True]])
    scores = torch.stack([F, -F])
    labels = torch.tensor([[1, 0, 0], [1, 1, 0]])
    found = AggregateResponse(0.0, form="logistic")(scores, labels, where=where, reduction="none")
    for place, (target, chance) in enumerate(
        [(0.5, torch.sigmoid(F[:2]).mean()), (2 / 3, torch.sigmoid(-F).mean())]
    ):
        expected = -(target * chance.log() + (1 - target) * (1 - chance).log())
        torch.testing.assert_close(found[place], expected)


def test_the_logistic_form_keeps_the_contract_of_padding_and_extremes() -> None:
    for dtype in (torch.float32, torch.float64):
        scores = torch.tensor([[-1e4, -1e4, 9.0], [1e4, -1e4, 2.0]], dtype=dtype).requires_grad_()
        labels = torch.tensor([[1, 0, 0], [0, 1, 1]])
        where = torch.tensor([[True, True, False], [True, True, True]])
        value = AggregateResponse(form="logistic")(scores, labels, where=where)
        alone = AggregateResponse(form="logistic")(scores[0, :2], labels[0, :2])
        first = AggregateResponse(form="logistic")(scores, labels, where=where, reduction="none")[0]
        torch.testing.assert_close(first, alone)
        assert torch.isfinite(torch.autograd.grad(value, scores)[0]).all()
        nothing = AggregateResponse(form="logistic")(scores, labels, where=where & False)
        assert nothing.item() == 0
        assert torch.isfinite(torch.autograd.grad(nothing, scores)[0]).all()


def test_linear_regression_has_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(20, 5, 3, generator=generator, dtype=torch.float64)
    means = torch.randn(20, generator=generator, dtype=torch.float64)
    share = 0.3
    bags = features.mean(dim=1)
    within = (features - bags[:, None]).flatten(0, 1)
    weights = torch.linalg.solve(bags.T @ bags + share * within.T @ within / 5, bags.T @ means)
    weights.requires_grad_()
    value = AggregateResponse(share)(features @ weights, means[:, None].expand(20, 5))
    (gradient,) = torch.autograd.grad(value, weights)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_lengths_as_weights_count_instances() -> None:
    scores = torch.stack([F, -F])
    labels = torch.tensor([[0.0, 3.0, 3.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    where = torch.tensor([[True] * 3, [True, False, False]])
    lengths = where.sum(dim=1)
    total = AggregateResponse(1.0)(scores, labels, where=where, weights=lengths, reduction="sum")
    terms = torch.cat([(2.0 - F).square(), (1.0 + F[:1]).square()])
    torch.testing.assert_close(total / lengths.sum(), terms.mean())


def test_weights_are_of_the_means() -> None:
    weights = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    copies = torch.tensor([0, 1, 1, 2])
    for form in ("squared", "logistic"):
        loss = AggregateResponse(form=form)
        labels = torch.tensor([0, 1, 1])
        torch.testing.assert_close(
            loss(F, labels, weights=weights), loss(F[copies], labels[copies])
        )


def test_what_does_not_fit() -> None:
    with pytest.raises(ConfigurationError, match=r"in \[0, 1\]"):
        AggregateResponse(1.5)
    with pytest.raises(ConfigurationError, match="squared or logistic"):
        AggregateResponse(form="hinge")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        AggregateResponse(form="logistic")(F, Y)
