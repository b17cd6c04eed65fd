"""Windows of a pass: where they are, and which of them may be looked at together."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plackett.rerankers.listwise.window_schedule import Window, apply_windows, back_to_front, waves


@st.composite
def passes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n = draw(st.integers(1, 130))
    window = draw(st.integers(2, 25))
    return n, window, draw(st.integers(1, window - 1)), draw(st.integers(1, 4))


@given(passes())
def test_windows_cover_the_list_overlap_and_are_as_many_as_the_formula_says(
    numbers: tuple[int, int, int, int],
) -> None:
    n, window, stride, _ = numbers
    found = back_to_front(n, window, stride)
    assert len(found) == (1 if n <= window else 1 + -(-(n - window) // stride))
    assert found[0][1] == n
    assert found[-1][0] == 0
    assert {place for start, end in found for place in range(start, end)} == set(range(n))
    for (start, end), (next_start, next_end) in pairwise(found):
        assert end - next_end == stride
        assert next_start < start < next_end
        assert 0 < end - start <= window


def test_windows_of_the_card() -> None:
    assert len(back_to_front(100, 20, 10)) == 9
    assert back_to_front(95, 20, 10)[-2:] == [(5, 25), (0, 15)]
    assert back_to_front(7, 20, 10) == [(0, 7)]


def one_after_the_other(order: list[int], windows: list[Window], key: list[int]) -> list[int]:
    order = list(order)
    for start, end in windows:
        order[start:end] = sorted(order[start:end], key=key.__getitem__)
    return order


@given(passes(), st.integers(0, 10_000))
def test_waves_give_what_one_after_the_other_gives(
    numbers: tuple[int, int, int, int], seed: int
) -> None:
    n, window, stride, count = numbers
    key = random.Random(seed).sample(range(n), n)
    windows = back_to_front(n, window, stride) * count
    plan = apply_windows(range(n), windows, lambda _, ordered: ordered)
    rounds = 0
    try:
        wanted = next(plan)
        while True:
            rounds += 1
            places = [each for group in wanted for each in group]
            assert len(set(places)) == len(places), "windows of a round share a document"
            wanted = plan.send([sorted(group, key=key.__getitem__) for group in wanted])
    except StopIteration as stop:
        order = stop.value
    assert order == one_after_the_other(list(range(n)), windows, key)
    assert rounds == len(waves(windows))


def test_a_further_pass_follows_two_rounds_behind() -> None:
    for count in range(1, 6):
        assert len(waves(back_to_front(100, 20, 10) * count)) == 9 + 2 * (count - 1)


def test_no_windows_are_no_rounds() -> None:
    assert waves([]) == []
