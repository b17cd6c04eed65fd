"""Sums of losses and several objectives: algebra, reductions, text, sweeps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import Loss
from plackett.losses.combining import MultiObjective, WeightedSum
from plackett.losses.metric_learning import MultiSimilarity
from plackett.losses.pareto import pareto_front, simplex_weights
from plackett.losses.pointwise import (
    BinaryCrossEntropy,
    Ordinal,
    RootMeanSquaredError,
    SquaredError,
)
from plackett.losses.registry import parse_loss

SCORES = torch.tensor([[2.0, 1.0, 0.5, -1.0], [0.3, -0.2, 1.4, 0.0]], dtype=torch.float64)
BINARY = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0]])
A, B = SquaredError(), BinaryCrossEntropy()
# One positive, one negative needed: the second list says nothing.
SELDOM = MultiSimilarity()
SELDOM_LABELS = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0]])


def test_a_sum_is_the_sum_of_its_terms() -> None:
    total = 2 * A + B * 0.5
    expected = 2 * A(SCORES, BINARY) + 0.5 * B(SCORES, BINARY)
    torch.testing.assert_close(total(SCORES, BINARY), expected)


def test_sums_and_multiples_flatten() -> None:
    assert WeightedSum(((2.0, A), (1.0, B), (1.0, A))) == 2 * (A + 0.5 * B) + A
    assert WeightedSum.of(A + B) == A + B


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_each_term_is_reduced_on_its_own(reduction: str) -> None:
    total = A + SELDOM
    parts = [loss(SCORES, SELDOM_LABELS, reduction=reduction) for loss in (A, SELDOM)]  # type: ignore[arg-type]
    found = total(SCORES, SELDOM_LABELS, reduction=reduction)  # type: ignore[arg-type]
    torch.testing.assert_close(found, parts[0] + parts[1])


def test_weights_and_masks_reach_every_term() -> None:
    where = torch.tensor([[True, True, False, True], [True, False, True, True]])
    weights = torch.tensor([0.5, 2.0], dtype=torch.float64)
    found = (A + 3 * B)(SCORES, BINARY, where=where, weights=weights)
    expected = A(SCORES, BINARY, where=where, weights=weights) + 3 * B(
        SCORES, BINARY, where=where, weights=weights
    )
    torch.testing.assert_close(found, expected)


def test_the_curvature_is_the_weighted_sum_where_all_terms_have_one() -> None:
    found = (2 * A + 0.5 * B).curvature(SCORES, BINARY)
    one, other = A.curvature(SCORES, BINARY), B.curvature(SCORES, BINARY)
    assert found is not None
    assert one is not None
    assert other is not None
    torch.testing.assert_close(found, 2 * one + 0.5 * other)
    from plackett.losses.imbalance import AnyLoss

    assert (A + AnyLoss()).curvature(SCORES, BINARY) is None


def test_its_text_reads_back() -> None:
    total = 0.1 * A + 3 * RootMeanSquaredError(scale=4.0) + 1e-7 * Ordinal(thresholds=(-1.0, 0.5))
    assert repr(total).startswith("0.1 * SquaredError() + 3.0 * RootMeanSquaredError(scale=4.0)")
    assert parse_loss(repr(total)) == total
    assert parse_loss("SquaredError + 0.5 * BinaryCrossEntropy") == A + 0.5 * B
    assert parse_loss(repr(MultiObjective((A + 2 * B, A)))) == MultiObjective((A + 2 * B, A))


def test_what_holds_of_a_sum() -> None:
    assert not (A + B).shift_invariant
    assert not (A + B).stochastic
    assert (A + A).reference == A.reference


def test_a_loss_of_several_outputs_hands_its_relevance_to_the_others() -> None:
    outputs = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    grades = torch.tensor([[1, 3, 0, 2], [0, 0, 1, 2]])
    total = Ordinal() + 0.5 * A
    expected = Ordinal()(outputs, grades) + 0.5 * A(torch.sigmoid(outputs).sum(-1), grades)
    torch.testing.assert_close(total(outputs, grades), expected)
    assert total.outputs(3.0) == 3
    torch.testing.assert_close(total.relevance(outputs), torch.sigmoid(outputs).sum(-1))
    assert total.curvature(outputs, grades) is None


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_must_be_finite_and_not_negative(weight: float) -> None:
    with pytest.raises(ConfigurationError, match="at least 0"):
        weight * A
    with pytest.raises(ConfigurationError, match="at least 0"):
        MultiObjective((A,), weights=(weight,))


def test_nonsense_is_no_sum() -> None:
    with pytest.raises(ConfigurationError, match="no losses"):
        WeightedSum(())
    with pytest.raises(TypeError):
        (A + B) * "2"  # type: ignore[operator]
    with pytest.raises(TypeError):
        (A + B) + 1  # type: ignore[operator]


def test_objectives_read_their_own_columns() -> None:
    labels = torch.stack([BINARY, 1 - BINARY], dim=-1)
    found = MultiObjective((A, B), weights=(1.0, 0.25))(SCORES, labels)
    torch.testing.assert_close(found, A(SCORES, BINARY) + 0.25 * B(SCORES, 1 - BINARY))
    one = MultiObjective((A, B))(SCORES[0], labels[0])
    torch.testing.assert_close(one, A(SCORES[0], BINARY[0]) + B(SCORES[0], 1 - BINARY[0]))


def test_one_column_serves_all_objectives() -> None:
    torch.testing.assert_close(
        MultiObjective((A, B), (2.0, 1.0))(SCORES, BINARY), (2 * A + B)(SCORES, BINARY)
    )


def test_distillation_is_an_objective_of_the_teachers_scores() -> None:
    teacher = torch.tensor([[1.5, 0.0, 0.2, -2.0], [0.0, 0.1, 0.2, 0.3]], dtype=torch.float64)
    labels = torch.stack([BINARY.double(), teacher], dim=-1)
    found = MultiObjective((B, A), weights=(0.3, 0.7))(SCORES, labels)
    torch.testing.assert_close(found, 0.3 * B(SCORES, BINARY) + 0.7 * A(SCORES, teacher))


def test_objectives_add_their_curvatures() -> None:
    labels = torch.stack([BINARY, 1 - BINARY], dim=-1)
    found = MultiObjective((A, B), weights=(1.0, 0.25)).curvature(SCORES, labels)
    expected = (A + 0.25 * B).curvature(SCORES, BINARY)
    assert found is not None
    torch.testing.assert_close(found, expected)


def test_objectives_that_do_not_fit() -> None:
    with pytest.raises(DataError, match="2 columns of labels"):
        MultiObjective((A, B))(SCORES, torch.zeros(2, 4, 3))
    with pytest.raises(ConfigurationError, match="no objectives"):
        MultiObjective(())
    with pytest.raises(ConfigurationError, match="one each"):
        MultiObjective((A, B), weights=(1.0,))
    with pytest.raises(ConfigurationError, match="losses of one"):
        MultiObjective((Ordinal(), B)).outputs(4.0)


@pytest.mark.parametrize(("objectives", "steps"), [(1, 3), (2, 4), (3, 3), (4, 2)])
def test_a_sweep_is_every_multiple_on_the_simplex(objectives: int, steps: int) -> None:
    every = {
        tuple(part / steps for part in parts)
        for parts in product(range(steps + 1), repeat=objectives)
        if sum(parts) == steps
    }
    sweep = simplex_weights(objectives, steps)
    assert set(sweep) == every
    assert len(sweep) == len(every)
    assert list(sweep) == sorted(sweep, reverse=True)


def test_a_sweep_makes_losses() -> None:
    losses: list[Loss] = [MultiObjective((A, B), weights) for weights in simplex_weights(2, 4)]
    assert len(set(losses)) == 5


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=12).map(
        lambda rows: np.array(rows, dtype=float).reshape(-1, 3)
    )
)
def test_the_front_is_what_no_point_dominates(points: np.ndarray) -> None:
    expected = [
        not any((other >= point).all() and (other > point).any() for other in points)
        for point in points
    ]
    assert pareto_front(points).tolist() == expected


def test_sweeps_and_fronts_that_do_not_exist() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        simplex_weights(0, 3)
    with pytest.raises(DataError, match="none NaN"):
        pareto_front([[0.0, float("nan")]])
