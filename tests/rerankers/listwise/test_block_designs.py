"""Block designs: how often each item is shown, and which pairs meet."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.rerankers.listwise.block_designs import (
    Design,
    balanced_blocks,
    block_design,
    connected,
    coverage,
    equi_replicate_blocks,
    lattice_blocks,
    random_blocks,
    replications,
    triangular_blocks,
)


def meetings(blocks: list[tuple[int, ...]]) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    for block in blocks:
        for pair in combinations(sorted(block), 2):
            found[pair] = found.get(pair, 0) + 1
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 80), st.integers(2, 20), st.integers(1, 6), st.integers(0, 999))
def test_equi_replicate_shows_each_item_exactly_r_times(
    items: int, size: int, replicates: int, seed: int
) -> None:
    if items < size:
        items, size = size, items
    blocks = equi_replicate_blocks(items, size, replicates, random.Random(seed))
    assert replications(blocks, items) == [replicates] * items
    assert all(len(set(block)) == len(block) for block in blocks)
    assert len(blocks) == -(-items * replicates // size)
    sizes = [len(block) for block in blocks]
    assert max(sizes) <= size
    alone = items * replicates % size == 1
    assert sum(each < size for each in sizes) <= 1 + alone
    if items * replicates > 1 and size > 2:
        assert min(sizes) > 1


def test_blocks_of_the_card() -> None:
    for items, size, replicates, count in ((100, 20, 4, 20), (100, 10, 2, 20), (1000, 100, 3, 30)):
        blocks = block_design("equi-replicate", items, size, replicates)
        assert len(blocks) == count
        assert {len(block) for block in blocks} == {size}
    assert coverage(triangular_blocks(10, 4) or [], 10) == pytest.approx(30 / 45)
    assert coverage(lattice_blocks(16, 4) or [], 16) == pytest.approx(0.4)


@pytest.mark.parametrize("size", [2, 3, 4, 7, 10])
def test_lattice_and_triangular_show_each_item_twice_and_two_items_together_at_most_once(
    size: int,
) -> None:
    for items, blocks, count in (
        (size**2, lattice_blocks(size**2, size), 2 * size),
        (size * (size + 1) // 2, triangular_blocks(size * (size + 1) // 2, size), size + 1),
    ):
        assert blocks is not None
        assert len(blocks) == count
        assert replications(blocks, items) == [2] * items
        assert all(len(set(block)) == len(block) == size for block in blocks)
        assert set(meetings(blocks).values()) == {1}
        assert connected(blocks, items)


@pytest.mark.parametrize("order", [2, 3, 5, 7, 11])
@pytest.mark.parametrize("projective", [False, True])
def test_balanced_designs_show_every_pair_exactly_once(order: int, projective: bool) -> None:
    items = order**2 + (order + 1 if projective else 0)
    size = order + 1 if projective else order
    blocks = balanced_blocks(items, size)
    assert blocks is not None
    assert len(blocks) == (items if projective else order**2 + order)
    assert all(len(set(block)) == len(block) == size for block in blocks)
    assert len(meetings(blocks)) == items * (items - 1) // 2
    assert set(meetings(blocks).values()) == {1}
    assert coverage(blocks, items) == 1.0


def test_designs_that_do_not_exist() -> None:
    assert lattice_blocks(97, 10) is None
    assert triangular_blocks(97, 10) is None
    assert balanced_blocks(97, 10) is None
    assert balanced_blocks(16, 4) is None  # no plane over the integers modulo 4
    assert balanced_blocks(43, 7) is None  # 6 is no prime
    for design in ("lattice", "triangular", "balanced"):
        blocks = block_design(design, 97, 10, 3)
        assert replications(blocks, 97) == [3] * 97
        assert sorted(len(block) for block in blocks)[:3] == [2, 9, 10]  # 291 is 29 x 10 + 1


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(["equi-replicate", "random", "lattice", "triangular", "balanced"]),
    st.integers(1, 60),
    st.integers(2, 12),
    st.integers(2, 4),
    st.integers(0, 99),
)
def test_designs_are_valid_and_drawn_by_the_seed(
    design: Design, items: int, size: int, replicates: int, seed: int
) -> None:
    blocks = block_design(design, items, size, replicates, seed=seed)
    assert blocks == block_design(design, items, size, replicates, seed=seed)
    for block in blocks:
        assert 1 <= len(block) <= size
        assert len(set(block)) == len(block)
        assert set(block) <= set(range(items))
    if items <= size:
        assert len(blocks) == 1
    if design != "random":
        assert min(replications(blocks, items)) >= 1


def test_designs_that_exist_keep_their_shape_under_other_names() -> None:
    blocks = block_design("balanced", 13, 4, seed=3)
    assert len(blocks) == 13
    assert set(meetings(blocks).values()) == {1}
    assert blocks != block_design("balanced", 13, 4, seed=4)


def test_connectedness() -> None:
    for seed in range(20):
        assert connected(block_design("equi-replicate", 100, 10, 2, seed=seed), 100)
        assert connected(block_design("random", 30, 10, 3, seed=seed), 30)
    assert not connected(block_design("equi-replicate", 100, 10, 1), 100)
    assert connected([], 1)
    assert not connected([], 2)


def test_blocks_larger_than_all_items_hold_all_items() -> None:
    blocks = equi_replicate_blocks(3, 9, 2, random.Random(0))
    assert [sorted(block) for block in blocks] == [[0, 1, 2]] * 2


def test_random_blocks_may_leave_an_item_out() -> None:
    blocks = random_blocks(50, 5, 1, random.Random(0))
    assert len(blocks) == 10
    assert 0 in replications(blocks, 50)


def test_coverage_grows_with_replicates() -> None:
    shares = [coverage(block_design("equi-replicate", 100, 20, r), 100) for r in (1, 2, 4, 8)]
    assert shares == sorted(shares)
    assert coverage([(0,)], 1) == 1.0


@pytest.mark.parametrize(
    ("design", "items", "size", "replicates"),
    [("latin", 9, 3, 2), ("random", 0, 3, 2), ("random", 9, 1, 2), ("lattice", 9, 3, 0)],
)
def test_wrong_numbers_are_refused(design: str, items: int, size: int, replicates: int) -> None:
    with pytest.raises(ConfigurationError):
        block_design(design, items, size, replicates)  # type: ignore[arg-type]
