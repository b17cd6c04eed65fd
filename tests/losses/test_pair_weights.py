"""Pair weights against brute force: swap two documents and compute the measure again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.base import Scored
from plackett.losses.pair_swaps import ERRWeight, MAPWeight, MRRWeight
from plackett.losses.pair_weights import (
    LabelDifference,
    LambdaWeight,
    NDCGLoss1Weight,
    NDCGLoss2PPWeight,
    NDCGLoss2Weight,
    PairFactors,
    PairWeight,
    ProfitWeight,
    RankedLists,
)
from plackett.losses.pairwise import Pairwise, _Block, _block_weights
from plackett.metrics.base import Measure
from plackett.metrics.binary import AP, RR
from plackett.metrics.graded import DCG, ERR, nDCG

LENGTH = 12


def ranked_labels(seed: int, highest: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, highest + 1, (LENGTH,), generator=generator).to(torch.float64)


def ranked(labels: torch.Tensor) -> RankedLists:
    """Lists whose documents stand in order of rank already."""
    labels = torch.atleast_2d(labels)
    scores = torch.arange(labels.shape[1], 0, -1, dtype=torch.float64).expand_as(labels)
    return RankedLists(scores, labels, torch.ones_like(labels, dtype=torch.bool))


def matrix(weight: PairWeight, labels: torch.Tensor) -> torch.Tensor:
    """The weights of all pairs of one list, `[L, L]`, above the diagonal."""
    lists = ranked(labels)
    batch = Scored(lists.scores, lists.labels, lists.where, None, torch.Generator())
    task, _ = Pairwise(weight=weight)._task(batch)
    block = _Block(slice(0, 1), slice(0, lists.labels.shape[1]))
    return _block_weights(task, block)[0]


def swapped(measure: Measure, labels: torch.Tensor) -> torch.Tensor:
    """|change of the measure| by the swap of each pair, `[L, L]`, above the diagonal."""
    offsets = np.array([0, len(labels)])
    scores = np.arange(len(labels), 0, -1.0)

    def value(held: torch.Tensor) -> float:
        return float(measure.of_scores(scores, held.numpy(), offsets)[0])

    changes = torch.zeros(len(labels), len(labels), dtype=torch.float64)
    for i, j in itertools.combinations(range(len(labels)), 2):
        other = labels.clone()
        other[[i, j]] = labels[[j, i]]
        changes[i, j] = abs(value(labels) - value(other))
    return changes


@pytest.mark.parametrize(
    ("weight", "measure"),
    [
        (LambdaWeight(), nDCG(gain="exponential")),
        (LambdaWeight(gain="linear"), nDCG),
        (LambdaWeight(cutoff=3), nDCG(gain="exponential") @ 3),
        (LambdaWeight(normalised=False), DCG(gain="exponential")),
        (LambdaWeight("linear", cutoff=5, normalised=False), DCG @ 5),
        (MAPWeight(), AP),
        (MAPWeight(rel=3), AP(rel=3)),
        (MRRWeight(), RR),
        (MRRWeight(rel=3), RR(rel=3)),
        (MRRWeight(rel=4), RR(rel=4)),
        (ERRWeight(), ERR),
        (ERRWeight(max_grade=5), ERR(max_grade=5)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("seed", range(4))
def test_a_weight_is_the_change_of_its_measure(
    weight: PairWeight, measure: Measure, seed: int
) -> None:
    labels = ranked_labels(seed)
    found = matrix(weight, labels)
    expected = swapped(measure, labels)
    rows = weight.factors(ranked(labels)).rows or LENGTH
    torch.testing.assert_close(found[:rows], expected[:rows], rtol=1e-9, atol=1e-12)
    assert (expected[rows:] == 0).all()


@pytest.mark.parametrize("weight", [MAPWeight(), MRRWeight()])
def test_weights_of_sparse_relevance(weight: PairWeight) -> None:
    measure = AP if isinstance(weight, MAPWeight) else RR
    for seed in range(4):
        labels = (ranked_labels(seed) >= 4).to(torch.float64)
        torch.testing.assert_close(matrix(weight, labels), swapped(measure, labels))


def test_truncation_keeps_pairs_with_a_document_among_the_first() -> None:
    labels = ranked_labels(1)
    whole = matrix(LambdaWeight(), labels)
    factors = LambdaWeight(truncation=3).factors(ranked(labels))
    assert factors.rows == 3
    # The discounts stay those of all ranks; only the greatest DCG is that of the first three.
    gains = torch.exp2(labels) - 1
    best = gains.sort(descending=True).values / torch.log2(torch.arange(2.0, LENGTH + 2))
    scale = best.sum() / best[:3].sum()
    torch.testing.assert_close(
        matrix(LambdaWeight(truncation=3), labels)[:3], whole[:3] * scale.to(torch.float64)
    )


def test_ndcgloss2_has_the_papers_distances() -> None:
    labels = ranked_labels(2)
    gains = torch.exp2(labels) - 1
    ideal = (gains.sort(descending=True).values / torch.log2(torch.arange(2.0, LENGTH + 2))).sum()
    found = matrix(NDCGLoss2Weight(), labels)
    for i, j in itertools.combinations(range(LENGTH), 2):
        distance = 1 / np.log2(1 + j - i) - 1 / np.log2(2 + j - i)
        assert found[i, j] == pytest.approx(
            float((gains[i] - gains[j]).abs() / ideal * distance), rel=1e-6
        )


def test_ndcgloss2pp_is_a_sum_and_lambdarank_without_mu() -> None:
    labels = ranked_labels(3)
    both = matrix(NDCGLoss2PPWeight(mu=7.0), labels)
    parts = 7 * matrix(NDCGLoss2Weight(), labels) + matrix(LambdaWeight(), labels)
    torch.testing.assert_close(both, parts)
    torch.testing.assert_close(
        matrix(NDCGLoss2PPWeight(mu=0.0), labels), matrix(LambdaWeight(), labels)
    )


def test_ndcgloss1_sums_to_ndcg() -> None:
    labels = ranked_labels(0)
    own = NDCGLoss1Weight().factors(ranked(labels)).own
    value = nDCG(gain="exponential").of_scores(
        np.arange(LENGTH, 0, -1.0), labels.numpy(), np.array([0, LENGTH])
    )
    assert own is not None
    assert own.sum().item() == pytest.approx(value[0])


def test_differences_of_labels() -> None:
    labels = torch.tensor([1.0, 3.0, -2.0], dtype=torch.float64)
    one = torch.tensor([[0, 2, 3], [0, 0, 5], [0, 0, 0]], dtype=torch.float64)
    two = torch.tensor([[0, 8, 5], [0, 0, 13], [0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(matrix(LabelDifference(), labels), one)
    torch.testing.assert_close(matrix(LabelDifference(power=2), labels), two)
    torch.testing.assert_close(matrix(ProfitWeight(), labels), torch.log10(1 + one).triu(1))


def test_large_labels_have_the_gains_of_small_ones_but_for_the_scale() -> None:
    labels = torch.tensor([1000.0, 1001.0, 990.0], dtype=torch.float32)
    found = matrix(LambdaWeight(), labels.to(torch.float64))
    assert torch.isfinite(found).all()
    assert torch.isfinite(LambdaWeight().factors(ranked(labels)).gain).all()  # type: ignore[arg-type]
    assert found[0, 1] == pytest.approx(
        matrix(LambdaWeight(), labels.to(torch.float64) - 960)[0, 1].item(), rel=1e-6
    )


@pytest.mark.parametrize(
    "weight", [LambdaWeight(), NDCGLoss1Weight(), MAPWeight(), MRRWeight(), ERRWeight()], ids=repr
)
def test_lists_without_relevance_say_nothing(weight: PairWeight) -> None:
    factors: PairFactors = weight.factors(ranked(torch.zeros(2, 4, dtype=torch.float64)))
    assert factors.informative is not None
    assert not factors.informative.any()


@pytest.mark.parametrize(
    "make",
    [
        lambda: LambdaWeight(gain="square"),
        lambda: LambdaWeight(cutoff=0),
        lambda: LambdaWeight(truncation=-1),
        lambda: LambdaWeight(cutoff=3, truncation=3),
        lambda: NDCGLoss2PPWeight(mu=-1),
        lambda: LabelDifference(power=0),
        lambda: ERRWeight(max_grade=0),
    ],
)
def test_bad_parameters_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]
