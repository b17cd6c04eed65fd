"""Candidates, orderings and results: one tie rule, and a run that keeps the order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import Corpus, Queries, Run
from plackett.errors import DataError
from plackett.rerankers import Candidates, Ordering, Ranked, RankedDocument
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import run_scores

LARGEST = float(np.finfo(np.float32).max)
SCORES = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-12, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from([LARGEST, -LARGEST, 1e300, -1e300, 1e-46, -1e-46, 3.0000001, 3.0000002]),
)


@given(st.lists(SCORES, max_size=30))
def test_best_first_ties_as_they_were_and_none_last(scores) -> None:
    ordering = Ordering.by_scores(scores, "logit")
    assert sorted(ordering.order) == list(range(len(scores)))
    for a, b in pairwise(ordering.order):
        if np.isnan(scores[a]):
            assert np.isnan(scores[b])
            assert a < b
        elif not np.isnan(scores[b]):
            assert scores[a] > scores[b] or (scores[a] == scores[b] and a < b)


@given(st.lists(SCORES, max_size=30))
def test_scores_of_a_run_keep_the_order(scores) -> None:
    ordering = Ordering.by_scores(scores, "logit")
    found = run_scores(ordering, len(scores))
    assert found.dtype == np.float32
    assert not np.isnan(found).any()
    assert all(a > b for a, b in pairwise(found))


@given(st.permutations(range(8)), st.lists(SCORES, min_size=8, max_size=8))
def test_so_they_do_where_order_and_scores_disagree(order, scores) -> None:
    for values in (np.array(scores), None):
        found = run_scores(Ordering(tuple(order), values, "logit"), 8)
        assert all(a > b for a, b in pairwise(found))
        assert not np.isnan(found).any()


@given(st.lists(st.floats(-1000, 1000, width=32), unique=True, max_size=20))
def test_scores_that_can_be_kept_are_kept(scores) -> None:
    ordering = Ordering.by_scores(scores, "logit")
    assert np.array_equal(run_scores(ordering, len(scores)), sorted(scores, reverse=True))


def test_an_order_without_scores_counts_down_from_n() -> None:
    assert run_scores(Ordering((2, 0)), 5).tolist() == [5.0, 4.0]
    assert run_scores(Ordering(()), 0).tolist() == []


class Scripted(TextReranker):
    """Orders by scores that a test gives."""

    def __init__(self, scores) -> None:
        self.scores = scores

    async def _order_many(self, queries, candidates):
        return [Outcome(Ordering.by_scores(self.scores[: len(c)], "logit")) for c in candidates]

    def __repr__(self) -> str:
        return "Scripted()"


@given(st.lists(SCORES, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_a_run_goes_through_and_comes_back_in_order(scores, random) -> None:
    """Ids in any alphabetical order: a Run breaks ties by id, a re-ranker by the first stage."""
    names = [f"d{i:02}" for i in range(len(scores))]
    random.shuffle(names)
    given_ = {name: float(-i) for i, name in enumerate(names)}
    run = Run.from_dict({"q": given_}).replace(
        queries=Queries.from_texts({"q": "text"}),
        corpus=Corpus.from_texts(dict.fromkeys(names, "a text")),
    )
    again = Scripted(scores).rerank(run)
    wanted = [names[i] for i in Ordering.by_scores(scores, "logit").order]
    assert again.document_ids.strings(again.document).to_pylist() == wanted
    assert list(again.to_dict()["q"]) == wanted
    ranked = Scripted(scores).rank("text", dict.fromkeys(names, "a text"))
    assert ranked.ids == wanted
    assert again.costs[-1].calls == 0


def test_candidates_are_checked() -> None:
    with pytest.raises(DataError, match="2 ids, 1 texts"):
        Candidates(("a", "b"), ("x",))
    with pytest.raises(DataError, match="1 scores"):
        Candidates(("a", "b"), ("x", "y"), np.zeros(1))
    with pytest.raises(DataError, match="'a' twice"):
        Candidates(("a", "b", "a"), ("x", "y", "z"))
    assert len(Candidates((), ())) == 0


def test_a_result_is_a_sequence() -> None:
    documents = tuple(RankedDocument(f"d{i}", "t", 1.0 - i, i + 1, i) for i in range(3))
    ranked = Ranked("q", documents, "logit")
    assert (len(ranked), ranked[1], ranked[-1]) == (3, documents[1], documents[2])
    assert ranked[:2] == documents[:2]
    assert list(ranked) == list(documents)
    assert documents[1] in ranked
    assert ranked.scores.tolist() == [1.0, 0.0, -1.0]
    assert [each.id for each in reversed(ranked)] == ["d2", "d1", "d0"]
