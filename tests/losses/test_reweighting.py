"""Weights from losses: published numbers, limits, and group-robust mirror ascent by hand."""

from __future__ import annotations

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.reweighting import GroupRobust, LossReweighting

LOSSES = torch.tensor([0.8, 1.2, 1.6, 2.4], dtype=torch.float64)
EXPECTED = {
    "quadratic": [0.146300, 0.309717, 0.397684, 0.146300],
    "upper": [0.150353, 0.193057, 0.247890, 0.408701],
    "linear_upper": [0.123681, 0.203916, 0.336201, 0.336201],
    "extremes": [0.336201, 0.203916, 0.123681, 0.336201],
}


@pytest.mark.parametrize("form", sorted(EXPECTED))
def test_examples(form: str) -> None:
    weights = LossReweighting(form).weights(LOSSES)  # type: ignore[arg-type]
    assert weights.tolist() == pytest.approx(EXPECTED[form], abs=1e-6)


@pytest.mark.parametrize("form", sorted(EXPECTED))
def test_equal_losses_and_high_temperatures_weigh_alike(form: str) -> None:
    even = torch.full((4,), 0.25, dtype=torch.float64)
    loss = LossReweighting(form)  # type: ignore[arg-type]
    torch.testing.assert_close(loss.weights(torch.full((4,), 3.0, dtype=torch.float64)), even)
    hot = LossReweighting(form, temperature=1e9)  # type: ignore[arg-type]
    torch.testing.assert_close(hot.weights(LOSSES), even)


@pytest.mark.parametrize("form", sorted(EXPECTED))
def test_weights_do_not_depend_on_the_losses_unit(form: str) -> None:
    loss = LossReweighting(form, strength=0.7, temperature=0.4)  # type: ignore[arg-type]
    torch.testing.assert_close(loss.weights(LOSSES), loss.weights(100 * LOSSES - 3))
    assert loss.weights(LOSSES).sum().item() == pytest.approx(1.0)


def test_weights_carry_no_gradient() -> None:
    losses = LOSSES.clone().requires_grad_()
    assert not LossReweighting().weights(losses).requires_grad
    robust = GroupRobust()
    weights, state = robust.update(robust.start(1), losses, torch.zeros(4, dtype=torch.long))
    assert not weights.requires_grad
    assert not state.requires_grad


def test_a_batch_of_no_lists_has_no_weights() -> None:
    assert LossReweighting().weights(torch.zeros(0)).shape == (0,)


def test_group_weights_by_hand() -> None:
    groups = torch.tensor([0, 2, 2, 0])
    robust = GroupRobust(step_size=0.5)
    start = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    weights, state = robust.update(start, LOSSES, groups)
    raised = start * torch.exp(0.5 * torch.tensor([1.6, 0.0, 1.4], dtype=torch.float64))
    shares = raised / raised.sum()
    torch.testing.assert_close(state, shares)
    torch.testing.assert_close(
        weights, torch.stack([shares[0], shares[2], shares[2], shares[0]]) / 2
    )
    weighted = (weights * LOSSES).sum()
    torch.testing.assert_close(weighted, shares[0] * 1.6 + shares[2] * 1.4)
    assert start.tolist() == [0.5, 0.3, 0.2]


def test_weight_moves_to_the_worst_group() -> None:
    robust = GroupRobust(step_size=0.1)
    state = robust.start(2)
    for _ in range(200):
        _, state = robust.update(state, torch.tensor([1.0, 2.0]), torch.tensor([0, 1]))
    assert state[1] > 0.999
    assert torch.isfinite(state).all()


def test_what_does_not_fit() -> None:
    with pytest.raises(ConfigurationError, match="expected one of"):
        LossReweighting("middle")  # type: ignore[arg-type]
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ConfigurationError, match="above 0"):
            LossReweighting(strength=wrong)
        with pytest.raises(ConfigurationError, match="above 0"):
            GroupRobust(wrong)
    with pytest.raises(ConfigurationError, match="at least 1"):
        GroupRobust().start(0)
    with pytest.raises(DataError, match="loss a list"):
        LossReweighting().weights(torch.zeros(2, 2))
    robust = GroupRobust()
    with pytest.raises(DataError, match="0 to 1"):
        robust.update(robust.start(2), torch.zeros(1), torch.tensor([2]))
    with pytest.raises(DataError, match="integers"):
        robust.update(robust.start(2), torch.zeros(1), torch.zeros(1))
