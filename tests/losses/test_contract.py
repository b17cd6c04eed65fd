"""What every loss keeps, whoever wrote it: gradients, padding, order, extremes, units, text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.registry import names, parse_loss

# Losses with a required parameter, by the text that makes one.
MADE = {
    "Approx": "Approx(nDCG@10)",
    "Gumbel": "Gumbel(RankNet())",
    "MultiObjective": "MultiObjective((RankNet(), SquaredError()), weights=(0.5, 1.0))",
    "NeuralSort": "NeuralSort(nDCG@10)",
    "PLRank": "PLRank(nDCG@10)",
    "Pairwise": "Pairwise(Logistic())",
    "PolicyGradient": "PolicyGradient(nDCG@10)",
    "Reweighted": "Reweighted(RankNet())",
}
# Other parameters that change what is computed.
VARIANTS = [
    "AggregateResponse(0.0)",
    "AggregateResponse(form='logistic')",
    "AnyLoss('accuracy')",
    "AnyLoss('balanced_accuracy', amplification=10.0)",
    "AnyLoss('geometric_mean')",
    "AnyLoss(over='batch')",
    "Dice(form='set')",
    "Dice(form='set', over='batch')",
    "Dice(form='tversky', false_positive_weight=0.3)",
    "Dice(focus=1.0)",
    "ApproxMRR(form='mean')",
    "LambdaRank(truncation=2)",
    "MultiSimilarity(margin=None)",
    "NeuralNDCG(transposed=True)",
    "Ordinal(thresholds=(-1.0, 0.0, 1.0))",
    "Pairwise(Exponential(), MAPWeight())",
    "Pairwise(Hinge(), MRRWeight())",
    "Pairwise(Squared(), ERRWeight())",
    "RankNet(ties=True)",
    "RootMeanSquaredError(scale=4.0)",
]
# Losses whose gradient is not that of the value, on purpose.
SURROGATE: dict[str, str] = {
    "ALDRKL": "each list's temperature follows its scores and is held fixed",
    "ContextualSimilarity": "a constant stands for the derivative of the step function",
    "PLRank": "the gradient is an estimate of the expectation's, from sampled rankings",
    "PolicyGradient": "the gradient is an estimate of the expectation's, from sampled rankings",
    "Reweighted": "the weights follow the losses and are held fixed",
}
# Labels that a loss takes: "grades" 0..4 unless stated.
DOMAINS = {
    "AggregateResponse(form='logistic')": "binary",
    "AnyLoss": "binary",
    "BinaryCrossEntropy": "binary",
    "Dice": "binary",
    "MultiSimilarity": "binary",
    "RCR": "binary",
}
# Losses of the whole batch: the value of one list depends on the others.
WHOLE_BATCH = {
    "AnyLoss(over='batch')": "counts are of the batch",
    "Dice(form='set', over='batch')": "sums are of the batch",
    "Reweighted": "a list's weight depends on the losses of the others",
    "Wasserstein": "the lists are a sample of a distribution",
}
# Losses whose cost grows faster than the square of the length, and the length they are tried on.
SHORTER = {"ContextualSimilarity": 300}
# Losses of a set's similarities `[B, n, n]` instead of scores `[B, L]`.
OF_SIMILARITIES = {"ContextualSimilarity"}
# Documents' weights are not multipliers of terms.
NO_DOCUMENT_WEIGHTS: dict[str, str] = {}

ALL = [*names(), *VARIANTS]
SINGLE_LISTS = [name for name in ALL if name not in WHOLE_BATCH]
LISTS, LENGTH = 3, 6
GRADES = torch.tensor([[1, 3, 0, 2, 0, 4], [0, 1, 1, 0, 2, 0], [4, 0, 2, 1, 3, 0]])


def kind(name: str) -> str:
    """The name of the loss, from its name or text."""
    return name.partition("(")[0]


def made(name: str) -> Loss:
    return parse_loss(MADE.get(name, name))


def labels_of(name: str, grades: torch.Tensor) -> torch.Tensor:
    domain = DOMAINS.get(name, DOMAINS.get(kind(name), "grades"))
    return (grades > 0).long() if domain == "binary" else grades


def width(name: str, length: int) -> int:
    """The last dimension of the outputs of a document; 1 stands for none."""
    return length if name in OF_SIMILARITIES else made(name).outputs(4.0)


def scores_of(
    name: str, lists: int, length: int, *, seed: int = 0, dtype: torch.dtype = torch.float64
) -> torch.Tensor:
    """Scores without ties; similarities within (-1, 1) where the loss is of those."""
    generator = torch.Generator().manual_seed(seed)
    outputs = width(name, length)
    shape = (lists, length) if outputs == 1 else (lists, length, outputs)
    scores = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (torch.tanh(scores) if name in OF_SIMILARITIES else scores).to(dtype)


def example(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    return scores_of(name, LISTS, LENGTH), labels_of(name, GRADES)


def derivative(value: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    if not value.requires_grad:
        return torch.zeros_like(scores)
    (found,) = torch.autograd.grad(value, scores, allow_unused=True)
    return torch.zeros_like(scores) if found is None else found


def value_and_gradient(
    loss: Loss,
    scores: torch.Tensor,
    labels: torch.Tensor,
    where: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    variable = scores.detach().clone().requires_grad_()
    value = loss(variable, labels, where=where, weights=weights)
    return value.detach(), derivative(value, variable)


def central_differences(
    function: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor, step: float = 1e-5
) -> torch.Tensor:
    """The derivative of a scalar function by every entry of `at`."""
    found = torch.zeros_like(at)
    for place in range(at.numel()):
        moved = torch.zeros_like(at).view(-1)
        moved[place] = step
        moved = moved.view_as(at)
        found.view(-1)[place] = (function(at + moved) - function(at - moved)) / (2 * step)
    return found


def padded(
    name: str, scores: torch.Tensor, labels: torch.Tensor, more: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same lists with `more` documents of nonsense behind them."""
    shape = list(scores.shape)
    shape[1] += more
    if name in OF_SIMILARITIES:
        shape[2] += more
    wide = torch.full(shape, 7.5, dtype=scores.dtype)
    if name in OF_SIMILARITIES:
        wide[:, : scores.shape[1], : scores.shape[2]] = scores
    else:
        wide[:, : scores.shape[1]] = scores
    wide_labels = torch.full((len(labels), labels.shape[1] + more), 9)
    wide_labels[:, : labels.shape[1]] = labels
    where = torch.zeros(wide_labels.shape, dtype=torch.bool)
    where[:, : labels.shape[1]] = True
    return wide, wide_labels, where


def unpadded(name: str, gradient: torch.Tensor, length: int) -> torch.Tensor:
    kept = gradient[:, :length]
    return kept[:, :, :length] if name in OF_SIMILARITIES else kept


@pytest.mark.parametrize("name", [name for name in ALL if name not in SURROGATE])
def test_the_gradient_is_the_derivative_of_the_value(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    _, gradient = value_and_gradient(loss, scores, labels)
    expected = central_differences(lambda moved: loss(moved, labels).detach(), scores)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_padding_changes_nothing(name: str) -> None:
    loss = made(name)
    if loss.stochastic:
        pytest.skip("what is drawn depends on the shape of the batch")
    scores, labels = example(name)
    value, gradient = value_and_gradient(loss, scores, labels)
    wide, wide_labels, where = padded(name, scores, labels, more=5)
    wide_value, wide_gradient = value_and_gradient(loss, wide, wide_labels, where)
    torch.testing.assert_close(wide_value, value, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(
        unpadded(name, wide_gradient, LENGTH), gradient, rtol=1e-7, atol=1e-9
    )
    assert wide_gradient[~where].abs().sum() == 0


@pytest.mark.parametrize("name", ALL)
def test_the_nonsense_in_padding_is_not_read(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    wide, wide_labels, where = padded(name, scores, labels, more=3)
    value, _ = value_and_gradient(loss, wide, wide_labels, where)
    real = where[..., None] if wide.ndim == 3 else where
    other = torch.where(real, wide, torch.full_like(wide, -1e6))
    torch.testing.assert_close(loss(other, wide_labels, where=where), value, rtol=0, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_documents_does_not_matter(name: str) -> None:
    loss = made(name)
    if loss.stochastic:
        pytest.skip("draws go by place")
    scores = scores_of(name, 1, LENGTH)
    # No ties: losses that sort by label break them by a rule of their own.
    labels = labels_of(name, torch.tensor([[1, 3, 0, 2, 5, 4]]))
    order = torch.tensor([4, 1, 5, 0, 3, 2])
    value, gradient = value_and_gradient(loss, scores, labels)
    turned = scores[:, order][..., order] if name in OF_SIMILARITIES else scores[:, order]
    other, other_gradient = value_and_gradient(loss, turned, labels[:, order])
    expected = gradient[:, order]
    if name in OF_SIMILARITIES:
        expected = expected[..., order]
    torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(other_gradient, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SINGLE_LISTS)
def test_a_batch_is_the_mean_of_its_lists(name: str) -> None:
    loss = made(name)
    if loss.stochastic:
        pytest.skip("draws go by place in the batch")
    scores, labels = example(name)
    alone = torch.stack([loss(scores[i], labels[i]) for i in range(LISTS)])
    torch.testing.assert_close(loss(scores, labels), alone.mean(), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(loss(scores, labels, reduction="none"), alone, rtol=1e-9, atol=1e-10)
    total = loss(scores, labels, reduction="sum")
    torch.testing.assert_close(total, alone.sum(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ALL)
def test_huge_scores_are_finite(name: str, dtype: torch.dtype) -> None:
    scores, labels = example(name)
    for huge in (1e4 * scores.sign(), -1e4 * scores.sign(), 1e4 * scores):
        value, gradient = value_and_gradient(made(name), huge.to(dtype), labels)
        assert value.dtype == dtype
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ALL)
def test_tied_scores_are_finite(name: str) -> None:
    scores, labels = example(name)
    value, gradient = value_and_gradient(made(name), torch.zeros_like(scores).float(), labels)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ALL)
def test_batches_without_a_document_cost_nothing(name: str) -> None:
    scores, labels = example(name)
    nowhere = torch.zeros(labels.shape, dtype=torch.bool)
    value, gradient = value_and_gradient(made(name), scores, labels, nowhere)
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("name", ALL)
def test_an_empty_list_changes_no_other(name: str) -> None:
    loss = made(name)
    if loss.stochastic:
        pytest.skip("draws go by place in the batch")
    scores, labels = example(name)
    where = torch.ones(labels.shape, dtype=torch.bool)
    where[1] = False
    value, gradient = value_and_gradient(loss, scores, labels, where)
    kept = torch.tensor([0, 2])
    alone, alone_gradient = value_and_gradient(loss, scores[kept], labels[kept])
    torch.testing.assert_close(value, alone, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(gradient[kept], alone_gradient, rtol=1e-7, atol=1e-9)
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize("grade", [0, 1])
@pytest.mark.parametrize("name", ALL)
def test_equal_labels_are_finite(name: str, grade: int) -> None:
    scores = scores_of(name, LISTS, LENGTH, dtype=torch.float32)
    labels = torch.full((LISTS, LENGTH), grade)
    value, gradient = value_and_gradient(made(name), scores, labels)
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("grade", [0, 1])
@pytest.mark.parametrize("name", ALL)
def test_lists_of_one_document_are_finite(name: str, grade: int) -> None:
    scores = scores_of(name, LISTS, 1)
    if name in OF_SIMILARITIES:
        scores = scores.reshape(LISTS, 1, 1)
    value, gradient = value_and_gradient(made(name), scores, torch.full((LISTS, 1), grade))
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ALL)
def test_it_says_whether_a_shift_of_the_scores_matters(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    value, moved = loss(scores, labels), loss(scores + 3.25, labels)
    if loss.shift_invariant:
        torch.testing.assert_close(moved, value, rtol=1e-7, atol=1e-9)
    else:
        assert abs(float(moved - value)) > 1e-6


@pytest.mark.parametrize("name", ALL)
def test_single_precision_agrees_with_double(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    value, gradient = value_and_gradient(loss, scores.float(), labels)
    exact, exact_gradient = value_and_gradient(loss, scores.float().double(), labels)
    if loss.stochastic:
        assert torch.isfinite(value)
        return
    scale = float(exact_gradient.abs().max())
    torch.testing.assert_close(value.double(), exact, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize("name", ALL)
def test_its_text_reads_back(name: str) -> None:
    loss = made(name)
    assert parse_loss(repr(loss)) == loss
    assert hash(parse_loss(repr(loss))) == hash(loss)
    assert type(loss).__name__ == kind(name)


@pytest.mark.parametrize("name", ALL)
def test_weights_of_one_change_nothing(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    value, gradient = value_and_gradient(loss, scores, labels)
    for weights in (torch.ones(labels.shape), torch.ones(LISTS)):
        other, other_gradient = value_and_gradient(loss, scores, labels, weights=weights)
        torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(other_gradient, gradient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_weights_of_lists_multiply_their_losses(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    weights = torch.tensor([2.0, 0.0, 0.5], dtype=torch.float64)
    plain = loss(scores, labels, reduction="none")
    weighted = loss(scores, labels, weights=weights, reduction="none")
    torch.testing.assert_close(weighted, plain * weights, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in ALL if name not in NO_DOCUMENT_WEIGHTS])
def test_weights_of_documents_matter_and_stay_finite(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    weights = torch.linspace(0.2, 3.0, labels.numel(), dtype=torch.float64).view(labels.shape)
    value, gradient = value_and_gradient(loss, scores, labels, weights=weights)
    assert value != loss(scores, labels)
    assert torch.isfinite(gradient).all()
    value, gradient = value_and_gradient(loss, scores, labels, weights=torch.zeros_like(weights))
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [name for name in ALL if name not in SURROGATE])
def test_the_curvature_is_the_derivative_of_the_gradient(name: str, weighted: bool) -> None:
    loss = made(name)
    scores, labels = example(name)
    weights = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64) if weighted else None
    found = loss.curvature(scores, labels, weights=weights)
    if found is None:
        pytest.skip("states no curvature")

    def slope(at: torch.Tensor) -> torch.Tensor:
        variable = at.clone().requires_grad_()
        total = loss(variable, labels, weights=weights, reduction="sum")
        return derivative(total, variable)

    expected = torch.zeros_like(scores)
    for place in range(scores.numel()):
        moved = torch.zeros_like(scores).view(-1)
        moved[place] = 1e-5
        moved = moved.view_as(scores)
        change = slope(scores + moved) - slope(scores - moved)
        expected.view(-1)[place] = change.view(-1)[place] / 2e-5
    assert found.shape == scores.shape
    assert (found >= 0).all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ALL)
def test_the_curvature_is_finite_and_0_at_padding(name: str) -> None:
    loss = made(name)
    scores, labels = example(name)
    wide, wide_labels, where = padded(name, 1e4 * scores, labels, more=2)
    where[0] = False
    found = loss.curvature(wide, wide_labels, where=where)
    if found is None:
        pytest.skip("states no curvature")
    assert torch.isfinite(found).all()
    assert (found >= 0).all()
    assert (found[~where] == 0).all()


@pytest.mark.parametrize("name", ALL)
def test_what_is_handed_in_is_not_changed(name: str) -> None:
    scores, labels = example(name)
    where = torch.ones(labels.shape, dtype=torch.bool)
    where[0, -1] = False
    weights = torch.ones(labels.shape, dtype=torch.float64)
    handed = (scores, labels, where, weights)
    before = [tensor.clone() for tensor in handed]
    value_and_gradient(made(name), scores, labels, where, weights)
    assert all(torch.equal(old, new) for old, new in zip(before, handed, strict=True))


@pytest.mark.parametrize("name", ALL)
def test_long_lists(name: str) -> None:
    length = SHORTER.get(name, 5000)
    scores = scores_of(name, 1, length, dtype=torch.float32)
    grades = torch.arange(length)[None] % 5
    value, gradient = value_and_gradient(made(name), scores, labels_of(name, grades))
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", ALL)
def test_the_same_call_gives_the_same_value(name: str) -> None:
    scores, labels = example(name)
    first, first_gradient = value_and_gradient(made(name), scores, labels)
    second, second_gradient = value_and_gradient(made(name), scores, labels)
    assert torch.equal(first, second)
    assert torch.equal(first_gradient, second_gradient)


@pytest.mark.parametrize("name", ALL)
def test_it_is_an_immutable_value_with_a_paper(name: str) -> None:
    loss = made(name)
    assert loss == made(name)
    assert name == "MultiObjective" or loss.reference
    assert type(loss).__doc__
    with pytest.raises(AttributeError):
        loss.anything = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in ALL if name not in OF_SIMILARITIES])
def test_outputs_are_ranked_by_one_number(name: str) -> None:
    loss = made(name)
    outputs = loss.outputs(4.0)
    if outputs == 1:
        pytest.skip("one output a document")
    assert loss.relevance(scores_of(name, LISTS, LENGTH)).shape == (LISTS, LENGTH)


@pytest.mark.parametrize("name", sorted(OF_SIMILARITIES))
def test_losses_of_similarities_say_so_to_models_of_scores(name: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a loss of scores"):
        made(name).outputs(4.0)
