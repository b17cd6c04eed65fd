"""The Mallows model against sums over all orders, and against what it draws."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion.kendall import kendall_distance
from plackett.fusion.mallows import (
    Mallows,
    agreement_by_gap,
    expected_distance,
    fit_mallows,
    log_normaliser,
    sample_mallows,
    theta_of_distance,
)

THETAS = st.one_of(
    st.floats(-3, 3), st.sampled_from([0.0, 1e-12, -1e-12, 1e-5, 1e-3, 9.9e-3 / 5, 0.01, 30.0])
)


def everything(items: int, theta: float) -> tuple[float, float, np.ndarray]:
    """Log-normaliser, mean distance and agreement of every pair, summed over all orders."""
    orders = list(permutations(range(items)))
    places = np.argsort(np.array(orders).reshape(-1, items), axis=1)
    distances = np.array([kendall_distance(-row, -np.arange(items)) for row in places])
    weight = np.exp(-theta * distances)
    chance = weight / weight.sum()
    sign = np.sign(places[:, None, :] - places[:, :, None])  # [order, i, j]: 1 where i is above j
    agreement = np.einsum("o,oij->ij", chance, sign)
    return float(np.log(weight.sum())), float(chance @ distances), agreement


@given(st.integers(1, 5), THETAS)
@settings(max_examples=60, deadline=None)
def test_closed_forms_equal_sums_over_all_orders(items: int, theta: float) -> None:
    log_z, mean, agreement = everything(items, theta)
    assert log_normaliser(items, theta) == pytest.approx(log_z, abs=1e-9)
    assert expected_distance(items, theta) == pytest.approx(mean, abs=1e-9)
    by_gap = agreement_by_gap(items, theta)
    for i in range(items):
        for j in range(i + 1, items):
            assert agreement[i, j] == pytest.approx(by_gap[j - i - 1], abs=1e-9)


def test_numbers_worked_by_hand() -> None:
    assert np.exp(log_normaliser(4, 1.0)) == pytest.approx(3.193308, abs=1e-6)
    assert expected_distance(4, 1.0) == pytest.approx(1.201078, abs=1e-6)
    assert expected_distance(10, 0.0) == 22.5


@given(st.integers(2, 200), st.floats(-5, 5))
@settings(max_examples=60, deadline=None)
def test_theta_comes_back_from_its_expected_distance(items: int, theta: float) -> None:
    distance = expected_distance(items, theta)
    assert expected_distance(items, theta_of_distance(items, distance)) == pytest.approx(
        distance, rel=1e-8, abs=1e-8
    )


def test_theta_is_kept_within_its_limit() -> None:
    assert theta_of_distance(5, 0.0, limit=10.0) == 10.0
    assert theta_of_distance(5, 10.0, limit=10.0) == -10.0
    assert theta_of_distance(1, 0.0) == 0.0


@pytest.mark.parametrize("items", [1, 2, 50, 3000])
@pytest.mark.parametrize("theta", [1e-14, 1e-8, 1e-4, 0.3, 700.0])
def test_long_lists_and_extreme_thetas_stay_finite_and_in_range(items: int, theta: float) -> None:
    pairs = items * (items - 1) / 2
    assert np.isfinite(log_normaliser(items, theta))
    assert -1e-9 <= expected_distance(items, theta) <= pairs / 2 + 1e-9
    by_gap = agreement_by_gap(items, theta)
    assert np.isfinite(by_gap).all()
    assert (np.diff(by_gap) >= -1e-9).all()
    # Every discordant pair is one: the mean distance is the sum of their chances.
    wide = np.arange(items - 1, 0, -1)
    assert (wide * (1 - by_gap) / 2).sum() == pytest.approx(
        expected_distance(items, theta), rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize("theta", [0.7, 0.0, -0.7])
def test_draws_have_the_model_s_probabilities(theta: float) -> None:
    orders = sample_mallows(4, theta, 40_000, seed=5)
    model = Mallows(range(4), theta)
    found, counts = np.unique(orders, axis=0, return_counts=True)
    for order, count in zip(found.tolist(), counts.tolist(), strict=True):
        chance = np.exp(model.log_probability(order))
        assert count / 40_000 == pytest.approx(chance, abs=5 * np.sqrt(chance / 40_000))
    total = sum(np.exp(model.log_probability(order)) for order in permutations(range(4)))
    assert total == pytest.approx(1.0)


def test_fitting_finds_the_reference_and_theta_of_draws() -> None:
    truth = Mallows("hgfedcba", 0.6)
    fitted = fit_mallows(truth.sample(3000, seed=2))
    assert fitted.reference == tuple("hgfedcba")
    assert fitted.theta == pytest.approx(0.6, abs=0.03)
    assert fitted.expected_distance() == pytest.approx(truth.expected_distance(), rel=0.05)


def test_fitting_maximises_the_likelihood() -> None:
    rankings = Mallows("abcde", 0.4).sample(12, seed=8)
    fitted = fit_mallows(rankings)

    def likelihood(model: Mallows) -> float:
        return sum(model.log_probability(ranking) for ranking in rankings)

    best = likelihood(fitted)
    for reference in permutations("abcde"):
        assert likelihood(Mallows(reference, fitted.theta)) <= best + 1e-9
    for theta in (fitted.theta - 0.05, fitted.theta + 0.05):
        assert likelihood(Mallows(fitted.reference, theta)) < best


def test_weights_count_as_copies() -> None:
    once = fit_mallows(["abc", "bca"], [3, 1])
    copied = fit_mallows(["abc", "abc", "abc", "bca"])
    assert once == copied


def test_equal_seeds_give_equal_draws() -> None:
    assert np.array_equal(sample_mallows(6, 0.3, 9, seed=4), sample_mallows(6, 0.3, 9, seed=4))
    assert not np.array_equal(sample_mallows(6, 0.3, 9, seed=4), sample_mallows(6, 0.3, 9, seed=5))


def test_bad_input() -> None:
    with pytest.raises(DataError, match="different items"):
        fit_mallows(["ab", "ac"])
    with pytest.raises(DataError, match="no rankings"):
        fit_mallows([])
    with pytest.raises(DataError, match="weights"):
        fit_mallows(["ab"], [-1])
    with pytest.raises(DataError, match="distance 7"):
        theta_of_distance(3, 7)
    with pytest.raises(DataError, match="other items"):
        Mallows("abc", 1.0).distance("abd")
    with pytest.raises(DataError, match="twice"):
        Mallows("aba", 1.0)
    with pytest.raises(ConfigurationError, match="finite"):
        Mallows("ab", float("nan"))
    with pytest.raises(ConfigurationError, match="items=-1"):
        log_normaliser(-1, 1.0)
