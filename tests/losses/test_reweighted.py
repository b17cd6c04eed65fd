"""A loss whose lists count by their losses: by hand, limits, what is held constant."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.pairwise_named import RankNet
from plackett.losses.plackett_luce import ListMLE
from plackett.losses.pointwise import Ordinal, SquaredError
from plackett.losses.reweighted import Reweighted
from plackett.losses.reweighting import LossReweighting

FORMS = ("linear_upper", "quadratic", "upper", "extremes")


def a_batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Five lists, of which the third has equal labels and the last no document."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (5, 6), generator=generator)
    labels[2] = 1
    where = torch.ones(5, 6, dtype=torch.bool)
    where[4] = False
    return scores, labels, where


@pytest.mark.parametrize("form", FORMS)
def test_the_mean_is_the_weighted_sum_over_informative_lists(form: str) -> None:
    scores, labels, where = a_batch()
    loss = Reweighted(RankNet(), form, strength=0.7, temperature=0.4)  # type: ignore[arg-type]
    plain = RankNet()(scores, labels, where=where, reduction="none")[[0, 1, 3]]
    weights = LossReweighting(form, 0.7, 0.4).weights(plain)  # type: ignore[arg-type]
    assert weights.sum().item() == pytest.approx(1.0)
    torch.testing.assert_close(loss(scores, labels, where=where), (weights * plain).sum())
    values = loss(scores, labels, where=where, reduction="none")
    assert values[[2, 4]].tolist() == [0.0, 0.0]
    torch.testing.assert_close(values[[0, 1, 3]], 3 * weights * plain)


def test_the_numbers_of_the_card() -> None:
    # One document a list, whose squared error is the loss.
    scores = torch.tensor([[0.8], [1.2], [1.6], [2.4]], dtype=torch.float64).sqrt()
    weights = torch.tensor([0.123681, 0.203916, 0.336201, 0.336201], dtype=torch.float64)
    expected = (weights * torch.tensor([0.8, 1.2, 1.6, 2.4])).sum()
    found = Reweighted(SquaredError())(scores, torch.zeros(4, 1))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_weights_are_held_constant_in_the_gradient(form: str) -> None:
    scores, labels, where = a_batch()
    loss = Reweighted(RankNet(), form)  # type: ignore[arg-type]
    held, free = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    values = RankNet()(held, labels, where=where, reduction="none")
    weights = LossReweighting(form).weights(values.detach()[[0, 1, 3]])  # type: ignore[arg-type]
    (expected,) = torch.autograd.grad((weights * values[[0, 1, 3]]).sum(), held)
    (found,) = torch.autograd.grad(loss(free, labels, where=where), free)
    torch.testing.assert_close(found, expected)


def test_a_high_temperature_or_equal_losses_change_nothing() -> None:
    scores, labels, where = a_batch()
    plain = RankNet()(scores, labels, where=where)
    torch.testing.assert_close(
        Reweighted(RankNet(), temperature=1e9)(scores, labels, where=where), plain
    )
    same, grades = scores[:1].expand(4, -1), labels[:1].expand(4, -1)
    torch.testing.assert_close(Reweighted(RankNet())(same, grades), RankNet()(same, grades))
    one = Reweighted(RankNet())(scores[0], labels[0])
    torch.testing.assert_close(one, RankNet()(scores[0], labels[0]))


def test_an_empty_batch_is_0() -> None:
    scores, labels, where = a_batch()
    variable = scores.requires_grad_()
    value = Reweighted(RankNet())(variable, labels, where=where & False)
    assert value.item() == 0.0
    assert (torch.autograd.grad(value, variable)[0] == 0).all()


def test_it_is_what_the_loss_is() -> None:
    assert Reweighted(RankNet()).shift_invariant
    assert not Reweighted(SquaredError()).shift_invariant
    assert Reweighted(ListMLE()).stochastic
    assert not Reweighted(RankNet()).stochastic
    ordinal = Reweighted(Ordinal())
    assert ordinal.several_outputs
    assert ordinal.outputs(4.0) == Ordinal().outputs(4.0)
    outputs = torch.randn(2, 3, 4)
    torch.testing.assert_close(ordinal.relevance(outputs), Ordinal().relevance(outputs))
    assert torch.isfinite(ordinal(outputs, torch.tensor([[1, 0, 4], [2, 2, 3]])))


def test_wrong_parameters() -> None:
    with pytest.raises(ConfigurationError, match="expected one of"):
        Reweighted(RankNet(), "middle")  # type: ignore[arg-type]
    for wrong in (0.0, -1.0, float("inf")):
        with pytest.raises(ConfigurationError, match="above 0"):
            Reweighted(RankNet(), strength=wrong)
        with pytest.raises(ConfigurationError, match="above 0"):
            Reweighted(RankNet(), temperature=wrong)
