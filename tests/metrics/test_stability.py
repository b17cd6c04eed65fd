"""Stability of runs by hand and by its laws."""

import numpy as np
import pytest

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics.rank_correlation import rank_biased_overlap
from plackett.metrics.stability import run_jaccard, stability


def run_of(**lists: str) -> Run:
    return Run.from_dict(
        {query: {d: float(-i) for i, d in enumerate(names)} for query, names in lists.items()}
    )


def test_the_same_run_is_stable_and_a_disjoint_one_is_not() -> None:
    a, b = run_of(q1="abcd", q2="xy"), run_of(q1="efgh", q2="uv")
    same, other = stability(a, a), stability(a, b)
    assert same.rbo.tolist() == pytest.approx([1.0, 1.0])
    assert same.jaccard.tolist() == [1.0, 1.0]
    assert other.rbo.tolist() == other.jaccard.tolist() == [0.0, 0.0]


def test_a_swap_at_the_top_of_four() -> None:
    found = stability(run_of(q="abcd"), run_of(q="bacd"), cutoff=1)
    assert found.mean_rbo == pytest.approx(0.9)
    assert found.mean_jaccard == 0.0


def test_jaccard_reads_the_first_documents_only() -> None:
    a, b = run_of(q="abcd"), run_of(q="acbe")
    assert run_jaccard(a, b, cutoff=2)["q"] == pytest.approx(1 / 3)
    assert run_jaccard(a, b, cutoff=3)["q"] == 1.0
    assert run_jaccard(a, b, cutoff=10)["q"] == pytest.approx(3 / 5)


def test_values_are_per_common_query_and_symmetric() -> None:
    a, b = run_of(q1="abc", q2="xyz", q3="kl"), run_of(q0="m", q2="zyx", q1="bcd")
    forth, back = stability(a, b, p=0.8), stability(b, a, p=0.8)
    assert forth.query_ids == ("q1", "q2")
    assert sorted(forth.rbo) == pytest.approx(sorted(back.rbo))
    assert sorted(forth.jaccard) == pytest.approx(sorted(back.jaccard))
    assert forth.rbo[0] == pytest.approx(rank_biased_overlap("abc", "bcd", p=0.8))
    assert forth.mean_rbo == pytest.approx(np.mean(forth.rbo))
    assert "2 queries" in str(forth)


def test_depth_cuts_the_lists_for_overlap() -> None:
    a, b = run_of(q="abcd"), run_of(q="abdc")
    assert stability(a, b, depth=2).mean_rbo == pytest.approx(1.0)
    assert stability(a, b).mean_rbo < 1.0


def test_bad_input() -> None:
    with pytest.raises(DataError, match="common query"):
        stability(run_of(q1="a"), run_of(q2="a"))
    with pytest.raises(ConfigurationError, match="cutoff=0"):
        stability(run_of(q="a"), run_of(q="a"), cutoff=0)
    with pytest.raises(ConfigurationError, match="p=1"):
        stability(run_of(q="a"), run_of(q="a"), p=1)
