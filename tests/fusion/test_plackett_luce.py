"""Plackett-Luce strengths: the card's example, the likelihood over all orders, partial lists."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.fusion import bradley_terry, plackett_luce, plackett_luce_log_likelihood
from plackett.fusion.plackett_luce import _lists, _log_likelihood, _mm_step

EXAMPLE = ["012", "021", "102", "201"]


def draw(rng: np.random.Generator, strength: np.ndarray, length: int | None = None) -> list[int]:
    """An order by exponential races: the first to arrive is the strongest, in proportion."""
    times = rng.exponential(1.0 / strength)
    return np.argsort(times)[:length].tolist()


@pytest.mark.parametrize("method", ["mm", "spectral"])
def test_the_worked_example(method: str) -> None:
    found = plackett_luce(EXAMPLE, method=method)
    assert found.converged
    assert found.items == ("0", "1", "2")
    np.testing.assert_allclose(found.strength, [0.6180, 0.1910, 0.1910], atol=5e-5)


def test_probabilities_of_all_orders_sum_to_one() -> None:
    strength = [0.4, 1.0, 2.0, 0.1]
    whole = [
        np.exp(plackett_luce_log_likelihood([order], strength, items=range(4)))
        for order in permutations(range(4))
    ]
    assert sum(whole) == pytest.approx(1.0)
    best_two = [
        np.exp(plackett_luce_log_likelihood([order], strength, items=range(4), unlisted="below"))
        for order in permutations(range(4), 2)
    ]
    assert sum(best_two) == pytest.approx(1.0)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_both_methods_reach_a_point_where_the_likelihood_is_flat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 5
    rankings = [rng.permutation(n)[: rng.integers(2, n + 1)].tolist() for _ in range(30)]
    weights = rng.random(30) + 0.1
    try:
        found = plackett_luce(rankings, weights, items=range(n))
    except DataError:
        return
    spectral = plackett_luce(rankings, weights, items=range(n), method="spectral")
    np.testing.assert_allclose(np.log(spectral.strength), np.log(found.strength), atol=1e-6)
    for item in range(n):
        moved = [found.strength.copy(), found.strength.copy()]
        moved[0][item] *= np.exp(1e-4)
        moved[1][item] *= np.exp(-1e-4)
        up, down = (
            plackett_luce_log_likelihood(rankings, s, weights, items=range(n)) for s in moved
        )
        assert (up - down) / 2e-4 == pytest.approx(0.0, abs=1e-4)


def test_no_mm_step_lowers_the_likelihood() -> None:
    rng = np.random.default_rng(1)
    rankings = [rng.permutation(6)[: rng.integers(2, 7)].tolist() for _ in range(40)]
    lists, _ = _lists(rankings, None, range(6), None, "absent")
    strength = rng.random(6) + 0.01
    values = []
    for _ in range(30):
        values.append(_log_likelihood(lists, strength, 0.1))
        strength = _mm_step(lists, strength, 0.1)
    assert (np.diff(values) >= -1e-10).all()


@pytest.mark.parametrize("prior", [0.0, 0.3])
def test_lists_of_two_are_bradley_terry(prior: float) -> None:
    rng = np.random.default_rng(4)
    pairs = [rng.permutation(4)[:2].tolist() for _ in range(80)]
    wins = np.zeros((4, 4))
    for winner, loser in pairs:
        wins[winner, loser] += 1
    np.testing.assert_allclose(
        plackett_luce(pairs, items=range(4), prior=prior).strength,
        bradley_terry(wins, prior=prior).strength,
        atol=1e-7,
    )


def test_the_first_places_of_full_lists_are_short_lists_of_all() -> None:
    rng = np.random.default_rng(5)
    orders = [rng.permutation(5).tolist() for _ in range(60)]
    cut = plackett_luce(orders, items=range(5), top=2)
    short = plackett_luce([o[:2] for o in orders], items=range(5), unlisted="below")
    np.testing.assert_allclose(cut.strength, short.strength, atol=1e-9)
    whole = plackett_luce(orders, items=range(5))
    last_is_free = plackett_luce(orders, items=range(5), top=4)
    np.testing.assert_allclose(whole.strength, last_is_free.strength, atol=1e-9)


def test_strengths_are_recovered_and_the_error_falls() -> None:
    rng = np.random.default_rng(6)
    truth = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    errors = []
    for lists in (50, 800):
        found = [
            np.log(
                plackett_luce(
                    [draw(rng, truth, 3) for _ in range(lists)], items=range(5), unlisted="below"
                ).strength
            )
            - np.log(truth)
            for _ in range(10)
        ]
        errors.append(np.sqrt(np.mean(np.square(found))))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.35)


def test_weights_are_repetitions_and_the_last_choice_of_one_says_nothing() -> None:
    twice = plackett_luce([*EXAMPLE, EXAMPLE[0]])
    weighted = plackett_luce(EXAMPLE, [2, 1, 1, 1])
    np.testing.assert_allclose(twice.strength, weighted.strength)
    with_single = plackett_luce([*EXAMPLE, "0"])
    np.testing.assert_allclose(with_single.strength, plackett_luce(EXAMPLE).strength)


def test_what_determines_nothing_is_refused_and_the_prior_helps() -> None:
    with pytest.raises(DataError, match=r"prior=0\.1"):
        plackett_luce(["abc", "abc"])
    found = plackett_luce(["abc", "abc"], prior=0.1)
    assert (np.diff(found.strength) < 0).all()
    assert plackett_luce(["a"]).strength.tolist() == [1.0]
    for rankings, parameters in (
        ([], {}),
        (["aa"], {}),
        (["ab"], {"weights": [-1.0]}),
        (["ab"], {"items": "a"}),
        (["ab"], {"items": "aab"}),
    ):
        with pytest.raises(DataError):
            plackett_luce(rankings, **parameters)
    for parameters in (
        {"top": 0},
        {"prior": -1.0},
        {"method": "magic"},
        {"unlisted": "above"},
        {"prior": 0.1, "method": "spectral"},
    ):
        with pytest.raises(ConfigurationError):
            plackett_luce(EXAMPLE, **parameters)
    with pytest.raises(DataError):
        plackett_luce_log_likelihood(EXAMPLE, [1.0, 1.0])
