"""Relaxed sorting: the papers' numbers, the exact limits, Sinkhorn's sums, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses import sorting
from plackett.losses.neural_sort import NeuralNDCG, NeuralSort
from plackett.losses.registry import parse_loss
from plackett.losses.sorting import RelaxedSort
from plackett.metrics import AP, ARP, ERR, RBP, RR, P, PairAccuracy, Rprec, Success, nDCG, nERR

SCORES = torch.tensor([[2.0, 1.0, 0.5, -1.0]], dtype=torch.float64)
LABELS = torch.tensor([[1.0, 3.0, 0.0, 2.0]])
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


def plain_matrix(scores: Tensor, temperature: float, iterations: int) -> Tensor:
    """The definition, through which autograd passes step by step."""
    n = scores.shape[-1]
    distance = (scores[..., :, None] - scores[..., None, :]).abs().sum(dim=-1)
    multiplier = n + 1.0 - 2.0 * torch.arange(1, n + 1)
    logits = multiplier[:, None] * scores[..., None, :] - distance[..., None, :]
    matrix = torch.softmax(logits / temperature, dim=-1)
    for _ in range(iterations):
        matrix = matrix / matrix.sum(dim=-2, keepdim=True)
        matrix = matrix / matrix.sum(dim=-1, keepdim=True)
    return matrix


def matrices(sort: RelaxedSort, scores: Tensor) -> Tensor:
    where = torch.ones_like(scores, dtype=torch.bool)
    unit = torch.eye(scores.shape[1], dtype=scores.dtype).expand(len(scores), -1, -1)
    return sort.by_rank(scores, where, unit)


def test_the_example() -> None:
    for temperature, value in ((1.0, 0.730412), (0.1, 0.713580), (0.01, 0.714222)):
        loss = NeuralNDCG(temperature=temperature)(SCORES, LABELS)
        assert loss.item() == pytest.approx(-value, abs=2e-6)
    unscaled = NeuralNDCG(sinkhorn_iterations=0)(SCORES, LABELS)
    assert unscaled.item() == pytest.approx(-0.775147, abs=1e-6)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8), st.integers(0, 8), st.floats(0.3, 3))
def test_the_matrix_is_the_definition(scores: list[float], iterations: int, width: float) -> None:
    given = torch.tensor([scores], dtype=torch.float64)
    found = matrices(RelaxedSort(width, iterations, 0.0), given)
    torch.testing.assert_close(found, plain_matrix(given, width, iterations))


@pytest.mark.parametrize("width", [0.1, 1.0, 10.0])
def test_each_rank_holds_most_of_its_own_document(width: float) -> None:
    scores = torch.randn(4, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    found = matrices(RelaxedSort(width, 0, 0.0), scores)
    torch.testing.assert_close(found.sum(dim=2), torch.ones(4, 8, dtype=torch.float64))
    assert torch.equal(found.argmax(dim=2), scores.argsort(dim=1, descending=True))


def test_noise_respects_the_lengths_of_lists() -> None:
    scores = torch.cat([SCORES, SCORES.flip(1)])
    labels = torch.tensor([[1.0, 3.0, 0.0, 2.0], [2.0, 1.0, 9.0, 9.0]])
    where = torch.tensor([[True] * 4, [True, True, False, False]])
    plain = NeuralNDCG()(scores, labels, where=where, reduction="none")
    loss = NeuralNDCG(samples=5, noise=0.0)
    torch.testing.assert_close(loss(scores, labels, where=where, reduction="none"), plain)
    noisy = NeuralNDCG(samples=5, noise=1.0)
    found = noisy(scores, labels, where=where, reduction="none")
    other = torch.where(where, scores, 1e3), torch.where(where, labels, 4.0)
    torch.testing.assert_close(noisy(*other, where=where, reduction="none"), found)
    assert (found[1] <= plain.new_tensor(0.0)).all()


@pytest.mark.parametrize("iterations", [0, 1, 2, 7])
def test_the_gradient_is_that_through_every_step(iterations: int) -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(3, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    cost = torch.randn(3, 6, 6, dtype=torch.float64, generator=generator)
    found = matrices(RelaxedSort(0.8, iterations, 0.0), scores)
    expected = plain_matrix(scores, 0.8, iterations)
    (ours,) = torch.autograd.grad((found * cost).sum(), scores)
    (plain,) = torch.autograd.grad((expected * cost).sum(), scores)
    torch.testing.assert_close(ours, plain)


def test_rows_and_columns_sum_to_1_within_the_tolerance() -> None:
    scores = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    found = matrices(RelaxedSort(0.5, 500, 1e-6), scores)
    assert (found.sum(dim=1) - 1).abs().max() < 1e-6
    assert (found.sum(dim=2) - 1).abs().max() < 1e-12


@pytest.mark.parametrize("cutoff", [None, 1, 2, 3])
def test_the_transposed_sum_is_the_same(cutoff: int | None) -> None:
    values, slopes = [], []
    for transposed in (False, True):
        scores = SCORES.clone().requires_grad_()
        loss = NeuralNDCG(cutoff=cutoff, transposed=transposed)(scores, LABELS)
        values.append(loss.item())
        slopes.append(torch.autograd.grad(loss, scores)[0])
    assert values[0] == pytest.approx(values[1], abs=1e-12)
    torch.testing.assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@given(problem=problems)
def test_the_limit_is_the_exact_measure(measure, problem) -> None:
    scores, labels = problem
    exact = measure.of_scores(scores, labels, np.array([0, len(labels)]))[0]
    sign = -1 if measure.higher_is_better else 1
    loss = NeuralSort(measure, temperature=1e-3)
    value = loss(torch.tensor([scores], dtype=torch.float64), torch.tensor([labels]))
    assert value.item() == pytest.approx(sign * exact, abs=1e-9)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_the_gradient_is_that_of_finite_differences(measure, monkeypatch) -> None:
    monkeypatch.setattr(sorting, "_CHUNK", 30)
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(3, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    labels = torch.tensor([[1, 3, 0, 2, 0], [0, 1, 1, 0, 2], [2, 2, 0, 1, 0]])
    where = torch.tensor([[True] * 5, [True] * 3 + [False, True], [True] * 4 + [False]])
    weights = torch.rand(3, 5, dtype=torch.float64, generator=generator)
    loss = NeuralSort(measure, temperature=0.9, sinkhorn_iterations=6, tolerance=0.0)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, where=where, weights=weights), scores)


@pytest.mark.parametrize("loss", [NeuralSort(AP, 0.5), NeuralNDCG(), NeuralNDCG(transposed=True)])
def test_padding_and_neighbours_and_the_order_of_documents_change_nothing(loss) -> None:
    alone = loss(SCORES, LABELS).item()
    padding = torch.tensor([[9.0, -9.0]])
    padded = torch.cat([padding, SCORES, padding], dim=1).requires_grad_()
    labels = torch.tensor([[4, 4, 1, 3, 0, 2, 4, 4], [0, 1, 2, 0, 0, 1, 2, 0]])
    where = torch.tensor([[False] * 2 + [True] * 4 + [False] * 2, [True] * 8])
    both = torch.cat([padded, torch.linspace(-5, 5, 8, dtype=torch.float64)[None]])
    values = loss(both, labels, where=where, reduction="none")
    assert values[0].item() == pytest.approx(alone, abs=1e-12)
    values[0].backward()
    assert padded.grad[0, [0, 1, 6, 7]].tolist() == [0] * 4
    order = [2, 0, 3, 1]
    assert loss(SCORES[:, order], LABELS[:, order]).item() == pytest.approx(alone, abs=1e-12)
    assert loss(SCORES + 5, LABELS).item() == pytest.approx(alone, abs=1e-12)


def test_tied_documents_have_equal_gradients() -> None:
    scores = torch.tensor([[1.0, 0.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    NeuralNDCG()(scores, torch.tensor([[2, 1, 2, 2]])).backward()
    assert scores.grad[0, 0].item() == pytest.approx(scores.grad[0, 2].item())
    assert scores.grad[0, 0].item() == pytest.approx(scores.grad[0, 3].item())


@pytest.mark.parametrize("temperature", [1.0, 0.001, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scores_ties_and_empty_lists_are_finite(temperature: float, dtype) -> None:
    rows = [[1e4, -1e4, 0.0], [0.0, 0.0, 0.0], [-1e4, -1e4, 1e4], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    scores = torch.tensor(rows, dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0, 3, 1], [1, 2, 0], [2, 2, 2], [1, 2, 3], [3, 0, 0]])
    where = torch.tensor([[True] * 3] * 3 + [[False] * 3, [True, False, False]])
    for measure in (nDCG, AP, ERR, Success @ 2):
        loss = NeuralSort(measure, temperature)
        values = loss(scores, labels, where=where, reduction="none")
        (gradient,) = torch.autograd.grad(values.sum(), scores)
        assert torch.isfinite(values).all()
        assert torch.isfinite(gradient).all()
        assert values[3:].tolist() == [0, 0]
        assert gradient[3:].abs().sum() == 0


def test_noise_of_0_changes_nothing_and_noise_repeats_with_its_generator() -> None:
    assert not NeuralNDCG().stochastic
    quiet = NeuralNDCG(samples=3, noise=0.0)
    assert quiet.stochastic
    assert quiet(SCORES, LABELS).item() == pytest.approx(NeuralNDCG()(SCORES, LABELS).item())
    loud = NeuralNDCG(samples=3, noise=0.5)
    values = [
        loud(SCORES, LABELS, generator=torch.Generator().manual_seed(seed)).item()
        for seed in (1, 1, 2)
    ]
    assert values[0] == values[1] != values[2]


def test_losses_are_read_back() -> None:
    for text in ("NeuralSort(RR@10, temperature=0.1)", "NeuralNDCG(cutoff=5, transposed=True)"):
        assert repr(parse_loss(text)) == text


def test_nothing_at_all_is_a_loss_of_0() -> None:
    for shape in ((0, 3), (2, 0)):
        assert NeuralNDCG()(torch.zeros(shape), torch.zeros(shape)).item() == 0
        assert NeuralNDCG(transposed=True)(torch.zeros(shape), torch.zeros(shape)).item() == 0


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no differentiable form"):
        NeuralSort(PairAccuracy)
    with pytest.raises(ConfigurationError, match="temperature"):
        NeuralNDCG(temperature=-1.0)
    with pytest.raises(ConfigurationError, match="sinkhorn_iterations"):
        NeuralSort(nDCG, sinkhorn_iterations=-1)
    with pytest.raises(ConfigurationError, match="tolerance"):
        NeuralNDCG(tolerance=-1.0)
    with pytest.raises(ConfigurationError, match="samples"):
        NeuralNDCG(samples=-1)
    with pytest.raises(ConfigurationError, match="noise"):
        NeuralNDCG(samples=1, noise=-1.0)
