"""What a pointer network minimises: closed forms, brute force over orders, nothing to learn."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from plackett.rankers.neural.inputs import fit_inputs
from plackett.rankers.neural.pointer import PointerNetwork, PointerRanker
from plackett.rankers.neural.pointer_decoding import Memory, greedy_order, order_logits
from plackett.rankers.neural.pointer_training import (
    label_order,
    order_log_probability,
    policy_loss,
    search_loss,
    searched_order,
    stepwise_loss,
    teacher_loss,
)

WHERE = torch.arange(6)[None, :] < torch.tensor([[4], [6], [1]])
LABELS = torch.tensor([[0, 2, 1, 3, 0, 0], [1, 0, 4, 2, 3, 5], [1, 0, 0, 0, 0, 0]]).float()
ListLoss = Callable[[PointerNetwork, Memory, Tensor, int, torch.Generator], Tensor]


def network() -> PointerNetwork:
    ranker = PointerRanker(hidden=(16,), process_steps=2, dropout=0.0)
    inputs = fit_inputs(np.random.default_rng(0).normal(size=(20, 3)), ("a", "b", "c"), kind="none")
    model = ranker._fresh_network(inputs, 1).eval()
    assert isinstance(model, PointerNetwork)
    with torch.no_grad():  # sharper choices than those of fresh weights
        model.point.weight.mul_(4.0)
        model.of_state.weight.mul_(3.0)
    return model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def all_orders(n: int) -> Tensor:
    return torch.tensor(list(itertools.permutations(range(n))))


def repeated(model: PointerNetwork, rows: Tensor, times: int) -> Memory:
    """The memory of one list, as often as wanted."""
    where = torch.ones((times, len(rows)), dtype=torch.bool)
    return model.remember(rows.repeat(times, 1), where)


def test_labels_sort_the_order_and_ties_are_drawn() -> None:
    labels = torch.tensor([[1.0, 1.0, 2.0, -3.0, 0.0]]).repeat(2000, 1)
    where = torch.tensor([[True, True, True, True, False]]).repeat(2000, 1)
    order = label_order(labels, where, generator())
    assert (order[:, 0] == 2).all()
    assert (order[:, 3:] == torch.tensor([3, 4])).all()
    assert abs((order[:, 1] == 0).float().mean().item() - 0.5) < 0.05
    assert (order == label_order(labels, where, generator())).all()
    assert (order != label_order(labels, where, generator(1))).any()


def test_the_stepwise_loss_is_the_cross_entropy_to_what_is_left() -> None:
    model, rows = network(), torch.randn(3, 3)
    known = repeated(model, rows, 1)
    labels = torch.tensor([[0.0, 1.0, 3.0]])
    order, _ = greedy_order(model, known, 3, generator(5))
    expected, weight, left = 0.0, 0.0, [0, 1, 2]
    logits = order_logits(model, known, order)[0]
    for step in range(3):
        grades = labels[0, left]
        if grades.sum() > 0:
            share = 1 / math.log2(2 + step)
            target = grades / grades.sum()
            expected -= share * (target * logits[step, left].log_softmax(dim=0)).sum().item()
            weight += share
        left.remove(int(order[0, step]))
    loss = stepwise_loss(model, known, labels, 3, generator(5))
    assert loss.item() == pytest.approx(expected / weight, rel=1e-5)


def hinge_loss(
    model: PointerNetwork, known: Memory, labels: Tensor, steps: int, drawn: torch.Generator
) -> Tensor:
    return stepwise_loss(model, known, labels, steps, drawn, each_step="hinge")


def constant_scores(model: PointerNetwork, scores: list[float]) -> Memory:
    """A memory for which the model has these logits in every step: u = v tanh(atanh(s))."""
    with torch.no_grad():
        model.of_state.weight.zero_()
        model.point.weight.zero_()
        model.point.weight[0, 0] = 1.0
    known = repeated(model, torch.randn(len(scores), 3), 1)
    keys = torch.zeros_like(known.keys)
    keys[0, :, 0] = torch.atanh(torch.tensor(scores))
    return known._replace(keys=keys)


def test_the_hinge_of_a_list_of_four() -> None:
    # u = .8, .6, .2, -.4 and relevant documents 1 and 3: the greedy order is 0, 1, 2, 3.
    model, labels = network(), torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    known = constant_scores(model, [0.8, 0.6, 0.2, -0.4])
    # All left: 1 - (-.4) + .8. Without 0: 1 + .4 + .2. Without 1: the same. Only 3: no hinge.
    hinges = [2.2, 1.6, 1.6]
    arguments = {"each_step": "hinge", "rollout": "greedy"}
    uniform = stepwise_loss(
        model, known, labels, 4, generator(), **arguments, step_weights="uniform"
    )
    assert uniform.item() == pytest.approx(sum(hinges) / 3, abs=1e-5)
    shares = [1 / math.log2(1 + t) for t in (1, 2, 3)]
    discounted = stepwise_loss(model, known, labels, 4, generator(), **arguments)
    expected = sum(h * w for h, w in zip(hinges, shares, strict=True)) / sum(shares)
    assert discounted.item() == pytest.approx(expected, abs=1e-5)
    first = stepwise_loss(model, known, labels, 1, generator(), **arguments)
    assert first.item() == pytest.approx(2.2, abs=1e-5)
    (slope,) = torch.autograd.grad(first, model.point.weight)
    assert slope[0, 0].item() == pytest.approx(0.4 + 0.8, abs=1e-5)


def test_the_cross_entropy_along_the_greedy_order() -> None:
    model, labels = network(), torch.tensor([[0.0, 1.0, 0.0, 1.0]])
    scores = torch.tensor([0.8, 0.6, 0.2, -0.4])
    known = constant_scores(model, scores.tolist())
    log = [scores[k:].logsumexp(dim=0) for k in range(4)]
    each = torch.stack(
        [log[0] - (0.6 - 0.4) / 2, log[1] - (0.6 - 0.4) / 2, log[2] + 0.4, log[3] + 0.4]
    )
    loss = stepwise_loss(
        model, known, labels, 4, generator(), rollout="greedy", step_weights="uniform"
    )
    assert loss.item() == pytest.approx(each.mean().item(), abs=1e-5)


def test_the_hinge_follows_the_drawn_order_and_the_highest_grade_left() -> None:
    torch.manual_seed(4)
    model, labels = network(), torch.tensor([[2.0, 0.0, 1.0, 2.0, -1.0]])
    known = repeated(model, torch.randn(5, 3), 1)
    order, _ = greedy_order(model, known, 5, generator(3))
    logits = order_logits(model, known, order)[0]
    hinges, left = [], set(range(5))
    for step in range(5):
        best = max(labels[0, i].item() for i in left)
        upper = [logits[step, i].item() for i in left if labels[0, i] == best]
        lower = [logits[step, i].item() for i in left if labels[0, i] < best]
        if lower:
            hinges.append(max(0.0, 1 - min(upper) + max(lower)))
        left.remove(int(order[0, step]))
    loss = stepwise_loss(
        model, known, labels, 5, generator(3), each_step="hinge", step_weights="uniform"
    )
    assert loss.item() == pytest.approx(np.mean(hinges), abs=1e-5)


def test_a_hinge_that_is_met_costs_nothing() -> None:
    model, labels = network(), torch.tensor([[1.0, 0.0, 0.0]])
    known = constant_scores(model, [0.9, -0.2, -0.3])
    loss = stepwise_loss(model, known, labels, 3, generator(), each_step="hinge", rollout="greedy")
    assert loss.item() == 0.0
    known = constant_scores(model, [0.9, -0.05, -0.3])
    loss = stepwise_loss(model, known, labels, 3, generator(), each_step="hinge", rollout="greedy")
    assert loss.item() == pytest.approx(0.05, abs=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("seed", range(5))
def test_the_searched_order_is_never_less_likely_than_a_random_one(seed: int) -> None:
    torch.manual_seed(seed)
    model = network()
    known = model.remember(torch.randn(int(WHERE.sum()), 3), WHERE)
    tied = (LABELS > 1).float()
    for steps in (6, 2):
        teacher = teacher_loss(model, known, tied, steps, generator(seed))
        found = [
            search_loss(model, known, tied, steps, generator(seed), n).item() for n in (1, 4, 50)
        ]
        assert teacher.item() >= found[0] >= found[1] >= found[2]
    order = searched_order(model, known, tied, 6, generator(), 3)
    for places, y, n in zip(order.tolist(), tied, WHERE.sum(dim=1).tolist(), strict=True):
        assert sorted(places[:n]) == list(range(n))
        assert y[places[:n]].tolist() == sorted(y[:n].tolist(), reverse=True)


@torch.no_grad()
def test_many_samples_find_the_likeliest_order_among_ties() -> None:
    torch.manual_seed(6)
    model, rows = network(), torch.randn(5, 3)
    labels = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
    orders = all_orders(5)
    agreeing = orders[(labels[orders] == torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])).all(dim=1)]
    assert len(agreeing) == 12
    chances = order_log_probability(model, repeated(model, rows, 12), agreeing)
    found = search_loss(model, repeated(model, rows, 1), labels[None], 5, generator(), 200)
    assert found.item() == pytest.approx(-chances.max().item(), rel=1e-5)


@torch.no_grad()
def test_without_ties_or_with_one_order_the_search_is_teacher_forcing() -> None:
    model = network()
    known = model.remember(torch.randn(int(WHERE.sum()), 3), WHERE)
    distinct = LABELS + torch.arange(6) / 10
    teacher = teacher_loss(model, known, distinct, 6, generator())
    assert search_loss(model, known, distinct, 6, generator(1), 4).item() == teacher.item()


def test_the_policy_gradient_is_that_of_the_expected_ndcg() -> None:
    torch.manual_seed(2)
    model, rows = network(), torch.randn(3, 3)
    labels = torch.tensor([[1.0, 0.0, 2.0]])
    orders = all_orders(3)
    gains = 2 ** labels[0] - 1
    discounts = 1 / torch.log2(torch.arange(2, 5).float())
    rewards = (gains[orders] * discounts).sum(dim=1) / (gains[[2, 0, 1]] * discounts).sum()
    chances = order_log_probability(model, repeated(model, rows, 6), orders).exp()
    (exact,) = torch.autograd.grad(-(chances * rewards).sum(), model.point.weight)
    found = torch.zeros_like(exact)
    many = repeated(model, rows, 3000)
    loss = policy_loss(model, many, labels.expand(3000, 3), 3, generator(), 4)
    (found,) = torch.autograd.grad(loss, model.point.weight)
    assert (found - exact).norm() < 0.1 * exact.norm()


def four_searched(
    model: PointerNetwork, known: Memory, labels: Tensor, steps: int, drawn: torch.Generator
) -> Tensor:
    return search_loss(model, known, labels, steps, drawn, 4)


@pytest.mark.parametrize("loss", [teacher_loss, stepwise_loss, hinge_loss, four_searched])
def test_losses_are_finite_and_zero_where_nothing_can_be_learned(loss: ListLoss) -> None:
    model = network()
    for labels in (torch.zeros(2, 3), torch.full((2, 3), 1000.0)):
        known = model.remember(torch.randn(6, 3), torch.ones((2, 3), dtype=torch.bool))
        assert loss(model, known, labels, 3, generator()).item() == 0.0
    known = model.remember(torch.randn(6, 3), torch.ones((2, 3), dtype=torch.bool))
    labels = torch.tensor([[0.0, 1000.0, 999.0], [1.0, 0.5, -2.0]])
    for value in (
        loss(model, known, labels, 3, generator()),
        policy_loss(model, known, labels, 3, generator(), 2),
    ):
        model.zero_grad()
        value.backward(retain_graph=True)
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert torch.isfinite(value)
        assert all(torch.isfinite(g).all() for g in gradients)
