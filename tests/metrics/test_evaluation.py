"""evaluate: whose queries count, what the options mean, what comes out."""

import json

import numpy as np
import pytest

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics import evaluate, nDCG

RUN = Run.from_dict(
    {
        "q1": {"a": 3.0, "b": 2.0, "c": 1.0},
        "q2": {"x": 1.0},
        "q4": {"a": 1.0},
        "q5": {},
    },
    name="mine",
)
QRELS = Qrels.from_dict(
    {"q1": {"b": 1, "z": 1}, "q2": {"y": 1}, "q3": {"a": 2}, "q5": {"a": 1}, "q6": {"a": 0}}
)


def test_averages_are_over_the_judged_queries() -> None:
    evaluation = evaluate(RUN, QRELS, "RR")
    assert evaluation.query_ids == ("q1", "q2", "q3", "q5", "q6")
    assert evaluation["RR"].tolist() == [0.5, 0, 0, 0, 0]
    assert evaluation.mean == {"RR": pytest.approx(0.1)}
    assert evaluation.per_query["q1"] == {"RR": 0.5}


def test_queries_without_results_can_be_skipped() -> None:
    assert evaluate(RUN, QRELS, "RR", missing="skip").query_ids == ("q1", "q2")


@pytest.mark.parametrize(
    ("empty", "values"), [("zero", [0.5, 0.0]), ("one", [0.5, 1.0]), ("skip", [0.5])]
)
def test_queries_without_relevant_documents(empty: str, values: list[float]) -> None:
    run = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q6": {"a": 1.0}})
    qrels = QRELS.select(["q1", "q6"])
    assert evaluate(run, qrels, "RR", empty=empty)["RR"].tolist() == values  # type: ignore[arg-type]


def test_unjudged_documents_can_be_removed() -> None:
    kept = evaluate(RUN, QRELS, "RR AP P@1 Judged")
    removed = evaluate(RUN, QRELS, "RR AP P@1 Judged", unjudged="remove")
    assert kept.per_query["q1"] == {
        "RR": 0.5,
        "AP": 0.25,
        "P@1": 0.0,
        "Judged": pytest.approx(1 / 3),
    }
    assert removed.per_query["q1"] == {"RR": 1.0, "AP": 0.5, "P@1": 1.0, "Judged": 1.0}


def test_ties_can_be_refused() -> None:
    tied = Run.from_dict({"q": {"a": 1.0, "b": 1.0, "c": 0.5}}, name="tied")
    with pytest.raises(DataError, match="equal scores of 'b' and 'a' for query 'q' in run 'tied'"):
        evaluate(tied, Qrels.from_dict({"q": {"a": 1}}), "RR", ties="error")
    # Equal scores of different queries are no ties.
    apart = Run.from_dict({"q": {"a": 1.0}, "p": {"a": 1.0}, "r": {}})
    assert evaluate(apart, Qrels.from_dict({"q": {"a": 1}}), "RR", ties="error").mean == {"RR": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ties": "random"}, "ties='random' is not one of"),
        ({"unjudged": "guess"}, "unjudged='guess' is not one of"),
        ({"missing": "one"}, "missing='one' is not one of"),
        ({"empty": "two"}, "empty='two' is not one of"),
        ({"ties": "average", "unjudged": "remove"}, "cannot be combined"),
    ],
)
def test_options_that_are_not_defined_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        evaluate(RUN, QRELS, "P@1", **options)


def test_a_measure_without_expectation_over_ties_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not defined for ERR@10, bpref, only for"):
        evaluate(RUN, QRELS, "ERR@10 bpref nDCG", ties="average")


def test_every_view_of_the_result() -> None:
    evaluation = evaluate(RUN, QRELS, "nDCG@10 RR")
    assert np.array_equal(evaluation[nDCG @ 10], evaluation.values[0])
    assert str(evaluation).splitlines()[0].split() == ["measure", "mine"]
    assert str(evaluation).endswith("(mean over 5 queries)")
    assert repr(evaluation).startswith("Evaluation('mine', 5 queries, nDCG@10=")
    frame = evaluation.to_frame()
    assert frame.loc["q1", "RR"] == 0.5
    assert frame.index.name == "query"
    content = json.loads(evaluation.to_json())
    assert content["measures"]["RR"] == pytest.approx(0.1)
    assert content["per_query"]["q1"]["RR"] == 0.5
    assert content["settings"]["ties"] == "trec_eval"
    assert "rank" in content["definitions"]["RR"]
    assert "per_query" not in json.loads(evaluation.to_json(per_query=False))
    assert "<th scope=row" in evaluation._repr_html_()
    with pytest.raises(UnknownNameError, match="unknown measure of this evaluation 'AP'"):
        evaluation["AP"]


def test_nothing_to_evaluate_is_zero_not_nan() -> None:
    nothing = Qrels.from_dict({})
    assert evaluate(RUN, nothing, "nDCG AP").mean == {"nDCG": 0.0, "AP": 0.0}
    empty = Run.from_dict({})
    assert evaluate(empty, QRELS, "nDCG@10 P R F bpref ERR ARP PairAccuracy").values.shape == (8, 5)
    assert np.isfinite(evaluate(empty, QRELS, "nDCG@10 P R F bpref infAP nERR").values).all()


def test_the_hostile_name_of_a_run_is_escaped() -> None:
    run = Run.from_dict({"q1": {"a": 1.0}}, name="<script>")
    assert "<script>" not in evaluate(run, QRELS, "RR")._repr_html_()
