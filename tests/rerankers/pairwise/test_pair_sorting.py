"""Sorts by comparisons: their counts, their rounds, their orders, and what ties do to them."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.rerankers.pairwise.pair_sorting import PairSort, pair_sort, replay, sliding_passes
from plackett.rerankers.ranked import Ordering

METHODS = ["all-pairs", "heap", "sliding", "quick"]


def driven(
    sort: PairSort, prefer: Callable[[int, int], float]
) -> tuple[Ordering, list[list[tuple[int, int]]]]:
    """The result of a sort, and its rounds."""
    rounds: list[list[tuple[int, int]]] = []
    answers = None
    while True:
        try:
            pairs = next(sort) if answers is None else sort.send(answers)
        except StopIteration as stop:
            return stop.value, rounds
        rounds.append(list(pairs))
        answers = [prefer(i, j) for i, j in pairs]


def by(grades: np.ndarray) -> Callable[[int, int], float]:
    return lambda i, j: 0.5 + 0.5 * float(np.sign(grades[i] - grades[j]))


@given(st.integers(0, 10_000), st.integers(1, 20), st.integers(1, 25), st.sampled_from(METHODS))
def test_the_best_k_come_first_in_order(seed: int, n: int, k: int, method: str) -> None:
    grades = np.random.default_rng(seed).permutation(n)
    ordering = replay(pair_sort(method, n, k), by(grades))
    best = np.argsort(-grades)[: min(k, n)].tolist()
    assert list(ordering.order)[: len(best)] == best
    assert sorted(ordering.order) == list(range(n))


@given(st.integers(0, 10_000), st.integers(1, 15), st.integers(1, 15), st.sampled_from(METHODS))
def test_contradictions_lose_nobody(seed: int, n: int, k: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    ordering = replay(pair_sort(method, n, k), lambda i, j: float(rng.choice([0.0, 0.5, 1.0])))
    assert sorted(ordering.order) == list(range(n))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 31])
def test_nothing_but_ties_leaves_everything_as_it_was(method: str, n: int) -> None:
    ordering = replay(pair_sort(method, n, 5), lambda i, j: 0.5)
    assert list(ordering.order) == list(range(n))


@pytest.mark.parametrize("method", ["all-pairs", "heap", "quick"])
@given(seed=st.integers(0, 10_000), n=st.integers(1, 15))
def test_equal_grades_stay_in_first_stage_order(method: str, seed: int, n: int) -> None:
    grades = np.random.default_rng(seed).integers(0, 3, n)
    ordering = replay(pair_sort(method, n, n), by(grades))
    assert list(ordering.order) == np.argsort(-grades, kind="stable").tolist()


def test_counts_of_a_hundred_documents() -> None:
    rng = np.random.default_rng(0)
    counts: dict[str, list[int]] = {"heap": [], "sliding": [], "quick": []}
    for _ in range(60):
        grades = rng.permutation(100)
        for method, found in counts.items():
            _, rounds = driven(pair_sort(method, 100, 10), by(grades))
            found.append(sum(map(len, rounds)))
    assert set(counts["sliding"]) == {945}
    assert min(counts["heap"]) >= 250
    assert max(counts["heap"]) <= 300
    assert np.mean(counts["heap"]) == pytest.approx(277, abs=4)
    _, rounds = driven(pair_sort("all-pairs", 100, 10), by(rng.permutation(100)))
    assert [len(pairs) for pairs in rounds] == [4950]


@pytest.mark.parametrize(("n", "k"), [(100, 10), (5, 1), (5, 4), (5, 9), (2, 1), (1, 3)])
def test_sliding_makes_all_comparisons_in_few_rounds(n: int, k: int) -> None:
    _, rounds = driven(pair_sort("sliding", n, k), by(np.arange(n)))
    passes = min(k, n - 1)
    assert sum(map(len, rounds)) == sum(n - 1 - p for p in range(passes))
    assert len(rounds) == (n + passes - 2 if passes else 0)


def plain_passes(n: int, k: int, prefer: Callable[[int, int], float]) -> tuple[int, ...]:
    """One pass after the other."""
    order = list(range(n))
    for done in range(min(k, n - 1)):
        for place in range(n - 1, done, -1):
            if prefer(order[place - 1], order[place]) < 0.5:
                order[place - 1], order[place] = order[place], order[place - 1]
    return tuple(order)


@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(1, 14))
def test_passes_side_by_side_give_what_one_after_the_other_does(seed: int, n: int, k: int) -> None:
    table = np.random.default_rng(seed).choice([0.0, 0.5, 1.0], (n, n))
    found = replay(sliding_passes(n, k), lambda i, j: float(table[i, j]))
    assert found.order == plain_passes(n, k, lambda i, j: float(table[i, j]))


@given(st.integers(0, 10_000), st.integers(2, 14), st.sampled_from(METHODS))
def test_pairs_of_a_round_do_not_wait_for_each_other(seed: int, n: int, method: str) -> None:
    grades = np.random.default_rng(seed).permutation(n)
    _, rounds = driven(pair_sort(method, n, n), by(grades))
    for pairs in rounds:
        assert pairs
        assert len({frozenset(pair) for pair in pairs}) == len(pairs)
        if method in ("heap", "sliding"):
            places = [place for pair in pairs for place in pair]
            assert len(set(places)) == len(places)


def test_the_heap_is_built_side_by_side() -> None:
    _, rounds = driven(pair_sort("heap", 100, 1), by(np.random.default_rng(1).permutation(100)))
    assert sum(map(len, rounds)) > 120
    assert len(rounds) < 60
    assert max(map(len, rounds)) > 12


def test_scores_are_wins_and_half_of_the_ties() -> None:
    ordering = replay(pair_sort("all-pairs", 3, 1), by(np.array([1, 1, 0])))
    assert ordering.scores is not None
    assert ordering.scores.tolist() == [1.5, 1.5, 0.0]
    assert ordering.score_kind == "wins"
    assert replay(pair_sort("heap", 3, 1), by(np.array([1, 1, 0]))).scores is None


def test_unknown_sorts_and_no_wishes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="all-pairs"):
        pair_sort("bogo", 3, 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="k=0"):
        pair_sort("heap", 3, 0)
