"""FINEST's regulariser: the worked example, what it leaves alone, padding, gradients."""

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.finest import FINEST

F64 = torch.float64


def brute(scores: list[float], labels: list[float], top: int, margin: float) -> float:
    """The card's two means, for distinct labels."""
    order = sorted(range(len(scores)), key=lambda i: -labels[i])
    s = [scores[i] for i in order]
    kept = min(top, len(s))
    inner = [max(0.0, margin - (s[k] - s[k + 1])) for k in range(kept - 1)]
    below = [max(0.0, margin - (s[k] - s[k + top])) for k in range(top) if k + top < len(s)]
    return sum(sum(part) / len(part) for part in (inner, below) if part)


def test_the_worked_example() -> None:
    scores = torch.tensor([3, 2.95, 2.5, 2.45, 1.0, 0.0], dtype=F64)
    labels = torch.tensor([6, 5, 4, 3, 2, 1])
    assert FINEST(top=3)(scores, labels).item() == pytest.approx(0.025)


@pytest.mark.parametrize("top", [1, 2, 4, 50])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 12])
def test_it_equals_the_two_means(top: int, length: int) -> None:
    generator = torch.Generator().manual_seed(length)
    scores = torch.randn(length, generator=generator, dtype=F64) * 0.2
    labels = torch.randperm(length, generator=generator).to(F64)
    value = FINEST(top=top, margin=0.3)(scores, labels).item()
    assert value == pytest.approx(brute(scores.tolist(), labels.tolist(), top, 0.3))


def test_scores_that_keep_the_order_with_the_margin_cost_nothing() -> None:
    reference = torch.tensor([[0.9, 0.1, 0.5, 0.3, 0.7]], dtype=F64)
    assert FINEST(top=2)(reference, reference).item() == 0.0
    assert FINEST(top=2)(reference + 100.0, reference).item() == 0.0
    assert FINEST(top=2)(-reference, reference).item() > 0.0


def test_order_below_twice_the_top_is_free() -> None:
    labels = torch.tensor([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], dtype=F64)
    scores = torch.tensor([9.0, 8.0, 1.0, 1.5, -3.0, -2.0], dtype=F64)
    assert FINEST(top=2)(scores, labels).item() == 0.0


def test_equal_reference_scores_ask_nothing_and_their_order_in_the_list_does_not_matter() -> None:
    scores = torch.tensor([[0.0, 0.5, 0.2, -1.0]], dtype=F64)
    assert FINEST()(scores, torch.ones(1, 4)).item() == 0.0
    labels = torch.tensor([[2.0, 1.0, 1.0, 0.0]], dtype=F64)
    loss = FINEST(top=2, margin=1.0)
    for order in ([0, 2, 1, 3], [3, 1, 0, 2], [2, 3, 1, 0]):
        assert loss(scores[:, order], labels[:, order]).item() == pytest.approx(
            loss(scores, labels).item()
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_padding_empty_and_short_lists(dtype: torch.dtype) -> None:
    loss = FINEST(top=3)
    scores = torch.tensor([[0.3, 0.1, 0.2]], dtype=dtype)
    labels = torch.tensor([[1.0, 3.0, 2.0]])
    padded = torch.cat([scores, torch.full((1, 4), 1e4, dtype=dtype)], dim=1)
    where = torch.tensor([[True] * 3 + [False] * 4])
    more = torch.cat([labels, torch.full((1, 4), 9.0)], dim=1)
    assert loss(padded, more, where=where).item() == pytest.approx(loss(scores, labels).item())
    for L in (0, 1, 5):
        s = torch.full((2, L), 1e4, dtype=dtype, requires_grad=True)
        value = loss(s, torch.arange(L).expand(2, L), where=torch.zeros(2, L, dtype=torch.bool))
        value.backward()
        assert value.item() == 0.0
        assert s.grad is None or torch.isfinite(s.grad).all()


def test_a_batch_is_the_mean_of_its_lists() -> None:
    scores = torch.randn(2, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    labels = torch.stack([torch.arange(6.0), torch.arange(6.0).flip(0)]).to(F64)
    each = FINEST(top=2)(scores, labels, reduction="none")
    assert FINEST(top=2)(scores, labels).item() == pytest.approx(each.mean().item())
    assert each[0].item() == pytest.approx(FINEST(top=2)(scores[0], labels[0]).item())


def test_the_gradient_agrees_with_differences_and_is_finite_for_extreme_scores() -> None:
    generator = torch.Generator().manual_seed(3)
    labels = torch.randperm(9, generator=generator).to(F64)[None]
    scores = torch.randn(1, 9, generator=generator, dtype=F64, requires_grad=True)
    loss = FINEST(top=4, margin=0.5)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels), (scores,))
    extreme = torch.tensor([[1e4, -1e4, 1e4, -1e4]], requires_grad=True)
    loss(extreme, torch.tensor([[0.0, 1.0, 2.0, 3.0]])).backward()
    assert extreme.grad is not None
    assert torch.isfinite(extreme.grad).all()


def test_weights_count_for_the_document_to_stay_above() -> None:
    labels, scores = torch.tensor([2.0, 1.0]), torch.tensor([0.0, 0.0], dtype=F64)
    loss = FINEST(top=2)
    assert loss(scores[None], labels[None], weights=torch.tensor([[3.0, 7.0]])).item() == (
        pytest.approx(3 * loss(scores, labels).item())
    )


def test_parameters_are_checked_and_shown() -> None:
    assert repr(FINEST(top=5)) == "FINEST(top=5)"
    with pytest.raises(ConfigurationError, match="top=0"):
        FINEST(top=0)
    with pytest.raises(ConfigurationError, match="margin=0"):
        FINEST(margin=0)
