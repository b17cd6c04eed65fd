"""The Plackett-Luce likelihood and its losses: enumeration, ties, positions, extremes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import Loss
from plackett.losses.distillation_list import PLD
from plackett.losses.plackett_luce import (
    ListMLE,
    PListMLE,
    label_order,
    plackett_luce_log_likelihood,
)

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
Y = torch.tensor([1, 3, 0, 2])


def by_definition(scores: torch.Tensor, order: list[int], factors: list[float]) -> float:
    """The loss of an order by sums of exponentials, stage by stage."""
    total = 0.0
    for k, factor in enumerate(factors):
        left = sum(math.exp(float(scores[place])) for place in order[k:])
        total += factor * (math.log(left) - float(scores[order[k]]))
    return total


def test_the_running_example() -> None:
    scores = S.clone().requires_grad_()
    value = ListMLE()(scores, Y)
    assert value.item() == pytest.approx(4.937906, abs=1e-6)
    gradient = torch.autograd.grad(value, scores)[0]
    assert gradient.tolist() == pytest.approx([1.212632, -0.775792, 0.493705, -0.930544], abs=1e-6)
    assert PListMLE()(S, Y).item() == pytest.approx(1.853784, abs=1e-6)
    assert 11 * PListMLE()(S, Y).item() == pytest.approx(20.391620, abs=1e-5)


@pytest.mark.parametrize("documents", [1, 2, 3, 4, 5])
def test_the_probabilities_of_all_orders_sum_to_1(documents: int) -> None:
    scores = torch.linspace(-2.0, 1.5, documents, dtype=torch.float64).square() - 1.0
    orders = torch.tensor(list(itertools.permutations(range(documents))))
    logs = plackett_luce_log_likelihood(scores.expand(len(orders), -1), orders)
    torch.testing.assert_close(logs.exp().sum(), torch.ones((), dtype=torch.float64))
    labels = -orders.argsort(dim=-1)
    if documents > 1:
        losses = ListMLE()(scores.expand(len(orders), -1), labels, reduction="none")
        torch.testing.assert_close(losses, -logs)


def by_numpy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """ListMLE and its gradient, a softmax of what is left for every choice."""
    order = np.argsort(-labels, kind="stable")
    placed, slopes, total = scores[order], np.zeros(len(scores)), 0.0
    for k in range(len(scores)):
        highest = placed[k:].max()
        powers = np.exp(placed[k:] - highest)
        total += highest + math.log(powers.sum()) - placed[k]
        slopes[order[k:]] += powers / powers.sum()
        slopes[order[k]] -= 1.0
    return total, slopes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2, 3, 100, 5000])
def test_numpy_says_the_same_of_lists_of_all_lengths(dtype: torch.dtype, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    scores = 3.0 * torch.randn(length, generator=generator).to(dtype)
    labels = torch.randint(0, 5, (length,), generator=generator)
    labels[0] = 5
    value, slopes = by_numpy(scores.double().numpy(), labels.numpy())
    variable = scores.requires_grad_()
    found = ListMLE(ties="index")(variable, labels)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-11
    assert found.item() == pytest.approx(value, rel=tolerance)
    (gradient,) = torch.autograd.grad(found, variable)
    np.testing.assert_allclose(
        gradient.double().numpy(), slopes, rtol=100 * tolerance, atol=10 * tolerance
    )


def test_the_gradient_of_chances_by_enumeration() -> None:
    """Over all orders, the gradients of the probabilities cancel; those of a winner are softmax's.

    A document wins in all orders that begin with it, and its chance is its share of the softmax.
    """
    orders = torch.tensor(list(itertools.permutations(range(4))))
    scores = S.clone().requires_grad_()
    chances = plackett_luce_log_likelihood(scores.expand(len(orders), -1), orders).exp()
    (total,) = torch.autograd.grad(chances.sum(), scores, retain_graph=True)
    torch.testing.assert_close(total, torch.zeros_like(total))
    shares = S.softmax(0)
    for winner in range(4):
        won = chances[orders[:, 0] == winner].sum()
        torch.testing.assert_close(won, shares[winner])
        (slope,) = torch.autograd.grad(won, scores, retain_graph=True)
        torch.testing.assert_close(
            slope, shares[winner] * (torch.arange(4) == winner) - shares[winner] * shares
        )
    # The last place by enumeration too, which has no closed form that short.
    for last in range(4):
        lost = chances[orders[:, 3] == last].sum()
        (slope,) = torch.autograd.grad(lost, scores, retain_graph=True)
        assert slope[last] < 0 < slope[[i for i in range(4) if i != last]].min()


def test_the_probabilities_of_all_beginnings_sum_to_1() -> None:
    beginnings = [(i, j) for i in range(4) for j in range(4) if i != j]
    orders = [[*start, *sorted({0, 1, 2, 3} - {*start})] for start in beginnings]
    logs = plackett_luce_log_likelihood(S.expand(12, -1), torch.tensor(orders), cutoff=2)
    assert logs.exp().sum().item() == pytest.approx(1.0)


def test_the_definition() -> None:
    order = [1, 3, 0, 2]
    assert ListMLE()(S, Y).item() == pytest.approx(by_definition(S, order, [1, 1, 1, 1]))
    assert ListMLE(cutoff=2)(S, Y).item() == pytest.approx(by_definition(S, order, [1, 1, 0, 0]))
    discounts = [1 / math.log2(2 + k) for k in range(4)]
    expected = by_definition(S, order, [d / sum(discounts) for d in discounts])
    assert PListMLE(weights="logarithmic")(S, Y).item() == pytest.approx(expected)


def test_special_cases() -> None:
    two = ListMLE()(S[:2], Y[:2])
    torch.testing.assert_close(two, torch.nn.functional.softplus(S[0] - S[1]))
    torch.testing.assert_close(ListMLE(cutoff=1)(S, Y), -S.log_softmax(0)[1])
    torch.testing.assert_close(PListMLE()(S[:2], Y[:2]), two)
    torch.testing.assert_close(ListMLE(cutoff=99)(S, Y), ListMLE()(S, Y))


def test_positions_are_those_of_real_documents() -> None:
    scores = torch.cat([S, torch.full((200,), 3.0, dtype=torch.float64)])
    labels = torch.cat([Y, torch.full((200,), 9)])
    where = torch.arange(204) < 4
    for loss in (PListMLE(), PListMLE(weights="logarithmic"), ListMLE(cutoff=2)):
        torch.testing.assert_close(loss(scores, labels, where=where), loss(S, Y))


def test_long_lists_do_not_overflow() -> None:
    scores = torch.linspace(0.0, 1.0, 3000).requires_grad_()
    value = PListMLE()(scores, torch.arange(3000))
    value.backward()
    assert torch.isfinite(value)
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    # The factors are 1/2, 1/4, ...: the first stage's softmax has half the weight.
    factors = [2.0**-k for k in range(1, 30)]
    expected = by_definition(scores.detach(), list(range(2999, -1, -1)), factors)
    assert value.item() == pytest.approx(expected, rel=1e-4)


def test_ties_at_random_average_over_the_orders() -> None:
    labels = torch.tensor([1, 1, 0, 1])
    orders = [[*first, 2] for first in itertools.permutations([0, 1, 3])]
    mean = sum(by_definition(S, order, [1, 1, 1, 1]) for order in orders) / 6
    draws = 6000
    generator = torch.Generator().manual_seed(5)
    drawn = ListMLE()(
        S.expand(draws, -1), labels.expand(draws, -1), reduction="none", generator=generator
    )
    assert len(drawn.unique()) == 6
    error = drawn.std().item() / math.sqrt(draws)
    assert abs(drawn.mean().item() - mean) < 4 * error
    shares = torch.stack([(drawn == value).double().mean() for value in drawn.unique()])
    assert (shares - 1 / 6).abs().max() < 0.03


def test_ties_by_index_take_the_order_they_come_in() -> None:
    labels = torch.tensor([1, 1, 0, 1])
    value = ListMLE(ties="index")(S, labels).item()
    assert value == pytest.approx(by_definition(S, [0, 1, 3, 2], [1, 1, 1, 1]))
    assert not ListMLE(ties="index").stochastic
    assert ListMLE().stochastic


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orders_by_label(dtype: torch.dtype) -> None:
    labels = torch.tensor([[-9.5, 0.0, -0.0, -3.5, 7.0, 0.1], [1, 1, 1, 1, 1, 1]], dtype=dtype)
    where = torch.ones_like(labels, dtype=torch.bool)
    where[0, 4] = False
    expected = [[5, 1, 2, 3, 0, 4], [0, 1, 2, 3, 4, 5]]
    assert label_order(labels, where).tolist() == expected
    generator = torch.Generator().manual_seed(1)
    drawn = label_order(labels.expand(2, -1), where, generator)
    assert drawn[0].tolist() in ([5, 1, 2, 3, 0, 4], [5, 2, 1, 3, 0, 4])
    assert drawn[1].sort().values.tolist() == [0, 1, 2, 3, 4, 5]
    assert drawn[1].tolist() != expected[1]


def test_labels_that_only_differ_in_double_precision_are_no_ties() -> None:
    generator = torch.Generator().manual_seed(2)
    labels = 1.0 + torch.randperm(50, generator=generator).double()[None] * 1e-12
    where = torch.ones_like(labels, dtype=torch.bool)
    expected = labels.argsort(descending=True)
    assert torch.equal(label_order(labels, where), expected)
    assert torch.equal(label_order(labels, where, generator), expected)
    where[0, 7] = False
    assert label_order(labels, where)[0, -1] == 7


@pytest.mark.parametrize("range_of_scores", [3.0, 300.0])
def test_both_ways_to_sum_agree(range_of_scores: float) -> None:
    generator = torch.Generator().manual_seed(4)
    scores = range_of_scores * (torch.rand(5, 30, generator=generator, dtype=torch.float64) - 0.5)
    labels = torch.randint(0, 1000, (5, 30), generator=generator)
    for row, grades in zip(scores, labels, strict=True):
        order = grades.argsort(descending=True, stable=True).tolist()
        expected = by_definition(row, order, [1.0] * 30)
        assert ListMLE(ties="index")(row, grades).item() == pytest.approx(expected, rel=1e-9)
    variable = scores.clone().requires_grad_()
    loss = ListMLE(ties="index")
    assert torch.autograd.gradcheck(lambda s: loss(s, labels), variable, atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        ListMLE(),
        ListMLE(cutoff=2),
        PListMLE(),
        PListMLE(weights="logarithmic", ties="index"),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 50.0])
def test_derivatives_of_both_orders(loss: Loss, factor: float) -> None:
    generator = torch.Generator().manual_seed(6)
    scores = factor * torch.randn(3, 6, generator=generator, dtype=torch.float64)
    labels = torch.tensor([[1, 3, 0, 2, 0, 4], [0, 1, 1, 0, 2, 0], [4, 0, 2, 1, 3, 0]])
    where = torch.ones_like(labels, dtype=torch.bool)
    where[1, 3:] = False
    weights = torch.rand(3, 6, generator=generator, dtype=torch.float64)

    def total(at: torch.Tensor) -> torch.Tensor:
        return loss(at, labels, where=where, weights=weights, reduction="sum")

    def slope(at: torch.Tensor) -> torch.Tensor:
        variable = at.clone().requires_grad_()
        return torch.autograd.grad(total(variable), variable)[0]

    assert torch.autograd.gradcheck(total, scores.clone().requires_grad_(), atol=1e-6)
    found = loss.curvature(scores, labels, where=where, weights=weights)
    assert found is not None
    for i, j in itertools.product(range(3), range(6)):
        step = torch.zeros_like(scores)
        step[i, j] = 1e-5
        expected = (slope(scores + step) - slope(scores - step))[i, j] / 2e-5
        assert found[i, j].item() == pytest.approx(expected.item(), abs=1e-7)


def test_weights_multiply_the_stages_of_their_documents() -> None:
    weights = torch.tensor([[2.0, 0.5, 3.0, 1.5]], dtype=torch.float64)
    value = ListMLE()(S[None], Y[None], weights=weights).item()
    assert value == pytest.approx(by_definition(S, [1, 3, 0, 2], [0.5, 1.5, 2.0, 3.0]))


def test_lists_of_equal_labels_are_left_out() -> None:
    labels = torch.stack([Y, torch.ones_like(Y)])
    values = ListMLE()(S.expand(2, -1), labels, reduction="none")
    assert values[1] == 0
    torch.testing.assert_close(ListMLE()(S.expand(2, -1), labels), values[0])


def test_no_documents_and_no_lists() -> None:
    for loss in (ListMLE(), PListMLE(), ListMLE(ties="index")):
        assert loss(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
        assert loss(torch.zeros(0, 3), torch.zeros(0, 3)) == 0


def test_convexity() -> None:
    generator = torch.Generator().manual_seed(9)
    for _ in range(20):
        low, high = (torch.randn(4, generator=generator, dtype=torch.float64) for _ in range(2))
        for loss in (ListMLE(), PListMLE(), PLD(temperature=2.0)):
            middle = loss((low + high) / 2, Y)
            assert middle <= (loss(low, Y) + loss(high, Y)) / 2


def test_wrong_parameters_and_shapes() -> None:
    with pytest.raises(ConfigurationError, match="ties"):
        ListMLE(ties="none")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="cutoff"):
        ListMLE(cutoff=0)
    with pytest.raises(ConfigurationError, match="weights"):
        PListMLE(weights="linear")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="one shape"):
        plackett_luce_log_likelihood(S[None], torch.zeros(1, 3, dtype=torch.int64))
