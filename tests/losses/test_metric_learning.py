"""Losses of similarities: examples, limits, mining, and the contextual loss written with loops."""

from __future__ import annotations

import math

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.metric_learning import ContextualSimilarity, MultiSimilarity

SIMILARITIES = torch.tensor([0.7, 0.4, 0.5, 0.3, 0.1], dtype=torch.float64)
SAME = torch.tensor([1, 1, 0, 0, 0])


def test_multi_similarity_examples() -> None:
    paper = MultiSimilarity(margin=None)
    assert paper(SIMILARITIES, SAME).item() == pytest.approx(0.544790, abs=1e-6)
    official = MultiSimilarity(negative_scale=40.0, margin=None)
    assert official(SIMILARITIES, SAME).item() == pytest.approx(0.548259, abs=1e-6)


def test_mining_keeps_the_hard_ones() -> None:
    kept = torch.tensor([1, 2])
    expected = MultiSimilarity(margin=None)(SIMILARITIES[kept], SAME[kept])
    torch.testing.assert_close(MultiSimilarity()(SIMILARITIES, SAME), expected)


def test_anchors_without_hard_pairs_count_0_and_one_sided_ones_nothing() -> None:
    scores = torch.stack([SIMILARITIES, torch.tensor([0.9, 0.9, 0.1, 0.0, 0.0]), SIMILARITIES])
    labels = torch.stack([SAME, SAME, torch.ones_like(SAME)])
    expected = MultiSimilarity()(SIMILARITIES, SAME) / 2
    torch.testing.assert_close(MultiSimilarity()(scores, labels), expected)


def test_multi_similarity_tends_to_the_hardest_of_each_side() -> None:
    sharp = MultiSimilarity(positive_scale=1e5, negative_scale=1e5, base=0.45, margin=None)
    expected = (0.45 - 0.4) + (0.5 - 0.45)
    assert sharp(SIMILARITIES, SAME).item() == pytest.approx(expected, abs=1e-4)


def test_the_gradient_of_each_side_sums_to_less_than_1() -> None:
    scores = SIMILARITIES.clone().requires_grad_()
    value = MultiSimilarity(margin=None)(scores, SAME)
    (gradient,) = torch.autograd.grad(value, scores)
    assert -1 < gradient[:2].sum() < 0 < gradient[2:].sum() < 1


def test_an_exact_duplicate_is_a_neighbour_like_any_other() -> None:
    """Only `where` leaves the anchor out, not a similarity of 1."""
    loss = MultiSimilarity(margin=None)
    scores = torch.tensor([1.0, 0.7, 1.0, 0.2], dtype=torch.float64)
    labels = torch.tensor([1, 1, 0, 0])
    pulled = torch.log1p(torch.exp(-2.0 * (scores[:2] - 0.5)).sum()) / 2.0
    pushed = torch.log1p(torch.exp(50.0 * (scores[2:] - 0.5)).sum()) / 50.0
    torch.testing.assert_close(loss(scores, labels), pulled + pushed)
    anchor = torch.tensor([False, True, True, True])
    alone = torch.log1p(torch.exp(-2.0 * (scores[1:2] - 0.5)).sum()) / 2.0
    torch.testing.assert_close(loss(scores, labels, where=anchor), alone + pushed)


def test_weights_of_documents_count_as_copies() -> None:
    weights = torch.tensor([2.0, 1.0, 1.0, 3.0, 0.0], dtype=torch.float64)
    copies = torch.tensor([0, 0, 1, 2, 3, 3, 3])
    loss = MultiSimilarity(margin=None)
    torch.testing.assert_close(
        loss(SIMILARITIES, SAME, weights=weights), loss(SIMILARITIES[copies], SAME[copies])
    )


def batch(seed: int, classes: int, each: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(classes * each, 4, generator=generator, dtype=torch.float64)
    points = points / points.norm(dim=1, keepdim=True)
    return points @ points.T, torch.arange(classes).repeat_interleave(each)


def contextual(similar: torch.Tensor, count: int, tolerance: float) -> list[list[float]]:
    """The contextual similarities, by sets and loops."""
    n = len(similar)
    distances = [[2 - 2 * similar[i, j].item() for j in range(n)] for i in range(n)]

    def near(k: int) -> list[set[int]]:
        reach = [sorted(row)[k - 1] + tolerance for row in distances]
        return [{j for j in range(n) if distances[i][j] <= reach[i]} for i in range(n)]

    hoods, closest = near(count), near(max(1, count // 2))

    def alike(i: int, j: int) -> float:
        if j not in hoods[i]:
            return 0.0
        out_i, out_j = set(range(n)) - hoods[i], set(range(n)) - hoods[j]
        inside = len(hoods[i] & hoods[j]) / len(hoods[i])
        return 0.5 * (inside + (len(out_i & out_j) / len(out_i) if out_i else 0.0))

    def joined(i: int, j: int) -> float:
        mutual = [m for m in closest[i] if i in closest[m]]
        return sum(alike(m, j) for m in mutual) / len(mutual) if mutual else 0.0

    return [[0.5 * (joined(i, j) + joined(j, i)) for j in range(n)] for i in range(n)]


@pytest.mark.parametrize("seed", range(4))
def test_contextual_similarity_by_loops(seed: int) -> None:
    similar, classes = batch(seed, classes=3, each=4)
    n = len(classes)
    expected = 0.0
    found = contextual(similar, 4, 0.05)
    pulled: list[float] = []
    pushed: list[float] = []
    for i in range(n):
        for j in range(n):
            same = bool(classes[i] == classes[j])
            if i != j:
                assert 0 <= found[i][j] <= 1
                expected += 0.4 * (found[i][j] - same) ** 2 / n**2
                (pulled if same else pushed).append(
                    max(0.0, 0.75 - similar[i, j].item() if same else similar[i, j].item() - 0.6)
                )
    expected += 0.1 * (similar.mean().item() - 0.25) ** 2
    for sides in (pulled, pushed):
        active = [value for value in sides if value > 0]
        expected += 0.5 * (sum(active) / len(active) if active else 0.0)
    assert ContextualSimilarity()(similar, classes).item() == pytest.approx(expected, abs=1e-12)


def test_perfect_classes_cost_nothing() -> None:
    classes = torch.arange(3).repeat_interleave(4)
    similar = (classes[:, None] == classes).double()
    only = ContextualSimilarity(contextual_share=1.0, balance_share=0.0)
    assert only(similar, classes).item() == 0


def test_the_slope_of_the_step_changes_the_gradient_only() -> None:
    similar, classes = batch(0, classes=3, each=4)
    gradients = []
    values = []
    for slope in (10.0, 20.0):
        at = similar.clone().requires_grad_()
        loss = ContextualSimilarity(
            contextual_share=1.0, balance_share=0.0, tolerance=0.3, step_slope=slope
        )
        value = loss(at, classes)
        values.append(value.item())
        gradients.append(torch.autograd.grad(value, at)[0])
    assert values[0] == values[1]
    torch.testing.assert_close(gradients[1], 2 * gradients[0])
    assert gradients[0].abs().max() > 0


def test_the_contextual_gradient_pulls_classes_together() -> None:
    similar, classes = batch(1, classes=3, each=4)
    at = similar.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(ContextualSimilarity()(at, classes), at)
    same = (classes[:, None] == classes) & ~torch.eye(len(classes), dtype=torch.bool)
    assert gradient[same].mean() < 0 < gradient[classes[:, None] != classes].mean()


def test_similarity_losses_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="documents, documents"):
        ContextualSimilarity()(torch.zeros(2, 3), torch.zeros(2, 3))
    with pytest.raises(ConfigurationError, match="at least 2"):
        ContextualSimilarity(neighbours=1)
    with pytest.raises(ConfigurationError, match="at most 1"):
        ContextualSimilarity(contextual_share=0.8, balance_share=0.3)
    with pytest.raises(ConfigurationError, match="tolerance"):
        ContextualSimilarity(tolerance=-0.1)
    with pytest.raises(ConfigurationError, match="above 0"):
        MultiSimilarity(positive_scale=0.0)
    with pytest.raises(ConfigurationError, match="finite"):
        MultiSimilarity(base=math.nan)
