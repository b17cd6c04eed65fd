"""Searches that skip by bounds, against adding up everything: equal bit for bit, ties included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.retrievers.inverted.bound_kernels import (
    bound_blocks,
    fill_cuts,
    fill_needs,
    lay_out_blocks,
    shift_of,
)
from plackett.retrievers.inverted.impact_kernels import bound_terms
from plackett.retrievers.inverted.impacts import ImpactLists, Ranking

Floats = npt.NDArray[np.float32]


def made_lists(
    generator: np.random.Generator, documents: int, shares: list[float], levels: list[float]
) -> ImpactLists:
    """A list a share of the documents; impacts are drawn from the levels, or uniform without."""
    held = [np.flatnonzero(generator.random(documents) < share) for share in shares]
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in held])]).astype(np.int64)
    postings = int(offsets[-1])
    # Every term has a scale of its own, as by its idf.
    scales = np.repeat(generator.choice([0.5, 1.0, 1.7, 3.1], len(shares)), np.diff(offsets))
    drawn = generator.choice(levels, postings) if levels else generator.random(postings)
    return ImpactLists.from_postings(
        offsets=offsets,
        documents=np.concatenate([np.zeros(0, np.int64), *held]).astype(np.int32),
        impacts=(drawn * scales).astype(np.float32),
        rank=generator.permutation(documents).astype(np.int32),
    )


def brute_force(
    lists: ImpactLists,
    terms: list[int],
    weights: list[float],
    k: int,
    allowed: npt.NDArray[np.bool_] | None,
) -> tuple[list[int], list[float]]:
    """Every document's float32 sum in the order that the class states, then the k best of all."""
    merged: dict[int, np.float32] = {}
    for term, weight in zip(terms, weights, strict=True):
        merged[term] = np.float32(merged.get(term, np.float32(0.0)) + np.float32(weight))
    order = sorted(merged, key=lambda term: -(merged[term] * lists.upper[term]))
    scores = np.zeros(len(lists.rank), dtype=np.float32)
    for term in order:
        part = slice(lists.offsets[term], lists.offsets[term + 1])
        scores[lists.documents[part]] += merged[term] * lists.impacts[part]
    able = scores > 0 if allowed is None else (scores > 0) & allowed
    having = np.flatnonzero(able)
    # The lowest codes are in where scores tie; among results the higher rank is first.
    best = having[np.lexsort((having, -scores[having]))][:k]
    best = best[np.lexsort((-lists.rank[best], -scores[best]))]
    return best.tolist(), scores[best].tolist()


def searched(
    lists: ImpactLists, terms: list[int], weights: list[float], k: int, **options: Any
) -> tuple[list[int], list[float]]:
    ranking: Ranking = lists.search(
        np.array([0, len(terms)]),
        np.array(terms, dtype=np.int32),
        np.array(weights, dtype=np.float32),
        k=k,
        **options,
    )
    return ranking.documents.tolist(), ranking.scores.tolist()


def without_blocks(lists: ImpactLists) -> ImpactLists:
    return replace(lists, block_offsets=np.zeros(0, np.int64), block_max=np.zeros(0, np.float32))


def without_floors(lists: ImpactLists) -> ImpactLists:
    return replace(lists, floors=np.zeros((0, 3), np.float32))


LEVELS = [[1.0], [0.25, 0.5, 1.0], [0.1, 0.7, 0.9], [-1.0, 0.5, 1.0], []]
SHARES = [0.0, 0.0005, 0.01, 0.1, 0.4, 0.95]


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    documents=st.sampled_from([1, 15, 16, 17, 300, 5000, 40_000]),
    levels=st.sampled_from(LEVELS),
    shares=st.lists(st.sampled_from(SHARES), min_size=1, max_size=7),
    k=st.sampled_from([1, 2, 10, 20, 21, 100, 1000, 1500, 50_000]),
    filtered=st.sampled_from([None, 0.01, 0.5, 1.0]),
    weighted=st.booleans(),
)
def test_what_is_skipped_changes_nothing(
    seed: int,
    documents: int,
    levels: list[float],
    shares: list[float],
    k: int,
    filtered: float | None,
    weighted: bool,
) -> None:
    generator = np.random.default_rng(seed)
    lists = made_lists(generator, documents, shares, levels)
    terms = generator.integers(0, len(shares), generator.integers(1, 9)).tolist()
    drawn = generator.choice([0.0, 0.3, 1.0, 2.5], len(terms))
    weights = drawn.tolist() if weighted else [1.0] * len(terms)
    allowed = None if filtered is None else generator.random(documents) < filtered
    expected = brute_force(lists, terms, weights, k, allowed)
    for kind in (lists, without_blocks(lists), without_floors(lists)):
        assert searched(kind, terms, weights, k, allowed=allowed) == expected


@pytest.mark.parametrize("levels", [[1.0, 2.0], []], ids=["ties", "no ties"])
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_many_windows_and_blocks(levels: list[float], k: int) -> None:
    """200,000 documents: four windows of the widest kind, blocks of every size."""
    generator = np.random.default_rng(7)
    shares = [0.9, 0.5, 0.2, 0.05, 0.004, 0.0005]
    lists = made_lists(generator, 200_000, shares, levels)
    few = generator.random(200_000) < 0.02
    for terms in ([0, 1, 5], [5, 4, 3, 2, 1, 0], [0, 2], [1], [3, 4, 5], [4, 4, 0]):
        weights = [1.0] * len(terms)
        for allowed in (None, few):
            assert searched(lists, terms, weights, k, allowed=allowed) == brute_force(
                lists, terms, weights, k, allowed
            )


@pytest.mark.parametrize("terms_each", [12, 30])
def test_many_terms(terms_each: int) -> None:
    generator = np.random.default_rng(3)
    for share in (0.001, 0.2):
        lists = made_lists(generator, 20_000, [share] * 40, [0.5, 1.0])
        terms = generator.integers(0, 40, terms_each).tolist()
        weights = generator.random(terms_each).tolist()
        assert searched(lists, terms, weights, 10) == brute_force(lists, terms, weights, 10, None)


def test_equal_documents_fill_the_places_from_the_first() -> None:
    lists = ImpactLists.from_postings(
        offsets=np.array([0, 100_000, 200_000]),
        documents=np.tile(np.arange(100_000, dtype=np.int32), 2),
        impacts=np.full(200_000, 0.1, np.float32),
        rank=np.arange(100_000, dtype=np.int32)[::-1],
    )
    documents, _ = searched(lists, [0, 1], [1.0, 1.0], 7)
    assert documents == [0, 1, 2, 3, 4, 5, 6]


def test_threads_change_nothing() -> None:
    generator = np.random.default_rng(5)
    lists = made_lists(generator, 5000, [0.5, 0.1, 0.01, 0.3], [])
    offsets = np.arange(0, 61, 3)
    terms = generator.integers(0, 4, 60).astype(np.int32)
    one, two = (lists.search(offsets, terms, k=10, threads=threads) for threads in (1, 2))
    assert one.documents.tolist() == two.documents.tolist()
    assert one.scores.tolist() == two.scores.tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 16, 500, 30_000]), st.sampled_from(LEVELS))
def test_bounds_hold(seed: int, documents: int, levels: list[float]) -> None:
    generator = np.random.default_rng(seed)
    lists = made_lists(generator, documents, SHARES, levels)
    for term in range(len(SHARES)):
        part = slice(lists.offsets[term], lists.offsets[term + 1])
        held, impacts = lists.documents[part], lists.impacts[part]
        assert lists.upper[term] == impacts.max(initial=0.0)
        assert lists.extent[term] == np.abs(impacts).max(initial=0.0)
        if len(lists.floors):
            ordered = np.sort(impacts)[::-1]
            for column, k in enumerate((10, 100, 1000)):
                exact = ordered[k - 1] if len(ordered) >= k else 0.0
                assert exact - 0.0011 * lists.upper[term] <= lists.floors[term, column] <= exact
        first, end = lists.block_offsets[term : term + 2]
        assert 2 * (end - first) <= len(held)
        if end > first:
            shift = shift_of(end - first, documents)
            expected = np.zeros(end - first, np.float32)
            np.maximum.at(expected, held >> shift, impacts)
            assert lists.block_max[first:end].tolist() == expected.tolist()


def test_a_term_at_a_time_is_all_at_once() -> None:
    generator = np.random.default_rng(2)
    lists = made_lists(generator, 3000, [0.5, 0.01, 0.0, 0.2], [])
    upper, extent = np.zeros(4, np.float32), np.zeros(4, np.float32)
    floors = np.zeros((4, 3), np.float32)
    block_offsets = np.zeros(5, np.int64)
    lay_out_blocks(lists.offsets, 3000, block_offsets)
    block_max = np.full(block_offsets[-1], np.nan, np.float32)
    for term in ([3], [0, 2], [1]):
        terms = np.array(term)
        bound_terms(terms, lists.offsets, lists.impacts, upper, extent, floors)
        bound_blocks(
            terms, lists.offsets, lists.documents, lists.impacts, 3000, block_offsets, block_max
        )
    assert (upper == lists.upper).all()
    assert (extent == lists.extent).all()
    assert (floors == lists.floors).all()
    assert (block_offsets == lists.block_offsets).all()
    assert (block_max == lists.block_max).all()


def test_a_small_negative_impact_forbids_floors() -> None:
    """Ten documents reach 1.0 by the first term, but one of them loses by the second."""
    lists = ImpactLists.from_postings(
        offsets=np.array([0, 11, 22]),
        documents=np.tile(np.arange(11, dtype=np.int32), 2),
        impacts=np.array([1.0] * 10 + [0.9] + [-0.5] * 10 + [0.6], np.float32),
        rank=np.arange(11, dtype=np.int32),
    )
    assert len(lists.floors) == 0
    assert searched(lists, [0, 1], [1.0, 1.0], 10) == brute_force(
        lists, [0, 1], [1.0, 1.0], 10, None
    )


def test_bounds_without_floors() -> None:
    upper, extent = np.zeros(1, np.float32), np.zeros(1, np.float32)
    impacts = np.array([-3.0, 2.0], np.float32)
    bound_terms(np.array([0]), np.array([0, 2]), impacts, upper, extent, np.zeros((0, 3), "f4"))
    assert (upper[0], extent[0]) == (2.0, 3.0)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(0, 100, width=32),
    st.lists(st.floats(0, 50, width=32, allow_subnormal=False), min_size=1, max_size=8),
)
def test_a_partial_sum_that_is_not_enough_stays_so(theta: float, bounds: list[float]) -> None:
    n = len(bounds)
    held = np.array(bounds, dtype=np.float32)
    need = np.zeros(n + 1, dtype=np.float32)
    fill_needs(np.float32(theta), held, n, need)
    for i in range(n + 1):
        score = need[i]
        for bound in held[i:]:
            score = np.float32(score + bound)
        assert score <= np.float32(theta)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 5))
def test_below_its_cut_no_document_exceeds(seed: int, n_terms: int, low: int) -> None:
    generator = np.random.default_rng(seed)
    documents = 1024
    # Blocks of 16, 64 and 1024 documents, and none.
    counts = generator.choice([64, 16, 1, 0], n_terms)
    shifts = np.array([shift_of(count, documents) for count in counts])
    blocks = np.concatenate([[0], np.cumsum(counts)])[:-1].astype(np.int64)
    block_max = generator.random(counts.sum()).astype(np.float32)
    weights = generator.random(n_terms).astype(np.float32)
    bounds = weights * np.float32(1.0)
    cuts = np.zeros(20, dtype=np.float32)
    theta = np.float32(generator.random() * n_terms)
    fill_cuts(
        theta,
        np.float32(0.0),
        0,
        n_terms,
        weights,
        bounds,
        shifts,
        blocks,
        block_max,
        low,
        20,
        cuts,
    )
    for b, cut in enumerate(cuts):
        if cut <= 0.0:
            continue
        score = cut
        for i in range(n_terms):
            most = bounds[i]
            if counts[i]:
                most = weights[i] * block_max[blocks[i] + (((low + b) << 4) >> shifts[i])]
            score = np.float32(score + most)
        assert score <= theta
