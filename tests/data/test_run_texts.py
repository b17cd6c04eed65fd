"""The texts behind a run, and rows taken out of it."""

import numpy as np
import pytest

from plackett.data import Corpus, Queries, Run
from plackett.data.run_texts import document_texts, query_texts
from plackett.errors import DataError


@pytest.fixture
def run() -> Run:
    return Run.from_dict({"q2": {"b": 2.0, "a": 1.0}, "q1": {"a": 3.0}, "q3": {}}).replace(
        queries=Queries.from_texts({"q1": "one", "q2": "two", "q3": "three"}),
        corpus=Corpus.from_texts({"z": "zet", "a": "ah", "b": "be"}),
    )


def test_texts_stand_in_the_order_of_lists_and_rows(run: Run) -> None:
    assert query_texts(run) == ["two", "one", "three"]
    assert document_texts(run) == ["be", "ah", "ah"]
    assert document_texts(run, run.document_ids.codes(["a", "b"])) == ["ah", "be"]
    assert document_texts(run, np.zeros(0, dtype=np.int32)) == []


def test_what_lacks_is_named(run: Run) -> None:
    bare = Run.from_dict({"q": {"d": 1.0}})
    with pytest.raises(DataError, match=r"without its queries.*run\.replace\(queries=\.\.\.\)"):
        query_texts(bare)
    with pytest.raises(DataError, match=r"without its corpus.*run\.replace\(corpus=\.\.\.\)"):
        document_texts(bare)
    with pytest.raises(DataError, match="document 'd' of the run"):
        document_texts(bare.replace(corpus=run.corpus))


def test_rows_are_taken_as_they_are_told(run: Run) -> None:
    taken = run.take_rows(np.array([1, 0, 2]), np.array([2, 1, 0]), np.array([9, 8, 7], np.float32))
    assert taken.to_dict() == {"q2": {"a": 9.0, "b": 8.0}, "q1": {"a": 7.0}, "q3": {}}
    assert list(taken.to_dict()["q2"]) == ["a", "b"]
    some = run.take_rows(np.array([0]), np.array([1, 0, 0]))
    assert some.to_dict() == {"q2": {"b": 2.0}, "q1": {}, "q3": {}}
    assert (some.queries, some.corpus) == (run.queries, run.corpus)
    assert run.to_dict()["q2"] == {"b": 2.0, "a": 1.0}
