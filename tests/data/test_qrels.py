"""Qrels: one grade a query and document."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.qrels import Qrels
from plackett.errors import DataError

judgments = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from("abcde"), st.integers(-2, 4), min_size=1, max_size=5),
)


@given(judgments, st.randoms(use_true_random=False))
def test_rows_in_any_order_give_the_same_qrels(nested: dict, random: object) -> None:
    rows = [(q, d, g) for q, graded in nested.items() for d, g in graded.items()]
    random.shuffle(rows)  # type: ignore[attr-defined]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    qrels = Qrels.from_arrays(*columns)
    assert qrels.to_dict() == nested
    assert Qrels.from_dict(nested).to_dict() == nested
    for a, b in zip(qrels.offsets[:-1], qrels.offsets[1:], strict=True):
        assert (qrels.document[a:b][1:] > qrels.document[a:b][:-1]).all()


def test_a_document_judged_twice_is_refused_or_its_highest_grade_kept() -> None:
    rows = (["q", "q", "q"], ["d", "e", "d"], [1, 0, 3])
    with pytest.raises(DataError, match="document 'd' judged twice for query 'q'"):
        Qrels.from_arrays(*rows)
    assert Qrels.from_arrays(*rows, duplicates="keep_highest").to_dict() == {
        "q": {"d": 3.0, "e": 0.0}
    }


def test_subtopics_are_kept_apart_and_can_be_folded() -> None:
    qrels = Qrels.from_arrays(["q"] * 3, ["d", "d", "e"], [1, 2, 1], subtopic=["s1", "s2", "s1"])
    assert qrels.subtopic is not None
    assert qrels.to_arrow().to_pydict()["subtopic"] == ["s1", "s2", "s1"]
    assert qrels.to_dict() == {"q": {"d": 2.0, "e": 1.0}}
    assert qrels.without_subtopics().subtopic is None
    assert qrels.select(["q"]).subtopic.tolist() == qrels.subtopic.tolist()
    with pytest.raises(DataError, match="judged twice"):
        Qrels.from_arrays(["q", "q"], ["d", "d"], [1, 2], subtopic=["s", "s"])


@pytest.mark.parametrize("grade", [float("nan"), float("inf"), "high", None])
def test_a_grade_is_a_finite_number(grade: object) -> None:
    with pytest.raises(DataError):
        Qrels.from_arrays(["q"], ["d"], [grade])


def test_frames_selection_and_mappings() -> None:
    frame = pd.DataFrame({"query": ["q1", "q2"], "document": ["a", "b"], "grade": [1, 2]})
    qrels = Qrels.from_frame(frame)
    assert qrels.to_frame()["grade"].tolist() == [1, 2]
    assert qrels.select(["q2"]).queries == ["q2"]
    assert repr(qrels) == "Qrels(2 queries, 2 judgments)"
    assert qrels.without_subtopics() is qrels
    with pytest.raises(DataError, match="no query 'q7'"):
        qrels.select(["q7"])
    with pytest.raises(DataError, match="expected a mapping from document to grade"):
        Qrels.from_dict({"q": 3})  # type: ignore[dict-item]


def test_files_go_out_and_come_in(tmp_path: Path) -> None:
    qrels = Qrels.from_dict({"q1": {"a": 2, "b": -1}, "q2": {"c": 0.5}})
    qrels.write(tmp_path / "qrels.txt")
    assert (tmp_path / "qrels.txt").read_text().splitlines()[0].split() == ["q1", "0", "a", "2"]
    assert Qrels.read(tmp_path / "qrels.txt").to_dict() == qrels.to_dict()
    diverse = Qrels.from_arrays(["q", "q"], ["d", "d"], [1, 2], subtopic=["1", "2"])
    diverse.write(tmp_path / "diverse.qrels")
    again = Qrels.read(tmp_path / "diverse.qrels", subtopics=True)
    assert again.to_arrow().to_pydict() == diverse.to_arrow().to_pydict()
