"""The call of every loss: shapes, reductions, masks, and what is refused."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import DataError
from plackett.losses.base import Loss
from plackett.losses.combining import WeightedSum
from plackett.losses.metric_learning import MultiSimilarity
from plackett.losses.pointwise import Ordinal, SquaredError

S = torch.tensor([[2.0, 1.0], [0.5, -1.0]], dtype=torch.float64)
Y = torch.tensor([[1, 3], [0, 2]])
LOSS: Loss = SquaredError()


def test_a_list_is_a_batch_of_one() -> None:
    assert LOSS(S[0], Y[0]).item() == LOSS(S[:1], Y[:1]).item() == 2.5
    assert LOSS(S[0], Y[0], reduction="none").shape == ()
    weights = torch.tensor([1.0, 3.0])
    assert LOSS(S[0], Y[0], weights=weights).item() == 6.5
    assert LOSS(S[0], Y[0], where=torch.tensor([True, False])).item() == 1.0


def test_reductions() -> None:
    values = [2.5, 4.625]
    assert LOSS(S, Y, reduction="none").tolist() == values
    assert LOSS(S, Y, reduction="sum").item() == sum(values)
    assert LOSS(S, Y).item() == sum(values) / 2


def test_lists_that_say_nothing_are_left_out_of_the_mean() -> None:
    where = torch.tensor([[True, True], [False, False]])
    assert LOSS(S, Y, where=where).item() == 2.5
    assert LOSS(S, Y, where=where, reduction="none").tolist() == [2.5, 0.0]
    assert LOSS(S, Y, where=where & False).item() == 0.0


def test_the_mean_divides_by_lists_not_by_their_weights() -> None:
    assert LOSS(S, Y, weights=torch.tensor([2.0, 0.0])).item() == 2.5


def test_labels_of_any_type_and_their_nonsense_at_padding() -> None:
    where = torch.tensor([[True, True], [True, False]])
    odd_scores, odd_labels = S.clone(), Y.double()
    odd_scores[1, 1], odd_labels[1, 1] = float("nan"), float("nan")
    expected = LOSS(S, Y, where=where)
    for labels in (odd_labels, odd_labels.float()):
        torch.testing.assert_close(LOSS(odd_scores, labels, where=where), expected)
    assert LOSS(S.float(), Y).dtype == torch.float32


def test_curvature_takes_list_weights_for_one_output_and_several() -> None:
    weights = torch.tensor([2.0, 0.5], dtype=torch.float64)
    plain, weighted = LOSS.curvature(S, Y), LOSS.curvature(S, Y, weights=weights)
    assert plain is not None
    assert weighted is not None
    torch.testing.assert_close(weighted, plain * weights[:, None])
    outputs = torch.stack([S, -S], dim=-1)
    plain = Ordinal().curvature(outputs, Y)
    weighted = Ordinal().curvature(outputs, Y, weights=weights)
    assert plain is not None
    assert weighted is not None
    torch.testing.assert_close(weighted, plain * weights[:, None, None])


@pytest.mark.parametrize(
    ("scores", "labels", "where", "weights", "message"),
    [
        (Y, Y, None, None, "floating-point scores"),
        (S, Y[0], None, None, "1 dimensions a list"),
        (S, Y[:, :1], None, None, "both"),
        (S, Y[..., None], None, None, "both"),
        (S[..., None, None], Y, None, None, "1 dimensions a list"),
        (S, Y, torch.ones(2, 2), None, "booleans"),
        (S, Y, torch.ones(2, dtype=torch.bool), None, "booleans"),
        (S, Y, None, torch.ones(3), "one a list or one a document"),
    ],
)
def test_what_does_not_fit_is_refused(
    scores: torch.Tensor,
    labels: torch.Tensor,
    where: torch.Tensor | None,
    weights: torch.Tensor | None,
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        LOSS(scores, labels, where=where, weights=weights)
    with pytest.raises(DataError, match=message):
        LOSS.curvature(scores, labels, where=where, weights=weights)


def test_defaults_of_a_loss() -> None:
    assert LOSS.outputs(4.0) == 1
    with pytest.raises(NotImplementedError, match="one output"):
        LOSS.relevance(S)


def test_operators_make_sums() -> None:
    other = MultiSimilarity()
    assert LOSS + other == WeightedSum(((1.0, LOSS), (1.0, other)))
    assert 2 * LOSS == LOSS * 2 == WeightedSum(((2.0, LOSS),))
    with pytest.raises(TypeError):
        LOSS + 1  # type: ignore[operator]
