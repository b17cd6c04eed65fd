"""Approximate ranks: the papers' numbers, the exact limits, invariances and gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.losses import approx
from plackett.losses.approx import Approx, ApproxMRR, ApproxNDCG, approximate_ranks
from plackett.losses.registry import parse_loss
from plackett.metrics import AP, ARP, ERR, RBP, RR, P, PairAccuracy, Rprec, Success, nDCG, nERR

SCORES = torch.tensor([[2.0, 1.0, 0.5, -1.0]], dtype=torch.float64)
LABELS = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
BINARY = torch.tensor([[0.0, 1.0, 0.0, 1.0]])
MEASURES = [
    AP, AP(rel=2) @ 3, ARP, ERR, ERR @ 2, P @ 2, RBP, RR, RR(rel=2) @ 3, Rprec, Success @ 2, nDCG,
    nDCG @ 3, nERR,
]  # fmt: skip

problems = st.integers(2, 7).flatmap(
    lambda n: st.tuples(
        st.permutations([float(i) for i in range(n)]),
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
    )
)


def test_the_example() -> None:
    ranks = approximate_ranks(SCORES)[0]
    assert ranks.tolist() == pytest.approx([1.498793, 2.227802, 2.622459, 3.650946], abs=1e-6)
    for alpha, value in ((1, -0.665445), (10, -0.713273), (100, -0.714222)):
        loss = ApproxNDCG(temperature=1 / alpha)(SCORES, LABELS)
        assert loss.item() == pytest.approx(value, abs=1e-6)


def test_the_two_forms_of_the_reciprocal_rank_have_different_limits() -> None:
    for alpha, first, mean in (
        (1, 0.428016, 0.361387),
        (10, 0.498344, 0.374172),
        (1000, 0.5, 0.375),
    ):
        found = ApproxMRR(temperature=1 / alpha)(SCORES, BINARY).item()
        assert found == pytest.approx(-first, abs=1e-6)
        averaged = ApproxMRR(temperature=1 / alpha, form="mean")(SCORES, BINARY).item()
        assert averaged == pytest.approx(-mean, abs=1e-6)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12), st.floats(0.01, 10))
def test_approximate_ranks_sum_to_those_of_any_order(scores: list[float], width: float) -> None:
    n = len(scores)
    ranks = approximate_ranks(torch.tensor([scores], dtype=torch.float64), temperature=width)
    assert ranks.sum().item() == pytest.approx(n * (n + 1) / 2)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@given(problem=problems)
def test_the_limit_is_the_exact_measure(measure, problem) -> None:
    scores, labels = problem
    exact = measure.of_scores(scores, labels, np.array([0, len(labels)]))[0]
    sign = -1 if measure.higher_is_better else 1
    loss = Approx(measure, temperature=1e-3)
    value = loss(torch.tensor([scores], dtype=torch.float64), torch.tensor([labels]))
    assert value.item() == pytest.approx(sign * exact, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_the_gradient_is_that_of_finite_differences(measure, monkeypatch) -> None:
    monkeypatch.setattr(approx, "_CHUNK", 12)
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.tensor([[1, 3, 0, 2, 0], [0, 1, 1, 0, 2], [2, 2, 0, 1, 0]])
    where = torch.tensor([[True] * 5, [True] * 3 + [False, True], [True] * 4 + [False]])
    weights = torch.rand(3, 5, dtype=torch.float64, generator=generator)
    loss = Approx(measure, temperature=0.7)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, where=where, weights=weights), scores)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_padding_and_the_order_of_documents_change_nothing(measure) -> None:
    loss = Approx(measure, temperature=0.5)
    padded = torch.cat([SCORES, torch.tensor([[9.0, -9.0]])], dim=1).requires_grad_()
    where = torch.tensor([[True] * 4 + [False] * 2])
    value = loss(padded, torch.tensor([[1, 3, 0, 2, 4, 4]]), where=where)
    assert value.item() == pytest.approx(loss(SCORES, LABELS).item())
    value.backward()
    assert padded.grad[0, 4:].tolist() == [0, 0]
    order = [2, 0, 3, 1]
    assert loss(SCORES[:, order], LABELS[:, order]).item() == pytest.approx(value.item())
    assert loss(SCORES + 5, LABELS).item() == pytest.approx(value.item())


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scores_ties_and_empty_lists_are_finite(measure, dtype) -> None:
    rows = [[1e4, -1e4, 0.0], [0.0, 0.0, 0.0], [-1e4, -1e4, 1e4], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    scores = torch.tensor(rows, dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0, 3, 1], [1, 2, 0], [2, 2, 2], [1, 2, 3], [3, 0, 0]])
    where = torch.tensor([[True] * 3] * 3 + [[False] * 3, [True, False, False]])
    for loss in (Approx(measure), Approx(measure, temperature=0.01, cutoff_width=1.0)):
        values = loss(scores, labels, where=where, reduction="none")
        (gradient,) = torch.autograd.grad(values.sum(), scores)
        assert torch.isfinite(values).all()
        assert torch.isfinite(gradient).all()
        assert values[3:].tolist() == [0, 0]
        assert gradient[3:].abs().sum() == 0


def test_scaling_scores_is_dividing_the_temperature() -> None:
    narrow = ApproxNDCG(temperature=0.25)(SCORES, LABELS)
    assert ApproxNDCG()(4 * SCORES, LABELS).item() == pytest.approx(narrow.item())


def test_a_short_cut_is_the_measure_it_stands_for() -> None:
    named = ApproxNDCG(cutoff=2, temperature=0.3, gain="linear")(SCORES, LABELS)
    assert named == Approx(nDCG @ 2, temperature=0.3)(SCORES, LABELS)


def test_losses_are_read_back() -> None:
    for text in (
        "Approx(nDCG@10, temperature=0.1)",
        "Approx(AP(rel=2)@100, cutoff_width=2.0)",
        "ApproxNDCG(cutoff=5, gain='linear')",
        "ApproxMRR(form='mean')",
    ):
        assert repr(parse_loss(text)) == text


def test_nothing_at_all_is_a_loss_of_0() -> None:
    for shape in ((0, 3), (2, 0)):
        assert Approx(nDCG)(torch.zeros(shape), torch.zeros(shape)).item() == 0
        assert ApproxMRR(form="mean")(torch.zeros(shape), torch.zeros(shape)).item() == 0


def test_wrong_parameters_and_shapes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="temperature"):
        Approx(nDCG, temperature=0.0)
    with pytest.raises(ConfigurationError, match="cutoff_width"):
        Approx(nDCG, cutoff_width=-1.0)
    with pytest.raises(ConfigurationError, match="no differentiable form"):
        Approx(PairAccuracy)
    with pytest.raises(ConfigurationError, match="'first' nor 'mean'"):
        ApproxMRR(form="last")
    with pytest.raises(ConfigurationError, match="gain"):
        ApproxNDCG(gain="square")
    with pytest.raises(DataError, match="ApproxNDCG"):
        ApproxNDCG()(torch.zeros(1, 2, 3), torch.zeros(1, 2))
    assert math.isfinite(Approx(nDCG)(SCORES.float(), LABELS).item())
