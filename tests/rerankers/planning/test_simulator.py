"""The simulator: counts by formula, seconds computed, quality that falls with errors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import Generate
from plackett.llm.templates import prompt_template
from plackett.metrics import evaluate
from plackett.rerankers.criteria.rebel import Rebel
from plackett.rerankers.planning.simulated_time import Latency, finishing_times
from plackett.rerankers.planning.simulator import (
    FIRST_STAGE,
    Simulation,
    SimulationRow,
    simulate,
)
from plackett.rerankers.pointwise.graded import ERank
from plackett.rerankers.pointwise.yes_no import YesNo
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe
from plackett.rerankers.strategy import Asking, Steps, StrategyReranker


class OneByOne(StrategyReranker):
    """Asks about one document after the other: as many rounds as calls; asks each twice."""

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        template = prompt_template("e-rank")
        for name, text in zip(candidates.ids, candidates.texts, strict=True):
            prompt = template.render(query, [text], ids=[name], values={"relevance": ""})
            yield [Generate(prompt), Generate(prompt)]
        return Ordering(tuple(reversed(range(len(candidates)))))

    def __repr__(self) -> str:
        return describe(self)


N = 12
QUERIES = {"q1": "red wine", "q2": "white bread"}
GRADES = {q: {f"d{i}": (i * 7 + k) % 4 for i in range(N)} for k, q in enumerate(QUERIES)}
QRELS = Qrels.from_dict(GRADES)
RUN = Run.from_dict({q: {f"d{i}": float(N - i) for i in range(N)} for q in QUERIES}).replace(
    queries=Queries.from_texts(QUERIES),
    corpus=Corpus.from_texts({f"d{i}": f"a text, number {i}" for i in range(N)}),
)
NOWHERE = "Oracle({})"


def rows(simulation: Simulation, name: str) -> list[SimulationRow]:
    return [row for row in simulation.rows if row.strategy == name]


def test_without_errors_the_order_is_perfect_and_the_calls_those_of_the_formula() -> None:
    strategies = {"yes-no": YesNo(NOWHERE), "e-rank": ERank(NOWHERE), "rebel": Rebel(NOWHERE)}
    simulation = simulate(strategies, RUN, QRELS, noise=(0.0,), concurrency=4)
    plain = evaluate(RUN, QRELS, "nDCG@10").mean["nDCG@10"]
    assert [row.strategy for row in simulation.rows] == [FIRST_STAGE, *strategies]
    assert simulation.rows[0].quality == plain
    assert simulation.rows[0].calls == 0
    for name, calls in (("yes-no", N), ("e-rank", N), ("rebel", math.ceil(N / 10))):
        (row,) = rows(simulation, name)
        assert row.quality == pytest.approx(1.0)
        assert (row.calls, row.rounds, row.unusable) == (calls, 1, 0)
        assert row.seconds == pytest.approx(0.1 * math.ceil(calls / 4))
        assert row.run_seconds == pytest.approx(0.1 * math.ceil(2 * calls / 4))
        assert row.input_tokens > 0
        assert row.tokens == row.input_tokens + row.output_tokens


def test_counts_are_those_of_a_real_run() -> None:
    relevance = {
        QUERIES[q]: {d: float(g) for d, g in grades.items()} for q, grades in GRADES.items()
    }
    cost = ERank(Oracle(relevance)).rerank(RUN).costs[-1]
    (row,) = rows(simulate({"e-rank": ERank(NOWHERE)}, RUN, QRELS, noise=(0.0,)), "e-rank")
    assert (row.calls * 2, row.tokens * 2) == (cost.calls, cost.tokens)


def test_rounds_wait_for_each_other_whatever_the_concurrency() -> None:
    latency = Latency(call=0.25)
    for concurrency in (1, 100):
        simulation = simulate(
            {"slow": OneByOne(NOWHERE)},
            RUN,
            QRELS,
            noise=(0.0,),
            latency=latency,
            concurrency=concurrency,
        )
        (row,) = rows(simulation, "slow")
        assert (row.calls, row.rounds) == (N, N)  # what is asked twice at once is one call
        assert row.seconds == pytest.approx(0.25 * N)
        assert row.run_seconds == pytest.approx(0.25 * N * (2 if concurrency == 1 else 1))


def test_quality_falls_with_noise_and_malformed_answers_are_counted() -> None:
    simulation = simulate(
        [YesNo(NOWHERE)],
        RUN,
        QRELS,
        noise=(0.0, 0.2, 0.5),
        malformed=(0.0, 1.0),
        seeds=range(4),
    )
    mine = rows(simulation, repr(YesNo(NOWHERE)))
    sound = [row for row in mine if row.malformed == 0]
    assert [row.noise for row in sound] == [0.0, 0.2, 0.5]
    assert sound[0].quality > sound[1].quality > sound[2].quality
    assert sound[0].deviation == 0 < sound[1].deviation
    plain = simulation.rows[0].quality
    for row in mine:
        if row.malformed == 1.0:
            assert row.unusable == 1.0
            assert row.quality == plain


def test_the_same_seeds_give_the_same_simulation() -> None:
    again = [
        simulate({"a": ERank(NOWHERE)}, RUN, QRELS, noise=(0.2,), seeds=(3, 4), concurrency=c)
        for c in (8, 8)
    ]
    assert again[0] == again[1]


def test_depths_leave_the_rest_below() -> None:
    simulation = simulate(
        {"a": YesNo(NOWHERE)}, RUN, QRELS, noise=(0.0,), depths=(1, 5, None), measure="nDCG@12"
    )
    one, five, everything = rows(simulation, "a")
    assert (one.calls, five.calls, everything.calls) == (0, 5, N)
    assert one.quality == simulation.rows[0].quality
    assert one.quality < five.quality < everything.quality == pytest.approx(1.0)
    assert one.depth == 1


def test_a_strategy_that_drops_may() -> None:
    dropping = Rebel(NOWHERE, drop=True, threshold=9.0)
    simulation = simulate(
        {"rebel": dropping}, RUN, QRELS, noise=(0.0,), depths=(6, None), measure="P@3"
    )
    assert all(row.quality <= 1.0 for row in simulation.rows)


def test_pareto_front_of_each_level_of_errors() -> None:
    def row(name: str, quality: float, calls: float, noise: float = 0.0) -> SimulationRow:
        return SimulationRow(name, None, noise, 0, 0, quality, 0, calls, 1, 1, 1, calls, 1, 0)

    table = (
        row("none", 0.5, 0), row("cheap", 0.6, 10), row("worse", 0.55, 20), row("twin", 0.6, 10),
        row("best", 0.9, 100), row("dear", 0.9, 200), row("noisy", 0.1, 500, noise=0.2),
    )  # fmt: skip
    front = Simulation("nDCG@10", 1, 1, 16, table).pareto()
    assert [row.strategy for row in front] == ["none", "cheap", "best", "noisy"]
    by_seconds = Simulation("nDCG@10", 1, 1, 16, table).pareto("seconds")
    assert [row.strategy for row in by_seconds] == ["none", "cheap", "best", "noisy"]
    with pytest.raises(ConfigurationError):
        Simulation("nDCG@10", 1, 1, 16, table).pareto("fame")


def test_table_and_json() -> None:
    seen: list[str] = []
    simulation = simulate(
        {"yes-no": YesNo(NOWHERE)},
        RUN,
        QRELS,
        noise=(0.0, 0.1),
        watcher=lambda row: seen.append(row.strategy),
    )
    assert seen == ["yes-no"] * 2
    lines = simulation.table().splitlines()
    assert len(lines) == 1 + len(simulation.rows)
    assert lines[0].split()[:6] == ["strategy", "depth", "noise", "bias", "malformed", "nDCG@10"]
    assert len({len(line) for line in lines}) == 1
    assert Simulation.from_json(simulation.to_json()) == simulation
    for text in ("", "[]", "{}", '{"rows": [{}]}'):
        with pytest.raises(DataError, match="no simulation"):
            Simulation.from_json(text)


def test_what_cannot_be_simulated_is_refused() -> None:
    for strategies, parameters in (
        ({}, {}),
        ({"a": YesNo(NOWHERE)}, {"seeds": ()}),
        ({"a": YesNo(NOWHERE)}, {"depths": (0,)}),
        ([YesNo(NOWHERE), YesNo(NOWHERE)], {}),
    ):
        with pytest.raises(ConfigurationError):
            simulate(strategies, RUN, QRELS, **parameters)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="queries"):
        simulate([YesNo(NOWHERE)], Run.from_dict({"q": {"a": 1.0}}), QRELS)
    with pytest.raises(ConfigurationError):
        Latency(call=-1.0)
    with pytest.raises(ConfigurationError):
        finishing_times([], 0)


# --- time

rounds = st.lists(st.lists(st.integers(0, 5), max_size=5), max_size=4)


@given(st.lists(rounds, max_size=4), st.integers(1, 6))
def test_no_schedule_beats_its_bounds(queries: list[list[list[int]]], slots: int) -> None:
    seconds = [[[float(call) for call in part] for part in query] for query in queries]
    done = finishing_times(seconds, slots)
    work = sum(call for query in seconds for part in query for call in part)
    for query, end in zip(seconds, done, strict=True):
        critical = sum(max(part, default=0.0) for part in query)
        assert critical <= end <= work
        (alone,) = finishing_times([query], slots)
        assert alone <= sum(sum(part) for part in query)
        # Greedy scheduling of a round: Graham's bound.
        graham = sum(sum(p) / slots + (1 - 1 / slots) * max(p, default=0.0) for p in query)
        assert alone <= graham + 1e-9
    assert max(done, default=0.0) >= work / slots


@given(rounds)
def test_one_slot_is_one_after_the_other(query: list[list[int]]) -> None:
    total = float(sum(sum(part) for part in query))
    assert finishing_times([query], 1) == [total]


def test_latency_by_tokens() -> None:
    latency = Latency(call=1.0, input_token=0.001, output_token=0.01)
    assert latency.of(input_tokens=1000, output_tokens=50) == pytest.approx(2.5)


@pytest.mark.shared_data
def test_on_real_judgments(shared_data: Path) -> None:
    """On DL19's judgments noise costs what it should, and plain BM25 is what it is."""
    folder = shared_data / "dl19"
    qrels_file = next(folder.glob("*qrels*"))
    qrels = Qrels.read(qrels_file)
    judged = qrels.to_dict()
    names = list(judged)[:5]
    lists = {
        q: {d: float(len(judged[q]) - i) for i, d in enumerate(sorted(judged[q])[:40])}
        for q in names
    }
    run = Run.from_dict(lists)
    corpus = Corpus.from_texts({d: f"passage {d}" for d in run.document_ids})
    run = run.replace(queries=Queries.from_texts({q: f"query {q}" for q in names}), corpus=corpus)
    simulation = simulate({"e-rank": ERank(NOWHERE)}, run, qrels, noise=(0.0, 0.3), seeds=(0, 1))
    first, sound, _, noisy = simulation.rows
    assert first.quality < noisy.quality < sound.quality
    assert np.isfinite([sound.seconds, noisy.seconds]).all()
