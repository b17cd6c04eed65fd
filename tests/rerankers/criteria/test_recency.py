"""Recency: the curve by hand, relevance by samples, and nothing from after the cutoff."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import Answer, Failure, Generate, Generation, Request
from plackett.rerankers.criteria.recency import AutoCast, seconds_of
from plackett.rerankers.criteria.recency_curve import RecencyCurve, half_life_weight
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.registry import parse
from plackett.rerankers.strategy import Asking

CUTOFF = "2024-06-01"


class Bins(LanguageModel):
    """Answers the s-th sample about a document by the s-th of its answers."""

    powers = frozenset({"generate"})
    context = 10_000
    concurrency = 8

    def __init__(self, answers: dict[str, list[str | Failure]]) -> None:
        self.answers = answers
        self.asked: list[Generate] = []

    @property
    def identity(self) -> str:
        return "Bins"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        found: list[Answer] = []
        for request in requests:
            assert isinstance(request, Generate)
            assert request.prompt.shown is not None
            self.asked.append(request)
            given = self.answers[request.prompt.shown.documents[0]]
            answer = given[request.seed % len(given)]
            found.append(answer if isinstance(answer, Failure) else Generation(answer))
        return found

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Bins()"


def named(*names: str) -> dict[str, str]:
    return {name: f"article {name}" for name in names}


# --- the curve


@given(st.floats(-1, 1), st.floats(0.01, 2))
def test_the_gradient_of_a_line_is_its_slope(start: float, slope: float) -> None:
    curve = RecencyCurve.fit([([0.0, 1.0], [start, start + slope])])
    assert len(curve.slopes) == 109
    np.testing.assert_allclose(curve.slopes, slope, rtol=1e-6)
    assert curve.weight(0.3) == pytest.approx(1.0)


def test_falling_accuracy_is_worth_nothing_not_less() -> None:
    curve = RecencyCurve.fit([([0.0, 0.5, 1.0], [0.4, 0.9, 0.1])])
    assert curve.weight(0.25) == pytest.approx(1.0)
    assert curve.weight(0.75) == 0.0
    assert min(curve.slopes) == 0.0


def test_a_constant_crowd_weighs_all_times_alike() -> None:
    curve = RecencyCurve.fit([([0.0, 1.0], [0.7, 0.7]), ([0.3], [0.5])])
    assert [curve.weight(time) for time in (-1.0, 0.0, 0.4, 2.0)] == [1.0] * 4


def test_questions_are_averaged_and_the_ends_continue_the_span() -> None:
    early = ([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
    late = ([0.0, 0.5, 1.0], [0.0, 0.0, 0.5])
    curve = RecencyCurve.fit([early, late])
    assert curve.slope(0.25) == pytest.approx(1.0)
    assert curve.slope(0.75) == pytest.approx(0.5)
    # A jump inside the first 5 % is no part of the curve.
    jump = RecencyCurve.fit([([0.0, 0.02, 1.0], [0.0, 0.9, 1.0])])
    assert jump.slope(0.0) == pytest.approx(jump.slope(0.06))
    assert jump.slope(5.0) == jump.slope(1.0)


def test_curves_refuse_what_is_none() -> None:
    for histories in ([], [([], [])], [([0.0, 1.0], [1.0])], [([1.0, 0.0], [0.0, 1.0])]):
        with pytest.raises(DataError):
            RecencyCurve.fit(histories)
    with pytest.raises(DataError):
        RecencyCurve.fit([([0.0, math.nan], [0.0, 1.0])])
    for parameters in ({"points": 1}, {"span": (0.9, 0.1)}, {"points": 2, "span": (0.1, 0.9)}):
        with pytest.raises(ConfigurationError):
            RecencyCurve.fit([([0.0], [1.0])], **parameters)  # type: ignore[arg-type]
    for slopes in ((), (-1.0,), (math.nan,)):
        with pytest.raises(ConfigurationError):
            RecencyCurve(slopes)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(1, 1e3))
def test_half_life_multiplies(age: float, more: float, half_life: float) -> None:
    both = half_life_weight(age + more, half_life)
    assert both == pytest.approx(
        half_life_weight(age, half_life) * half_life_weight(more, half_life)
    )
    assert half_life_weight(-age, half_life) == 1.0
    with pytest.raises(ConfigurationError):
        half_life_weight(age, 0.0)


# --- dates


def test_dates_of_all_kinds() -> None:
    day = seconds_of("2024-05-31")
    assert day == seconds_of(date(2024, 5, 31)) == seconds_of(datetime(2024, 5, 31))
    assert day == seconds_of(datetime(2024, 5, 31, tzinfo=timezone.utc)) == seconds_of(day)
    assert seconds_of("2024-05-31T00:00:00Z") == day
    for wrong in ("yesterday", "", None, True, math.nan, math.inf, b"2024"):
        with pytest.raises(DataError, match="ISO 8601"):
            seconds_of(wrong)


days = st.integers(-400, 400)


@settings(max_examples=100)
@given(st.lists(days, min_size=1, max_size=8), st.integers(0, 3), st.booleans())
def test_nothing_after_the_cutoff_is_kept_or_asked_about(
    ages: list[int], seed: int, with_curve: bool
) -> None:
    cutoff = date.fromisoformat(CUTOFF)
    dates = {f"d{i}": (cutoff - timedelta(days=age)).isoformat() for i, age in enumerate(ages)}
    model = Bins({name: ["3", "x", "1"] for name in dates})
    curve = (0.0, 1.0, 0.5) if with_curve else None
    reranker = AutoCast(
        model, dates=dates, cutoff=CUTOFF, start="2023-06-01", curve=curve, seed=seed
    )
    ranked = reranker.rank("Who wins?", named(*dates))
    allowed = {name for name, when in dates.items() if when <= CUTOFF}
    assert set(ranked.ids) == allowed
    shown = {request.prompt.shown.documents[0] for request in model.asked}  # type: ignore[union-attr]
    assert shown == allowed
    assert ranked.calls == 3 * len(allowed)


def test_an_hour_after_the_cutoff_is_after_it() -> None:
    dates = {"a": "2024-06-01T00:00:00Z", "b": "2024-06-01T01:00:00+00:00"}
    model = Bins({"a": ["1"], "b": ["4"]})
    ranked = AutoCast(model, dates=dates, cutoff=CUTOFF).rank("Who?", named("a", "b"))
    assert ranked.ids == ["a"]


def test_nothing_left_is_no_call() -> None:
    reranker = AutoCast(Oracle({}), dates={"a": "2025-01-01"}, cutoff=CUTOFF)
    ranked = reranker.rank("Who?", named("a"))
    assert (ranked.ids, ranked.calls) == ([], 0)


# --- scores


def test_score_is_mean_bin_times_recency() -> None:
    model = Bins({"a": ["4", "2", "3"], "b": ["4", "4", "4"]})
    dates = {"a": "2024-05-02", "b": "2024-04-02"}  # 30 and 60 days old
    reranker = AutoCast(model, dates=dates, cutoff=CUTOFF, half_life=30.0)
    ranked = reranker.rank("Who?", named("b", "a"))
    assert {d.id: d.score for d in ranked} == pytest.approx({"a": 0.75 / 2, "b": 1.0 / 4})
    assert ranked.ids == ["a", "b"]
    assert ranked.score_kind == "grade"
    assert ranked.calls == 6
    assert {request.seed for request in model.asked} == {0, 1, 2}
    assert all(request.temperature > 0 for request in model.asked)


def test_bad_samples_are_left_out_of_the_mean() -> None:
    model = Bins({"a": ["4", "no number", Failure("x")], "b": ["4", "1", "1"], "c": [""] * 3})
    dates = dict.fromkeys("abc", CUTOFF)
    ranked = AutoCast(model, dates=dates, cutoff=CUTOFF).rank("Who?", named("c", "b", "a"))
    assert ranked.ids == ["a", "b", "c"]  # c has no score, and is kept
    assert ranked[0].score == 1.0
    assert ranked[1].score == pytest.approx(0.5)
    assert math.isnan(ranked[2].score)
    assert ranked.answers == {"ok": 4, "wrong_format": 1, "missing": 4}


def test_constant_crowd_accuracy_orders_by_relevance() -> None:
    curve = RecencyCurve.fit([([0.0, 1.0], [0.6, 0.6])]).slopes
    dates = {"a": "2024-01-01", "b": "2024-05-30", "c": "2024-03-01"}
    model = Bins({"a": ["4"], "b": ["1"], "c": ["2"]})
    ranked = AutoCast(
        model, dates=dates, cutoff=CUTOFF, start="2024-01-01", curve=curve, samples=1
    ).rank("Who?", named("a", "b", "c"))
    assert ranked.ids == ["a", "c", "b"]
    assert ranked.scores.tolist() == [1.0, 0.5, 0.25]


def test_the_curve_is_over_the_life_of_the_question() -> None:
    # Worth much in the second half of the life only.
    model = Bins({name: ["4"] for name in ("early", "late", "before")})
    dates = {"before": "2020-01-01", "early": "2024-01-05", "late": "2024-05-30"}
    ranked = AutoCast(
        model,
        dates=dates,
        cutoff={"Who?": CUTOFF},
        start={"Who?": "2024-01-01"},
        curve=(0.0, 0.0, 1.0),
        samples=1,
    ).rank("Who?", named("before", "early", "late"))
    assert ranked.ids[0] == "late"
    assert ranked.scores.tolist()[1:] == [0.0, 0.0]


def test_cutoffs_by_query_id_or_text() -> None:
    dates = {"a": "2024-05-01", "b": "2024-07-01"}
    model = Bins({"a": ["1"], "b": ["4"]})
    reranker = AutoCast(model, dates=dates, cutoff={"q1": "2024-08-01", "Who?": CUTOFF})
    texts = named("a", "b")
    by_id = Candidates(tuple(texts), tuple(texts.values()), query_id="q1")
    assert reranker.rank("Who?", by_id).ids == ["b", "a"]
    assert reranker.rank("Who?", texts).ids == ["a"]
    with pytest.raises(DataError, match="without a cutoff"):
        reranker.rank("Which?", texts)


def test_undated_documents_are_an_error_or_dropped() -> None:
    model = Bins({"a": ["1"], "b": ["4"]})
    with pytest.raises(DataError, match="'b' without a date"):
        AutoCast(model, dates={"a": CUTOFF}, cutoff=CUTOFF).rank("Who?", named("a", "b"))
    reranker = AutoCast(model, dates={"a": CUTOFF, "b": None}, cutoff=CUTOFF, undated="drop")
    assert reranker.rank("Who?", named("a", "b")).ids == ["a"]


def test_dates_of_a_column_of_the_corpus() -> None:
    corpus = Corpus.from_records(
        [
            {"id": "a", "text": "article a", "date": "2024-05-31"},
            {"id": "b", "text": "article b", "date": "2024-01-01"},
            {"id": "c", "text": "article c", "date": "2024-07-01"},
        ],
        fields=["text"],
    )
    run = Run.from_dict({"q": {"c": 3.0, "b": 2.0, "a": 1.0}}).replace(
        corpus=corpus, queries=Queries.from_texts({"q": "Who?"})
    )
    reranker = AutoCast(Bins({name: ["4"] for name in "abc"}), dates="date", cutoff=CUTOFF)
    ranked = reranker(run)
    assert list(ranked.to_dict()["q"]) == ["a", "b"]
    assert ranked.costs[-1].calls == 6
    assert reranker.dates == "date"
    with pytest.raises(DataError, match="column 'date'"):
        reranker.rank("Who?", named("a"))
    with pytest.raises(DataError, match="no column"):
        AutoCast(Bins({}), dates="when", cutoff=CUTOFF)(run)


def test_all_samples_of_all_documents_are_one_round() -> None:
    oracle = Oracle({"Who?": {"a": 1.0}})
    dates = dict.fromkeys("ab", "2024-01-01")
    reranker = AutoCast(oracle, dates=dates, cutoff=CUTOFF, samples=4)
    candidates = Candidates(("a", "b"), ("x", "y"))
    assert len(next(reranker.steps("Who?", candidates, Asking(oracle)))) == 8


def test_garbage_leaves_every_document_that_may_be_seen() -> None:
    dates = {"a": "2024-05-01", "b": "2024-07-01", "c": "2024-03-01"}
    reranker = AutoCast(Oracle({}, malformed=1.0), dates=dates, cutoff=CUTOFF)
    ranked = reranker.rank("Who?", named("c", "b", "a"))
    assert ranked.ids == ["c", "a"]
    assert "ok" not in ranked.answers


def test_what_cannot_be_used_is_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {"half_life": 0.0},
        {"samples": 0},
        {"undated": "keep"},
        {"curve": (1.0,)},
        {"curve": (-1.0,), "start": CUTOFF},
    ]
    for parameters in wrong:
        with pytest.raises(ConfigurationError):
            AutoCast("Oracle({})", dates={}, cutoff=CUTOFF, **parameters)
    with pytest.raises(DataError):
        AutoCast(Oracle({}), dates={"a": CUTOFF}, cutoff="__import__('os')").rank("q", {"a": "x"})


def test_repr_reads_back() -> None:
    reranker = AutoCast(
        Oracle({"q": {"a": 1.0}}),
        dates={"a": "2024-01-01"},
        cutoff=CUTOFF,
        start="2024-01-01",
        curve=(0.5, 1.0),
    )
    assert repr(parse(repr(reranker))) == repr(reranker)
