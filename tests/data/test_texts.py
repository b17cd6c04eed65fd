"""Texts with ids, over Arrow."""

from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from plackett.data.texts import Corpus, Queries
from plackett.errors import DataError

RECORDS = [
    {"_id": "d1", "title": "Wings", "text": "Lift and drag.", "year": 1958},
    {"_id": "d2", "title": "", "text": None, "year": 1960},
    {"_id": "d3", "text": "Heat."},
]


def test_records_become_a_table_whose_string_columns_are_fields() -> None:
    corpus = Corpus.from_records(RECORDS)
    assert corpus.fields == ("title", "text")
    assert corpus.texts() == ["Wings\nLift and drag.", "", "Heat."]
    assert corpus.texts([2, 0]) == ["Heat.", "Wings\nLift and drag."]
    assert corpus.text("d3") == "Heat."
    assert corpus.column("year").to_pylist() == [1958, 1960, None]
    assert list(corpus) == [("d1", "Wings\nLift and drag."), ("d2", ""), ("d3", "Heat.")]
    assert corpus.select(["d3", "d1"]).ids.strings().to_pylist() == ["d3", "d1"]
    assert repr(corpus) == "Corpus(3 texts, fields title, text)"
    assert [batch.num_rows for batch in corpus.batches(2)] == [2, 1]


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_become_tables(library: object) -> None:
    frame = library.DataFrame({"id": [1, 2], "text": ["a", "b"]})  # type: ignore[attr-defined]
    assert list(Corpus.from_table(frame)) == [("1", "a"), ("2", "b")]


def test_fields_can_be_chosen_and_ordered() -> None:
    table = pa.table({"id": ["d"], "a": ["x"], "b": ["y"]})
    assert Corpus.from_table(table, fields=["b", "a"]).text("d") == "y\nx"
    assert Corpus.from_table(table, fields=[]).texts() == [""]
    assert list(Corpus.from_table(table, fields=[])) == [("d", "")]
    with pytest.raises(DataError, match="no text field 'c'; expected one of a, b"):
        Corpus.from_table(table, fields=["c"])


def test_an_empty_collection_is_a_collection() -> None:
    assert len(Corpus.from_records([])) == 0
    assert len(Queries.from_texts({})) == 0
    assert Queries.from_texts({}).texts() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Corpus.from_records([{"text": "a"}]), "no id in record 0"),
        (lambda: Corpus.from_table(pa.table({"a": [1]})), 'expected a column "id"'),
        (lambda: Corpus.from_texts([("d", "a"), ("d", "b")]), "id 'd' twice"),
        (lambda: Corpus.from_texts({"d": "a"}).text("e"), "no id 'e'"),
        (lambda: Corpus.from_texts({"d": "a"}).select(["e"]), "no id 'e'"),
        (lambda: Corpus.from_texts({"d": "a"}).column("e"), "no column 'e'"),
    ],
)
def test_what_is_wrong_is_said(make: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".arrow"])
def test_files_go_out_and_come_in(tmp_path: Path, suffix: str) -> None:
    corpus = Corpus.from_records(RECORDS)
    corpus.write(tmp_path / f"corpus{suffix}")
    again = Corpus.read(tmp_path / f"corpus{suffix}")
    assert again.texts() == corpus.texts()
    assert again.column("year").to_pylist() == [1958, 1960, None]
