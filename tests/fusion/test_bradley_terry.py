"""Bradley-Terry strengths: the card's example, the score equations, ties, priors, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from plackett.errors import ConfigurationError, DataError
from plackett.fusion import (
    bradley_terry,
    bradley_terry_log_likelihood,
    bradley_terry_standard_errors,
    is_strongly_connected,
)
from plackett.fusion.bradley_terry import _mm_step

METHODS = ["mm", "newman", "newton"]
EXAMPLE = np.array([[0, 3, 2], [1, 0, 3], [2, 1, 0]], dtype=float)


def random_wins(seed: int, n: int, games: int = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wins = rng.integers(1, games, size=(n, n)).astype(float)
    np.fill_diagonal(wins, 0.0)
    return wins


@pytest.mark.parametrize("method", METHODS)
def test_the_worked_example(method: str) -> None:
    found = bradley_terry(EXAMPLE, method=method)
    assert found.converged
    np.testing.assert_allclose(found.strength, [0.45183, 0.32064, 0.22753], atol=1e-5)


@given(st.integers(0, 10_000), st.integers(2, 7), st.sampled_from([0.0, 0.1, 2.0]))
@settings(max_examples=30, deadline=None)
def test_all_methods_find_the_same_maximum_where_the_gradient_vanishes(
    seed: int, n: int, prior: float
) -> None:
    wins = random_wins(seed, n)
    results = [bradley_terry(wins, prior=prior, method=m) for m in METHODS]
    for result in results:
        assert result.converged
        np.testing.assert_allclose(result.log_strength, results[0].log_strength, atol=1e-7)
        pi = result.strength
        won = pi[:, None] / (pi[:, None] + pi[None, :])
        played = wins + wins.T
        slope = wins.sum(axis=1) - (played * won).sum(axis=1)
        slope += prior * (1 - 2 * pi / (pi + 1))
        np.testing.assert_allclose(slope, 0.0, atol=1e-6)


def test_no_mm_step_lowers_the_likelihood() -> None:
    for seed in range(20):
        wins = random_wins(seed, 6)
        wins[0] *= 20
        strength = np.random.default_rng(seed).random(6) + 0.01
        values = []
        for _ in range(40):
            values.append(bradley_terry_log_likelihood(wins, strength, prior=0.1))
            strength = _mm_step(wins, strength, 1.0, 0.1)
        assert (np.diff(values) >= -1e-10).all()


def test_it_is_logistic_regression_on_log_strengths() -> None:
    wins = random_wins(3, 5)

    def loss(theta: np.ndarray) -> float:
        logs = np.append(theta, 0.0)
        return -(wins * np.log(expit(logs[:, None] - logs[None, :]))).sum()

    fitted = np.append(minimize(loss, np.zeros(4), tol=1e-12).x, 0.0)
    found = bradley_terry(wins).log_strength
    np.testing.assert_allclose(found - found[-1], fitted, atol=1e-4)


def test_what_scale_and_units_change() -> None:
    wins = random_wins(1, 5)
    strength = bradley_terry(wins).strength
    np.testing.assert_allclose(bradley_terry(wins * 10).strength, strength, atol=1e-8)
    same = bradley_terry_log_likelihood(wins, strength * 7)
    assert same == pytest.approx(bradley_terry_log_likelihood(wins, strength))
    order = np.random.default_rng(0).permutation(5)
    shuffled = bradley_terry(wins[np.ix_(order, order)]).strength
    np.testing.assert_allclose(shuffled, strength[order], atol=1e-8)


def test_without_a_maximum_it_says_so_and_the_prior_helps() -> None:
    never_lost = np.array([[0, 1, 1], [0, 0, 1], [0, 1, 0]], dtype=float)
    apart = np.zeros((4, 4))
    apart[0, 1] = apart[1, 0] = apart[2, 3] = apart[3, 2] = 1.0
    for wins in (never_lost, apart, np.zeros((3, 3))):
        assert not is_strongly_connected(wins)
        with pytest.raises(DataError, match=r"prior=0\.1"):
            bradley_terry(wins)
        for method in METHODS:
            found = bradley_terry(wins, prior=0.1, method=method)
            assert found.converged
            assert np.isfinite(found.log_strength).all()
    np.testing.assert_allclose(bradley_terry(apart, prior=0.1).strength, 1.0, atol=1e-8)
    assert bradley_terry(never_lost, prior=0.1).strength.argmax() == 0


def test_a_tie_is_half_a_win_for_both() -> None:
    ties = np.array([[0, 2, 0], [2, 0, 4], [0, 4, 0]], dtype=float)
    np.testing.assert_allclose(
        bradley_terry(EXAMPLE, ties=ties).strength,
        bradley_terry(EXAMPLE + ties / 2).strength,
    )
    with pytest.raises(DataError, match="symmetric"):
        bradley_terry(EXAMPLE, ties=EXAMPLE)


@pytest.mark.parametrize("method", METHODS)
def test_ties_with_a_margin_are_those_of_rao_and_kupper(method: str) -> None:
    margin, n = 0.7, 4
    ties = np.array([[0, 2, 1, 1], [2, 0, 3, 0], [1, 3, 0, 2], [1, 0, 2, 0]], dtype=float)
    wins = random_wins(5, n)
    theta = np.exp(margin)

    def loss(free: np.ndarray) -> float:
        pi = np.exp(np.append(free, 0.0))
        i_wins = pi[:, None] / (pi[:, None] + theta * pi[None, :])
        tie = (theta**2 - 1) * i_wins * i_wins.T
        return -((wins * np.log(i_wins)).sum() + (ties * np.log(tie)).sum() / 2)

    fitted = np.append(minimize(loss, np.zeros(n - 1), tol=1e-12).x, 0.0)
    found = bradley_terry(wins, ties=ties, margin=margin, method=method).log_strength
    np.testing.assert_allclose(found - found[-1], fitted, atol=1e-4)


@pytest.mark.parametrize("prior", [0.0, 0.5])
def test_standard_errors_are_those_of_the_numerical_hessian(prior: float) -> None:
    wins = random_wins(2, 4, games=30)
    found = bradley_terry(wins, prior=prior)
    logs, step = found.log_strength, 1e-4

    def value(theta: np.ndarray) -> float:
        return bradley_terry_log_likelihood(wins, np.exp(theta), prior=prior)

    unit = np.eye(4) * step
    hessian = np.array(
        [
            [
                (
                    value(logs + a + b)
                    - value(logs + a - b)
                    - value(logs - a + b)
                    + value(logs - a - b)
                )
                / (4 * step**2)
                for a in unit
            ]
            for b in unit
        ]
    )
    expected = np.sqrt(np.diag(np.linalg.pinv(-hessian, rcond=1e-6)))
    errors = bradley_terry_standard_errors(wins, found.strength, prior=prior)
    np.testing.assert_allclose(errors, expected, rtol=1e-3)
    twice = bradley_terry_standard_errors(wins * 4, found.strength, prior=4 * prior)
    np.testing.assert_allclose(twice, errors / 2)


def test_the_error_of_recovered_strengths_falls_with_the_root_of_the_games() -> None:
    rng = np.random.default_rng(0)
    truth = np.linspace(-1, 1, 8)
    chance = expit(truth[:, None] - truth[None, :])
    errors = []
    for games in (25, 400):
        found = []
        for _ in range(20):
            upper = np.triu(rng.binomial(games, chance), k=1)
            wins = upper + np.tril(games - upper.T, k=-1)
            logs = bradley_terry(wins, prior=0.1, method="newton").log_strength
            found.append(np.sqrt(((logs - logs.mean() - truth) ** 2).mean()))
        errors.append(np.mean(found))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.25)


def test_edges_and_parameters() -> None:
    assert bradley_terry(np.zeros((0, 0))).strength.tolist() == []
    for method in METHODS:
        assert bradley_terry([[0.0]], method=method).strength.tolist() == [1.0]
        assert bradley_terry([[0.0]], prior=0.1, method=method).strength.tolist() == [1.0]
    assert not bradley_terry(EXAMPLE, max_iterations=1).converged
    with pytest.raises(ConfigurationError, match="method"):
        bradley_terry(EXAMPLE, method="magic")  # type: ignore[arg-type]
    for wrong in ({"prior": -1.0}, {"margin": -0.1}, {"prior": float("nan")}):
        with pytest.raises(ConfigurationError):
            bradley_terry(EXAMPLE, **wrong)
    with pytest.raises(DataError):
        bradley_terry_log_likelihood(EXAMPLE, [1.0, 0.0, 1.0])
