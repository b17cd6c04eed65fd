"""Ranking datasets: what they take, that rows keep their order, and what they refuse."""

from __future__ import annotations

import json
import uuid
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.dataset import RankingDataset
from plackett.data.splits import QueryKFold
from plackett.errors import ConfigurationError, CorruptFileError, DataError

QIDS = {
    "integers": [7, 3, 7],
    "strings": ["7", "3", "7"],
    "mixed": [7, "3", 7.0],
    "numpy": np.array([7, 3, 7], np.uint8),
    "numpy strings": np.array(["7", "3", "7"]),
    "numpy objects": np.array([7, "3", 7], object),
    "whole floats": np.array([7.0, 3.0, 7.0]),
    "pandas": pd.Series([7, 3, 7]),
    "pandas strings": pd.Series(["7", "3", "7"]),
    "pandas categories": pd.Series(["7", "3", "7"], dtype="category"),
    "polars": pl.Series([7, 3, 7]),
    "polars categories": pl.Series(["7", "3", "7"], dtype=pl.Categorical),
    "Arrow": pa.array([7, 3, 7]),
    "Arrow floats": pa.array([7.0, 3.0, 7.0]),
    "Arrow dictionary": pa.array(["7", "3", "7"]).dictionary_encode(),
    "a tuple": (7, 3, 7),
}


@pytest.mark.parametrize("kind", QIDS)
def test_query_ids_of_any_type(kind: str) -> None:
    data = RankingDataset(np.zeros((3, 1)), [0, 1, 2], qid=QIDS[kind])
    assert list(data.query_ids) == ["7", "3"]
    assert data.query.tolist() == [0, 1, 0]
    assert data.order is not None
    assert [data.order[a:b].tolist() for a, b in pairwise(data.offsets)] == [
        [0, 2],
        [1],
    ]


def test_uuids_serve_as_query_ids() -> None:
    ids = [uuid.UUID(int=2), uuid.UUID(int=1), uuid.UUID(int=2)]
    for qid in (ids, np.array(ids, object), pd.Series(ids)):
        data = RankingDataset(np.zeros((3, 1)), [0, 1, 2], qid=qid)
        assert list(data.query_ids) == [str(ids[0]), str(ids[1])]


VALUES = np.array([[1.5, 0.0], [0.0, 2.0], [3.0, np.nan]])


@pytest.mark.parametrize(
    "X",
    [
        VALUES,
        VALUES.tolist(),
        np.asfortranarray(VALUES),
        VALUES.astype(object),
        pd.DataFrame(VALUES, columns=["a", "b"]),
        pl.DataFrame({"a": [1.5, 0.0, 3.0], "b": [0.0, 2.0, None]}),
        pa.table({"a": [1.5, 0.0, 3.0], "b": [0, 2, None]}),
        scipy.sparse.csr_matrix(VALUES),
        scipy.sparse.coo_array(VALUES),
    ],
    ids=lambda X: type(X).__name__,
)
def test_features_of_any_container(X: Any) -> None:
    data = RankingDataset(X, [0, 1, 2], qid=[1, 1, 2])
    np.testing.assert_array_equal(data.X, VALUES.astype(np.float32))
    assert data.X.dtype == np.float32
    assert data.X.flags.c_contiguous
    named = hasattr(X, "columns") or hasattr(X, "column_names")
    assert data.feature_names == (("a", "b") if named else ("1", "2"))
    assert (data.order, data.shape, data.ndim, len(data)) == (None, (3, 2), 2, 3)


def make(**changes: Any) -> RankingDataset:
    arguments: dict[str, Any] = {"X": np.zeros((2, 1)), "y": [0, 1], "qid": [1, 1], **changes}
    return RankingDataset(arguments.pop("X"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": [[1.0], [np.inf]]}, r"inf in row 1, feature '1'; expected finite.*float32"),
        ({"X": [[1e39], [0]]}, r"inf in row 0, feature '1'"),
        ({"X": [[1.0], [np.nan]], "missing": "zero"}, r'nan in row 1.*missing="nan"'),
        ({"X": [1.0, 2.0]}, r"shape \(2,\).*reshape"),
        ({"X": [["a"], ["b"]]}, "features that are no numbers"),
        ({"X": [[1], [2, 3]]}, "features that are no numbers"),
        ({"X": pd.DataFrame({"f": ["a", "b"]})}, "feature 'f' of type"),
        ({"X": np.zeros((3, 1))}, "3 of row, 2 of grade"),
        ({"y": [0, np.nan]}, "grade nan in row 1"),
        ({"y": [0, -1]}, r"grade -1.0 in row 1; expected grades of 0 or more.*Remedy: map"),
        ({"y": ["a", "b"]}, "grades that are no numbers"),
        ({"qid": [1, 1, 1]}, "3 of query id"),
        ({"qid": [1, None]}, "query id None in row 1"),
        ({"qid": [1, True]}, "query id True in row 1"),
        ({"qid": np.array([1.0, 1.5])}, "query id 1.5 in row 1"),
        ({"qid": pd.Series([1.0, np.nan])}, "query id nan in row 1"),
        ({"documents": ["a"]}, "1 of document id"),
        ({"documents": [{}, "a"]}, r"document id \{\} in row 0"),
        ({"feature_names": ["a", "b"]}, "2 feature names for 1 features"),
        ({"X": np.zeros((2, 2)), "feature_names": ["a", "a"]}, "feature name 'a' twice"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(**changes)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="missing='no'"):
        make(missing="no")


@st.composite
def datasets(draw: st.DrawFn) -> RankingDataset:
    qid = draw(st.lists(st.integers(0, 5), min_size=1, max_size=25))
    rows = np.arange(len(qid), dtype=np.float32)
    return RankingDataset(rows[:, None], rows % 3, qid=qid, documents=rows.astype(int))


@given(datasets(), st.data())
@settings(max_examples=50, deadline=None)
def test_slices_keep_rows_and_their_order(data: RankingDataset, draw: st.DataObject) -> None:
    rows = draw.draw(st.lists(st.integers(0, len(data) - 1), unique=True))
    part = data[np.array(rows, int)]
    assert part.X[:, 0].astype(int).tolist() == rows
    qids = data.query_ids.strings(data.query).to_pylist()
    assert part.query_ids.strings(part.query).to_pylist() == [qids[row] for row in rows]
    assert (np.diff(part.offsets) > 0).all()
    assert part.n_queries == len({qids[row] for row in rows})
    mask = np.isin(np.arange(len(data)), rows)
    assert data.take_rows(mask).X[:, 0].astype(int).tolist() == sorted(rows)


@given(datasets())
@settings(max_examples=30, deadline=None)
def test_every_query_is_found_and_splits_are_whole(data: RankingDataset) -> None:
    qids = np.array(data.query_ids.strings(data.query).to_pylist())
    for query in data.query_ids:
        np.testing.assert_array_equal(data.rows_of(query), np.flatnonzero(qids == query))
        part = data.select_queries([query])
        assert part.X[:, 0].tolist() == data.X[data.rows_of(query), 0].tolist()
    everything = data.select_queries(np.arange(data.n_queries))
    assert everything.order is None
    if data.n_queries < 2:
        return
    first, second = data.split(0.5, seed=1)
    assert not set(first.query_ids) & set(second.query_ids)
    assert sorted([*first.X[:, 0], *second.X[:, 0]]) == list(range(len(data)))
    assert (np.diff(first.X[:, 0]) > 0).all()
    tests = [test.X[:, 0].tolist() for _, test in data.folds(2, seed=1)]
    assert sorted(chain.from_iterable(tests)) == list(range(len(data)))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "index 5"),
        ((0, 1), r"index \(0, 1\)"),
        ([0.5], "type float64"),
        ([2], "row 2; expected row numbers below 2"),
        ([True], "a mask of 1 rows"),
    ],
)
def test_other_indices_are_refused(key: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()[key]


def test_slices_lists_and_unknown_queries() -> None:
    data = make(X=np.arange(4).reshape(-1, 1), y=[0] * 4, qid=list("abab"))
    assert data[1:3].X.tolist() == [[1], [2]]
    assert data[[], ...].shape == (0, 1)
    assert data[[-1]].X.tolist() == [[3]]
    for query in (["x"], [2], [-1]):
        with pytest.raises(DataError, match=r"no query 'x'|query code"):
            data.select_queries(query)
    with pytest.raises(DataError, match="no query 'x'"):
        data.rows_of("x")
    with pytest.raises(TypeError, match="not iterable"):
        iter(data)  # type: ignore[call-overload]
    assert repr(data) == "RankingDataset(4 rows, 1 features, 2 queries)"


def test_grid_search_slices_a_dataset() -> None:
    from sklearn.base import BaseEstimator
    from sklearn.model_selection import GridSearchCV, GroupKFold

    class Constant(BaseEstimator):  # type: ignore[misc]
        def __init__(self, value: float = 0.0) -> None:
            self.value = value

        def fit(self, X: RankingDataset, y: None = None) -> Constant:
            assert isinstance(X, RankingDataset)
            self.queries_ = set(X.query_ids)
            return self

        def score(self, X: RankingDataset, y: None = None) -> float:
            # Scikit-learn scores the training part too only when asked: these are test rows.
            assert not self.queries_ & set(X.query_ids)
            return -float(np.abs(X.y - self.value).mean())

    data = make(X=np.zeros((12, 2)), y=[1] * 12, qid=list("abcabcabcabc"))
    for folds in (GroupKFold(3), QueryKFold(3)):
        search = GridSearchCV(Constant(), {"value": [0.0, 1.0, 2.0]}, cv=folds)
        search.fit(data, groups=data.groups)
        assert search.best_params_ == {"value": 1.0}


def test_scores_become_a_run() -> None:
    data = make(X=np.zeros((3, 1)), y=[0] * 3, qid=["b", "a", "b"], documents=["x", "y", "y"])
    run = data.to_run([0.5, 1.0, 2.0], name="mine")
    assert run.to_dict() == {"b": {"y": 2.0, "x": 0.5}, "a": {"y": 1.0}}
    assert run.name == "mine"
    nameless = make(X=np.zeros((3, 1)), y=[0] * 3, qid=["b", "a", "b"])
    assert nameless.to_run([0.5, 1.0, 2.0]).to_dict() == {
        "b": {"2": 2.0, "0": 0.5},
        "a": {"1": 1.0},
    }


def test_frames_in_and_out() -> None:
    frame = pd.DataFrame(
        {"grade": [1, 0], "qid": ["a", "b"], "doc": ["x", "y"], "f": [0.5, 1.5], "g": [1, 2]}
    )
    for table in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame)):
        data = RankingDataset.from_frame(table, label="grade", qid="qid", document="doc")
        assert data.feature_names == ("f", "g")
        assert data.X.tolist() == [[0.5, 1.0], [1.5, 2.0]]
        out = data.to_frame()
        assert list(out.columns) == ["label", "query", "document", "f", "g"]
        assert out["label"].tolist() == [1.0, 0.0]
    only = RankingDataset.from_frame(frame, label="grade", qid="qid", features=["g"])
    assert (only.feature_names, only.document) == (("g",), None)
    with pytest.raises(DataError, match="no column 'rel'; expected one of grade, qid"):
        RankingDataset.from_frame(frame, label="rel", qid="qid", features=["g"])
    with pytest.raises(DataError, match="a dict; expected"):
        RankingDataset.from_frame({"a": [1]}, label="a", qid="a")


def test_description() -> None:
    data = make(X=[[1.0], [np.nan], [2.0]], y=[0, 2, 0], qid=["a", "a", "b"])
    assert data.describe() == {
        "rows": 3,
        "features": 1,
        "queries": 2,
        "queries without a relevant row": 1,
        "rows a query": {"fewest": 1, "median": 1.5, "most": 2},
        "grades": {0.0: 2, 2.0: 1},
        "missing values": 1,
    }
    assert data[[]].describe()["rows a query"] == {"fewest": 0, "median": 0.0, "most": 0}


def same(a: RankingDataset, b: RankingDataset) -> bool:
    return (
        np.array_equal(a.X, b.X, equal_nan=True)
        and np.array_equal(a.y, b.y)
        and a.query_ids.strings(a.query).equals(b.query_ids.strings(b.query))
        and (a.document is None) == (b.document is None)
        and (a.feature_names, a.missing) == (b.feature_names, b.missing)
    )


@pytest.mark.parametrize("documents", [None, ["x", "y", "x"]])
def test_a_folder_is_memory_mapped(tmp_path: Path, documents: Any) -> None:
    data = RankingDataset(
        VALUES, [0, 1, 2], qid=["b", "a", "b"], documents=documents, feature_names=["f", "g"]
    )
    mapped = data.to_memmap(tmp_path / "data")
    assert isinstance(mapped.X, np.memmap)
    assert same(mapped, data)
    assert same(mapped[[0, 2]], data[[0, 2]])
    again = mapped.to_memmap(tmp_path / "data")  # onto itself
    assert same(again, data)
    empty = data[[]].to_memmap(tmp_path / "empty")
    assert (empty.shape, empty.n_queries) == ((0, 2), 0)
    data.write(tmp_path / "d.parquet")
    assert same(RankingDataset.read(tmp_path / "d.parquet"), data)
    with pytest.raises(DataError, match=r"d\.parquet: found nan in row 2"):
        RankingDataset.read(tmp_path / "d.parquet", missing="zero")


def test_damaged_folders_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    data = make(documents=["x", "y"])
    data.to_memmap(folder)
    manifest = folder / "manifest.json"
    whole = json.loads(manifest.read_bytes())
    name = whole["files"]["X"]["name"]
    bytes_of_x = bytearray((folder / name).read_bytes())
    bytes_of_x[-1] ^= 1
    (folder / name).write_bytes(bytes_of_x)
    with pytest.raises(CorruptFileError, match="another checksum"):
        RankingDataset.open(folder)
    assert RankingDataset.open(folder, verify=False).shape == (2, 1)
    (folder / name).write_bytes(bytes_of_x[:-1])
    with pytest.raises(CorruptFileError, match=f"{len(bytes_of_x) - 1} bytes"):
        RankingDataset.open(folder, verify=False)
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, match="no file X-"):
        RankingDataset.open(folder)
    for change, message in (
        ({"version": 9}, "version 9"),
        ({"kind": "other"}, "another kind"),
        ({"files": {}}, "lacks entries"),
    ):
        manifest.write_text(json.dumps({**whole, **change}))
        with pytest.raises(DataError, match=message):
            RankingDataset.open(folder)
    manifest.write_text("{")
    with pytest.raises(CorruptFileError, match="no JSON"):
        RankingDataset.open(folder)
    manifest.unlink()
    with pytest.raises(DataError, match=r"no manifest\.json"):
        RankingDataset.open(folder)
    (folder / "diary.txt").write_text("mine")
    with pytest.raises(DataError, match=r"other files \(diary\.txt\)"):
        data.to_memmap(folder)
    with pytest.raises(DataError, match="found a file"):
        data.to_memmap(folder / "diary.txt")
    assert (folder / "diary.txt").read_text() == "mine"


def test_ids_of_a_folder_that_are_no_arrow_file(tmp_path: Path) -> None:
    make().to_memmap(tmp_path)
    (path,) = tmp_path.glob("query_ids-*.arrow")
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(CorruptFileError, match="no readable Arrow file"):
        RankingDataset.open(tmp_path, verify=False)
    (path,) = tmp_path.glob("X-*.npy")
    path.write_bytes(b"\0" * path.stat().st_size)
    with pytest.raises(DataError, match=r"no readable \.npy file"):
        RankingDataset.open(tmp_path, verify=False)
