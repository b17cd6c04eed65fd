"""Conversations: what of the earlier turns each mode takes, and never a later one."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.fusion import Fusing
from plackett.retrievers import BM25
from plackett.retrievers.query_writing import History
from plackett.retrievers.query_writing.history import HISTORY_MODES, earlier_turns

ROWS = [
    {"id": "1", "text": "one", "conversation": "x"},
    {"id": "a", "text": "other", "conversation": "y"},
    {"id": "2", "text": "two", "conversation": "x"},
    {"id": "3", "text": "three", "conversation": "x"},
    {"id": "n", "text": "none", "conversation": None},
    {"id": "m", "text": "more", "conversation": None},
]
TALK = Queries.from_records(ROWS, fields=["text"])


@pytest.mark.parametrize(
    ("mode", "third"),
    [
        ("raw", "three"),
        ("first", "three\none"),
        ("previous", "three\ntwo"),
        ("all", "three\ntwo\none"),
    ],
)
def test_modes(mode: str, third: str) -> None:
    texts = History(mode).write(TALK).texts  # one name is a list of one
    assert texts[3] == third
    # A first turn is the same in all modes, and so is one without a conversation.
    assert [texts[row] for row in (0, 1, 4, 5)] == ["one", "other", "none", "more"]


def test_several_modes_and_turns_by_themselves() -> None:
    history = History(["raw", "all"], turns=2)
    written = history.write(TALK)
    assert history.most == 4
    bounds = written.offsets.tolist()
    assert list(written.texts[bounds[3] : bounds[4]]) == ["three", "three\ntwo\none", "two", "one"]
    assert list(written.texts[bounds[2] : bounds[3]]) == ["two", "two\none", "one"]
    assert list(written.texts[bounds[0] : bounds[1]]) == ["one", "one"]


@given(st.lists(st.sampled_from("xyz"), min_size=1, max_size=8), st.integers(0, 3))
def test_no_later_turn_is_seen(conversations: list[str], turns: int) -> None:
    rows = [
        {"id": str(i), "text": f"turn{i}", "conversation": name}
        for i, name in enumerate(conversations)
    ]
    queries = Queries.from_records(rows, fields=["text"])
    history = History(HISTORY_MODES, turns=turns)
    whole = history.write(queries)
    for i, name in enumerate(conversations):
        mine = whole.texts[whole.offsets[i] : whole.offsets[i + 1]]
        words = {word for text in mine for word in text.split("\n")}
        assert words <= {f"turn{j}" for j in range(i + 1) if conversations[j] == name}
        # So that the queries up to here give the same.
        until = history.write(Queries.from_records(rows[: i + 1], fields=["text"]))
        assert until.texts[until.offsets[i] :] == mine


def test_earlier_turns_in_a_column_of_lists() -> None:
    table = pa.table(
        {"id": ["a", "b"], "text": ["and then", "x"], "before": [["wing", "lift"], None]}
    )
    queries = Queries.from_table(table, fields=["text"])
    assert earlier_turns(queries, "before") == [["wing", "lift"], []]
    assert History(["all"], column="before").write(queries).texts == ("and then\nlift\nwing", "x")


def test_wrong_parameters() -> None:
    with pytest.raises(UnknownNameError, match="previous"):
        History(["last"])
    for wrong in ({"modes": []}, {"turns": -1}):
        with pytest.raises(ConfigurationError, match="at least one mode"):
            History(**wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no column 'conversation'"):
        History().write(Queries.from_texts({"q": "x"}))
    numbers = Queries.from_table(pa.table({"id": ["a"], "text": ["x"], "at": [1.5]}))
    with pytest.raises(DataError, match="expected names, or lists of strings"):
        History(column="at").write(numbers)
    made = History(["raw"], turns=1)
    assert repr(made) == "History(('raw',), column='conversation', turns=1)"


def test_a_conversation_finds_what_a_turn_alone_does_not(tmp_path) -> None:
    corpus = Corpus.from_texts({"d1": "wing lift", "d2": "cost of engines", "d3": "cost of wing"})
    bm25 = BM25.build(corpus, tmp_path / "index", analyzer="whitespace")
    talk = [
        {"id": "1", "text": "wing", "conversation": "c"},
        {"id": "2", "text": "cost", "conversation": "c"},
    ]
    queries = Queries.from_records(talk, fields=["text"])
    pipeline = History(["raw", "all"], turns=1) >> bm25 % 10 >> Fusing("rrf", weights=(1, 1, 0.5))
    run = pipeline.search(queries)
    assert next(name for name, _ in run["2"]) == "d3"
    assert {name for name, _ in run["2"]} == {"d1", "d2", "d3"}
    assert {name for name, _ in run["1"]} == {"d1", "d3"}
