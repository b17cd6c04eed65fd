"""Packing: within the budget, exact by brute force, never splitting unless asked."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import Corpus, Run
from plackett.errors import ConfigurationError, DataError
from plackett.selection import TokenBudget, pack, pack_texts, parse_selector
from plackett.selection.token_budget import Packing, estimated_tokens

PASSAGES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=8)


def best_sum(worth: list[float], length: list[int], budget: int) -> float:
    """By brute force."""
    subsets = (s for r in range(len(worth) + 1) for s in combinations(range(len(worth)), r))
    return max(sum(worth[i] for i in s) for s in subsets if sum(length[i] for i in s) <= budget)


@pytest.mark.parametrize("packing", ["prefix", "rank", "density", "exact"])
@given(passages=PASSAGES, budget=st.integers(0, 30))
def test_every_packing_fits_in_rank_order(
    packing: Packing, passages: list[tuple[int, int]], budget: int
) -> None:
    ordered = sorted(passages, reverse=True)
    worth, length = [float(s) for s, _ in ordered], [n for _, n in ordered]
    kept = pack(worth, length, budget, packing)
    assert sum(length[i] for i in kept) <= budget
    assert (np.diff(kept) > 0).all()
    total, best = sum(worth[i] for i in kept), best_sum(worth, length, budget)
    if packing == "exact":
        assert total == best
    if packing == "density":
        assert total >= best / 2
    if packing == "prefix":
        assert kept.tolist() == list(range(len(kept)))
        assert len(kept) == len(worth) or sum(length[: len(kept) + 1]) > budget
    if packing == "rank":
        assert set(pack(worth, length, budget, "prefix")) <= set(kept)


def test_one_long_passage_may_be_worth_more_than_the_short_ones() -> None:
    assert pack([9.0, 1.0], [10, 1], 10, "density").tolist() == [0]


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(DataError, match="calibrate"):
        pack([1.0, -1.0], [1, 1], 2, "density")
    with pytest.raises(DataError, match="one score and one length"):
        pack([1.0], [1, 2], 2)
    with pytest.raises(DataError, match="one score and one length"):
        pack([1.0], [-1], 2)
    with pytest.raises(ConfigurationError, match="is not one of"):
        pack([1.0], [1], 2, "tetris")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="budget of -1"):
        pack([1.0], [1], -1)
    with pytest.raises(ConfigurationError, match='packing="density"'):
        pack(np.ones(1000), np.full(1000, 10**6), 10**9, "exact")
    for wrong in ({"tokens": -1}, {"tokens": 1, "packing": "tetris"}, {"tokens": 1, "extra": -1}):
        with pytest.raises(ConfigurationError):
            TokenBudget(**wrong)  # type: ignore[arg-type]


def test_texts_are_whole_unless_splitting_was_asked_for() -> None:
    texts = ["a" * 9, "b" * 9, "c" * 3]
    whole = pack_texts(texts, 5)
    assert (whole.positions.tolist(), whole.tokens, whole.shortened) == ([0, 2], 4, False)
    split = pack_texts(texts, 5, split=True)
    assert split.texts == ("a" * 9, "c" * 3, "b" * 3)
    assert (split.positions.tolist(), split.tokens, split.shortened) == ([0, 2, 1], 5, True)
    assert not pack_texts(texts, 4, split=True).shortened
    assert not pack_texts(texts, 99, split=True).shortened
    assert pack_texts(texts, 7, extra=1).positions.tolist() == [0, 2]
    assert pack_texts(texts, 3, scores=[0.1, 0.9, 0.1], packing="exact").positions.tolist() == [1]


@given(text=st.text())
def test_the_estimate_is_of_bytes_and_never_zero_for_text(text: str) -> None:
    assert (estimated_tokens(text) == 0) == (text == "")


def test_a_model_counts_and_cuts(scripted) -> None:
    model = scripted({})
    found = pack_texts(["one two", "three four"], 3, model=model, split=True)
    assert (found.texts, found.tokens) == (("one two", "three"), 3)


def test_a_run_is_packed_by_its_texts(scripted) -> None:
    run = Run.from_dict({"q1": {"a": 3.0, "b": 2.0, "c": 1.0}, "q2": {"a": 1.0}, "q3": {}})
    corpus = Corpus.from_texts({"a": "w " * 5, "b": "w " * 3, "c": "w"})
    given = run.replace(corpus=corpus)
    packed = TokenBudget(4, model=scripted({}))(given)
    assert packed.to_dict() == {"q1": {"b": 2.0, "c": 1.0}, "q2": {}, "q3": {}}
    with pytest.raises(DataError, match="without its corpus"):
        TokenBudget(4)(run)
    with pytest.raises(DataError, match="'c' of the run"):
        TokenBudget(4)(run.replace(corpus=corpus.select(["a", "b"])))


def test_descriptions_are_read_back() -> None:
    for text in (
        "TokenBudget(100)",
        "TokenBudget(100, packing='exact', model=\"Transformers('x')\", extra=4)",
    ):
        assert repr(parse_selector(text)) == text
