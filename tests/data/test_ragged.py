"""Ragged arrays against plain Python loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import ragged

lengths = st.lists(st.integers(0, 5), max_size=8)


@given(lengths)
def test_offsets_segments_and_positions(sizes: list[int]) -> None:
    offsets = ragged.lengths_to_offsets(sizes)
    assert offsets.tolist() == [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    rows = [(i, j) for i, size in enumerate(sizes) for j in range(size)]
    assert ragged.segment_of_rows(offsets).tolist() == [i for i, _ in rows]
    assert ragged.positions_within(offsets).tolist() == [j for _, j in rows]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4)), max_size=8))
def test_concatenated_ranges(ranges: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in ranges], dtype=np.int64)
    sizes = np.array([size for _, size in ranges], dtype=np.int64)
    expected = [start + i for start, size in ranges for i in range(size)]
    assert ragged.concatenate_ranges(starts, sizes).tolist() == expected


@given(lengths)
def test_segment_sums(sizes: list[int]) -> None:
    offsets = ragged.lengths_to_offsets(sizes)
    values = np.arange(1.0, offsets[-1] + 1)
    expected = [values[a:b].sum() for a, b in itertools.pairwise(offsets)]
    assert ragged.segment_sums(values, offsets).tolist() == expected


def test_an_infinite_value_stays_in_its_segment() -> None:
    sums = ragged.segment_sums(np.array([np.inf, 1.0]), np.array([0, 1, 2]))
    assert sums.tolist() == [np.inf, 1.0]


@given(st.lists(st.integers(0, 4), max_size=12))
def test_grouped_rows_keep_their_order(codes: list[int]) -> None:
    order, offsets = ragged.group_rows(np.array(codes, dtype=np.int32), 5)
    if order is None:
        assert codes == sorted(codes)
        order = np.arange(len(codes))
    for group in range(5):
        rows = order[offsets[group] : offsets[group + 1]].tolist()
        assert rows == [row for row, code in enumerate(codes) if code == group]


def test_a_negative_length_is_no_length() -> None:
    with pytest.raises(ValueError, match="negative"):
        ragged.segment_of_rows(np.array([3, 0]))
