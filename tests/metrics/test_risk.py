"""Risk-aware scores against draws, dropout's moments against enumeration, F1 against all worlds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics.risk import (
    best_expected_f1,
    conditional_value_at_risk,
    dropout_moments,
    expected_f1,
    risk_aware_scores,
)


@pytest.mark.parametrize(
    ("alpha", "value"), [(0.1, 0.245017), (0.5, 1.202115), (0.9, 1.805002), (1.0, 2.0)]
)
def test_the_gaussian_closed_form(alpha: float, value: float) -> None:
    assert risk_aware_scores([2.0], [1.0], alpha)[0] == pytest.approx(value, abs=1e-6)
    upper = risk_aware_scores([2.0], [1.0], alpha, tail="upper")[0]
    assert upper == pytest.approx(4.0 - value, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.77])
def test_draws_approach_the_closed_form(alpha: float) -> None:
    drawn = 1.0 + 2.0 * np.random.default_rng(0).normal(size=(2, 200_000))
    for tail in ("lower", "upper"):
        found = conditional_value_at_risk(drawn, alpha, tail=tail)
        np.testing.assert_allclose(
            found, risk_aware_scores(np.ones(2), np.full(2, 4.0), alpha, tail=tail), atol=0.05
        )


def test_draws_by_hand() -> None:
    assert conditional_value_at_risk(range(1, 11), 0.2) == 1.5
    assert conditional_value_at_risk(range(1, 11), 0.2, tail="upper") == 9.5
    assert conditional_value_at_risk(range(1, 11), 1.0) == 5.5
    assert conditional_value_at_risk([4.0, 1.0, 2.0], 0.5) == pytest.approx((1 + 0.5 * 2) / 1.5)
    assert conditional_value_at_risk([4.0, 1.0], 1e-6) == 1.0


def test_equal_variances_change_no_order_and_uncertain_documents_fall() -> None:
    mean = np.random.default_rng(1).normal(size=50)
    order = np.argsort(mean)
    assert (np.argsort(risk_aware_scores(mean, np.full(50, 0.7), 0.2)) == order).all()
    first, second = risk_aware_scores([1.1, 1.0], [4.0, 0.01], 0.3)
    assert first < second


def test_dropout_moments_are_those_of_all_masks() -> None:
    rng = np.random.default_rng(2)
    hidden, weights, rate = rng.normal(size=(3, 6)), rng.normal(size=6), 0.3
    masks = np.array(list(product([0.0, 1.0], repeat=6)))
    chance = np.prod(np.where(masks == 1, 1 - rate, rate), axis=1)
    scores = (hidden * weights) @ masks.T / (1 - rate) + 0.5
    mean = scores @ chance
    found_mean, found_variance = dropout_moments(hidden, weights, bias=0.5, rate=rate)
    np.testing.assert_allclose(found_mean, mean)
    np.testing.assert_allclose(found_variance, (scores - mean[:, None]) ** 2 @ chance)
    assert (dropout_moments(hidden, weights, rate=0.0)[1] == 0).all()


@given(st.lists(st.floats(0, 1), max_size=7))
@settings(max_examples=60, deadline=None)
def test_expected_f1_is_the_mean_over_all_worlds(probability: list[float]) -> None:
    p = np.array(probability)
    wanted = np.zeros(len(p) + 1)
    for world in product([0, 1], repeat=len(p)):
        relevant = np.array(world, dtype=float)
        chance = float(np.prod(np.where(relevant == 1, p, 1 - p)))
        for k in range(len(p) + 1):
            size = k + relevant.sum()
            wanted[k] += chance * (2 * relevant[:k].sum() / size if size else 1.0)
    found = expected_f1(p)
    np.testing.assert_allclose(found, wanted, atol=1e-10)
    cutoff, value = best_expected_f1(p)
    assert value == found.max() == found[cutoff]


def test_expected_f1_of_a_long_list_is_finite() -> None:
    p = np.sort(np.random.default_rng(0).random(400) ** 4)[::-1]
    cutoff, value = best_expected_f1(p)
    assert 0 < cutoff < 400
    assert 0 < value < 1


def test_bad_input() -> None:
    for alpha in (0.0, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="alpha"):
            risk_aware_scores([1.0], [1.0], alpha)
    with pytest.raises(UnknownNameError, match="middle"):
        conditional_value_at_risk([1.0], 0.5, tail="middle")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="variance"):
        risk_aware_scores([1.0], [-1.0], 0.5)
    with pytest.raises(DataError, match="draw"):
        conditional_value_at_risk([], 0.5)
    with pytest.raises(DataError, match="weights"):
        dropout_moments([1.0, 2.0], [1.0], rate=0.1)
    with pytest.raises(ConfigurationError, match="rate"):
        dropout_moments([1.0], [1.0], rate=1.0)
    with pytest.raises(DataError, match="0 to 1"):
        expected_f1([0.5, 1.5])
