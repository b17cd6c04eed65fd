"""A latency limit decides the cutoffs: with a clock that the stages move, all of it is exact."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline import Reranker, Retriever, parse_pipeline
from plackett.pipeline.budget import fit_to_latency
from plackett.pipeline.cutoffs import cutoffs_of, loads_of, with_cutoffs
from plackett.pipeline.query_writing import QueryWriter, WrittenQueries
from plackett.pipeline.stage_times import StageTimes, measure_stages, rising, time_queries

QUERIES = Queries.from_texts({f"q{i}": "text" for i in range(20)})


class Clock:
    """Time that passes when a stage says so."""

    def __init__(self) -> None:
        self.now, self.slowness = 0.0, 1.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += self.slowness * seconds


class Finds(Retriever):
    """`k` documents in `fixed + each * k` seconds; query number i takes i thousandths more."""

    def __init__(self, clock: Clock, fixed: float, each: float, name: str = "finds") -> None:
        self.clock, self.fixed, self.each, self.name = clock, fixed, each, name
        self.most = 10_000
        self.asked: list[int] = []

    def search(self, queries: Queries, k: int = 1000) -> Run:
        self.asked.append(k)
        for query in queries.ids:
            self.clock.work(self.fixed + self.each * k + 0.001 * int(query[1:]))
        found = {f"{self.name}{i:04}": -float(i) for i in range(min(k, self.most))}
        return Run.from_dict(dict.fromkeys(queries.ids, found))

    def __repr__(self) -> str:
        return self.name


class Reads(Reranker):
    """The same order, in `each` seconds a document."""

    def __init__(self, clock: Clock, each: float, name: str = "reads") -> None:
        self.clock, self.each, self.name = clock, each, name
        self.given: list[int] = []

    def rerank(self, run: Run) -> Run:
        self.given.append(len(run.document) // max(1, len(run)))
        self.clock.work(self.each * len(run.document))
        return run

    def __repr__(self) -> str:
        return self.name


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_pipeline_is_taken_apart_and_put_together(clock: Clock) -> None:
    a, b = Finds(clock, 0, 0, "a"), Finds(clock, 0, 0, "b")
    x, y = Reads(clock, 0, "x"), Reads(clock, 0, "y")
    for pipeline, wanted in (
        (a % 5, [("a", 5, True)]),
        (a >> x, []),
        (a % 9 >> x % 5 >> y % 2, [("a", 9, False), ("x", 5, False), ("y", 2, True)]),
        (a % 9 >> (x % 5 >> y), [("a", 9, False), ("x", 5, False)]),
        ((a % 9 | b % 8) >> x % 4, [("a", 9, False), ("b", 8, False), ("x", 4, True)]),
        (
            (a % 9 | b) % 7 >> (x >> y) % 3,
            [("a", 9, False), ("(a | b)", 7, False), ("x >> y", 3, True)],
        ),
    ):
        found = cutoffs_of(pipeline)
        if len(found) != 3 or found[1].stage != "(a % 9 | b)":
            assert [(cut.stage, cut.k, cut.is_output) for cut in found] == wanted
        ks = [cut.k for cut in found]
        assert repr(with_cutoffs(pipeline, ks)) == repr(pipeline)
        lower = with_cutoffs(pipeline, [k - 1 for k in ks])
        assert [cut.k for cut in cutoffs_of(lower)] == [k - 1 for k in ks]
        with pytest.raises(ConfigurationError, match="cutoffs for a pipeline that has"):
            with_cutoffs(pipeline, [1] * 7)


def test_loads_are_what_stages_are_given(clock: Clock) -> None:
    a, b = Finds(clock, 0, 0, "a"), Finds(clock, 0, 0, "b")
    x, y = Reads(clock, 0, "x"), Reads(clock, 0, "y")
    loads = loads_of(((a % 9 | b % 8) >> x % 4 >> y % 2), (9, 8, 4, 2))
    assert loads.stages == ("a", "b", "x", "y")
    assert loads.documents == (9, 8, 17, 4)
    assert loads.cuts == (True,) * 4
    assert loads_of(a >> x, ()).documents == (1000, 1000)
    assert loads_of((a % 9 >> x) % 20 >> y, (9, 20)).cuts == (True, False)
    assert loads_of((a % 9 | b % 8) % 5 >> x, (9, 8, 5)).documents == (9, 8, 5)
    pipeline = (a % 9 | b % 8) >> x % 4 >> y % 2
    pipeline.search(QUERIES)
    assert (a.asked, b.asked, x.given, y.given) == ([9], [8], [17], [4])


class Twice(QueryWriter):
    """Asks everything twice; says so, or not."""

    def __init__(self, most: int | None) -> None:
        self.most = most

    def write(self, queries: Queries) -> WrittenQueries:
        return WrittenQueries.of([[query, query + "0"] for query in queries.ids])

    def __repr__(self) -> str:
        return "Twice()"


@pytest.mark.parametrize("most", [2, None])
def test_written_queries_are_gone_through(most: int | None, clock: Clock) -> None:
    a, x = Finds(clock, 0, 0.001, "a"), Reads(clock, 0.001, "x")
    pipeline = (Twice(most) >> a % 40) >> x % 60 >> x % 3
    cuts = cutoffs_of(pipeline)
    assert [(cut.k, cut.is_output) for cut in cuts] == [(40, False), (60, False), (3, True)]
    assert repr(with_cutoffs(pipeline, [40, 60, 3])) == repr(pipeline)
    loads = loads_of(pipeline, [40, 60, 3])
    assert loads.documents == ((40, 80, 60) if most else (40, 40, 40))
    assert loads.cuts == (True, True, True)
    assert loads_of(pipeline, [20, 60, 3]).cuts == (True, most is None, True)
    assert loads_of((a % 9 >> x) % 5 % 4 >> x, (9, 5, 4)).documents == (9, 9, 4)


def test_stages_are_timed_at_every_load(clock: Clock) -> None:
    """Linear stages come back as the lines that they are."""
    a, x = Finds(clock, fixed=0.01, each=0.001), Reads(clock, each=0.002)
    seen: list[tuple[int, int]] = []
    times = measure_stages(
        a % 100 >> x % 5,
        [(100, 5), (50, 5), (20, 5)],
        QUERIES,
        repeats=2,
        clock=clock,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (120, 120)
    assert len(seen) == 120
    assert [stage.stage for stage in times] == ["finds", "reads", "the rest"]
    assert times[0].documents.tolist() == [20, 50, 100]
    for load in (20, 35, 100):
        for q in (0, 7):
            assert times[0].at([load])[0, q] == pytest.approx(0.01 + 0.001 * load + 0.001 * q)
            assert times[1].at([load])[0, q] == pytest.approx(0.002 * load)
    assert times[1].at([1000, 1])[:, 0].tolist() == pytest.approx([0.2, 0.04])  # no further
    assert times[2].seconds.max() == pytest.approx(0.0)
    whole = time_queries(a % 50 >> x, QUERIES, repeats=1, clock=clock)
    assert whole[3] == pytest.approx(0.01 + 0.05 + 0.003 + 0.1)


def test_times_never_fall_with_the_load(clock: Clock) -> None:
    class Odd(Finds):
        """The less it is asked for, the longer it takes."""

        def search(self, queries: Queries, k: int = 1000) -> Run:
            self.clock.work(1.0 / k)
            return super().search(queries, k)

    times = measure_stages(
        Odd(clock, 0, 0) % 9 >> Reads(clock, 0), [(9,), (3,)], QUERIES, repeats=1, clock=clock
    )
    assert times[0].seconds[:, 0].tolist() == pytest.approx([2 / 9] * 2)  # of 1/3 and 1/9


def test_the_limit_decides(clock: Clock) -> None:
    """t = 0.01 + 0.001 n + 0.001 q + 0.002 n <= 0.101 for 19 of 20 queries: n <= 24."""
    pipeline = Finds(clock, 0.01, 0.001) % 100 >> Reads(clock, 0.002) % 3
    budget = fit_to_latency(pipeline, QUERIES, seconds=0.101, clock=clock)
    assert budget.written == (100, 3)
    assert budget.cutoffs == (24, 3)  # 100, 70, 49, 34, 24
    assert repr(budget.pipeline) == "finds % 24 >> reads % 3"
    assert budget.predicted == pytest.approx(0.01 + 0.003 * 24 + 0.018)
    assert budget.measured == pytest.approx(budget.predicted)
    assert budget.trials[0].measured == budget.measured
    assert [len(found) for found in budget.pipeline.search(QUERIES).to_dict().values()] == [3] * 20
    exact = fit_to_latency(
        pipeline, QUERIES, seconds=0.101, percentile=100, step=0.9, repeats=1, clock=clock
    )
    assert exact.cutoffs[0] == 23  # the slowest query, and every number tried
    whole = fit_to_latency(pipeline, QUERIES, seconds=10, clock=clock)
    assert whole.cutoffs == whole.written


def test_effort_says_which_cutoffs_stay_large(clock: Clock) -> None:
    """n1 thousandths for the first stage and 10 n2 thousandths for the second."""
    pipeline = (
        Finds(clock, 0, 0.0) % 100 >> Reads(clock, 0.001, "x") % 100 >> Reads(clock, 0.01, "y") % 2
    )

    def chosen(effort: str) -> tuple[int, ...]:
        return fit_to_latency(
            pipeline,
            QUERIES,
            seconds=0.3,
            effort=effort,  # type: ignore[arg-type]
            step=0.5,
            clock=clock,
        ).cutoffs

    assert chosen("first") == (100, 12, 2)  # 100 + 120 + 18 <= 300; 25 would take 250 more
    assert chosen("last") == (25, 25, 2)  # 25 + 250 + 18; 50 of y alone take 500
    assert chosen("even") == (25, 25, 2)


def test_quality_decides_where_it_is_measured(clock: Clock) -> None:
    x, y = Reads(clock, 0.001, "x"), Reads(clock, 0.01, "y")
    pipeline = Finds(clock, 0, 0.0) % 100 >> x % 100 >> y % 2

    def deep_first(run: Run) -> float:
        return float(x.given[-1] >= 100) + 0.001 * y.given[-1]

    budget = fit_to_latency(
        pipeline, QUERIES, seconds=0.3, quality=deep_first, step=0.5, clock=clock
    )
    assert budget.cutoffs == (100, 12, 2)
    tried = {trial.cutoffs: trial.quality for trial in budget.trials}
    assert tried == {(100, 12, 2): pytest.approx(1.012), (25, 25, 2): pytest.approx(0.025)}
    assert budget.trials[0].cutoffs == budget.cutoffs
    one = fit_to_latency(
        pipeline, QUERIES, seconds=0.3, quality=deep_first, step=0.5, trials=1, clock=clock
    )
    assert len(one.trials) == 1
    # Of equals the faster.
    equal = fit_to_latency(
        pipeline, QUERIES, seconds=0.3, quality=lambda run: 1.0, step=0.5, clock=clock
    )
    assert (
        equal.cutoffs
        == min((trial for trial in equal.trials), key=lambda trial: trial.predicted).cutoffs
    )
    with pytest.raises(DataError, match="a quality of nan"):
        fit_to_latency(
            pipeline, QUERIES, seconds=0.3, quality=lambda run: float("nan"), clock=clock
        )


def test_a_union_has_a_cutoff_for_each_side(clock: Clock) -> None:
    a, b = Finds(clock, 0, 0.001, "a"), Finds(clock, 0, 0.003, "b")
    x = Reads(clock, 0.001)
    pipeline = (a % 64 | b % 64) >> x % 4
    budget = fit_to_latency(
        pipeline, QUERIES, seconds=0.2, percentile=5, effort="first", step=0.5, clock=clock
    )
    # n1 + 3 n2 + n1 + n2 thousandths for the fastest query.
    assert budget.cutoffs == (64, 16, 4)
    assert budget.predicted == pytest.approx(0.192)
    assert budget.measured == pytest.approx(0.192)


def test_a_whole_that_is_slower_than_its_parts_is_lowered(clock: Clock) -> None:
    """The machine gets busy after the stages were timed."""

    class Busy(Reads):
        def rerank(self, run: Run) -> Run:
            self.clock.slowness = 1.0 if len(self.given) < before else 2.0
            return super().rerank(run)

    before = 10**9
    pipeline = Finds(clock, 0, 0.0) % 100 >> Busy(clock, 0.01) % 1
    calm = fit_to_latency(pipeline, QUERIES, seconds=0.6, repeats=1, step=0.5, clock=clock)
    assert calm.cutoffs == (50, 1)
    busy_stage = Busy(clock, 0.01)
    pipeline = Finds(clock, 0, 0.0) % 100 >> busy_stage % 1
    before = 1 + 8 * len(QUERIES)
    busy = fit_to_latency(pipeline, QUERIES, seconds=0.6, repeats=1, step=0.5, clock=clock)
    assert busy.cutoffs[0] < 50
    assert busy.measured <= 0.6
    assert busy.trials[0].cutoffs == busy.cutoffs
    assert busy.trials[1].measured > 0.6  # type: ignore[operator]


def test_what_cannot_be_done_is_told(clock: Clock) -> None:
    slow = Finds(clock, 0.5, 0.0) % 100 >> Reads(clock, 0.001) % 3
    with pytest.raises(ConfigurationError, match=r"within 100 ms: the lowest, 3 3, take 521.0 ms"):
        fit_to_latency(slow, QUERIES, seconds=0.1, clock=clock)
    with pytest.raises(ConfigurationError, match=r"518.0 ms of them finds"):
        fit_to_latency(slow, QUERIES, seconds=0.1, clock=clock)

    class Worse(Reads):
        """Slower each time that it is asked."""

        def rerank(self, run: Run) -> Run:
            self.clock.work(0.0001 * len(self.given) ** 2)
            return super().rerank(run)

    with pytest.raises(ConfigurationError, match="no cutoffs keep"):
        fit_to_latency(Finds(clock, 0, 0) % 9 >> Worse(clock, 0), QUERIES, seconds=0.5, clock=clock)
    for pipeline in (
        Finds(clock, 0, 0) % 5,
        Finds(clock, 0, 0) >> Reads(clock, 0) % 5,
        Finds(clock, 0, 0) % 5 >> Reads(clock, 0) % 5,
    ):
        with pytest.raises(ConfigurationError, match="no cutoff to lower"):
            fit_to_latency(pipeline, QUERIES, seconds=1, clock=clock)
    for name, value in (
        ("seconds", 0),
        ("seconds", float("inf")),
        ("percentile", 0),
        ("percentile", 101),
        ("step", 1.0),
        ("repeats", 0),
        ("trials", 0),
        ("effort", "middle"),
    ):
        arguments = {"seconds": 1.0, name: value}
        with pytest.raises(ConfigurationError, match=f"{name}={value!r}"):
            fit_to_latency(slow, QUERIES, clock=clock, **arguments)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no queries"):
        fit_to_latency(slow, Queries.from_texts({}), seconds=1, clock=clock)


def test_the_table_says_what_was_measured(clock: Clock) -> None:
    pipeline = Finds(clock, 0.01, 0.001) % 100 >> Reads(clock, 0.002, "r" * 70) % 3
    budget = fit_to_latency(pipeline, QUERIES, seconds=0.101, clock=clock, least=20)
    text = str(budget)
    assert "p95 over 20 queries: 100.0 ms measured, 100.0 ms predicted, 101.0 ms allowed" in text
    assert "documents     median        p95  stage" in text
    assert "      100   119.5 ms   128.0 ms  finds" in text
    assert "r" * 57 + "..." in text
    assert {row.documents for row in budget.stages if row.stage == "finds"} == {
        20, 24, 34, 49, 70, 100,
    }  # fmt: skip
    plain = budget.to_dict()
    assert plain["pipeline"] == repr(budget.pipeline)
    assert plain["trials"][0]["cutoffs"] == [24, 3]
    assert len(plain["stages"]) == len(budget.stages)


def test_the_pipeline_that_comes_back_is_a_description(clock: Clock) -> None:
    names = {"finds": Finds(clock, 0, 0.001), "reads": Reads(clock, 0.002)}
    pipeline = parse_pipeline("finds % 100 >> reads % 3", names)
    assert isinstance(pipeline, Retriever)
    budget = fit_to_latency(pipeline, QUERIES, seconds=0.1, clock=clock)
    assert repr(parse_pipeline(repr(budget.pipeline), names)) == repr(budget.pipeline)


def test_many_cutoffs_are_tried_more_coarsely(clock: Clock) -> None:
    pipeline: Retriever = Finds(clock, 0, 0.0001) % 1000
    for name in "uvwx":
        pipeline = pipeline >> Reads(clock, 0.0001, name) % 1000
    budget = fit_to_latency(
        pipeline >> Reads(clock, 0.0001) % 1, QUERIES, seconds=0.1, repeats=1, clock=clock
    )
    assert budget.measured <= 0.1
    assert len(budget.cutoffs) == 6


@settings(max_examples=12)
@given(st.floats(0.02, 1.0), st.floats(0.3, 0.7), st.sampled_from(["even", "first", "last"]))
def test_what_is_chosen_keeps_to_the_limit(seconds: float, step: float, effort: str) -> None:
    clock = Clock()
    pipeline = (
        Finds(clock, 0, 0.0005) % 200
        >> Reads(clock, 0.001, "x") % 50
        >> Reads(clock, 0.005, "y") % 1
    )
    queries = Queries.from_texts({"q0": "", "q1": ""})
    budget = fit_to_latency(
        pipeline,
        queries,
        seconds=seconds,
        step=step,
        effort=effort,  # type: ignore[arg-type]
        repeats=1,
        clock=clock,
    )
    assert budget.measured <= seconds
    first, second, last = budget.cutoffs
    assert first >= second >= last == 1
    assert budget.predicted == pytest.approx(budget.measured)


def test_real_time(clock: Clock) -> None:
    """With the machine's own clock: sleeping takes as long as it says, and more."""

    class Sleeps(Reads):
        def rerank(self, run: Run) -> Run:
            time.sleep(0.002 * len(run.document))
            return run

    few = QUERIES.select(["q0", "q1"])
    budget = fit_to_latency(
        Finds(clock, 0, 0) % 16 >> Sleeps(clock, 0) % 1,
        few,
        seconds=0.025,
        step=0.5,
        repeats=1,
    )
    assert budget.cutoffs[0] <= 8
    assert budget.measured <= 0.025


def test_between_loads_is_a_line() -> None:
    loads, seconds = np.array([10, 20]), np.array([[1.0], [3.0]])
    times = StageTimes("a", loads, seconds)
    assert times.at([10, 12, 20, 99]).ravel().tolist() == pytest.approx([1.0, 1.4, 3.0, 3.0])
    alone = StageTimes("a", loads[:1], seconds[:1])
    assert alone.at([1, 10, 50]).ravel().tolist() == [1.0, 1.0, 1.0]


@given(st.lists(st.lists(st.floats(0, 10), min_size=2, max_size=2), min_size=1, max_size=9))
def test_levelled_times_are_the_isotonic_fit(rows: list[list[float]]) -> None:
    """By scipy, column by column; what rises already stays as it is."""
    from scipy.optimize import isotonic_regression

    values = np.array(rows)
    found = rising(values)
    for column in range(2):
        wanted = isotonic_regression(values[:, column]).x
        np.testing.assert_allclose(found[:, column], wanted, atol=1e-12)
    np.testing.assert_allclose(rising(np.sort(values, axis=0)), np.sort(values, axis=0), atol=1e-12)
