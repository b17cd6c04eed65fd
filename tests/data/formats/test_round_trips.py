"""What is written is read back, in every format; and the readers of texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plackett.data import formats
from plackett.data.formats import files, jsonl
from plackett.data.formats.beir import read_beir_qrels
from plackett.data.formats.smart import read_smart
from plackett.data.ids import Ids
from plackett.errors import ConfigurationError, DataError

QUERY = pa.array(["q1", "q1", "q2"])
DOCUMENT = pa.array(["ä", "b#1", "ä"])
SCORE = np.array([0.1, -3.0e-12, 16777216.0], np.float32)


@pytest.mark.parametrize(
    "name", ["r.txt", "r.run.gz", "r.trec", "r.tsv", "r.jsonl", "r.parquet", "r.arrow"]
)
def test_runs(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    formats.write_run(path, QUERY, DOCUMENT, np.array([1, 2, 1]), SCORE, "mine")
    run = formats.read_run(path)
    assert run.query_ids.strings(run.query).to_pylist() == QUERY.to_pylist()
    assert run.document_ids.strings(run.document).to_pylist() == DOCUMENT.to_pylist()
    np.testing.assert_array_equal(run.score, SCORE)
    assert run.name == ("" if name.endswith((".tsv", ".jsonl")) else "mine")
    if not name.endswith((".parquet", ".arrow")):
        formats.write_run(path, QUERY[:0], DOCUMENT[:0], np.array([], int), SCORE[:0], "mine")
        assert len(formats.read_run(path).score) == 0


@pytest.mark.parametrize(
    "name", ["j.qrels", "j.txt.gz", "j.tsv", "j.jsonl", "j.parquet", "j.arrow"]
)
@pytest.mark.parametrize("diverse", [False, True])
def test_qrels(tmp_path: Path, name: str, diverse: bool) -> None:
    path = tmp_path / name
    grade = np.array([2, -1, 0.5], np.float32)
    subtopic = pa.array(["1", "2", "1"]) if diverse else None
    formats.write_qrels(path, QUERY, DOCUMENT, grade, subtopic=subtopic)
    qrels = formats.read_qrels(path, subtopics=diverse)
    assert qrels.query_ids.strings(qrels.query).to_pylist() == QUERY.to_pylist()
    assert qrels.document_ids.strings(qrels.document).to_pylist() == DOCUMENT.to_pylist()
    np.testing.assert_array_equal(qrels.grade, grade)
    if diverse:
        assert qrels.subtopic_ids is not None
        assert qrels.subtopic_ids.strings(qrels.subtopic).to_pylist() == ["1", "2", "1"]
    else:
        assert qrels.subtopic is None


@pytest.mark.parametrize("bad", ["a b", "a\tb", "", "a\nb", "#a"])
def test_trec_refuses_ids_that_it_cannot_hold(tmp_path: Path, bad: str) -> None:
    ids, one = pa.array([bad]), np.array([1])
    path = tmp_path / "r.txt"
    with pytest.raises(DataError, match=r"query id .* in row 0; expected .*Remedy: .*Parquet"):
        formats.write_run(path, ids, pa.array(["d"]), one, one.astype(np.float32), "n")
    if bad != "#a":
        with pytest.raises(DataError, match="document id"):
            formats.write_qrels(path, pa.array(["q"]), ids, one.astype(np.float32))
        with pytest.raises(DataError, match="subtopic"):
            formats.write_qrels(path, QUERY[:1], DOCUMENT[:1], one.astype(np.float32), subtopic=ids)
    with pytest.raises(DataError, match="run name 'my run'"):
        formats.write_run(path, QUERY[:1], DOCUMENT[:1], one, SCORE[:1], "my run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.tsv", "t.parquet", "t.arrow"])
def test_texts(tmp_path: Path, name: str) -> None:
    table = pa.table({"id": ["a", "7"], "title": ["x", ""], "text": ['é "q"', "2020-01-01"]})
    formats.write_texts(tmp_path / name, table)
    again = formats.read_texts(tmp_path / name, "corpus")
    assert again.to_pylist() == table.to_pylist()
    batches = list(formats.scan_texts(tmp_path / name, rows=1))
    assert [batch.num_rows for batch in batches] == [1, 1]
    assert [row for batch in batches for row in batch.to_pylist()] == table.to_pylist()


def test_topics_are_written_as_tsv_and_smart_is_not_written(tmp_path: Path) -> None:
    table = pa.table({"id": ["1"], "text": ["flow"]})
    formats.write_texts(tmp_path / "t.topics", table)
    assert formats.read_texts(tmp_path / "t.topics", "queries").to_pylist() == table.to_pylist()
    with pytest.raises(DataError, match="which holds queries"):
        formats.read_texts(tmp_path / "t.topics", "corpus")
    with pytest.raises(DataError, match="only reads"):
        formats.write_texts(tmp_path / "t.smart", table)
    with pytest.raises(DataError, match="found a folder"):
        formats.write_texts(tmp_path, table, format="beir")
    with pytest.raises(DataError, match="tab, NUL or line end in text 'a"):
        formats.write_texts(tmp_path / "t.tsv", pa.table({"id": ["1"], "text": ["a\tb"]}))
    with pytest.raises(DataError, match="that JSON cannot hold"):
        formats.write_texts(tmp_path / "t.jsonl", pa.table({"id": ["1"], "x": [b"\xff"]}))
    with pytest.raises(ConfigurationError, match="rows=0"):
        formats.scan_texts(tmp_path / "t.topics", rows=0)


def test_sgml_topics(tmp_path: Path) -> None:
    path = tmp_path / "topics.txt"
    path.write_text(
        "<top>\n<num> Number: 301\n<title> International\n Crime\n\n<desc> Description:\nWhat?\n"
        "\n<narr> Narrative:\nA relevant one.\n</top>\n<top>\n<num>302</num>\n"
        "<title>Polio</title>\n</top>\n"
    )
    assert formats.read_texts(path, "queries").to_pylist() == [
        {
            "id": "301",
            "text": "International Crime",
            "description": "What?",
            "narrative": "A relevant one.",
        },
        {"id": "302", "text": "Polio", "description": None, "narrative": None},
    ]


def test_smart_records(tmp_path: Path) -> None:
    path = tmp_path / "a.smart"
    path.write_text(".I 003\n.T\nwings\n.A \nDoe\n.W\nlift and\ndrag\n.X\n1 2 3\n.I 9\n.W\nflow\n")
    both = [
        {"id": "003", "title": "wings", "author": "Doe", "text": "lift and drag"},
        {"id": "9", "title": "", "author": "", "text": "flow"},
    ]
    assert formats.read_texts(path, "corpus").to_pylist() == both
    assert [r["id"] for r in read_smart(path, ordinal_ids=True).to_pylist()] == ["1", "2"]
    ordinal = formats.read_texts(path, "queries", format="smart-ordinal")
    assert ordinal.column("id").to_pylist() == ["1", "2"]
    (batch,) = formats.scan_texts(path, format="smart-ordinal")
    assert batch.column("id").to_pylist() == ["1", "2"]
    (batch,) = formats.scan_texts(path)
    assert batch.to_pylist() == both


def test_beir_folders(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl.gz").write_bytes(gzip.compress(b'{"_id": 1, "text": "a"}\n'))
    (tmp_path / "queries.jsonl").write_bytes(b'{"_id": "q", "text": "b", "metadata": {}}\n')
    (tmp_path / "qrels" / "test.tsv").write_bytes(b"query-id\tcorpus-id\tscore\nq\t1\t2\n")
    assert formats.read_texts(tmp_path, "corpus").to_pylist() == [{"id": "1", "text": "a"}]
    assert formats.read_texts(tmp_path, "queries").to_pylist() == [{"id": "q", "text": "b"}]
    assert next(formats.scan_texts(tmp_path, kind="queries")).num_rows == 1
    assert read_beir_qrels(tmp_path, "test").grade.tolist() == [2.0]
    with pytest.raises(DataError, match=r"found no qrels/dev\.tsv"):
        read_beir_qrels(tmp_path, "dev")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
RECORDS = st.fixed_dictionaries(
    {"_id": st.text(min_size=1, max_size=4) | st.integers(0, 99)},
    optional={"title": st.text(max_size=8), "text": st.none() | st.text(max_size=8), "x": VALUES},
)


@given(st.lists(RECORDS, max_size=8), st.integers(20, 400))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arrows_json_and_pythons_agree(
    tmp_path: Path, records: list[dict[str, Any]], size: int
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    answers: list[Any] = []
    for slow in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(jsonl, "line_blocks", lambda p: files.line_blocks(p, size))
            if slow:
                patch.setattr(jsonl, "_parse_fast", lambda block, names: None)
            try:
                answers.append(formats.read_texts(path, "corpus"))
            except DataError as error:
                answers.append(error)
    if any(isinstance(answer, DataError) for answer in answers):
        assert all(isinstance(answer, DataError) for answer in answers)
        assert any("x" in record for record in records)  # values of several types
        return
    assert answers[0].to_pylist() == answers[1].to_pylist()
    assert answers[0].column("id").to_pylist() == [str(record["_id"]) for record in records]
    for name in ("title", "text"):
        if name in answers[0].column_names:
            assert answers[0].column(name).to_pylist() == [r.get(name) for r in records]


def test_a_stream_is_read_in_blocks_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\ntwo\n" + b"x" * 50 + b"\nend")
    blocks = list(files.line_blocks(path, 8))
    assert b"".join(block.data for block in blocks) == path.read_bytes()[3:]
    assert all(block.data.endswith(b"\n") for block in blocks[:-1])
    lines = [pair for b in blocks for pair in files.numbered_lines(b.data, b.line)]
    assert lines == [(1, b"one"), (2, b"two"), (3, b"x" * 50), (4, b"end")]


@pytest.mark.parametrize("name", ["d.npz", "d.parquet", "d.arrow", "d.svm", "d.svm.gz"])
@pytest.mark.parametrize("named", [False, True])
def test_datasets(tmp_path: Path, name: str, named: bool) -> None:
    X = np.array([[0.1, -2], [1e-20, 3], [np.nan, 0]], np.float32)
    query_ids, query = Ids.encode(["b", "a", "b"])
    document_ids, document = Ids.encode(["x", "y", "z"])
    columns = formats.DatasetColumns(
        X,
        np.array([0, 1, 2], np.float32),
        query_ids,
        query,
        document_ids if named else None,
        document if named else None,
        ("1", "2"),
    )
    formats.write_dataset(tmp_path / name, columns)
    for out in (None, tmp_path / "X.npy"):
        again = formats.read_dataset(tmp_path / name, out=out)
        np.testing.assert_array_equal(again.X, X)
        np.testing.assert_array_equal(again.y, columns.y)
        assert again.query_ids.strings(again.query).to_pylist() == ["b", "a", "b"]
        assert again.feature_names == ("1", "2")
        if named:
            assert again.document_ids is not None
            assert again.document_ids.strings(again.document).to_pylist() == ["x", "y", "z"]
        else:
            assert again.document is None
        assert isinstance(again.X, np.memmap) == (out is not None)


def test_what_a_dataset_file_cannot_hold(tmp_path: Path) -> None:
    ids, codes = Ids.encode(["a b"])
    X = np.zeros((1, 1), np.float32)
    columns = formats.DatasetColumns(X, X[0], ids, codes, None, None, ("label",))
    with pytest.raises(DataError, match=r"id 'a b'.*\.parquet"):
        formats.write_dataset(tmp_path / "a.svm", columns)
    with pytest.raises(DataError, match="a feature named 'label'"):
        formats.write_dataset(tmp_path / "a.parquet", columns)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((1, 1))}, "expected arrays X, y and qid"),
        ({"X": np.zeros(1), "y": [1], "qid": [1]}, r"X of shape \(1,\)"),
        ({"X": np.zeros((1, 1)), "y": ["a"], "qid": [1]}, "y of shape"),
        ({"X": np.zeros((1, 1)), "y": [1, 2], "qid": [1]}, "'y': 2"),
        ({"X": np.zeros((1, 1)), "y": [1], "qid": [1.5]}, "ids of type double"),
        ({"X": np.zeros((1, 2)), "y": [1], "qid": [1], "feature_names": ["a"]}, "1 names of 2"),
        ({"X": np.zeros((1, 1)), "y": [1], "qid": np.array([{}])}, r"no readable \.npz"),
    ],
)
def test_archives_that_hold_no_dataset(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message):
        formats.read_dataset(tmp_path / "a.npz")
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match="a single array"):
        formats.read_dataset(tmp_path / "one.npz")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"qid": [1], "f": [1.0]}, "a column called label"),
        ({"label": [1], "f": [1.0]}, "a column called query"),
        ({"label": ["a"], "qid": [1]}, "column 'label' of type string"),
        ({"label": [None, 1.0], "qid": [1, 2]}, "label None in row 0"),
        ({"label": [1, 2], "qid": [None, 1]}, "no qid in row 0"),
        ({"label": [1], "qid": [1.5]}, "ids of type double in column 'qid'"),
        ({"label": [1], "qid": [1], "f": [["x"]]}, "feature column 'f' of type list"),
    ],
)
def test_tables_that_hold_no_dataset(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    formats.write_texts(tmp_path / "a.arrow", pa.table(table))
    with pytest.raises(DataError, match=message):
        formats.read_dataset(tmp_path / "a.arrow")
    with pytest.raises(DataError, match=r"column called id or _id"):
        formats.read_texts(tmp_path / "a.arrow", "corpus")


def test_a_table_of_texts_needs_proper_ids(tmp_path: Path) -> None:
    formats.write_texts(tmp_path / "a.parquet", pa.table({"_id": [1.5], "text": ["x"]}))
    with pytest.raises(DataError, match="ids of type double in column '_id'"):
        formats.read_texts(tmp_path / "a.parquet", "corpus")


@pytest.mark.shared_data
def test_the_collections_are_read_whole(shared_data: Path) -> None:
    assert len(formats.read_texts(shared_data / "scifact", "corpus")) == 5183
    assert len(formats.read_texts(shared_data / "scifact", "queries")) == 1109
    assert len(formats.read_qrels(shared_data / "scifact/qrels/test.tsv").grade) == 339
    cisi = formats.read_texts(shared_data / "cisi/CISI.ALL.gz", "corpus", format="smart")
    assert len(cisi) == 1460
    assert len(formats.read_texts(shared_data / "cisi/CISI.QRY", "queries", format="smart")) == 112
    run = formats.read_run(shared_data / "dl19/bm25/run.trec")
    assert (len(run.score), len(run.query_ids), run.name) == (4300, 43, "rank")
    topics = formats.read_texts(shared_data / "dl19/topics.dl19-passage.txt", "queries")
    assert topics.column("text")[0].as_py() == "do goldfish grow"
