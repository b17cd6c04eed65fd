"""The sums over pairs: brute force, gradients, both ways of computing, invariances, memory."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.base import checked_inputs
from plackett.losses.pair_functions import Exponential, Fidelity, Hinge, Logistic, Squared
from plackett.losses.pair_swaps import ERRWeight, MAPWeight, MRRWeight
from plackett.losses.pair_weights import (
    ARPLoss1Weight,
    LabelDifference,
    LambdaWeight,
    NDCGLoss1Weight,
    NDCGLoss2PPWeight,
    NDCGLoss2Weight,
    ProfitWeight,
    Uniform,
)
from plackett.losses.pairwise import (
    PairTask,
    Pairwise,
    _count_pairs,
    _parts,
    fast_pair_sums,
    pair_sums,
)
from plackett.losses.registry import parse_loss

LOSSES = [
    Pairwise(),
    Pairwise(Logistic(sigma=2.0, base=2.0), ties=True),
    Pairwise(pairs="all"),
    Pairwise(pair_reduction="mean"),
    Pairwise(weight=LabelDifference(power=2.0)),
    Pairwise(weight=LambdaWeight()),
    Pairwise(weight=LambdaWeight(truncation=3), pair_reduction="mean"),
    Pairwise(weight=LambdaWeight(cutoff=3)),
    Pairwise(weight=NDCGLoss1Weight(), pairs="all", self_pairs=True),
    Pairwise(weight=NDCGLoss2Weight(cutoff=4)),
    Pairwise(weight=NDCGLoss2PPWeight()),
    Pairwise(weight=ARPLoss1Weight(), pairs="all"),
    Pairwise(weight=MAPWeight()),
    Pairwise(weight=MRRWeight()),
    Pairwise(weight=ERRWeight()),
    Pairwise(weight=ProfitWeight()),
    Pairwise(Logistic(margin=0.5), LambdaWeight()),
    Pairwise(Hinge(), NDCGLoss1Weight()),
    Pairwise(Squared(), ties=True),
    Pairwise(Exponential(), LambdaWeight()),
    Pairwise(Fidelity(), ties=True),
    Pairwise(Fidelity("gap"), pairs="all"),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def a_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Four lists of up to nine documents, all scores apart."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(4, 9, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, 4, (4, 9), generator=generator).to(torch.float64)
    where = torch.arange(9) < torch.tensor([9, 7, 5, 2])[:, None]
    labels[3, :2] = torch.tensor([2.0, 0.0])
    return scores, labels, where


def task_of(loss: Pairwise, weights: torch.Tensor | None = None) -> PairTask:
    scores, labels, where = a_batch()
    batch, _ = checked_inputs(loss, scores, labels, where, weights, None)
    return loss._task(batch)[0]


def test_ranknet_has_the_cards_numbers() -> None:
    scores = torch.tensor([2, 1, 0.5, -1], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 3, 0, 2])
    value = Pairwise()(scores, labels)
    assert value.item() == pytest.approx(6.865681, abs=1e-6)
    (gradient,) = torch.autograd.grad(value, scores)
    expected = torch.tensor([1.501207, -1.227802, 1.377541, -1.650946], dtype=torch.float64)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-6)
    assert Pairwise(pair_reduction="mean")(scores, labels).item() == pytest.approx(1.144280, 1e-6)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("function", [Logistic(), Hinge(), Exponential(), Squared(), Fidelity()])
def test_brute_force(function: Logistic, ties: bool) -> None:
    scores, labels, where = a_batch()
    weights = torch.rand(scores.shape, dtype=torch.float64) + 0.5
    loss = Pairwise(function, LabelDifference() if not ties else Uniform(), ties=ties)
    found = loss(scores, labels, where=where, weights=weights, reduction="none")
    for b in range(len(scores)):
        total = 0.0
        for i, j in itertools.permutations(range(int(where[b].sum())), 2):
            gap = labels[b, i] - labels[b, j]
            factor = 1.0 if ties else float(gap)
            share = 1.0 if gap > 0 else 0.5 if ties and gap == 0 else 0.0
            margin = (scores[b, i] - scores[b, j])[None]
            phi = function.value(margin, gap[None])
            total += float(weights[b, i] * share * factor * phi)
        assert found[b].item() == pytest.approx(total, rel=1e-9)


@every_loss
def test_gradient(loss: Pairwise) -> None:
    scores, labels, where = a_batch()
    weights = torch.rand(scores.shape, dtype=torch.float64) + 0.5
    scores.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: loss(s, labels, where=where, weights=weights, reduction="none"), scores
    )


@every_loss
def test_curvature_is_the_derivative_of_the_gradient(loss: Pairwise) -> None:
    scores, labels, where = a_batch(1)
    weights = torch.rand(scores.shape, dtype=torch.float64) + 0.5

    def gradient(at: torch.Tensor) -> torch.Tensor:
        held = at.clone().requires_grad_()
        total = loss(held, labels, where=where, weights=weights, reduction="sum")
        return torch.autograd.grad(total, held)[0]

    found = loss.curvature(scores, labels, where=where, weights=weights)
    if found is None:
        assert not loss.function.convex
        return
    assert (found >= 0).all()
    step = 1e-6
    for document in range(scores.shape[1]):
        moved = torch.zeros_like(scores)
        moved[:, document] = step
        change = (gradient(scores + moved) - gradient(scores - moved))[:, document] / (2 * step)
        torch.testing.assert_close(found[:, document], change, rtol=1e-6, atol=1e-7)


@every_loss
def test_chunks_and_compiled_loops_change_nothing(loss: Pairwise) -> None:
    weights = torch.rand(4, 9, dtype=torch.float64)
    task = task_of(loss, weights)
    whole = pair_sums(task)
    for chunk in (1, 7, 40):
        for a, b in zip(whole, pair_sums(task, chunk=chunk), strict=True):
            torch.testing.assert_close(a, b)
    without = pair_sums(task, curved=False)
    torch.testing.assert_close(without.gradient, whole.gradient)
    assert (without.curvature == 0).all()
    compiled = isinstance(loss.function, Logistic) and loss.function.margin == 0
    if compiled and not task.factors.logarithm:
        for a, b in zip(whole, fast_pair_sums(task), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    if isinstance(loss.function, Fidelity):
        fast = fast_pair_sums(task)
        torch.testing.assert_close(fast.values, whole.values, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(fast.gradient, whole.gradient, rtol=1e-11, atol=1e-12)
        assert (fast.curvature == 0).all()


@pytest.mark.parametrize("function", [Fidelity(), Fidelity("gap", variance=1.0)], ids=repr)
@pytest.mark.parametrize("spread", [0.0, 0.1, 3.0, 30.0, 1e4])
def test_compiled_fidelity_at_all_margins(function: Fidelity, spread: float) -> None:
    generator = torch.Generator().manual_seed(3)
    scores = spread * torch.randn(3, 60, dtype=torch.float64, generator=generator)
    labels = torch.randint(-2, 5, (3, 60), generator=generator)
    for kind in ({"ties": True}, {"weight": LambdaWeight(truncation=7)}):
        loss = Pairwise(function, **kind)  # type: ignore[arg-type]
        batch, _ = checked_inputs(loss, scores, labels, None, None, None)
        task = loss._task(batch)[0]
        slow, fast = pair_sums(task), fast_pair_sums(task)
        torch.testing.assert_close(fast.values, slow.values, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(fast.gradient, slow.gradient, rtol=1e-10, atol=1e-12)


def test_the_compiled_root_of_the_normal_distribution() -> None:
    from plackett.losses.pairwise_kernels import root_share

    for x in [*torch.linspace(-37, 37, 1481).tolist(), -10.0, 10.0, -1e4, 1e4]:
        root, slope = root_share(x)
        logarithm = torch.special.log_ndtr(torch.tensor(x, dtype=torch.float64))
        exact = float(torch.exp(0.5 * logarithm))
        density = -0.5 * x * x - 0.5 * math.log(2 * math.pi)
        assert root == pytest.approx(exact, rel=1e-8 if x <= -10 else 1e-12)
        rise = 0.5 * math.exp(density - 0.5 * float(logarithm)) if abs(x) < 100 else 0.0
        assert slope == pytest.approx(rise, rel=1e-7 if x <= -10 else 1e-10, abs=1e-12)


@every_loss
def test_padding_and_order_change_nothing(loss: Pairwise) -> None:
    scores, labels, where = a_batch()
    values = loss(scores, labels, where=where, reduction="none")
    for b in range(len(scores)):
        n = int(where[b].sum())
        own = loss(scores[b, :n], labels[b, :n], reduction="none")
        torch.testing.assert_close(own, values[b])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    moved = loss(scores[:, order], labels[:, order], where=where[:, order], reduction="none")
    torch.testing.assert_close(moved, values)
    torch.testing.assert_close(loss(scores + 3.5, labels, where=where, reduction="none"), values)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_input_is_finite(loss: Pairwise, dtype: torch.dtype) -> None:
    scores = torch.tensor([[1e4, -1e4, 0, 1e4, -1e4]] * 4, dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0, 3, 1, 2, 2], [1, 1, 1, 1, 1], [3, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    where = torch.ones(4, 5, dtype=torch.bool)
    where[2, 1:], where[3] = False, False
    value = loss(scores, labels, where=where)
    (gradient,) = torch.autograd.grad(value, scores)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()
    assert (gradient[2:] == 0).all()
    curvature = loss.curvature(scores, labels, where=where)
    assert curvature is None or bool(torch.isfinite(curvature).all())


@every_loss
def test_single_precision_is_close_to_double(loss: Pairwise) -> None:
    scores, labels, where = a_batch()
    single = loss(scores.float(), labels, where=where, reduction="none")
    assert single.dtype == torch.float32
    double = loss(scores, labels, where=where, reduction="none")
    torch.testing.assert_close(single.double(), double, rtol=2e-5, atol=2e-6)


@every_loss
def test_the_text_of_a_loss_is_read_back(loss: Pairwise) -> None:
    assert parse_loss(repr(loss)) == loss


def test_lists_of_equal_labels_are_left_out_of_the_mean() -> None:
    scores = torch.tensor([[0.0, 1.0], [3.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([[1, 0], [2, 2]])
    assert Pairwise()(scores, labels).item() == pytest.approx(math.log1p(math.e))
    assert Pairwise()(scores[1:], labels[1:]).item() == 0.0
    assert Pairwise(ties=True)(scores[1:], labels[1:]).item() > 0


def test_equal_scores_cost_log_2_a_pair() -> None:
    value = Pairwise()(torch.zeros(5, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 3]))
    assert value.item() == pytest.approx(9 * math.log(2))


def test_equal_scores_rank_by_position() -> None:
    labels = torch.tensor([1, 3, 0, 2])
    tied = Pairwise(weight=LambdaWeight())(torch.zeros(4, dtype=torch.float64), labels)
    falling = torch.tensor([3e-12, 2e-12, 1e-12, 0], dtype=torch.float64)
    assert tied.item() == pytest.approx(Pairwise(weight=LambdaWeight())(falling, labels).item())


def test_an_empty_batch_is_0() -> None:
    assert Pairwise()(torch.zeros(0, 4), torch.zeros(0, 4)).item() == 0.0
    assert Pairwise(Hinge())(torch.zeros(2, 0), torch.zeros(2, 0)).item() == 0.0


@pytest.mark.parametrize("rows", [None, 3])
@pytest.mark.parametrize("kind", [{}, {"ties": True}, {"pairs": "all"}])
def test_pairs_are_counted(rows: int | None, kind: dict[str, object]) -> None:
    weight = Uniform() if rows is None else LambdaWeight(truncation=rows)
    task = task_of(Pairwise(weight=weight, **kind))  # type: ignore[arg-type]
    found = _count_pairs(task, self_pairs=False)
    for b in range(4):
        n = int(task.ranked.where[b].sum())
        labels = task.ranked.labels[b]
        count = 0
        for i, j in itertools.combinations(range(n), 2):
            counted = bool(kind) or bool(labels[i] != labels[j])
            count += (2 if task.every else 1) * (counted and (rows is None or i < rows))
        assert found[b] == count


def test_lists_are_shared_among_threads() -> None:
    before = torch.get_num_threads()
    scores = torch.randn(12, 200, dtype=torch.float64)
    labels = torch.randint(0, 5, (12, 200))
    values = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            pairs = torch.full((12,), 40_000)
            assert len(_parts(pairs)) == threads
            values.append(Pairwise()(scores, labels, reduction="none"))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(values[0], values[1])


@pytest.mark.parametrize("function", [Logistic(), Logistic(margin=1.0), Hinge()])
def test_long_lists_keep_one_number_a_document(function: Logistic) -> None:
    length = 5000
    scores = torch.randn(1, length, requires_grad=True)
    labels = torch.randint(0, 5, (1, length))
    kept: list[int] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        value = Pairwise(function, LambdaWeight(), pair_reduction="mean")(scores, labels)
    value.backward()  # type: ignore[no-untyped-call]
    assert max(kept) <= length
    assert scores.grad is not None
    assert abs(scores.grad.double().sum().item()) < 1e-6


def test_blocks_of_torch_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from plackett.losses import pairwise

    sizes: list[int] = []
    real = pairwise._block_weights

    def noted(task: PairTask, block: object) -> torch.Tensor:
        weight = real(task, block)  # type: ignore[arg-type]
        sizes.append(weight.numel())
        return weight

    monkeypatch.setattr(pairwise, "_block_weights", noted)
    Pairwise(Hinge())(torch.randn(2, 3000), torch.randint(0, 5, (2, 3000)))
    assert max(sizes) <= pairwise.CHUNK


@pytest.mark.parametrize(
    "make",
    [
        lambda: Pairwise(Uniform()),
        lambda: Pairwise(Logistic(), Logistic()),
        lambda: Pairwise(pairs="some"),
        lambda: Pairwise(pair_reduction="max"),
        lambda: Pairwise(ties=True, pairs="all"),
        lambda: Pairwise(self_pairs=True),
        lambda: fast_pair_sums(task_of(Pairwise(Hinge()))),
    ],
)
def test_bad_parameters_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]
