"""The order of fused scores: by query, then by score, whatever their first bits share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plackett.fusion.joined_runs import _best_first

near = st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, 1.0 - 1e-12, 1.0 + 1e-7, -3.0, 1e-300, 7e8])


@given(st.lists(st.tuples(st.integers(0, 3), near | st.floats(-1e9, 1e9)), max_size=60))
def test_the_order_is_that_of_a_sort_by_both(rows: list[tuple[int, float]]) -> None:
    query = np.array([q for q, _ in rows], dtype=np.int32)
    scores = np.array([s for _, s in rows], dtype=np.float64)
    order, expected = _best_first(query, scores), np.lexsort((-scores, query))
    assert sorted(order.tolist()) == list(range(len(rows)))
    np.testing.assert_array_equal(query[order], query[expected])
    np.testing.assert_array_equal(scores[order], scores[expected])
