"""Queries that were taken apart beforehand."""

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline import WrittenQueries, parse_pipeline
from plackett.retrievers import BM25
from plackett.retrievers.query_writing import GivenQueries
from plackett.retrievers.query_writing.given import distinct_texts, lists_of_column

QUERIES = Queries.from_texts({"q1": "lift and drag", "q2": "heat", "q3": ""})


def lists(written: WrittenQueries) -> list[list[str]]:
    bounds = written.offsets.tolist()
    return [list(written.texts[a:b]) for a, b in pairwise(bounds)]


def test_the_original_is_asked_first_and_nothing_twice() -> None:
    writer = GivenQueries({"q1": ["wing lift", " ", "Lift  and DRAG", "wing lift"], "q2": []})
    assert lists(writer.write(QUERIES)) == [["lift and drag", "wing lift"], ["heat"], [""]]


def test_without_the_original() -> None:
    writer = GivenQueries({"q1": ["wing lift", "wing drag"], "q2": [" "]}, original=False)
    assert lists(writer.write(QUERIES)) == [["wing lift", "wing drag"], ["heat"], [""]]


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "parts.jsonl"
    path.write_text('{"id": "q1", "queries": ["lift"]}\n\n{"id": "q9", "queries": []}\n')
    writer = GivenQueries.read(path)
    assert lists(writer.write(QUERIES)) == [["lift and drag", "lift"], ["heat"], [""]]
    assert repr(writer) == f"GivenQueries.read({str(path)!r})"
    assert repr(GivenQueries.read(path, original=False)).endswith(", original=False)")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "no JSON"),
        ('{"id": 1, "queries": []}', 'found \'{"id": 1'),
        ('{"id": "q1", "queries": "lift"}', "expected"),
        ('{"id": "q1", "queries": [1]}', "expected"),
        ("[]", "expected"),
        ('{"id": "q0", "queries": []}', "query 'q0' twice"),
    ],
)
def test_lines_that_are_wrong(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "parts.jsonl"
    path.write_text('{"id": "q0", "queries": ["a"]}\n' + line)
    with pytest.raises(DataError, match=message) as caught:
        GivenQueries.read(path)
    assert caught.value.line == 2


def test_from_a_column() -> None:
    table = pa.table(
        {"id": ["a", "b", "c"], "text": ["x y", "z", "w"], "parts": [["x", "y", None], None, []]}
    )
    queries = Queries.from_table(table)
    writer = GivenQueries(column="parts")
    assert lists(writer.write(queries)) == [["x y", "x", "y"], ["z"], ["w"]]
    empty = Queries.from_table(table.set_column(2, "parts", pa.array([None, [], None])))
    assert lists_of_column(empty, "parts") == [[], [], []]
    with pytest.raises(DataError, match="no column 'others'"):
        GivenQueries(column="others").write(queries)
    with pytest.raises(DataError, match="expected lists of strings"):
        GivenQueries(column="text").write(queries)


def test_either_texts_or_a_column() -> None:
    for wrong in (GivenQueries, lambda: GivenQueries({}, column="parts")):
        with pytest.raises(ConfigurationError, match="either"):
            wrong()
    assert distinct_texts([]) == []


@pytest.mark.parametrize(
    "text", ["GivenQueries({'q1': ('lift',)})", "GivenQueries(column='parts', original=False)"]
)
def test_in_a_pipeline_that_is_described(text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts({"d1": "lift"})
    bm25 = BM25.build(corpus, tmp_path / "index", analyzer="whitespace")
    read = parse_pipeline(f"{text} >> bm25", {"GivenQueries": GivenQueries, "bm25": bm25})
    assert repr(read).startswith(f"{text} >> ")
