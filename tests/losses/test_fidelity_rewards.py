"""Rewards of sampled scores: the published numbers, loops, limits, groups of one."""

from __future__ import annotations

import math

import pytest
import torch

from plackett.errors import ConfigurationError, DataError
from plackett.losses.fidelity_rewards import fidelity_rewards, group_advantages

PAIR = torch.tensor([[[3.0, 4.0, 5.0, 4.0], [2.0, 3.0, 3.0, 4.0]]], dtype=torch.float64)


def normal(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def by_loops(
    samples: torch.Tensor, labels: torch.Tensor, where: torch.Tensor, added: float
) -> torch.Tensor:
    """The definition, one comparison at a time."""
    rewards = torch.zeros(samples.shape, dtype=torch.float64)
    for b, places in enumerate(where):
        real = places.nonzero().flatten().tolist()
        for i in real:
            for k in range(samples.shape[2]):
                found = []
                for j in real:
                    if i == j:
                        continue
                    variance = samples[b, i].var(correction=0) + samples[b, j].var(correction=0)
                    difference = float(samples[b, i, k] - samples[b, j].mean())
                    q = normal(difference / math.sqrt(float(variance) + added))
                    p = 1.0 if labels[b, i] > labels[b, j] else 0.0
                    p = 0.5 if labels[b, i] == labels[b, j] else p
                    found.append(math.sqrt(p * q) + math.sqrt((1 - p) * (1 - q)))
                rewards[b, i, k] = sum(found) / max(1, len(found))
    return rewards


def a_group() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(3, 5, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([[1, 3, 0, 2, 2], [0, 0, 1, 5, 9], [4, 2, 1, 1, 1]])
    where = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]
    return samples, labels, where


def test_the_example_of_the_paper() -> None:
    rewards = fidelity_rewards(PAIR, torch.tensor([[1, 0]]), added_variance=1e-12)
    assert rewards[0, 0].tolist() == pytest.approx([0.707107, 0.917248, 0.988559, 0.917248], 1e-6)
    # p = 1, so that the squared rewards are the probabilities.
    chances = rewards[0, 0].square().tolist()
    assert chances == pytest.approx([0.5, 0.841345, 0.977250, 0.841345], abs=1e-6)


def test_loops_say_the_same() -> None:
    samples, labels, where = a_group()
    rewards = fidelity_rewards(samples, labels, where, added_variance=0.1)
    torch.testing.assert_close(rewards, by_loops(samples, labels, where, 0.1))
    assert (rewards >= 0).all()
    assert (rewards <= 1 + 1e-12).all()
    assert (rewards[~where] == 0).all()
    assert (rewards[2] == 0).all()


def test_padding_order_shift_and_scale_change_nothing() -> None:
    samples, labels, where = a_group()
    rewards = fidelity_rewards(samples, labels, where, added_variance=1e-12)
    nonsense = torch.where(where[..., None], samples, math.nan)
    torch.testing.assert_close(
        fidelity_rewards(nonsense, labels, where, added_variance=1e-12), rewards
    )
    order = torch.tensor([3, 0, 4, 2, 1])
    moved = fidelity_rewards(
        samples[:, order], labels[:, order], where[:, order], added_variance=1e-12
    )
    torch.testing.assert_close(moved, rewards[:, order])
    other = fidelity_rewards(7.0 * samples - 3.0, labels * 10, where, added_variance=1e-12)
    torch.testing.assert_close(other, rewards)


def test_sure_samples_are_right_or_wrong() -> None:
    samples = torch.tensor([[[5.0, 5.0], [1.0, 1.0]]])
    assert fidelity_rewards(samples, torch.tensor([[1, 0]])).tolist() == [[[1.0] * 2] * 2]
    assert fidelity_rewards(samples, torch.tensor([[0, 1]])).tolist() == [[[0.0] * 2] * 2]
    tied = fidelity_rewards(samples, torch.tensor([[2, 2]]))
    torch.testing.assert_close(tied, torch.full_like(tied, math.sqrt(0.5)))
    alike = fidelity_rewards(torch.ones(1, 2, 3), torch.tensor([[2, 2]]))
    torch.testing.assert_close(alike, torch.ones_like(alike))


def test_rewards_are_constants_of_at_least_single_precision() -> None:
    labels = torch.tensor([[1, 0]])
    half = fidelity_rewards(PAIR.half().requires_grad_(), labels)
    assert half.dtype == torch.float32
    assert not half.requires_grad
    torch.testing.assert_close(half.double(), fidelity_rewards(PAIR, labels), rtol=1e-5, atol=1e-5)


def test_advantages_have_mean_0_and_deviation_1() -> None:
    samples, labels, _ = a_group()
    rewards = fidelity_rewards(samples, labels)
    advantages = group_advantages(rewards)
    torch.testing.assert_close(advantages.mean(dim=-1), torch.zeros(3, 5, dtype=torch.float64))
    torch.testing.assert_close(
        advantages.std(dim=-1, correction=0), torch.ones(3, 5, dtype=torch.float64)
    )
    torch.testing.assert_close(group_advantages(3.0 * rewards + 2.0), advantages)
    assert (advantages.argsort(dim=-1) == rewards.argsort(dim=-1)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_rewards_have_no_advantage(dtype: torch.dtype) -> None:
    for level in (0.0, 0.1, 1.0 / 3.0, 1.0):
        assert (group_advantages(torch.full((2, 7), level, dtype=dtype)) == 0).all()
    assert (group_advantages(torch.rand(4, 1, dtype=dtype)) == 0).all()


def test_what_does_not_fit() -> None:
    labels = torch.tensor([[1, 0]])
    with pytest.raises(ConfigurationError, match="above 0"):
        fidelity_rewards(PAIR, labels, added_variance=0.0)
    for samples in (PAIR[0], PAIR.long(), PAIR[:, :1], PAIR[..., :0]):
        with pytest.raises(DataError, match="sample"):
            fidelity_rewards(samples, labels)
    with pytest.raises(DataError, match="booleans"):
        fidelity_rewards(PAIR, labels, torch.ones(1, 2))
    for rewards in (torch.ones(2, 3, dtype=torch.long), torch.ones(2, 0), torch.tensor(1.0)):
        with pytest.raises(DataError, match="rewards"):
            group_advantages(rewards)
