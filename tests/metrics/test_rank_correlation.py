"""Kendall's tau, tau-AP and RBO against their definitions."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics import kendall_tau, rank_biased_overlap, run_correlation, tau_ap


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_kendall_counts_pairs(items: list[tuple[int, int]]) -> None:
    x, y = [a for a, _ in items], [b for _, b in items]
    pairs = list(combinations(items, 2))
    balance = sum(np.sign(a[0] - b[0]) * np.sign(a[1] - b[1]) for a, b in pairs)
    untied = [sum(a[side] != b[side] for a, b in pairs) for side in (0, 1)]
    tau_a, tau_b = kendall_tau(x, y, variant="a"), kendall_tau(x, y)
    if not pairs:
        assert math.isnan(tau_a)
        return
    assert tau_a == pytest.approx(balance / len(pairs))
    if 0 in untied:
        assert math.isnan(tau_b)
    else:
        assert tau_b == pytest.approx(balance / math.sqrt(untied[0] * untied[1]))


@given(st.integers(2, 12).flatmap(lambda n: st.permutations(range(n))))
def test_tau_ap_is_its_definition(x: list[int]) -> None:
    n = len(x)
    reference = list(range(n))
    ranked = sorted(range(n), key=lambda i: -x[i])
    total = sum(
        sum(reference[ranked[j]] > reference[ranked[i]] for j in range(i)) / i for i in range(1, n)
    )
    assert tau_ap(x, reference) == pytest.approx(2 * total / (n - 1) - 1)


def test_tau_ap_punishes_errors_at_the_top_more() -> None:
    assert tau_ap([4, 5, 3, 2, 1], [5, 4, 3, 2, 1]) < tau_ap([5, 4, 3, 1, 2], [5, 4, 3, 2, 1])
    assert math.isnan(tau_ap([1], [1]))
    with pytest.raises(DataError, match="equal scores"):
        tau_ap([1, 1], [1, 2])


def naive_rbo(a: list[int], b: list[int], p: float) -> float:
    shorter, longer = sorted((a, b), key=len)
    s, n = len(shorter), len(longer)
    x = [len(set(shorter[:d]) & set(longer[:d])) for d in range(n + 1)]
    total = sum(x[d] / d * p**d for d in range(1, n + 1))
    total += sum(x[s] * (d - s) / (s * d) * p**d for d in range(s + 1, n + 1))
    return (1 - p) / p * total + ((x[n] - x[s]) / n + x[s] / s) * p**n


RANKINGS = st.lists(st.integers(0, 9), min_size=1, max_size=8, unique=True)


@given(RANKINGS, RANKINGS, st.floats(0.05, 0.95))
def test_rbo_is_its_definition(a: list[int], b: list[int], p: float) -> None:
    assert rank_biased_overlap(a, b, p=p) == pytest.approx(naive_rbo(a, b, p))
    assert rank_biased_overlap(a, b, p=p) == pytest.approx(rank_biased_overlap(b, a, p=p))
    assert 0.0 <= rank_biased_overlap(a, b, p=p) <= 1.0
    assert rank_biased_overlap(a, a, p=p) == pytest.approx(1.0)


def test_rbo_from_the_overlaps_of_a_worked_example() -> None:
    # abcdefg and zcavwxy share 0, 0, 2, 2, 2, 2, 2 items at depths 1 to 7.
    p, shared = 0.9, [0, 0, 2, 2, 2, 2, 2]
    expected = (1 - p) / p * sum(x / d * p**d for d, x in enumerate(shared, 1)) + 2 / 7 * p**7
    assert rank_biased_overlap("abcdefg", "zcavwxy", p=p) == pytest.approx(expected)


def test_rbo_at_the_edges() -> None:
    assert rank_biased_overlap([], []) == 1.0
    assert rank_biased_overlap([], [1]) == 0.0
    with pytest.raises(DataError, match="twice"):
        rank_biased_overlap("aa", "b")
    with pytest.raises(ConfigurationError, match="p=1"):
        rank_biased_overlap("a", "b", p=1)


def test_runs_are_compared_on_the_queries_that_both_hold() -> None:
    a = Run.from_dict({"q1": {"x": 3, "y": 2, "z": 1}, "q2": {"x": 1}})
    b = Run.from_dict({"q1": {"z": 3, "y": 2, "w": 1}, "q3": {"x": 1}})
    assert run_correlation(a, b, "kendall") == {"q1": -1.0}
    assert run_correlation(a, b, "tau_ap") == {"q1": -1.0}
    assert run_correlation(a, b) == {"q1": rank_biased_overlap("xyz", "zyw")}
    assert run_correlation(a, b, depth=1) == {"q1": 0.0}
    with pytest.raises(ConfigurationError, match="not one of rbo"):
        run_correlation(a, b, "spearman")  # type: ignore[arg-type]


@pytest.mark.parametrize("y", [[1], [1, float("nan")]])
def test_bad_scores(y: list[float]) -> None:
    with pytest.raises(DataError):
        kendall_tau([1, 2], y)
    with pytest.raises(ConfigurationError):
        kendall_tau([1], [1], variant="c")  # type: ignore[arg-type]
