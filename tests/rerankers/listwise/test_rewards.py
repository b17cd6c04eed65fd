"""Rewards of listwise re-rankers against hand cases and closed forms."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.rerankers.listwise.rewards import (
    cube_reward,
    group_rank_quality,
    group_rank_reward,
    jensen_shannon,
    rank_r1_reward,
)

WEIGHTS = st.lists(st.floats(0, 10), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("<think>a</think><answer>[3]</answer>", 1.0),
        ("<think>a\nb</think> \n <answer>\n[3] </answer>\n", 1.0),
        ("<think></think><answer>[3]</answer>", 1.0),
        ("<think>a</think><answer>[2]</answer>", 0.0),
        ("<think>a</think><answer>3</answer>", 0.0),
        ("<think>a</think><answer>[3], surely</answer>", 0.0),
        ("<answer>[3]</answer>", 0.0),
        ("<think>a</think>[3]", 0.0),
        ("Well: <think>a</think><answer>[3]</answer>", 0.0),
        ("<think>a</think><answer>[3]</answer> Good luck!", 0.0),
        ("<THINK>a</THINK><ANSWER>[3]</ANSWER>", 0.0),
        ("<think>a</think><answer>[2]</answer><answer>[3]</answer>", 0.0),
        ("<think>a</think><answer>[2]<answer>[3]</answer>", 0.0),
        ("", 0.0),
    ],
)
def test_rank_r1_truth_table(answer: str, reward: float) -> None:
    assert rank_r1_reward(answer, "[3]") == reward


def test_cube_reward_of_one_relevant_id() -> None:
    assert [cube_reward(order, {1}) for order in ([1, 2, 3], [2, 1, 3], [2, 3, 1])] == [
        1,
        pytest.approx(1 / 8),
        pytest.approx(1 / 27),
    ]
    assert cube_reward([2, 3], {1}) == 0.0
    assert cube_reward([], {1}) == 0.0


def test_cube_reward_of_several() -> None:
    assert cube_reward([1, 2, 3], {1, 2}) == 1.0
    assert cube_reward([1, 3, 2], {1, 2}) == pytest.approx((1 + 1 / 27) / (1 + 1 / 8))
    assert cube_reward([1, 2, 3, 4], {1, 2, 3, 4}, k=2) == 1.0
    assert cube_reward([3, 4, 1], {1}, k=2) == 0.0
    # The same id twice is found once.
    assert cube_reward([1, 1, 2], {1, 2}) == pytest.approx((1 + 1 / 27) / (1 + 1 / 8))
    with pytest.raises(DataError):
        cube_reward([1], [])


@given(st.permutations(range(6)), st.sets(st.integers(0, 5), min_size=1))
def test_cube_reward_is_best_with_the_relevant_first(order: list[int], gold: set[int]) -> None:
    reward = cube_reward(order, gold)
    assert 0 < reward <= 1 + 1e-12
    assert (reward > 1 - 1e-9) == (set(order[: len(gold)]) == gold)


@given(WEIGHTS, WEIGHTS)
def test_jensen_shannon_is_symmetric_bounded_and_blind_to_scale(
    first: list[float], second: list[float]
) -> None:
    n = min(len(first), len(second))
    p, q = np.array(first[:n]), np.array(second[:n])
    divergence = jensen_shannon(p, q)
    assert 0 <= divergence <= 1
    assert divergence == pytest.approx(jensen_shannon(q, p), abs=1e-9)
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-9)
    if p.sum() > 1e-6:
        assert jensen_shannon(3 * p, q) == pytest.approx(divergence, abs=1e-6)


def test_jensen_shannon_of_nothing_is_that_of_equal_weights() -> None:
    assert jensen_shannon([0, 0], [2, 2]) == 0.0
    assert jensen_shannon([0, 0], [1, 0]) == pytest.approx(
        0.5 * math.log2(1 / 0.75)
        + 0.5 * (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25))
    )


@given(st.lists(st.integers(0, 10), min_size=1, max_size=20))
def test_perfect_grades_are_worth_1_3(gold: list[int]) -> None:
    assert group_rank_quality(gold, gold) == pytest.approx(1.3)


def test_scaled_grades_change_the_divergence_but_not_the_order() -> None:
    gold = [5, 3, 1, 0]
    squared = [25, 9, 1, 0]
    assert group_rank_quality([10, 6, 2, 0], gold) == pytest.approx(1.3)
    expected = 1.2 + 0.1 * (1 - jensen_shannon(squared, gold))
    assert group_rank_quality(squared, gold) == pytest.approx(expected)
    assert expected < 1.3


def test_quality_by_hand() -> None:
    # The one relevant document third, of which nDCG@2 and recall@2 see nothing.
    divergence = jensen_shannon([3, 2, 1], [0, 0, 4])
    assert group_rank_quality([3, 2, 1], [0, 0, 4], k=2) == pytest.approx(0.1 * (1 - divergence))
    assert group_rank_quality([3, 2, 1], [0, 0, 4], k=3) == pytest.approx(
        1 / math.log2(4) + 0.2 + 0.1 * (1 - divergence)
    )
    # Equal grades stay in the order shown.
    assert group_rank_quality([1, 1], [0, 1], k=1) < group_rank_quality([1, 1], [1, 0], k=1)


def test_nothing_relevant_is_no_wrong_order() -> None:
    assert group_rank_quality([0, 0], [0, 0]) == pytest.approx(1.3)
    assert group_rank_quality([9, 0], [0, 0]) == pytest.approx(
        1.2 + 0.1 * (1 - jensen_shannon([9, 0], [1, 1]))
    )


def answer(grades: object) -> str:
    return f"<think>Hm.</think>\n<answer>{json.dumps(grades)}</answer>"


@pytest.mark.parametrize(
    ("text", "reward"),
    [
        (answer({"[1]": 9, "[2]": 3}), 1.3),
        (answer({"[2]": 3, "[1]": 9}), 1.3),
        ("nothing", -0.5),
        ('{"[1]": 9, "[2]": 3}', -0.5),
        (answer({"[1]": 9}), -0.1),
        (answer({"[1]": 9, "[2]": 3, "[3]": 1}), -0.1),
        (answer({"1": 9, "2": 3}), -0.1),
        (answer({"[1]": 9.5, "[2]": 3}), -0.1),
        (answer({"[1]": 11, "[2]": 3}), -0.1),
        (answer({"[1]": -1, "[2]": 3}), -0.1),
        (answer({"[1]": True, "[2]": 3}), -0.1),
        (answer([9, 3]), -0.1),
        ("<think></think><answer>{</answer>", -0.1),
        ("<think></think><answer>" + "[" * 100_000 + "</answer>", -0.1),
    ],
)
def test_group_rank_reward(text: str, reward: float) -> None:
    assert group_rank_reward(text, [9, 3]) == pytest.approx(reward)


def test_a_wrong_order_is_worth_less_than_the_right_one_and_more_than_bad_form() -> None:
    right = group_rank_reward(answer({"[1]": 9, "[2]": 3}), [9, 3])
    wrong = group_rank_reward(answer({"[1]": 0, "[2]": 10}), [9, 0])
    assert -0.1 < wrong < right


@pytest.mark.parametrize(
    ("predicted", "gold"),
    [
        ([1, 2], [1]),
        ([], []),
        ([-1, 0], [1, 0]),
        ([float("nan"), 0], [1, 0]),
        ([1], [float("inf")]),
    ],
)
def test_wrong_grades_are_refused(predicted: list[float], gold: list[float]) -> None:
    with pytest.raises(DataError):
        group_rank_quality(predicted, gold)
