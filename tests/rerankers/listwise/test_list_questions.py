"""Questions about groups: the orders they are shown in, and what votes come to."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.llm import Failure, Generate, Generation
from plackett.llm.oracle.model import Oracle
from plackett.rerankers.listwise.list_questions import (
    EvidenceQuestion,
    GradeQuestion,
    OrderQuestion,
    PairQuestion,
    PickQuestion,
    Selection,
    SelectQuestion,
    mean_place_order,
)
from plackett.rerankers.listwise.showing import GroupShower, Showing, load_template
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking

GROUP = (4, 0, 7)
TEN = Candidates(tuple(f"d{i}" for i in range(10)), tuple(f"text {i}" for i in range(10)))


def made(kind: type[GroupShower], prompt: str, grammar: str, votes: int = 1) -> GroupShower:
    showing = Showing(load_template(prompt, (grammar,)), votes=votes)
    return kind(showing, "wine", TEN, Asking(Oracle({})))


@given(st.permutations(range(6)), st.integers(1, 6), st.integers(0, 99), st.booleans())
def test_orders_shown_depend_on_group_and_seed_alone(
    group: list[int], votes: int, seed: int, shuffle: bool
) -> None:
    showing = Showing(load_template("rank-gpt", ("order",)), votes=votes, shuffle=shuffle)
    first, second = (
        GroupShower(showing, "wine", TEN, Asking(Oracle({}), seed=seed)) for _ in range(2)
    )
    second.orders((3, 2, 1))
    orders = first.orders(tuple(group))
    assert orders == second.orders(tuple(group))
    assert len(orders) == votes
    assert all(sorted(order) == sorted(group) for order in orders)
    if not shuffle:
        assert orders[:2] == [tuple(group), tuple(group[::-1])][:votes]


@given(st.lists(st.permutations(range(5)), max_size=6))
def test_mean_places_are_borda(orders: list[list[int]]) -> None:
    points = [sum(4 - order.index(i) for order in orders) for i in range(5)]
    assert mean_place_order(range(5), orders) == sorted(range(5), key=lambda i: -points[i])


def test_orders_of_votes_are_read_in_the_order_in_which_each_was_shown() -> None:
    question = made(OrderQuestion, "rank-gpt", "order", votes=2)
    assert isinstance(question, OrderQuestion)
    # Shown 4, 0, 7 and then 7, 0, 4; both answers say 7, 4, 0.
    answers = [Generation("[3] > [1] > [2]"), Generation("[1] > [3] > [2]")]
    assert question.read(GROUP, answers) == [7, 4, 0]
    assert question.read(GROUP, [answers[0], Failure("down")]) == [7, 4, 0]
    assert question.read(GROUP, [Failure("down")] * 2) == [4, 0, 7]
    assert question.asking.answers == {"ok": 3, "missing": 3}


def test_no_answer_is_no_evidence() -> None:
    question = made(EvidenceQuestion, "rank-gpt-single", "order")
    assert isinstance(question, EvidenceQuestion)
    assert question.read(GROUP, [Failure("down")]) == []
    assert question.read(GROUP, [Generation("[2] > [1] > [3]")]) == [0, 4, 7]


def test_the_first_stage_decides_among_equal_votes() -> None:
    question = made(PickQuestion, "setwise", "label", votes=2)
    assert isinstance(question, PickQuestion)
    assert question.read(GROUP, [Generation("C"), Generation("C")]) == 4  # 7 and 4, one vote each
    assert question.read(GROUP, [Generation("C"), Failure("down")]) == 7
    assert question.read(GROUP, [Failure("down")] * 2) == 0


@pytest.mark.parametrize(
    ("said", "points"),
    [("AB", 1.0), ("BA", 0.0), ("AA", 0.5), ("BB", 0.5), ("A?", 0.75), ("?A", 0.25), ("??", 0.5)],
)
def test_points_of_a_match(said: str, points: float) -> None:
    question = made(PairQuestion, "pairwise", "label", votes=2)
    assert isinstance(question, PairQuestion)
    answers = [Failure("down") if letter == "?" else Generation(letter) for letter in said]
    assert question.read((8, 3), answers) == points


def test_a_selection_has_exactly_its_number() -> None:
    question = made(SelectQuestion, "tour-rank", "selection")
    assert isinstance(question, SelectQuestion)
    asked = Selection(GROUP, 2)
    (request,) = question.requests(asked)
    assert isinstance(request, Generate)
    assert request.prompt.shown
    assert (request.prompt.shown.documents, request.prompt.shown.count) == (("d4", "d0", "d7"), 2)
    assert question.read(asked, [Generation("[3], [1]")]) == [7, 4]
    assert sorted(question.read(asked, [Generation("[3], [1], [2]")])) == [4, 7]
    assert question.read(asked, [Generation("[3]")]) == [7, 0]
    assert question.read(asked, [Failure("down")]) == [0, 4]


def test_grades_are_means_of_the_votes_that_have_one() -> None:
    question = made(GradeQuestion, "group-rank", "grades", votes=2)
    assert isinstance(question, GradeQuestion)
    first = Generation('{"[1]": 8, "[2]": 2, "[3]": 0}')
    second = Generation('{"[1]": 4, "[3]": 6}')  # of 7 and of 4
    grades = question.read(GROUP, [first, second])
    assert grades.tolist() == [7.0, 2.0, 2.0]
    nothing = question.read(GROUP, [Failure("down")] * 2)
    assert all(math.isnan(grade) for grade in nothing)


def test_what_a_template_must_be() -> None:
    assert load_template("setwise", ("label",), most=26).name == "setwise"
    with pytest.raises(ConfigurationError, match="grammar"):
        load_template("setwise", ("order", "tiers"))
    with pytest.raises(ConfigurationError, match="26"):
        load_template("setwise", ("label",), most=27)
    with pytest.raises(ConfigurationError):
        load_template("rank-gpt", (), "logits", most=10)
    assert load_template("rank-gpt", (), "logits", most=9).label_scheme == "digits"
