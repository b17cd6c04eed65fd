"""Runs: sorted as trec_eval sorts, unchanged by what is done with them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.run import Run
from plackett.errors import DataError

scores = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 1e-40, 3.0, np.inf, -np.inf])
results = st.dictionaries(
    st.sampled_from(["q1", "q2", "q10"]),
    st.dictionaries(st.sampled_from(["d1", "d10", "d2", "é", "z"]), scores, max_size=5),
)


def trec_order(scored: dict[str, float]) -> list[str]:
    """Score descending, then document id descending in byte order: written naively."""
    by_id = sorted(scored, key=lambda document: document.encode(), reverse=True)
    return sorted(by_id, key=lambda document: -scored[document])


@given(results)
def test_every_list_is_in_the_order_of_trec_eval(nested: dict[str, dict[str, float]]) -> None:
    run = Run.from_dict(nested)
    assert run.query_names == list(nested)
    for query, scored in nested.items():
        assert [document for document, _ in run[query]] == trec_order(scored)
    assert {q: set(r.items()) for q, r in run.to_dict().items()} == {
        q: {(d, float(np.float32(s))) for d, s in r.items()} for q, r in nested.items()
    }


@given(results, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(nested: dict, random: object) -> None:
    rows = [(q, d, s) for q, scored in nested.items() for d, s in scored.items()]
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    columns = [list(column) for column in zip(*shuffled, strict=True)] or [[], [], []]
    run = Run.from_arrays(*columns)
    assert run.to_dict() == {q: r for q, r in Run.from_dict(nested).to_dict().items() if r}


@given(results, st.integers(0, 6))
def test_head_takes_the_first_of_every_query(nested: dict, k: int) -> None:
    run = Run.from_dict(nested)
    for query, ranked in run.head(k).to_dict().items():
        assert list(ranked.items()) == run[query][:k]


@given(results)
def test_with_scores_is_a_new_run_of_the_same_documents(nested: dict) -> None:
    run = Run.from_dict(nested)
    before = run.to_dict()
    negated = run.with_scores(-run.score, name="negated")
    assert negated.name == "negated"
    assert run.to_dict() == before
    for query, ranked in negated.to_dict().items():
        assert list(ranked) == trec_order({d: -s for d, s in before[query].items()})
    assert run.with_scores(run.score).to_dict() == before


def test_select_keeps_the_order_asked_for_and_refuses_what_is_unknown() -> None:
    run = Run.from_dict({"q1": {"a": 1.0}, "q2": {}, "q3": {"b": 2.0, "c": 3.0}})
    assert run.select(["q3", "q2"]).to_dict() == {"q3": {"c": 3.0, "b": 2.0}, "q2": {}}
    assert len(run.select([])) == 0
    with pytest.raises(DataError, match="no query 'q9'"):
        run.select(["q9"])
    with pytest.raises(DataError, match="no query 'q3'"):
        run.select(["q1"]).select(["q3"])


def test_the_callers_arrays_are_neither_changed_nor_shared() -> None:
    ids, documents = Ids(["q"]), Ids(["a", "b"])
    query = np.zeros(2, dtype=np.int32)
    document = np.array([0, 1], dtype=np.int32)
    score = np.array([2.0, 1.0], dtype=np.float32)
    run = Run.from_arrays(query, document, score, query_ids=ids, document_ids=documents)
    again = run.with_scores(score)
    score[0] = document[0] = 1
    assert run.to_dict() == again.to_dict() == {"q": {"a": 2.0, "b": 1.0}}
    with pytest.raises(ValueError, match="read-only"):
        run.score[0] = 5


@pytest.mark.parametrize(
    ("query", "document", "score", "message"),
    [
        (["q"], ["d"], [np.nan], "score nan in row 0"),
        (["q"], ["d"], ["high"], "no numbers"),
        (["q"], ["d"], [[1.0]], "shape"),
        (["q", "q"], ["d"], [1.0], "2 of query, 1 of document, 1 of score"),
        (["q", "q"], ["d", "d"], [1.0, 2.0], "document 'd' twice for query 'q'"),
        ([None], ["d"], [1.0], "missing ids"),
    ],
)
def test_bad_rows_are_refused(query: list, document: list, score: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Run.from_arrays(query, document, score)


def test_the_best_of_duplicates_can_be_kept() -> None:
    run = Run.from_arrays(
        ["q", "q", "p", "q"], ["d", "d", "d", "e"], [1.0, 2.0, 0.0, 1.5], duplicates="keep_highest"
    )
    assert run.to_dict() == {"q": {"d": 2.0, "e": 1.5}, "p": {"d": 0.0}}


@pytest.mark.parametrize(
    ("codes", "message"), [([2], "document code 2"), ([-1], "code -1"), ([0.5], "float64")]
)
def test_codes_must_lie_in_their_ids(codes: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Run.from_arrays([0], np.array(codes), [1.0], query_ids=Ids(["q"]), document_ids=Ids(["d"]))


def test_an_empty_run_keeps_its_queries_if_asked() -> None:
    empty = np.zeros(0)
    run = Run.from_arrays(empty, empty, empty, query_ids=Ids(["q"]), document_ids=Ids(["d"]))
    assert len(run) == 0
    run = Run.from_arrays(
        empty, empty, empty, query_ids=Ids(["q"]), document_ids=Ids(["d"]), all_queries=True
    )
    assert run.to_dict() == {"q": {}}
    assert Run.from_dict({}).to_dict() == {}


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_go_in_and_come_out(library: object) -> None:
    run = Run.from_dict({"q1": {"a": 1.0, "b": 2.0}})
    frame = library.DataFrame(run.to_arrow().to_pydict())  # type: ignore[attr-defined]
    assert Run.from_frame(frame).to_dict() == run.to_dict()
    assert run.to_frame()["rank"].tolist() == [1, 2]


def test_replace_changes_what_is_named_and_nothing_else() -> None:
    run = Run.from_dict({"q": {"d": 1.0}})
    cost = Cost("stage", 2.0, 4, 8)
    other = run.replace(name="other", costs=(cost,))
    assert (run.name, run.costs) == ("run", ())
    assert (other.name, other.costs, other.to_dict()) == ("other", (cost,), run.to_dict())
    assert cost.seconds_per_query == 0.5
    assert Cost("stage", 2.0, 0, 0).seconds_per_query == 0.0
    assert repr(other) == "Run('other', 1 queries, 1 results)"
    with pytest.raises(DataError, match="cutoff -1"):
        run.head(-1)


def test_files_go_out_and_come_in(tmp_path: object) -> None:
    run = Run.from_dict({"q1": {"a": 0.1, "b": 2.0}, "q2": {"a": -np.inf}}, name="mine")
    path = tmp_path / "run.txt"  # type: ignore[operator]
    run.write(path)
    assert path.read_text().splitlines()[0].split() == ["q1", "Q0", "b", "1", "2.0", "mine"]
    again = Run.read(path)
    assert (again.name, again.to_dict()) == ("mine", run.to_dict())
    path.write_text("q Q0 d 1 1.0 x\nq Q0 d 2 0.5 x\n")
    with pytest.raises(DataError, match=r"run\.txt.*document 'd' twice for query 'q'"):
        Run.read(path)
    assert Run.read(path, duplicates="keep_highest", name="n").name == "n"
