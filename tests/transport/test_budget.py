"""What may be spent, and what will be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.transport.budget import Budget, BudgetExceededError, Estimate, Prices

counts = st.integers(0, 1000)


@given(counts, counts, counts, st.floats(0, 100), st.floats(0, 100), st.floats(0, 1))
def test_money_is_linear(calls, sent, received, a, b, c):
    prices = Prices(input=a, output=b, call=c)
    whole = prices.of(calls=calls, input_tokens=sent, output_tokens=received)
    assert whole == pytest.approx(calls * c + (sent * a + received * b) / 1e6)
    assert Estimate(calls, sent, received).money(prices) == whole


@given(st.lists(st.tuples(counts, counts, counts, counts), max_size=30), counts, counts)
def test_reservations_never_go_beyond_a_limit(calls, most_calls, most_tokens):
    budget = Budget(calls=most_calls // 100, tokens=most_tokens)
    spent = made = 0
    for expected_in, expected_out, used_in, used_out in calls:
        used_in, used_out = min(used_in, expected_in), min(used_out, expected_out)
        try:
            budget.reserve(input_tokens=expected_in, output_tokens=expected_out)
        except BudgetExceededError:
            over = spent + expected_in + expected_out > most_tokens
            assert over or made + 1 > most_calls // 100
            continue
        assert budget.spent_tokens <= most_tokens
        budget.settle(expected_in, expected_out, input_tokens=used_in, output_tokens=used_out)
        spent, made = spent + used_in + used_out, made + 1
        assert (budget.spent_tokens, budget.spent_calls) == (spent, made)


def test_a_call_that_failed_is_given_back():
    budget = Budget(calls=1)
    budget.reserve(input_tokens=10, output_tokens=10)
    budget.settle(10, 10, input_tokens=0, output_tokens=0, calls=0)
    assert (budget.spent_calls, budget.spent_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("budget", "estimate", "said"),
    [
        (Budget(calls=9), Estimate(10), "leaves 9 of 9 calls"),
        (Budget(tokens=99), Estimate(1, 50, 50), "leaves 99 of 99 tokens"),
        (Budget(money=0.001, prices=Prices(input=1.0)), Estimate(1, 2000), "in money"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_before_it_starts(budget, estimate, said):
    with pytest.raises(BudgetExceededError, match=said):
        budget.require(estimate)
    assert budget.spent_calls == budget.spent_tokens == 0


def test_what_fits_is_not_refused():
    Budget().require(Estimate(10**9, 10**12, 10**12))
    Budget(calls=10, tokens=100, money=1.0, prices=Prices(call=0.1)).require(Estimate(10, 60, 40))


@pytest.mark.parametrize(
    "parameters",
    [{"calls": -1}, {"tokens": float("nan")}, {"tokens": float("inf")}, {"money": 1.0},
     {"money": -1.0, "prices": Prices()}],
    ids=str,
)  # fmt: skip
def test_limits_are_numbers(parameters):
    with pytest.raises(ConfigurationError):
        Budget(**parameters)


@pytest.mark.parametrize("price", [-1.0, float("nan"), float("inf")])
def test_prices_are_numbers(price):
    for name in ("input", "output", "call"):
        with pytest.raises(ConfigurationError, match=name):
            Prices(**{name: price})
