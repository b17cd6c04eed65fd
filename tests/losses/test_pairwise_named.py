"""The named pair losses: their papers' numbers, each other's special cases, other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import expit, ndtr

from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.listnet import SoftmaxCrossEntropy
from plackett.losses.pairwise_named import (
    ARPLoss1,
    ARPLoss2,
    FidelityLoss,
    LambdaRank,
    NDCGLoss1,
    NDCGLoss2,
    NDCGLoss2PP,
    RankNet,
)
from plackett.losses.plackett_luce import ListMLE
from plackett.losses.registry import parse_loss
from plackett.rankers.lambda_gradient import LambdaGradient

SCORES = torch.tensor([2, 1, 0.5, -1], dtype=torch.float64)
LABELS = torch.tensor([1, 3, 0, 2])


def gradient_of(loss: Loss, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    held = scores.clone().requires_grad_()
    return torch.autograd.grad(loss(held, labels, reduction="sum"), held)[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("RankNet()", 1.144280),
        ("RankNet(pair_reduction='sum')", 6.865681),
        ("Pairwise(Logistic(base=2.0))", 9.905083),
        ("LambdaRank()", 1.132017),
        ("NDCGLoss1()", 3.464026),
        ("NDCGLoss1(self_pairs=False)", 2.749804),
        ("NDCGLoss2()", 1.003325),
        ("NDCGLoss2PP()", 11.165270),
        ("NDCGLoss2PP(mu=0.0)", 1.132017),
        ("ARPLoss1()", 34.940347),
        ("ARPLoss1(self_pairs=False)", 28.940347),
        ("ARPLoss2()", 15.622237),
    ],
)
def test_the_running_example(text: str, value: float) -> None:
    loss = parse_loss(text)
    assert loss(SCORES, LABELS).item() == pytest.approx(value, abs=1e-6)
    assert parse_loss(repr(loss)) == loss


def test_the_gradient_of_lambdarank() -> None:
    expected = torch.tensor([0.278118, -0.219357, 0.064652, -0.123413], dtype=torch.float64)
    found = gradient_of(LambdaRank(base=math.e), SCORES, LABELS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    in_bits = gradient_of(LambdaRank(), SCORES, LABELS)
    torch.testing.assert_close(in_bits * math.log(2), found)


@pytest.mark.parametrize("gain", ["exponential", "linear"])
@pytest.mark.parametrize("truncation", [2, 5, 100])
def test_lambdarank_is_the_gradient_of_the_trees(gain: str, truncation: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 20, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, 5, (3, 20), generator=generator)
    trees = LambdaGradient(
        labels.flatten().numpy().astype(np.float32),
        np.array([0, 20, 40, 60]),
        gain=gain,  # type: ignore[arg-type]
        truncation=truncation,
        sigmoid=2.0,
        normalise=False,
    )(scores.flatten().numpy())
    loss = LambdaRank(2.0, math.e, gain, truncation=truncation)  # type: ignore[arg-type]
    found = gradient_of(loss, scores, labels).flatten().numpy()
    np.testing.assert_allclose(found, trees.gradient, rtol=1e-5, atol=1e-6)
    curvature = loss.curvature(scores, labels)
    assert curvature is not None
    np.testing.assert_allclose(curvature.flatten().numpy(), trees.curvature, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2, 3, 5000])
def test_lambdarank_is_that_gradient_for_lists_of_all_lengths(
    dtype: torch.dtype, length: int
) -> None:
    generator = torch.Generator().manual_seed(length)
    scores = torch.randn(length, generator=generator).to(dtype)
    labels = torch.randint(0, 5, (length,), generator=generator)
    trees = LambdaGradient(
        labels.numpy().astype(np.float32), np.array([0, length]), truncation=length, normalise=False
    )(scores.double().numpy())
    found = gradient_of(LambdaRank(base=math.e), scores, labels).double().numpy()
    np.testing.assert_allclose(found, trees.gradient, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("truncation", [3, 30])
def test_lambdarank_is_the_objective_of_lightgbm(truncation: int) -> None:
    """One tree with a leaf for every document steps by -gradient / curvature of each."""
    lightgbm = pytest.importorskip("lightgbm")
    generator = np.random.default_rng(0)
    scores, labels = generator.normal(size=12), generator.integers(0, 5, 12)
    data = lightgbm.Dataset(
        np.arange(12.0)[:, None],
        labels,
        group=[12],
        init_score=scores,
        params={"min_data_in_bin": 1, "verbose": -1, "feature_pre_filter": False},
    )
    parameters = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": truncation,
        "lambdarank_norm": False,
        "sigmoid": 1.0,
        "num_leaves": 12,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "learning_rate": 1.0,
        "verbose": -1,
        "num_threads": 1,
    }
    steps = lightgbm.train(parameters, data, 1).predict(np.arange(12.0)[:, None], raw_score=True)
    held, grades = torch.from_numpy(scores), torch.from_numpy(labels)
    loss = LambdaRank(base=math.e, truncation=truncation)
    curvature = loss.curvature(held[None], grades[None])
    assert curvature is not None
    expected = -gradient_of(loss, held, grades) / curvature[0]
    np.testing.assert_allclose(steps, expected.numpy(), rtol=2e-3, atol=1e-5)


def test_ranknet_of_two_documents_is_the_logistic_loss() -> None:
    value = RankNet()(torch.tensor([0.3, 1.0], dtype=torch.float64), torch.tensor([1, 0]))
    assert value.item() == pytest.approx(math.log1p(math.exp(0.7)))


def test_of_two_documents_pairs_and_lists_are_one_loss() -> None:
    scores, labels = torch.tensor([0.3, 1.0], dtype=torch.float64), torch.tensor([1, 0])
    expected = RankNet()(scores, labels)
    for loss in (ListMLE(), SoftmaxCrossEntropy()):
        torch.testing.assert_close(loss(scores, labels), expected)


def by_rows(kind: str, scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean over pairs and its gradient by numpy, one preferred document at a time."""
    gradient, total, count = np.zeros(len(scores)), 0.0, 0
    for i, grade in enumerate(labels):
        below = np.flatnonzero(labels < grade)
        margin = scores[i] - scores[below]
        if kind == "RankNet":
            values, slopes = np.logaddexp(0.0, -margin), -expit(-margin)
        else:
            roots = np.sqrt(ndtr(margin / math.sqrt(2.0)))
            density = np.exp(-(margin**2) / 4.0) / math.sqrt(2.0 * math.pi)
            values, slopes = 1.0 - roots, -density / (2.0 * math.sqrt(2.0) * roots)
        total, count = total + values.sum(), count + len(below)
        gradient[i] += slopes.sum()
        gradient[below] -= slopes
    return total / max(1, count), gradient / max(1, count)


@pytest.mark.parametrize("kind", ["RankNet", "FidelityLoss"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 2, 3, 50, 5000])
def test_numpy_says_the_same_of_lists_of_all_lengths(
    kind: str, dtype: torch.dtype, length: int
) -> None:
    generator = torch.Generator().manual_seed(length)
    scores = 2.0 * torch.randn(length, generator=generator).to(dtype)
    labels = torch.randint(0, 5, (length,), generator=generator)
    value, gradient = by_rows(kind, scores.double().numpy(), labels.numpy())
    loss = parse_loss(kind)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-9
    assert loss(scores, labels).item() == pytest.approx(value, rel=tolerance)
    found = gradient_of(loss, scores, labels).double().numpy()
    np.testing.assert_allclose(found, gradient, rtol=10 * tolerance, atol=tolerance / length)


def test_fidelity_learns_little_from_hopeless_pairs() -> None:
    labels = torch.tensor([1, 0])
    steps = [
        gradient_of(FidelityLoss(), torch.tensor([-d, 0.0], dtype=torch.float64), labels)[0].item()
        for d in (1.0, 3.0, 6.0, 12.0)
    ]
    assert steps == sorted(steps)
    assert -1e-8 < steps[-1] < 0
    far = torch.tensor([-12.0, 0.0], dtype=torch.float64)
    assert gradient_of(RankNet(), far, labels)[0].item() == pytest.approx(-1.0, abs=1e-5)


def test_half_precision_is_computed_in_single() -> None:
    scores, labels = torch.tensor([3.0, -4.0, 0.5]), torch.tensor([0, 1, 2])
    for loss in (FidelityLoss(), FidelityLoss("gap"), RankNet()):
        half = scores.half().requires_grad_()
        value = loss(half, labels)
        assert value.dtype == torch.float16
        assert value.item() == pytest.approx(loss(scores, labels).item(), rel=1e-3)
        (gradient,) = torch.autograd.grad(value, half)
        expected = gradient_of(loss, scores, labels)
        torch.testing.assert_close(gradient.float(), expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("text", ["RankNet()", "FidelityLoss()", "FidelityLoss('gap')"])
def test_scores_that_are_no_numbers_make_a_loss_that_is_none(text: str) -> None:
    scores = torch.tensor([math.nan, 1.0, 0.0], dtype=torch.float64)
    assert math.isnan(parse_loss(text)(scores, torch.tensor([2, 1, 0])).item())


def test_ranknet_weighs_by_differences_of_labels() -> None:
    assert RankNet(power=1.0, pair_reduction="sum")(SCORES, LABELS).item() == pytest.approx(
        ARPLoss2(base=math.e)(SCORES, LABELS).item()
    )


def test_ndcgloss1_with_self_pairs_exceeds_it_by_ndcg() -> None:
    difference = NDCGLoss1()(SCORES, LABELS) - NDCGLoss1(self_pairs=False)(SCORES, LABELS)
    assert difference.item() == pytest.approx(0.714222, abs=1e-6)


def test_arp_losses_bound_the_sum_of_relevance_positions() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        scores = torch.randn(8, dtype=torch.float64, generator=generator) * 3
        labels = torch.randint(0, 5, (8,), generator=generator)
        ranks = 1 + scores.argsort(descending=True).argsort()
        positions = float((labels * ranks).sum())
        least = float((labels.sort(descending=True).values * torch.arange(1, 9)).sum())
        assert ARPLoss1()(scores, labels).item() >= positions
        assert ARPLoss2()(scores, labels).item() >= positions - least


def test_lambda_losses_bound_what_is_lost_of_ndcg() -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        scores = torch.randn(8, dtype=torch.float64, generator=generator) * 3
        labels = torch.randint(0, 5, (8,), generator=generator)
        gains = torch.exp2(labels.double()) - 1
        discounts = 1 / torch.log2(torch.arange(2, 10, dtype=torch.float64))
        ideal = (gains.sort(descending=True).values * discounts).sum()
        lost = 1 - (gains[scores.argsort(descending=True)] * discounts).sum() / ideal
        for loss in (NDCGLoss1(), NDCGLoss2()):
            assert loss(scores, labels).item() >= lost.item()


def test_fidelity_has_the_cards_numbers() -> None:
    scores = torch.tensor([0.8, 0.0], dtype=torch.float64)
    labels = torch.tensor([1.0, 0.0])
    assert FidelityLoss()(scores, labels).item() == pytest.approx(0.154899, abs=1e-6)
    assert FidelityLoss("gap")(scores, labels).item() == pytest.approx(0.00137056, abs=1e-8)
    assert FidelityLoss(ties=True)(scores, torch.zeros(2)).item() > 0
    assert FidelityLoss()(torch.tensor([-1e4, 1e4]), labels).item() == 1.0
    assert FidelityLoss().curvature(scores[None], labels[None]) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: RankNet(sigma=0),
        lambda: RankNet(power=-1.0),
        lambda: LambdaRank(base=1),
        lambda: LambdaRank(cutoff=2, truncation=2),
        lambda: NDCGLoss2PP(mu=-1),
        lambda: FidelityLoss("x"),  # type: ignore[arg-type]
    ],
)
def test_bad_parameters_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]
