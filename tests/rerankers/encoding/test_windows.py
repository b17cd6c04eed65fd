"""Windows cover every token; one window's score is the document's."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.rerankers.encoding.windows import check_windows, combine, windows

POLICIES = ["truncate", "first", "max", "mean", "top-k-mean"]


@given(length=st.integers(0, 500), window=st.integers(1, 80), share=st.floats(0.01, 1.0))
def test_windows_cover_every_token(length: int, window: int, share: float) -> None:
    stride = max(1, round(share * window))
    found = windows(length, window, stride)
    covered = {place for a, b in found for place in range(a, b)}
    assert covered == set(range(length))
    assert all(b - a == window for a, b in found[:-1])
    assert [a for a, _ in found] == [i * stride for i in range(len(found))]
    # No window lies inside another, and none is empty but that of an empty document.
    assert all(b < d for (_, b), (_, d) in pairwise(found))
    assert length == 0 or all(b > a for a, b in found)


def test_the_card_has_150_words_every_75() -> None:
    assert windows(300, 150, 75) == [(0, 150), (75, 225), (150, 300)]
    assert windows(150, 150, 75) == [(0, 150)]
    assert windows(151, 150, 75) == [(0, 150), (75, 151)]


@pytest.mark.parametrize("long", POLICIES)
@given(score=st.floats(-100, 100))
def test_one_window_is_the_document(long: str, score: float) -> None:
    assert combine([score], long) == score  # type: ignore[arg-type]


@given(scores=st.lists(st.floats(-100, 100), min_size=1, max_size=9), k=st.integers(1, 12))
def test_policies_are_their_formulas(scores: list[float], k: int) -> None:
    best = sorted(scores, reverse=True)[:k]
    assert combine(scores, "first") == combine(scores, "truncate") == scores[0]
    assert combine(scores, "max") == max(scores) == combine(scores, "top-k-mean", 1)
    assert combine(scores, "mean") == pytest.approx(np.mean(scores))
    assert combine(scores, "top-k-mean", k) == pytest.approx(np.mean(best))
    assert combine(scores, "top-k-mean", 99) == pytest.approx(combine(scores, "mean"))


@pytest.mark.parametrize(
    ("long", "window", "stride", "k"),
    [("middle", 4, 2, 1), ("max", 0, 1, 1), ("max", 4, 5, 1), ("max", 4, 0, 1), ("max", 4, 2, 0)],
)
def test_impossible_windows_are_refused(long: str, window: int, stride: int, k: int) -> None:
    with pytest.raises(ConfigurationError):
        check_windows(long, window, stride, k)


def test_a_stride_that_leaves_tokens_out_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no token is left out"):
        windows(10, 3, 4)
    check_windows("max", None, 7, 3)
