"""Samplers of pairs, and what aggregators make of them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.llm.oracle.model import Oracle
from plackett.metrics.rank_correlation import kendall_tau
from plackett.rerankers import parse
from plackett.rerankers.pairwise.pair_samplers import (
    biased_window_pairs,
    full_pairs,
    grouped_pairs,
    random_pairs,
    window_pairs,
)
from plackett.rerankers.pairwise.sparse_pairs import SparsePairs
from plackett.rerankers.ranked import Candidates

AGGREGATORS = ["additive", "greedy", "kwiksort", "pagerank", "bradley_terry"]
SAMPLERS = ["full", "random", "window", "biased-window", "grouped"]


def collection(n: int, seed: int = 0) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    grades = np.random.default_rng(seed).permutation(n)
    ids = [f"d{i}" for i in range(n)]
    return (
        {"q": {name: float(g) for name, g in zip(ids, grades, strict=True)}},
        {name: f"the text of {name}" for name in ids},
    )


def degrees(pairs: list[tuple[int, int]], n: int) -> tuple[set[int], set[int]]:
    """How often items are shown first, and second."""
    out, into = Counter(i for i, _ in pairs), Counter(j for _, j in pairs)
    return {out[item] for item in range(n)}, {into[item] for item in range(n)}


@given(st.integers(0, 15), st.integers(1, 20), st.integers(0, 100))
def test_no_sampler_asks_a_pair_twice_or_an_item_about_itself(n: int, size: int, seed: int) -> None:
    for pairs in (
        full_pairs(n),
        random_pairs(n, size, seed=seed),
        window_pairs(n, size),
        window_pairs(n, size, dilation=3),
        biased_window_pairs(n, size),
        grouped_pairs(n, size),
    ):
        assert len(set(pairs)) == len(pairs)
        assert set(pairs) <= set(full_pairs(n))


@pytest.mark.parametrize("n", [5, 8, 50])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_every_item_is_compared_equally_often(n: int, size: int) -> None:
    for pairs in (window_pairs(n, size), biased_window_pairs(n, size)):
        assert degrees(pairs, n) == ({size}, {size})
        assert len(pairs) == n * size
    assert degrees(random_pairs(n, size), n)[0] == {size}
    assert degrees(full_pairs(n), n) == ({n - 1}, {n - 1})


def test_the_widest_window_is_all_pairs() -> None:
    assert window_pairs(9, 8) == biased_window_pairs(9, 8) == full_pairs(9)
    assert sorted(random_pairs(9, 8)) == full_pairs(9)
    assert sorted(window_pairs(9, 30)) == full_pairs(9)
    assert grouped_pairs(9, 9) == full_pairs(9)


def test_windows_reach_as_far_as_their_steps() -> None:
    assert {(j - i) % 20 for i, j in window_pairs(20, 3, dilation=5)} == {5, 10, 15}
    assert {(j - i) % 20 for i, j in window_pairs(20, 5, dilation=5)} == {5, 10, 15}
    steps = sorted({(j - i) % 100 for i, j in biased_window_pairs(100, 6)})
    assert steps[0] == 1
    assert steps[-1] == 99
    assert all(np.diff(np.diff(steps)) >= 0)


def test_groups_meet_their_neighbours_and_the_last_the_first() -> None:
    pairs = set(grouped_pairs(12, 3))
    assert (0, 2) in pairs
    assert (0, 5) in pairs
    assert (0, 11) in pairs
    assert (0, 7) not in pairs
    assert all((j, i) in pairs for i, j in pairs)


def test_partners_by_distance_of_scores() -> None:
    scores = np.arange(40.0)

    def mean_gap(power: float) -> float:
        pairs = random_pairs(40, 5, scores=scores, power=power, seed=1)
        return float(np.mean([abs(i - j) for i, j in pairs]))

    assert mean_gap(2.0) > mean_gap(0.0) > mean_gap(-2.0)
    assert degrees(random_pairs(6, 2, scores=np.zeros(6), power=2.0), 6)[0] == {2}
    for wrong in (None, np.arange(3.0), np.full(6, np.nan)):
        with pytest.raises(DataError, match="power=0"):
            random_pairs(6, 2, scores=wrong, power=1.0)
    assert random_pairs(30, 4, seed=1) == random_pairs(30, 4, seed=1)
    assert random_pairs(30, 4, seed=1) != random_pairs(30, 4, seed=2)


@pytest.mark.parametrize("aggregator", AGGREGATORS)
@pytest.mark.parametrize("reading", ["logits", "likelihood", "generation"])
def test_all_pairs_of_a_perfect_model_are_exact(aggregator: str, reading: str) -> None:
    grades, texts = collection(20)
    reranker = SparsePairs(
        Oracle(grades), sampler="full", aggregator=aggregator, comparator=reading
    )
    ranked = reranker.rank("q", texts)
    assert ranked.ids == sorted(texts, key=lambda name: -grades["q"][name])
    assert ranked.calls == 20 * 19 * (2 if reading == "likelihood" else 1)
    assert ranked.score_kind == "wins"


@pytest.mark.parametrize(("sampler", "calls"), [("random", 120), ("window", 120), ("full", 870)])
def test_calls(sampler: str, calls: int) -> None:
    grades, texts = collection(30)
    assert SparsePairs(Oracle(grades), sampler=sampler, size=4).rank("q", texts).calls == calls


@pytest.mark.parametrize("aggregator", ["additive", "greedy", "bradley_terry"])
def test_more_comparisons_of_a_noisy_model_are_better_on_average(aggregator: str) -> None:
    taus = []
    for size in (2, 6, 19):
        found = []
        for seed in range(5):
            grades, texts = collection(20, seed)
            model = Oracle(grades, noise=0.1, seed=seed)
            reranker = SparsePairs(model, size=size, aggregator=aggregator, seed=seed)
            ranked = reranker.rank("q", texts)
            truth = np.array([grades["q"][name] for name in ranked.ids])
            found.append(kendall_tau(-np.arange(20.0), truth))
        taus.append(np.mean(found))
    assert taus[0] < taus[1] < taus[2]
    assert taus[2] > 0.7


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("aggregator", AGGREGATORS)
def test_places_alone_change_nothing_where_all_are_shown_first_equally(
    sampler: str, aggregator: str
) -> None:
    grades, texts = collection(12)
    reranker = SparsePairs(
        Oracle(grades, order_bias=1.0), sampler=sampler, size=4, aggregator=aggregator
    )
    ranked = reranker.rank("q", texts)
    assert sorted(ranked.ids) == sorted(texts)
    if sampler == "full" and aggregator != "greedy":
        assert ranked.ids == list(texts)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_garbage_leaves_the_order_and_is_counted(sampler: str) -> None:
    grades, texts = collection(8)
    ranked = SparsePairs(Oracle(grades, malformed=1.0), sampler=sampler, size=3).rank("q", texts)
    assert ranked.ids == list(texts)
    assert ranked.answers == {"missing": ranked.calls}


def test_the_seed_fixes_the_sample_and_short_lists_need_no_call() -> None:
    grades, texts = collection(20)
    orders = [
        SparsePairs(Oracle(grades), sampler="random", size=2, seed=seed).rank("q", texts).ids
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert SparsePairs(Oracle(grades)).rank("q", {"d0": "t"}).calls == 0
    assert SparsePairs(Oracle(grades)).rank("q", {"d0": "t", "d1": "u"}).calls == 2


def test_first_stage_scores_choose_partners() -> None:
    grades, texts = collection(20)
    reranker = SparsePairs(Oracle(grades), sampler="random", size=3, power=1.0)
    with pytest.raises(DataError, match="first-stage scores"):
        reranker.rank("q", texts)
    scored = Candidates(tuple(texts), tuple(texts.values()), np.linspace(20, 1, 20))
    assert reranker.rank("q", scored).calls == 60


def test_a_function_can_be_sampled_too() -> None:
    reranker = SparsePairs(
        comparator=lambda query, first, second: len(first) > len(second), sampler="full"
    )
    assert reranker.rank("q", ["a", "ccc", "bb"]).ids == ["1", "2", "0"]


def test_the_description_reads_back_and_bad_settings_are_refused() -> None:
    reranker = SparsePairs("Oracle({})", sampler="random", size=4, power=-1.0, aggregator="greedy")
    assert repr(parse(repr(reranker))) == repr(reranker)
    with pytest.raises(UnknownNameError, match="kwiksort"):
        SparsePairs(Oracle({}), aggregator="quicksort")
    for wrong in ({"sampler": "some"}, {"size": 0}, {"dilation": 0}, {"power": 1.0}):
        with pytest.raises(ConfigurationError):
            SparsePairs(Oracle({}), **wrong)
