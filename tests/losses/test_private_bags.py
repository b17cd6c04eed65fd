"""Noise on mean labels: its distribution, the bound on ratios of likelihoods, its calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from plackett.errors import ConfigurationError, DataError
from plackett.losses.aggregate import AggregateResponse
from plackett.losses.private_bags import gaussian_scale, private_means

LABELS = torch.tensor([[0.0, 3.0, 3.0, 9.0]], dtype=torch.float64)
MEAN = 2.5  # of 0, 3, 3 and the 4 that 9 is cut to


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_of(
    count: int, noise: str, delta: float | None = None, epsilon: float = 0.5
) -> np.ndarray:
    found = private_means(
        LABELS.expand(count, -1),
        epsilon=epsilon,
        clip=4.0,
        generator=seeded(1),
        noise=noise,  # type: ignore[arg-type]
        delta=delta,
    )
    noisy: np.ndarray = found.numpy() - MEAN
    return noisy


def test_laplace_noise_has_the_scale_of_a_label_s_influence() -> None:
    scale = 4.0 / (4 * 0.5)
    assert stats.kstest(noise_of(20_000, "laplace"), "laplace", args=(0.0, scale)).pvalue > 1e-3


def test_gaussian_noise_has_the_calibrated_deviation() -> None:
    deviation = gaussian_scale(0.5, 1e-4) * 4.0 / 4
    drawn = noise_of(20_000, "gaussian", 1e-4)
    assert stats.kstest(drawn, "norm", args=(0.0, deviation)).pvalue > 1e-3


def test_larger_bags_need_less_noise() -> None:
    labels = torch.ones(1, 400, dtype=torch.float64)
    small = private_means(labels[:, :4], epsilon=1.0, clip=2.0, generator=seeded())
    large = private_means(labels, epsilon=1.0, clip=2.0, generator=seeded())
    assert (small - 1.0).item() == pytest.approx(100 * (large - 1.0).item())


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 4.0])
def test_the_ratio_of_likelihoods_is_bounded(epsilon: float) -> None:
    """Two sets of labels that differ in one have means at most clip / k apart."""
    clip, k = 4.0, 5
    scale = clip / (k * epsilon)
    seen = np.linspace(-30.0, 30.0, 2001)
    for first, second in ((0.0, clip), (1.0, 2.5)):
        moved = abs(first - second) / k
        ratio = stats.laplace.logpdf(seen, 0.0, scale) - stats.laplace.logpdf(seen, moved, scale)
        assert np.abs(ratio).max() <= epsilon + 1e-9
    widest = stats.laplace.logpdf(seen, 0, scale) - stats.laplace.logpdf(seen, clip / k, scale)
    assert np.abs(widest).max() == pytest.approx(epsilon)


@pytest.mark.parametrize("epsilon", [0.1, 0.9, 3.0, 20.0, 800.0])
@pytest.mark.parametrize("delta", [1e-9, 1e-5, 0.1])
def test_the_gaussian_deviation_is_the_least_that_holds(epsilon: float, delta: float) -> None:
    deviation = gaussian_scale(epsilon, delta)

    def failure(s: float) -> float:
        """Mass that one normal has beyond exp(epsilon) times the other, by its definition."""
        threshold = epsilon * s**2 - 0.5
        above = stats.norm.sf(threshold / s)
        other = stats.norm.logsf((threshold + 1) / s)
        return float(above - math.exp(epsilon + other))

    assert failure(deviation) == pytest.approx(delta, rel=1e-5)
    assert failure(0.99 * deviation) > delta
    if epsilon < 1:
        assert deviation < math.sqrt(2 * math.log(1.25 / delta)) / epsilon


def test_labels_are_cut_and_padding_is_not_read() -> None:
    labels = torch.tensor([[-5.0, 9.0, math.nan], [1.0, math.inf, 7.0], [3.0, 3.0, 3.0]])
    where = torch.tensor([[True, True, False], [True, True, False], [False] * 3])
    found = private_means(labels, where, epsilon=1e12, clip=4.0, generator=seeded())
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx([2.0, 2.5, 0.0], abs=1e-6)
    assert found[2] == 0


def test_the_generator_decides_the_noise() -> None:
    for noise, delta in (("laplace", None), ("gaussian", 1e-5)):

        def drawn(seed: int, noise: str = noise, delta: float | None = delta) -> float:
            return private_means(
                LABELS,
                epsilon=1.0,
                clip=4.0,
                generator=seeded(seed),
                noise=noise,  # type: ignore[arg-type]
                delta=delta,
            ).item()

        assert drawn(3) == drawn(3)
        assert drawn(3) != drawn(4)


def test_noise_does_not_bias_what_is_learned() -> None:
    """The minimiser in closed form, on noisy means, is that on true means plus noise of mean 0."""
    generator = seeded(5)
    features = torch.randn(4000, 5, 2, generator=generator, dtype=torch.float64)
    truth = torch.tensor([0.5, -0.3], dtype=torch.float64)
    labels = 2.0 + features @ truth
    means = private_means(labels, epsilon=2.0, clip=8.0, generator=generator)
    bags = features.mean(dim=1)
    found = torch.linalg.solve(bags.T @ bags, bags.T @ (means - 2.0)).requires_grad_()
    assert (found - truth).abs().max() < 0.1
    targets = (means - 2.0)[:, None].expand(-1, 5)
    value = AggregateResponse(0.0)(features @ found, targets)
    (gradient,) = torch.autograd.grad(value, found)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-10, rtol=0)


def test_what_does_not_fit() -> None:
    def call(labels: torch.Tensor = LABELS, **kinds: object) -> None:
        given = {"epsilon": 1.0, "clip": 4.0, "generator": seeded(), **kinds}
        private_means(labels, **given)  # type: ignore[arg-type]

    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ConfigurationError, match="epsilon"):
            call(epsilon=wrong)
        with pytest.raises(ConfigurationError, match="epsilon"):
            gaussian_scale(wrong, 0.1)
        with pytest.raises(ConfigurationError, match="clip"):
            call(clip=wrong)
    for delta in (0.0, 1.0, math.nan):
        with pytest.raises(ConfigurationError, match="between 0 and 1"):
            call(noise="gaussian", delta=delta)
    with pytest.raises(ConfigurationError, match="needs a delta"):
        call(noise="gaussian")
    with pytest.raises(ConfigurationError, match="has no delta"):
        call(delta=1e-5)
    with pytest.raises(ConfigurationError, match="neither"):
        call(noise="uniform")
    with pytest.raises(DataError, match="bags"):
        call(LABELS[0])
    with pytest.raises(DataError, match="booleans"):
        call(where=torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(DataError, match="not a number"):
        call(torch.tensor([[math.nan]]))
