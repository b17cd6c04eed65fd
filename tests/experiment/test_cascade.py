"""Stages over finished runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.experiment.cascade import (
    FinishedReranker,
    FinishedRetriever,
    check_pipeline,
    parse_searcher,
)
from plackett.fusion import fuse

SCORES = Run.from_dict({"q1": {"a": 1.0, "b": 2.0, "c": 3.0}, "q2": {"a": 5.0}}, name="ltr")


@given(st.lists(st.sampled_from("abc"), unique=True), st.booleans())
def test_a_part_is_ranked_as_in_the_whole(names: list[str], with_other: bool) -> None:
    lists = {"q1": dict.fromkeys(names, 0.0)} | ({"q2": {"a": 0.0}} if with_other else {})
    ranked = FinishedReranker(SCORES)(Run.from_dict(lists)).to_dict()
    assert list(ranked["q1"].items()) == [
        (name, score) for name, score in SCORES["q1"] if name in names
    ]


@pytest.mark.parametrize("lists", [{"q1": {"x": 1.0}}, {"q9": {"a": 1.0}}, {"q2": {"b": 1.0}}])
def test_what_was_not_scored_is_an_error(lists: dict[str, dict[str, float]]) -> None:
    for scores in (SCORES, Run.from_dict({})):
        with pytest.raises(DataError, match="did not score"):
            FinishedReranker(scores)(Run.from_dict(lists))


def test_the_cost_is_the_documents_share() -> None:
    stage = FinishedReranker(SCORES, (Cost("model", 8.0, 2, 4),))
    run = stage(Run.from_dict({"q1": {"a": 1.0}}))
    assert run.costs == (Cost("model", 2.0, 2, 1),)
    assert repr(stage) == "ltr"


def test_the_first_stage_answers_what_is_asked() -> None:
    first = FinishedRetriever(SCORES)
    found = (first % 2).search(Queries.from_texts({"q1": "text"}))
    assert found.to_dict() == {"q1": {"c": 3.0, "b": 2.0}}
    with pytest.raises(DataError, match="no query 'q7'"):
        first.search(Queries.from_texts({"q7": "text"}))


def test_a_union_is_fused_by_a_method_of_its_name() -> None:
    other = Run.from_dict({"q1": {"a": 9.0, "d": 8.0}, "q2": {"b": 1.0}}, name="dense")
    stages = {"bm25": FinishedRetriever(SCORES), "dense": FinishedRetriever(other)}
    asked = Queries.from_texts({"q1": "text", "q2": "text"})
    expected = fuse([SCORES.head(2), other]).head(3).to_dict()
    for text in ("(bm25 % 2 | dense) >> rrf % 3", "(bm25 % 2 | dense) >> Fusing('rrf') % 3"):
        assert parse_searcher(text, stages).search(asked).to_dict() == expected
    # What has the name of a method is what it is called.
    named = {**stages, "rrf": FinishedReranker(SCORES)}
    assert parse_searcher("bm25 % 1 >> rrf", named).search(asked).to_dict()["q1"] == {"c": 3.0}
    check_pipeline("(bm25 % 10 | dense % 10) >> comb_sum % 5 >> ltr", ["bm25", "dense"], ["ltr"])
    with pytest.raises(ConfigurationError, match="unknown stage 'rff'"):
        check_pipeline("(bm25 | dense) >> rff", ["bm25", "dense"], [])


def test_a_pipeline_begins_with_a_first_stage() -> None:
    stages = {"bm25": FinishedRetriever(SCORES), "ltr": FinishedReranker(SCORES)}
    assert repr(parse_searcher("bm25 % 2 >> ltr", stages)) == "ltr % 2 >> ltr"
    check_pipeline("bm25 >> ltr % 3", ["bm25"], ["ltr"])
    with pytest.raises(ConfigurationError, match="begin with one, as in bm25 >> ltr"):
        check_pipeline("ltr", ["bm25"], ["ltr"])
