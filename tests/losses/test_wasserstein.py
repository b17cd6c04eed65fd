"""Wasserstein distances against scipy, the card's numbers and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from plackett.errors import ConfigurationError
from plackett.losses.wasserstein import Wasserstein, gaussian_distance

LOGITS = torch.tensor([[2.0, 1.0, 0.5], [1.0, 1.5, 0.0], [0.0, 2.0, 1.0]], dtype=torch.float64)
LABELS = torch.tensor([[3, 2, 0], [3, 1, 0], [2, 1, 0]])


def by_matrix_roots(first: torch.Tensor, second: torch.Tensor) -> float:
    a, b = first.numpy(), second.numpy()
    mean = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    middle = np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)
    spread = np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(middle).sum()
    return float(mean @ mean + spread)


def test_the_numbers_of_the_card() -> None:
    assert Wasserstein()(LOGITS, LABELS).item() == pytest.approx(0.292433, abs=1e-6)
    assert Wasserstein(temperature=0.1)(LOGITS, LABELS).item() == pytest.approx(0.855968, abs=1e-6)
    means = (LOGITS.softmax(1) - LABELS.double().softmax(1)).mean(dim=0)
    assert means.square().sum().item() == pytest.approx(0.239014, abs=1e-6)
    raw = gaussian_distance(LOGITS, LABELS.double())
    assert raw.item() == pytest.approx(4.222222, abs=1e-6)


@pytest.mark.parametrize(("samples", "dimensions"), [(4, 9), (9, 4), (5, 5), (2, 3), (30, 2)])
def test_the_definition_by_roots_of_matrices(samples: int, dimensions: int) -> None:
    generator = torch.Generator().manual_seed(samples)
    first, second = (
        torch.randn(samples, dimensions, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    expected = by_matrix_roots(first, second)
    assert gaussian_distance(first, second).item() == pytest.approx(expected, rel=1e-6)
    first.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: gaussian_distance(x, second), first)


def test_one_dimension_in_closed_form() -> None:
    first = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
    second = torch.tensor([[2.0], [2.5], [4.0]], dtype=torch.float64)
    expected = (first.mean() - second.mean()) ** 2 + (first.std() - second.std()) ** 2
    torch.testing.assert_close(gaussian_distance(first, second), expected)


def test_equal_samples_cost_nothing_and_do_not_move() -> None:
    scores = LABELS.double().requires_grad_()
    value = Wasserstein()(scores, LABELS)
    assert value.item() == pytest.approx(0.0, abs=1e-9)
    assert value >= 0
    assert torch.autograd.grad(value, scores)[0].abs().max() < 1e-7


def test_one_list_and_lists_that_are_the_same() -> None:
    expected = (LOGITS[0].softmax(0) - LABELS[0].double().softmax(0)).square().sum()
    assert expected.item() == pytest.approx(0.017757, abs=1e-6)
    torch.testing.assert_close(Wasserstein()(LOGITS[0], LABELS[0]), expected)
    same = Wasserstein()(LOGITS[:1].expand(4, -1), LABELS[:1].expand(4, -1))
    torch.testing.assert_close(same, expected)


def test_the_places_of_documents_tie_the_lists() -> None:
    order = torch.tensor([2, 0, 1])
    value = Wasserstein()(LOGITS, LABELS)
    torch.testing.assert_close(Wasserstein()(LOGITS[:, order], LABELS[:, order]), value)
    scores, labels = LOGITS.clone(), LABELS.clone()
    scores[0], labels[0] = scores[0, order], labels[0, order]
    assert abs(Wasserstein()(scores, labels) - value) > 1e-3


def test_every_list_reports_the_batch() -> None:
    scores = torch.cat([LOGITS, LOGITS[:1]])
    labels = torch.cat([LABELS, LABELS[:1]])
    where = torch.ones_like(labels, dtype=torch.bool)
    where[3, 1:] = False
    values = Wasserstein()(scores, labels, where=where, reduction="none")
    expected = Wasserstein()(LOGITS, LABELS).item()
    assert values.tolist() == pytest.approx([expected, expected, expected, 0.0])
    assert Wasserstein()(scores, labels, where=where).item() == pytest.approx(expected)


def test_along_a_list_scipy_says_the_same() -> None:
    generator = torch.Generator().manual_seed(8)
    for documents in (2, 5, 9):
        scores = torch.randn(documents, generator=generator, dtype=torch.float64)
        labels = torch.randperm(documents, generator=generator)
        places = documents - 1 - labels.numpy()
        expected = wasserstein_distance(
            places, places, (scores / 0.7).softmax(0).numpy(), labels.double().softmax(0).numpy()
        )
        found = Wasserstein(over="list", temperature=0.7)(scores, labels).item()
        assert found == pytest.approx(expected)


def test_along_a_list_equal_labels_are_one_step() -> None:
    scores = torch.tensor([0.3, -1.0, 2.0, 0.5], dtype=torch.float64)
    labels = torch.tensor([1, 1, 0, 0])
    chances, aims = scores.softmax(0), labels.double().softmax(0)
    expected = (chances[:2].sum() - aims[:2].sum()).abs()
    loss = Wasserstein(over="list")
    torch.testing.assert_close(loss(scores, labels), expected)
    order = torch.tensor([3, 1, 0, 2])
    torch.testing.assert_close(loss(scores[order], labels[order]), expected)
    assert loss(scores, torch.ones(4)) == 0


def test_along_lists_padding_and_gradient() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (3, 6), generator=generator)
    where = torch.ones_like(labels, dtype=torch.bool)
    where[1, 3:] = False
    loss = Wasserstein(over="list")
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, where=where), scores)
    short = loss(scores[1, :3], labels[1, :3])
    torch.testing.assert_close(loss(scores[1:2], labels[1:2], where=where[1:2]), short)


@pytest.mark.parametrize("over", ["batch", "list"])
def test_nothing_to_compare(over: str) -> None:
    loss = Wasserstein(over=over)  # type: ignore[arg-type]
    assert loss(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
    assert loss(torch.zeros(2, 1), torch.ones(2, 1)) == 0
    assert loss(torch.zeros(0, 3), torch.zeros(0, 3)) == 0


def test_wrong_parameters() -> None:
    with pytest.raises(ConfigurationError, match="over"):
        Wasserstein(over="lists")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="temperature"):
        Wasserstein(temperature=0.0)
