"""GroupRank: grades in groups, averaged over partitions."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm import Answer, Failure, Generate, Generation, LanguageModel, Request
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import parse
from plackett.rerankers.listwise.group_rank import (
    GroupRank,
    mean_grades,
    random_partition,
    standardised,
)

QUERY = "red wine"


class Grader(LanguageModel):
    """Grades by number: document d7 gets 7, with what is set on top."""

    powers = frozenset({"generate"})
    context = 100_000
    concurrency = 100

    def __init__(self, noise: float = 0.0, curve: bool = False, silent: str = "") -> None:
        self.noise, self.curve, self.silent = noise, curve, silent
        self.requests: list[Generate] = []

    @property
    def identity(self) -> str:
        return "grader"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        return [self._grade(request) for request in requests]

    def _grade(self, request: Request) -> Answer:
        assert isinstance(request, Generate)
        assert request.prompt.shown
        self.requests.append(request)
        shown = request.prompt.shown.documents
        generator = random.Random(str(shown))
        true = [float(name[1:]) + generator.gauss(0, self.noise) for name in shown]
        if self.curve:  # the best of the group gets 10, the worst 0
            low, high = min(true), max(true)
            true = [10 * (grade - low) / (high - low) for grade in true]
        if self.silent in shown:
            return Failure("down")
        grades = {f"[{i + 1}]": round(min(10.0, max(0.0, g))) for i, g in enumerate(true)}
        return Generation(f"<think>[1] is a 3.</think><answer>{json.dumps(grades)}</answer>")

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Grader()"


def texts(n: int) -> dict[str, str]:
    return {f"d{i}": f"text {i}" for i in range(n)}


@given(st.integers(1, 130), st.integers(1, 30), st.integers(0, 99))
def test_a_partition_covers_all_in_even_groups(n: int, size: int, seed: int) -> None:
    groups = random_partition(n, size, seed=str(seed))
    assert sorted(each for group in groups for each in group) == list(range(n))
    assert len(groups) == -(-n // size)
    lengths = {len(group) for group in groups}
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    ("n", "partitions", "calls"), [(100, 1, 5), (100, 4, 20), (41, 1, 3), (2, 1, 1)]
)
def test_calls(n: int, partitions: int, calls: int) -> None:
    model = Grader()
    ranked = GroupRank(model, partitions=partitions).rank(QUERY, texts(n))
    assert ranked.calls == calls
    assert ranked.answers == {"ok": calls}
    assert sorted(ranked.ids) == sorted(texts(n))


def test_grades_on_one_scale_sort_all_groups() -> None:
    ranked = GroupRank(Grader(), group=3).rank(QUERY, texts(11))
    assert ranked.ids == [f"d{i}" for i in reversed(range(11))]
    assert [each.score for each in ranked] == list(range(10, -1, -1))
    assert ranked.score_kind == "grade"


def test_the_oracle_is_exact_up_to_its_ten_grades() -> None:
    grades = random.Random(3).sample(range(10), 10)
    relevance = {QUERY: {f"d{i}": float(grade) for i, grade in enumerate(grades)}}
    ranked = GroupRank(Oracle(relevance), group=4, partitions=2).rank(QUERY, texts(10))
    assert ranked.ids == [f"d{i}" for i in sorted(range(10), key=lambda i: -grades[i])]


def test_equal_grades_stay_in_first_stage_order() -> None:
    relevance = {QUERY: dict.fromkeys(texts(30), 1.0)}
    assert GroupRank(Oracle(relevance), group=7).rank(QUERY, texts(30)).ids == list(texts(30))


def test_more_partitions_reduce_the_variance() -> None:
    spread = []
    for partitions in (1, 4, 16):
        model = Grader(noise=1.5)
        scores = []
        for seed in range(12):
            ranked = GroupRank(model, group=4, partitions=partitions, seed=seed)
            found = {each.id: each.score for each in ranked.rank(QUERY, texts(11))}
            scores.append([found[f"d{i}"] for i in range(3, 8)])
        spread.append(float(np.var(scores, axis=0).mean()))
    assert spread[0] > 2 * spread[1] > 4 * spread[2]


def test_documents_without_a_grade_come_last() -> None:
    ranked = GroupRank(Grader(silent="d10"), group=3).rank(QUERY, texts(11))
    assert ranked.answers == {"ok": 3, "missing": 1}
    lost = [each.id for each in ranked if np.isnan(each.score)]
    assert "d10" in lost
    assert ranked.ids[-len(lost) :] == sorted(lost, key=lambda name: int(name[1:]))
    found = GroupRank(Grader(silent="d10"), group=3, partitions=6).rank(QUERY, texts(11))
    assert [each.id for each in found if np.isnan(each.score)] == ["d10"]


def test_standardised_grades_of_a_model_that_grades_on_a_curve() -> None:
    reranker = GroupRank(Grader(curve=True), group=5, partitions=8, standardise=True)
    ranked = reranker.rank(QUERY, texts(10))
    assert ranked.score_kind == "standard"
    assert ranked.ids[0] == "d9"
    assert ranked.ids[-1] == "d0"
    assert sum(each.score for each in ranked) == pytest.approx(0.0, abs=1e-9)


def test_standardised() -> None:
    grades = standardised([1.0, 5.0, 9.0])
    assert grades.mean() == pytest.approx(0.0)
    assert grades.std() == pytest.approx(1.0)
    assert standardised([0.1] * 3).tolist() == [0.0] * 3
    assert np.isnan(standardised([float("nan")])).all()
    assert standardised([float("nan"), 2.0]).tolist()[1] == 0.0
    assert standardised([3.0, 4.0]) == pytest.approx(standardised([30.0, 50.0]))


def test_mean_grades_leave_out_what_is_missing() -> None:
    nan = float("nan")
    means = mean_grades([(0, 1), (1, 2)], [np.array([4.0, nan]), np.array([2.0, 6.0])], 4)
    assert means[:3].tolist() == [4.0, 2.0, 6.0]
    assert np.isnan(means[3])


def test_the_prompt_shows_the_group_shuffled_and_leaves_room_for_thinking() -> None:
    model = Grader()
    GroupRank(model, thinking=300).rank(QUERY, texts(20))
    (request,) = model.requests
    assert request.thinking_tokens == 300
    assert request.max_tokens >= 300 + 20 * 5
    assert request.prompt.shown
    assert request.prompt.shown.documents != tuple(texts(20))


def test_garbage_leaves_the_order() -> None:
    ranked = GroupRank(Oracle({}, malformed=1.0), partitions=2).rank(QUERY, texts(40))
    assert ranked.ids == list(texts(40))
    assert "ok" not in ranked.answers


def test_description_and_wrong_parameters() -> None:
    reranker = GroupRank("Oracle({'q': {'a': 1}})", group=5, partitions=2, standardise=True)
    assert repr(parse(repr(reranker))) == repr(reranker)
    model = Oracle({})
    for wrong in (
        {"group": 0},
        {"partitions": 0},
        {"group": 1, "standardise": True},
        {"prompt": "first"},
    ):
        with pytest.raises(ConfigurationError):
            GroupRank(model, **wrong)  # type: ignore[arg-type]
