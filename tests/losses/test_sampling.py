"""Sampled losses: against enumeration of all rankings, and the exact measures."""

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from plackett.errors import ConfigurationError
from plackett.losses import sampling
from plackett.losses.approx import Approx, ApproxNDCG
from plackett.losses.noise import Gumbel
from plackett.losses.registry import parse_loss
from plackett.losses.sampling import PLRank, PolicyGradient, sample_rankings
from plackett.metrics import AP, ARP, DCG, ERR, RBP, RR, P, PairAccuracy, R, nDCG

SCORES = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
LABELS = torch.tensor([1, 3, 0, 2])
TENTHS = DCG(gain=(0.1, 1.0, 0.0, 0.5))
"""The card's utilities are .1, 1, 0, .5 for the documents with these labels:"""
TENTH_LABELS = torch.tensor([0, 1, 2, 3])


def log_chance(scores: Tensor, ranking: tuple[int, ...]) -> Tensor:
    placed = scores[list(ranking)]
    return sum(placed[k] - placed[k:].logsumexp(0) for k in range(len(ranking)))


def expected(measure, scores: Tensor, labels: Tensor) -> Tensor:
    """The mean of the exact measure over all rankings."""
    total = scores.new_zeros(())
    for ranking in itertools.permutations(range(len(scores))):
        y = labels[list(ranking)].numpy()
        value = measure.of_scores(-np.arange(len(y)), y, np.array([0, len(y)]))[0]
        total = total + log_chance(scores, ranking).exp() * value
    return total


def expectation_and_gradient(measure) -> tuple[Tensor, Tensor]:
    scores = SCORES.clone().requires_grad_()
    value = expected(measure, scores, LABELS)
    return value.detach(), torch.autograd.grad(value, scores)[0]


def estimates(loss, labels: Tensor, repeats: int) -> tuple[Tensor, Tensor]:
    """The loss of as many copies of the list, and its gradients."""
    scores = SCORES.expand(repeats, -1).clone().requires_grad_()
    values = loss(scores, labels.expand(repeats, -1), reduction="none")
    return values.detach(), torch.autograd.grad(values.sum(), scores)[0]


def assert_within_three_errors(found: Tensor, truth: Tensor) -> None:
    error = found.std(dim=0) / len(found) ** 0.5
    assert ((found.mean(dim=0) - truth).abs() <= 3 * error + 1e-9).all()


def test_rankings_have_the_chances_of_the_model() -> None:
    drawn = sample_rankings(SCORES[None], samples=40_000)[:, 0]
    codes = (drawn * torch.tensor([64, 16, 4, 1])).sum(dim=-1)
    for ranking in itertools.permutations(range(4)):
        code = int(np.dot(ranking, [64, 16, 4, 1]))
        chance = log_chance(SCORES, ranking).exp().item()
        share = (codes == code).double().mean().item()
        assert share == pytest.approx(chance, abs=4 * (chance / 40_000) ** 0.5)


def test_padding_stands_last() -> None:
    where = torch.tensor([[False, True, True, False]])
    drawn = sample_rankings(SCORES[None], where, samples=20)[:, 0]
    assert set(drawn[:, 0].tolist()) == {1, 2}
    assert drawn[:, 2:].tolist() == [[0, 3]] * 20


EXACT = [
    (4, 0.977730, [-0.052222, 0.094066, -0.046454, 0.004610]),
    (2, 0.585352, [-0.077220, 0.209942, -0.135071, 0.002349]),
]


def placement_rewards(scores: Tensor, ranking: tuple[int, ...], cutoff: int) -> Tensor:
    """One ranking's gradient by the rewards of placements, before any change that saves variance.

    PR_d + sum over k <= min(rank(d), K) of exp(s_d) / Z_k (theta_k mu_d - FR_k).
    """
    gains = torch.tensor([0.1, 1.0, 0.0, 0.5], dtype=torch.float64)
    theta = 1 / torch.log2(torch.arange(2, 6).double()) * (torch.arange(4) < cutoff)
    earned = theta * gains[list(ranking)]
    rest = [earned[k:].sum() for k in range(5)]
    gradient = torch.zeros(4, dtype=torch.float64)
    for place, d in enumerate(ranking):
        gradient[d] = rest[place + 1]
        for k in range(min(place + 1, cutoff)):
            share = (scores[d] - scores[list(ranking[k:])].logsumexp(0)).exp()
            gradient[d] += share * (theta[k] * gains[d] - rest[k])
    return gradient


@pytest.mark.parametrize(("cutoff", "utility", "gradient"), EXACT)
def test_enumeration_differences_and_placement_rewards_agree(
    cutoff: int, utility: float, gradient: list
) -> None:
    measure = TENTHS @ cutoff
    scores = SCORES.clone().requires_grad_()
    value = expected(measure, scores, TENTH_LABELS)
    (exact,) = torch.autograd.grad(value, scores)
    assert value.item() == pytest.approx(utility, abs=1e-6)
    assert exact.tolist() == pytest.approx(gradient, abs=1e-6)
    assert exact.sum().item() == pytest.approx(0.0, abs=1e-12)
    steps = 1e-5 * torch.eye(4, dtype=torch.float64)
    differences = [
        (expected(measure, SCORES + e, TENTH_LABELS) - expected(measure, SCORES - e, TENTH_LABELS))
        / 2e-5
        for e in steps
    ]
    torch.testing.assert_close(torch.stack(differences), exact, atol=1e-8, rtol=0)
    rewards = sum(
        log_chance(SCORES, r).exp() * placement_rewards(SCORES, r, cutoff)
        for r in itertools.permutations(range(4))
    )
    torch.testing.assert_close(rewards, exact, atol=1e-12, rtol=0)


def test_a_hundred_thousand_draws_of_the_policy_are_within_three_errors() -> None:
    for cutoff, utility, gradient in EXACT:
        values, slopes = estimates(PolicyGradient(TENTHS @ cutoff, samples=5), TENTH_LABELS, 20_000)
        assert_within_three_errors(-slopes, torch.tensor(gradient, dtype=torch.float64))
        assert_within_three_errors(-values, torch.tensor(utility, dtype=torch.float64))


@pytest.mark.parametrize("loss", [PLRank(nDCG @ 2), PolicyGradient(nDCG @ 2)], ids=repr)
def test_one_document_has_nothing_to_learn(loss) -> None:
    scores = torch.tensor([[1.5]], requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(scores, torch.tensor([[2.0]])), scores)
    assert gradient.abs().sum() < 1e-6


@pytest.mark.parametrize(("cutoff", "utility", "gradient"), EXACT)
def test_pl_rank_has_the_exact_gradient(cutoff: int, utility: float, gradient: list) -> None:
    # Labels 0 to 3 stand for the gains .1, 1, 0 and .5; DCG's own value has no ideal to divide by.
    loss = PLRank(TENTHS @ cutoff, samples=100)
    values, slopes = estimates(loss, TENTH_LABELS, 2000)
    assert_within_three_errors(-slopes, torch.tensor(gradient, dtype=torch.float64))
    assert_within_three_errors(-values, torch.tensor(utility, dtype=torch.float64))
    assert slopes.sum(dim=-1).abs().max() < 1e-10
    assert (-slopes.mean(dim=0)).tolist() == pytest.approx(gradient, abs=2e-3)


@pytest.mark.parametrize(
    "measure", [nDCG @ 3, DCG(gain="exponential"), P(rel=2) @ 2, R @ 3, RBP], ids=repr
)
def test_pl_rank_agrees_with_enumeration(measure) -> None:
    value, gradient = expectation_and_gradient(measure)
    values, slopes = estimates(PLRank(measure, samples=20), LABELS, 2000)
    assert_within_three_errors(-values, value)
    assert_within_three_errors(-slopes, gradient)


@pytest.mark.parametrize(
    "measure", [nDCG @ 2, RR(rel=2), AP @ 3, ERR, ARP, PairAccuracy, P(rel=2)], ids=repr
)
def test_the_policy_gradient_agrees_with_enumeration(measure) -> None:
    value, gradient = expectation_and_gradient(measure)
    sign = -1 if measure.higher_is_better else 1
    values, slopes = estimates(PolicyGradient(measure, samples=5), LABELS, 4000)
    assert_within_three_errors(sign * values, value)
    assert_within_three_errors(sign * slopes, gradient)


def test_pl_rank_varies_less_than_the_policy_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(20, dtype=torch.float64, generator=generator).expand(500, -1)
    labels = torch.randint(0, 4, (20,), generator=generator).expand(500, -1)
    spread = []
    for loss in (PLRank(nDCG @ 5, samples=8), PolicyGradient(nDCG @ 5, samples=8)):
        scores = one.clone().requires_grad_()
        loss(scores, labels, reduction="sum").backward()
        spread.append(scores.grad.var(dim=0).sum())
    assert 2 * spread[0] < spread[1]


def test_a_temperature_divides_the_scores() -> None:
    for kind in (PLRank, PolicyGradient):
        scores = SCORES[None].clone().requires_grad_()
        kind(nDCG, temperature=2.0)(scores, LABELS[None]).backward()
        halved = (SCORES[None] / 2).requires_grad_()
        kind(nDCG)(halved, LABELS[None]).backward()
        torch.testing.assert_close(scores.grad, halved.grad / 2)


def test_gumbel_noise_is_averaged() -> None:
    quiet = Gumbel(ApproxNDCG(), samples=3, noise=0.0)(SCORES, LABELS)
    assert quiet.item() == pytest.approx(ApproxNDCG()(SCORES, LABELS).item())
    sharp = Gumbel(Approx(nDCG, temperature=1e-6), samples=4000)(SCORES, LABELS)
    assert sharp.item() == pytest.approx(-expectation_and_gradient(nDCG)[0].item(), abs=0.01)


ALL = [
    PLRank(nDCG @ 2),
    PolicyGradient(nDCG @ 2),
    PolicyGradient(AP),
    PolicyGradient(PairAccuracy),
    Gumbel(ApproxNDCG()),
]


@pytest.mark.parametrize("loss", ALL, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scores_ties_padding_and_empty_lists_are_finite(loss, dtype) -> None:
    rows = [[1e4, -1e4, 0.0], [0.0, 0.0, 0.0], [-1e4, -1e4, 1e4], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]
    scores = torch.tensor(rows, dtype=dtype, requires_grad=True)
    labels = torch.tensor([[0, 3, 1], [1, 2, 0], [2, 2, 2], [1, 2, 3], [3, 0, 0]])
    where = torch.tensor([[True] * 3, [True, True, False]] + [[True] * 3] + [[False] * 3] * 2)
    where[4, 0] = True
    values = loss(scores, labels, where=where, reduction="none")
    (gradient,) = torch.autograd.grad(values.sum(), scores)
    assert torch.isfinite(values).all()
    assert torch.isfinite(gradient).all()
    assert values[3:].tolist() == [0, 0]
    assert gradient[~where].abs().sum() == 0
    assert gradient[3:].abs().sum() == 0


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_the_generator_decides_all(loss) -> None:
    assert loss.stochastic
    values = [
        loss(SCORES, LABELS, generator=torch.Generator().manual_seed(seed)).item()
        for seed in (5, 5, 6)
    ]
    assert values[0] == values[1] != values[2]
    assert loss(torch.zeros(0, 3), torch.zeros(0, 3)).item() == 0
    assert loss(torch.zeros(2, 0), torch.zeros(2, 0)).item() == 0


@pytest.mark.parametrize("loss", [ALL[0], ALL[1]], ids=repr)
def test_samples_in_parts_are_the_samples_at_once(loss, monkeypatch) -> None:
    monkeypatch.setattr(sampling, "_CHUNK", 20)
    value = loss(SCORES[None], LABELS[None], weights=torch.ones(1, 4))
    assert -1 <= value.item() <= 0
    monkeypatch.setattr(sampling, "_CHUNK", 2**20)
    torch.testing.assert_close(value, loss(SCORES[None], LABELS[None], weights=torch.ones(1, 4)))


def test_losses_are_read_back() -> None:
    for text in (
        "Gumbel(Approx(nDCG@10, temperature=0.1), samples=4)",
        "PLRank(nDCG@5, samples=100)",
        "PolicyGradient(RR(rel=2)@10, temperature=0.5)",
    ):
        assert repr(parse_loss(text)) == text


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="nDCG, P, R, RBP"):
        PLRank(AP)
    with pytest.raises(ConfigurationError, match="same in every order"):
        PLRank(P)
    with pytest.raises(ConfigurationError, match="samples"):
        PLRank(nDCG, samples=0)
    with pytest.raises(ConfigurationError, match="whole number from 2"):
        PolicyGradient(nDCG, samples=1)
    with pytest.raises(ConfigurationError, match="not a measure"):
        PolicyGradient("nDCG")
    with pytest.raises(ConfigurationError, match="not a loss"):
        Gumbel(nDCG)
    with pytest.raises(ConfigurationError, match="takes no weights"):
        PolicyGradient(PairAccuracy)(SCORES[None], LABELS[None], weights=torch.rand(1, 4))
