"""Which segments are merged: the promises of the policy, on any sequence of sizes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.retrievers.living.merge_policy import MergePolicy

SIZES = st.lists(st.integers(0, 500), max_size=30)


@given(SIZES, st.floats(1.5, 10), st.integers(1, 50))
def test_a_merge_makes_much_of_little(sizes: list[int], growth: float, least: int) -> None:
    chosen = MergePolicy(growth, least).choose(sizes, sizes)
    counted = [max(size, least) for size in sizes]
    windows = [range(i, j) for i in range(len(sizes)) for j in range(i + 2, len(sizes) + 1)]
    fitting = [
        w for w in windows if sum(counted[i] for i in w) >= growth * max(counted[i] for i in w)
    ]
    assert (chosen is None) == (not fitting)
    if chosen is not None:
        greatest = max(counted[i] for i in chosen)
        assert sum(counted[i] for i in chosen) >= growth * greatest
        # No fitting neighbours have a smaller greatest one, and these cannot be more.
        assert greatest == min(max(counted[i] for i in w) for w in fitting)
        for place in (chosen.start - 1, chosen.stop):
            assert not 0 <= place < len(counted) or counted[place] > greatest


@given(st.lists(st.integers(1, 40), max_size=120), st.integers(2, 6))
def test_a_document_is_written_a_logarithm_of_times(added: list[int], growth: int) -> None:
    policy, least = MergePolicy(growth, 5), 5
    segments: list[list[int]] = []  # how often each document has been written again
    for count in added:
        segments.append([0] * count)
        while (chosen := policy.choose(*[[len(s) for s in segments]] * 2)) is not None:
            # What has come to the least size is written again only to grow.
            small = sum(len(segments[i]) for i in chosen) <= least
            merged = [times + (not small) for i in chosen for times in segments[i]]
            segments[chosen.start : chosen.stop] = [merged]
    total = sum(added)
    most = 1 + math.log(max(total, least) / least, growth)
    assert max((times for s in segments for times in s), default=0) <= most + 1


def test_single_documents_leave_few_of_each_size() -> None:
    policy, segments = MergePolicy(growth=4, least=1), []
    for _ in range(1000):
        segments.append(1)
        while (chosen := policy.choose(segments, segments)) is not None:
            segments[chosen.start : chosen.stop] = [sum(segments[i] for i in chosen)]
    assert sum(segments) == 1000
    assert len(segments) <= 3 * math.log(1000, 4)
    assert all(segments.count(size) <= 3 for size in segments)


def test_deleted_documents_are_written_away() -> None:
    assert MergePolicy().choose([10, 9_000, 10], [10, 4_000, 10]) == range(1, 2)
    assert MergePolicy(deleted=0.6).choose([10, 9_000, 10], [10, 4_000, 10]) is None
    assert MergePolicy().choose([], []) is None


def test_parameters_out_of_range_are_told() -> None:
    for wrong in ({"growth": 1.0}, {"growth": math.nan}, {"least": 0}, {"deleted": 1.5}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            MergePolicy(**wrong)  # type: ignore[arg-type]
