"""The ranked order and the search for duplicates, against plain sorting."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.ids import Ids
from plackett.data.ordering import first_duplicate, ranked_order

NAMES = ["d1", "d10", "d2", "D", "é"]
rows = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 1e-45, 1.0, np.inf]),
    ),
    max_size=20,
)


@given(rows)
def test_rows_are_ranked_as_python_ranks_them(table: list[tuple[int, int, float]]) -> None:
    query, document, score = (
        np.array([row[i] for row in table], dtype=kind)
        for i, kind in enumerate((np.int32, np.int32, np.float32))
    )
    order = ranked_order(query, document, score, Ids(NAMES))
    expected = sorted(range(len(table)), key=lambda i: NAMES[table[i][1]].encode(), reverse=True)
    expected.sort(key=lambda i: (table[i][0], -np.float32(table[i][2])))
    if order is None:
        order = np.arange(len(table))
    key = [(*table[i][:2], float(np.float32(table[i][2]))) for i in order]
    assert key == [(*table[i][:2], float(np.float32(table[i][2]))) for i in expected]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12))
def test_a_duplicate_is_found_where_there_is_one(pairs: list[tuple[int, int]]) -> None:
    group = np.array([a for a, _ in pairs], dtype=np.int32)
    member = np.array([b for _, b in pairs], dtype=np.int32)
    row = first_duplicate(group, member, 4)
    if row is None:
        assert len(set(pairs)) == len(pairs)
    else:
        assert pairs[row] in pairs[:row]
