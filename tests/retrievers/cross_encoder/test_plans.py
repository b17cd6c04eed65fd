"""Plans: what they call, what they find, and when they find what reading everything finds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.pipeline.base import Retriever
from plackett.retrievers.cross_encoder import (
    AdaptiveRounds,
    CrossEncoderNeighbours,
    EveryDocument,
    FixedAnchors,
)
from plackett.retrievers.cross_encoder.plans import CallPlan, parse_plan
from plackett.retrievers.dense import ScalarQuantised

MakeScorer = Callable[..., Any]
Build = Callable[..., CrossEncoderNeighbours]
D, Q = 80, 6


@pytest.fixture
def build(
    corpus: Corpus, anchor_queries: Queries, make_scorer: MakeScorer, tmp_path: Path
) -> Build:
    def make(
        rank: int = 4, noise: float = 0.0, anchors: int = 8, **options: Any
    ) -> CrossEncoderNeighbours:
        return CrossEncoderNeighbours.build(
            corpus,
            tmp_path / "index",
            scorer=make_scorer(rank, noise),
            queries=anchor_queries,
            anchors=anchors,
            **options,
        )

    return make


def by_definition(index: CrossEncoderNeighbours, k: int) -> dict[str, list[str]]:
    """The best documents by the whole matrix."""
    matrix = index.scorer.matrix[30:, :D]  # type: ignore[attr-defined]
    order = np.argsort(-matrix, axis=1)[:, :k]
    return {f"q{30 + i}": [f"d{j}" for j in row] for i, row in enumerate(order)}


def recall(index: CrossEncoderNeighbours, run: Run, k: int) -> float:
    best = by_definition(index, k)
    shares = [len({d for d, _ in run[q][:k]} & set(best[q])) / k for q in best]
    return float(np.mean(shares))


def test_every_document_is_the_definition(build: Build, queries: Queries) -> None:
    index = build().with_plan(EveryDocument())
    run = index.search(queries, k=10)
    assert {q: list(found) for q, found in run.to_dict().items()} == by_definition(index, 10)
    assert run.costs[0].calls == Q * D
    assert run.costs[0].tokens == 7 * Q * D
    assert EveryDocument.exact
    assert not FixedAnchors.exact


@pytest.mark.parametrize(
    "plan",
    [
        FixedAnchors(calls=20, ridge=0),
        AdaptiveRounds(calls=20, rounds=2, ridge=0),
        AdaptiveRounds(calls=24, rounds=4, ridge=0),
    ],
)
def test_a_matrix_of_low_rank_is_found_wholly(
    plan: CallPlan, build: Build, queries: Queries
) -> None:
    """Rank 4 and 6 or more documents scored: all guesses are right."""
    index = build(rank=4)
    run = index.with_plan(plan).search(queries, k=10)
    assert {q: list(found) for q, found in run.to_dict().items()} == by_definition(index, 10)
    assert run.costs[0].calls == Q * plan.calls  # type: ignore[attr-defined]


@pytest.mark.parametrize("plan", [FixedAnchors, AdaptiveRounds])
def test_scores_are_exact_and_calls_are_kept_to(
    plan: type[Any], build: Build, queries: Queries
) -> None:
    index = build(rank=12, noise=0.5)
    before = index.scorer.calls  # type: ignore[attr-defined]
    run = index.with_plan(plan(calls=17)).search(queries)
    assert index.scorer.calls - before == 17 * Q == run.costs[0].calls  # type: ignore[attr-defined]
    for q, found in run.to_dict().items():
        assert len(found) == 17
        row = index.scorer.matrix[int(q[1:])]  # type: ignore[attr-defined]
        for d, score in found.items():
            assert score == np.float32(row[int(d[1:])])


@pytest.mark.parametrize("plan", [FixedAnchors, AdaptiveRounds])
def test_more_calls_find_more_and_all_calls_find_all(
    plan: type[Any], build: Build, queries: Queries
) -> None:
    index = build(rank=20, noise=1.0)
    calls = (10, 20, 40, 80, 1000)
    found = [recall(index, index.with_plan(plan(calls=c)).search(queries), 5) for c in calls]
    assert found[0] < found[2]
    assert all(a <= b + 0.05 for a, b in pairwise(found))
    assert found[3] == found[4] == 1.0
    exact = index.with_plan(EveryDocument()).search(queries).to_dict()
    assert index.with_plan(plan(calls=D)).search(queries).to_dict() == exact


def test_guesses_beat_chance(build: Build, queries: Queries) -> None:
    """With noise, 20 of 80 documents hold far more than a quarter of the best."""
    index = build(rank=4, noise=0.3)
    for plan in (FixedAnchors(calls=20), AdaptiveRounds(calls=20, rounds=2)):
        assert recall(index, index.with_plan(plan).search(queries), 5) > 0.6


def test_answers_do_not_depend_on_company_threads_or_the_structure(
    build: Build, queries: Queries
) -> None:
    for plan in (
        FixedAnchors(calls=20),
        AdaptiveRounds(calls=20),
        AdaptiveRounds(calls=20, temperature=0.5),
    ):
        index = build(rank=12, noise=0.5, plan=plan)
        whole = index.search(queries, threads=2).to_dict()
        assert index.search(queries).to_dict() == whole
        alone = index.search(queries.select(["q33"])).to_dict()
        assert alone["q33"] == whole["q33"]
    coarse = build(
        rank=12, noise=0.5, plan=plan, structure=ScalarQuantised("int8", oversampling=100)
    )
    assert coarse.search(queries).to_dict() == whole
    again = CrossEncoderNeighbours.open(coarse.folder, structure="Exact()")
    assert again.search(queries).to_dict() == whole


def test_pairs_are_read_in_parts(
    build: Build, queries: Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build(rank=12, noise=0.5, plan=AdaptiveRounds(calls=20))
    whole = index.search(queries)
    monkeypatch.setattr("plackett.retrievers.cross_encoder.asking.PAIRS", 7)
    parts = index.search(queries)
    assert parts.to_dict() == whole.to_dict()
    assert parts.costs[0].calls == whole.costs[0].calls
    assert parts.costs[0].tokens == whole.costs[0].tokens


def test_temperature_draws_and_the_seed_decides(build: Build, queries: Queries) -> None:
    index = build(rank=12, noise=0.5)

    def documents(plan: AdaptiveRounds) -> set[str]:
        return set(index.with_plan(plan).search(queries)["q30"])  # type: ignore[arg-type]

    cold, warm = AdaptiveRounds(calls=16, rounds=2), AdaptiveRounds(16, 2, temperature=3.0)
    assert documents(warm) == documents(warm)
    assert documents(warm) != documents(cold)
    assert documents(warm) != documents(AdaptiveRounds(16, 2, temperature=3.0, seed=1))
    nearly = AdaptiveRounds(16, 2, temperature=1e-6)
    assert documents(nearly) == documents(cold)


class Known(Retriever):
    """Finds documents by the numbers it is told, and some that the index lacks."""

    def __init__(self, found: dict[str, list[int]]) -> None:
        self.found = found

    def search(self, queries: Queries, k: int = 1000) -> Run:
        lists = {
            q: {f"d{n}": float(-place) for place, n in enumerate(rows)} | {"elsewhere": 9.0}
            for q, rows in self.found.items()
        }
        return Run.from_dict(lists).head(k)

    def __repr__(self) -> str:
        return "Known()"


def test_the_first_round_may_come_from_another_retriever(build: Build, queries: Queries) -> None:
    index = build(rank=12, noise=0.5).with_plan(AdaptiveRounds(calls=10, rounds=2))
    started = index.starting_from(Known({"q30": [70, 71, 72, 73, 74, 75], "q31": [9]}))
    run = started.search(queries)
    assert {"d70", "d71", "d72", "d73", "d74"} <= set(dict(run["q30"]))
    assert "d9" in dict(run["q31"])  # and four at random
    assert [len(found) for found in run.to_dict().values()] == [10] * Q
    assert [cost.stage for cost in run.costs] == ["Known()", repr(started)]
    assert repr(started).endswith("first=Known())")
    assert run["q35"] == index.search(queries)["q35"]
    assert started.starting_from(None).search(queries).to_dict() == index.search(queries).to_dict()


def test_a_good_start_needs_fewer_calls(build: Build, queries: Queries) -> None:
    index = build(rank=20, noise=1.0).with_plan(AdaptiveRounds(calls=12, rounds=2))
    best = by_definition(index, 5)
    told = Known({q: [int(d[1:]) for d in found] for q, found in best.items()})
    assert recall(index, index.starting_from(told).search(queries), 5) == 1.0
    assert recall(index, index.search(queries), 5) < 1.0


def test_plans_are_texts_and_are_checked(build: Build) -> None:
    for plan in (
        EveryDocument(),
        FixedAnchors(calls=5, ridge=0.1),
        AdaptiveRounds(calls=5, rounds=2, temperature=1.5, seed=3),
    ):
        assert parse_plan(repr(plan)) == plan
    with pytest.raises(UnknownNameError, match="FixedAnchors"):
        parse_plan("Fixed()")
    for text, message in (
        ("FixedAnchors(calls=0)", "calls=0"),
        ("FixedAnchors(calls=True)", "calls=True"),
        ("FixedAnchors(ridge=-1)", "ridge=-1"),
        ("AdaptiveRounds(calls=3, rounds=4)", "a call a round"),
        ("AdaptiveRounds(rounds=0)", "rounds=0"),
        ("AdaptiveRounds(temperature=-1)", "temperature=-1"),
        ("AdaptiveRounds", "a name and literal arguments"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            parse_plan(text)
    index = build(anchors=8)
    with pytest.raises(ConfigurationError, match="expected a plan"):
        index.with_plan(7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="calls=8, and the index has 8 anchor documents"):
        index.with_plan(FixedAnchors(calls=8)).search(Queries.from_texts({"q": "query 30"}))
