"""The rewards of three pointwise re-rankers, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.rerankers.pointwise.rewards import (
    erank_reward,
    inte_rank_weights,
    pro_rank_reward,
)


def test_pro_rank_reward_table() -> None:
    table = {
        (a, label): pro_rank_reward(a, label) for a in ("1", " 0\n", "yes") for label in (0, 1)
    }
    assert table == {
        ("1", 1): 2.0, ("1", 0): 1.0, (" 0\n", 0): 2.0, (" 0\n", 1): 1.0,
        ("yes", 0): 0.0, ("yes", 1): 0.0,
    }  # fmt: skip
    assert pro_rank_reward("1", 1, format_weight=0.1, accuracy_weight=0.9) == 1.0
    assert pro_rank_reward("2", 1) == pro_rank_reward("11", 1) == 0.0
    with pytest.raises(DataError):
        pro_rank_reward("1", 2)


def test_erank_reward_by_hand() -> None:
    """Two answers for each of three documents; the middle one is relevant."""
    scores = [[9.0, 4.0], [8.0, 6.0], [6.0, math.nan]]
    reward = erank_reward(scores, [False, True, False], [3.0, 9.0, 5.0])
    # Ranks: 9 -> 1, 8 -> 2, both 6 -> 3, 4 -> 5. The lowest relevant rank is 3.
    expected = [[-1.0, 1 - 0.01], [1 / 2, 1 / 3], [1 - 0.01, -2.0]]
    np.testing.assert_allclose(reward, expected)


def test_erank_reward_with_discounts() -> None:
    reward = erank_reward([[9.0], [5.0], [1.0]], [True, False, True], [9, 5, 1], shape="dcg")
    ideal = 1.0 + 1 / math.log2(3)
    np.testing.assert_allclose(reward, [[1 / ideal], [-1.0], [0.5 / ideal]])


def test_erank_reward_without_relevant_documents_is_smooth() -> None:
    reward = erank_reward([[9.0], [0.0]], [False, False], [9.0, 10.0])
    np.testing.assert_allclose(reward, [[1.0], [0.0]])


def test_erank_ranks_inside_one_query() -> None:
    one, other = [[5.0], [3.0]], [[9.0], [7.0]]
    alone = erank_reward(one, [True, False], [5, 3])
    pooled = erank_reward(one + other, [True, False] * 2, [5, 3, 9, 7])
    assert alone[0, 0] == 1.0
    assert pooled[0, 0] < 1.0


def test_rewards_refuse_what_does_not_belong_together() -> None:
    with pytest.raises(DataError, match="shapes"):
        erank_reward([1.0], [True], [1.0])
    with pytest.raises(DataError, match="shape 'x'"):
        erank_reward([[1.0]], [True], [1.0], shape="x")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="finite"):
        inte_rank_weights([math.nan])
    with pytest.raises(DataError, match="both or neither"):
        inte_rank_weights([1.0], labels=[1])
    with pytest.raises(DataError, match="one each"):
        inte_rank_weights([1.0], labels=[1, 2], teacher_label=1)


def test_inte_rank_weights_by_hand() -> None:
    np.testing.assert_allclose(inte_rank_weights([0.0, 5.0, 10.0]), [0.0, 0.125, 1.0])
    np.testing.assert_allclose(inte_rank_weights([0.0, 5.0, 10.0], threshold=0.6), [0, 0, 1])
    # Half of the answers have another label than the teacher: r is halved.
    boosted = inte_rank_weights([0.0, 5.0, 10.0, 10.0], labels=[2, 1, 1, 2], teacher_label=1)
    np.testing.assert_allclose(boosted, [0.0, 0.25**3, 0.125, 0.125])
    assert inte_rank_weights([]).shape == (0,)


@given(st.floats(-1e6, 1e6), st.integers(1, 6))
def test_equal_rewards_are_plain_supervised_training(reward: float, k: int) -> None:
    np.testing.assert_array_equal(inte_rank_weights([reward] * k), np.ones(k))
