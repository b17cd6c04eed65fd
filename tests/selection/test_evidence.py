"""Measures of sets, the made collection, and training examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, DataError
from plackett.llm.templates import prompt_template
from plackett.selection import (
    multi_hop_collection,
    selection_examples,
    set_report,
    set_scores,
)

SETS = st.sets(st.sampled_from("abcdef"))


@given(chosen=SETS, needed=SETS)
def test_set_scores_are_their_definitions(chosen: set[str], needed: set[str]) -> None:
    scores = set_scores(sorted(chosen), needed)
    hits = len(chosen & needed)
    if chosen and needed:
        assert scores.precision == hits / len(chosen)
        assert scores.recall == hits / len(needed)
        total = scores.precision + scores.recall
        wanted = 2 * scores.precision * scores.recall / total if total else 0.0
        assert scores.f1 == pytest.approx(wanted)
    assert scores.sufficient == (scores.recall == 1.0) == (needed <= chosen)
    assert set_scores(sorted(needed), needed).f1 == 1.0


def test_sets_of_nothing() -> None:
    assert set_scores([], []).f1 == 1.0
    assert set_scores(["a"], []).precision == 0.0
    assert set_scores([], ["a"]) == set_scores((), {"a"})
    with pytest.raises(DataError, match="twice"):
        set_scores(["a", "a"], ["a"])
    with pytest.raises(DataError, match="no queries"):
        set_report({}, {})


def test_a_report_counts_sizes_and_what_was_not_chosen() -> None:
    report = set_report({"q1": ["a", "b"]}, {"q1": ["a"], "q2": ["a"]})
    assert report.sizes == {0: 1, 2: 1}
    assert (report.size, report.sufficiency, report.recall) == (1.0, 0.5, 0.5)


def test_the_made_collection_is_what_it_says() -> None:
    made = multi_hop_collection(9, hops=(1, 2, 3), distractors=6, contradictions=2, seed=1)
    again = multi_hop_collection(9, hops=(1, 2, 3), distractors=6, contradictions=2, seed=1)
    assert list(made.corpus) == list(again.corpus)
    assert made.run.to_dict() == again.run.to_dict()
    for i, (query, needed) in enumerate(made.needed.items()):
        text = made.queries.text(query)
        facts = [made.corpus.text(name) for name in needed]
        assert len(needed) == i % 3 + 1
        # The chain leads from the name in the question to the answer.
        link = text.rstrip("?").split()[-1]
        for fact in facts:
            assert f"of {link} is" in fact
            link = fact.rstrip(".").split()[-1]
        assert link == made.answers[query]
        pool = [name for name, _ in made.run[query]]
        assert len(pool) == len(needed) + 6 + 2
        others = set(pool) - set(needed) - set(made.contradicting[query])
        assert made.read(query, needed) == link
        assert made.read(query, [*needed, *others]) == link
        assert made.read(query, needed[1:]) == ""
        assert made.read(query, [*needed, made.contradicting[query][0]]) == ""
        # No other set of its passages is enough.
        answers = [name for name in pool if link in made.corpus.text(name).split()[-1]]
        assert answers == [needed[-1]]
    with pytest.raises(ConfigurationError):
        multi_hop_collection(0)
    with pytest.raises(ConfigurationError):
        multi_hop_collection(hops=(5,))


def test_distractors_do_not_say_two_things_of_one_name() -> None:
    made = multi_hop_collection(3, hops=(1,), distractors=40, seed=2)
    for query in made.needed:
        told = [made.corpus.text(name) for name, _ in made.run[query]]
        subjects = [text.rpartition(" is ")[0] for text in told if " not " not in text]
        assert len(set(subjects)) == len(subjects)


def test_fixed_k_pays_for_hops_that_vary() -> None:
    """Sets that adapt are better than any fixed k, which a comparison must look at, all of them."""
    made = multi_hop_collection(30, hops=(1, 2, 3), seed=4)
    order = {
        query: [*needed, *(n for n, _ in made.run[query] if n not in needed)]
        for query, needed in made.needed.items()
    }
    fixed = [
        set_report({q: names[:k] for q, names in order.items()}, made.needed).f1
        for k in range(1, 11)
    ]
    assert max(fixed) < 0.85  # although the order is perfect
    assert set_report(made.needed, made.needed).f1 == 1.0


def examples(**settings: object) -> list[object]:
    queries = {"q1": "two?", "q2": "one?"}
    passages = {q: {f"d{i}": f"text {i}" for i in range(5)} for q in queries}
    needed = {"q1": ["d4", "d1"], "q2": ["d3"]}
    return selection_examples(queries, passages, needed, **settings)  # type: ignore[arg-type, return-value]


def test_examples_go_from_easy_to_hard_and_parse_to_their_positions() -> None:
    made = examples()
    assert [each.query_id for each in made] == ["q2", "q1"]
    template = prompt_template("dps")
    for each in made:
        assert template.parse(each.answer, 5).positions == each.positions
        shown = each.prompt.shown.documents
        wanted = {"q1": ("d4", "d1"), "q2": ("d3",)}[each.query_id]
        assert tuple(shown[i] for i in each.positions) == wanted
    assert [each.query_id for each in examples(easy_first=False)] == ["q1", "q2"]


def test_the_answers_order_follows_one_rule() -> None:
    chain = examples(shuffled=False)[1]
    ascending = examples(shuffled=False, order="ascending")[1]
    assert (chain.answer, ascending.answer) == ("[5], [2]", "[2], [5]")
    letters = examples(shuffled=False, prompt="dps-stepwise")[1]
    assert letters.answer == " E B Z"


def test_places_of_needed_passages_are_even_over_draws() -> None:
    places = [examples(seed=seed)[0].positions[0] for seed in range(400)]
    counts = np.bincount(places, minlength=5)
    assert counts.min() > 80 - 4 * np.sqrt(80)
    assert examples(seed=1)[0].positions == examples(seed=1)[0].positions


def test_what_is_needed_must_be_there_once() -> None:
    with pytest.raises(DataError, match="'x' of query 'q'"):
        selection_examples({"q": "?"}, {"q": {"a": "t"}}, {"q": ["x"]})
    with pytest.raises(DataError, match="twice"):
        selection_examples({"q": "?"}, {"q": {"a": "t"}}, {"q": ["a", "a"]})
    none = selection_examples({"q": "?"}, {"q": {"a": "t"}}, {"q": []})
    assert none[0].answer == "none"
