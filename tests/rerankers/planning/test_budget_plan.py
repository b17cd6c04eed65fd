"""Plans: the best that a budget pays for, the first stage where it pays for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.rerankers.planning.budget_plan import Limits, plan
from plackett.rerankers.planning.simulator import FIRST_STAGE, Simulation, SimulationRow
from plackett.transport.budget import Prices


def row(
    name: str, quality: float, calls: float, *, seconds: float = 1.0, noise: float = 0.0
) -> SimulationRow:
    return SimulationRow(
        name, None, noise, 0.0, 0.0, quality, 0.0, calls, 100 * calls, 10 * calls, 1, seconds, 1, 0
    )


SIMULATION = Simulation(
    "nDCG@10",
    10,
    1,
    16,
    (
        SimulationRow(FIRST_STAGE, None, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0),
        row("cheap", 0.7, 9, seconds=4.0),
        row("dear", 0.9, 100, seconds=0.5),
        row("twin", 0.9, 120),
    ),
)


@pytest.mark.parametrize(
    ("budget", "chosen"),
    [
        ("1000 calls", "dear"), ("999calls", "cheap"), ("89 calls", FIRST_STAGE),
        ("1e5tokens, 2s", FIRST_STAGE), ("1e5 tokens", "cheap"), ("2 s", "dear"),
        ("0.01 money", "cheap"), ("0calls", FIRST_STAGE),
    ],
)  # fmt: skip
def test_the_best_that_fits(budget: str, chosen: str) -> None:
    best = plan(budget, SIMULATION, queries=10, prices=Prices(input=1.0, output=1.0))
    assert best.strategy == chosen


def test_what_was_better_is_said() -> None:
    best = plan("95calls", SIMULATION, queries=10)
    assert best.rejected == (("dear", None), ("twin", None))
    assert best.calls == 9
    assert best.tokens == 990


def test_money_of_calls_and_tokens() -> None:
    prices = Prices(input=1.0, output=2.0, call=0.5)
    best = plan("1e9calls", SIMULATION, prices=prices)
    assert best.money == pytest.approx(100 * 0.5 + (10_000 * 1.0 + 1_000 * 2.0) / 1e6)


def test_quality_is_the_mean_and_cost_the_worst_over_errors() -> None:
    rows = (row("a", 0.8, 10), row("a", 0.6, 30, noise=0.2), row("b", 0.65, 5))
    simulation = Simulation("nDCG@10", 10, 1, 16, rows)
    best = plan(Limits(), simulation)
    assert (best.strategy, best.quality, best.calls) == ("a", pytest.approx(0.7), 30)
    assert plan("20calls", simulation).strategy == "b"
    assert plan("20calls", simulation, noise=0.0).strategy == "a"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 50)), min_size=1, max_size=8),
    st.integers(0, 50),
)
def test_plans_keep_to_the_budget_and_none_better_does(
    offers: list[tuple[float, int]], calls: int
) -> None:
    rows = [row(str(i), quality, cost) for i, (quality, cost) in enumerate(offers)]
    rows.append(SimulationRow(FIRST_STAGE, None, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0))
    best = plan(Limits(calls=calls), Simulation("nDCG@10", 1, 1, 1, tuple(rows)))
    assert best.calls <= calls
    assert best.quality == max(r.quality for r in rows if r.calls <= calls)


@pytest.mark.parametrize("text", ["", "many", "5", "5 apples", "5calls 6calls", "5calls of it"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="200calls"):
        plan(text, SIMULATION)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="queries"):
        plan("5calls", SIMULATION, queries=0)
    with pytest.raises(ConfigurationError, match="prices"):
        plan("5money", SIMULATION)
    with pytest.raises(ConfigurationError, match="not simulated"):
        plan("5calls", SIMULATION, noise=0.4)
    with pytest.raises(ConfigurationError, match="no strategy"):
        plan("5calls", Simulation("nDCG@10", 1, 1, 1, (row("a", 0.5, 10),)))
