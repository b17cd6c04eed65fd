"""`plackett features --family` and `plackett drift`."""

import json

import numpy as np
import pytest

from plackett.data import RankingDataset

INDEX = "plackett index cranfield -o idx"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An index and a run of a few queries."""
    from plackett import BM25, load_collection

    folder = tmp_path_factory.mktemp("describing")
    collection = load_collection("cranfield")
    bm25 = BM25.build(collection.corpus, folder / "idx", fields=["title", "text"])
    queries = collection.queries.select(collection.queries.ids.values.to_pylist()[:6])
    bm25.search(queries, 10).write(folder / "run.txt")
    return folder


@pytest.mark.parametrize(
    ("options", "columns"),
    [("", None), ("--family letor", 46), ("--family mslr", 136), ("--names bm25,log_length", 2)],
)
def test_a_family_of_features(small, program, tmp_path, options, columns):
    out = tmp_path / "rows.parquet"
    done = program(
        f"plackett features {small / 'idx'} {small / 'run.txt'} --queries cranfield "
        f"-o {out} {options}"
    )
    assert done.code == 0, done.err
    data = RankingDataset.read(out)
    assert len(data) == 60
    assert columns is None or data.X.shape[1] == columns
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [("--family letter", "letor"), ("--family mslr --names bm25", "either")],
)
def test_what_is_no_family_is_told(small, program, tmp_path, options, message):
    done = program(
        f"plackett features {small / 'idx'} {small / 'run.txt'} --queries cranfield "
        f"-o {tmp_path / 'r.svm'} {options}"
    )
    assert done.code == 2
    assert message in done.err


def test_drift_is_told_by_the_exit_code(program, tmp_path):
    rng = np.random.default_rng(0)
    X, qid = rng.normal(size=(400, 2)), np.arange(400) // 4
    names = ["steady", "moved"]
    for name, shift in (("before", 0.0), ("after", 3.0)):
        rows = X + np.array([0.0, shift])
        data = RankingDataset(rows, np.zeros(400), qid=qid, feature_names=names)
        data.write(tmp_path / f"{name}.parquet")
    before, after = tmp_path / "before.parquet", tmp_path / "after.parquet"
    assert program(f"plackett drift {before} {before}").code == 0
    done = program(f"plackett drift {before} {after}")
    assert done.code == 1
    assert "1 of 2 features drifted" in done.out
    assert program(f"plackett drift {before} {after} --names steady").code == 0
    done = program(f"plackett drift {before} {after} --json --by-row")
    assert json.loads(done.out)["drifted"] == ["moved"]
