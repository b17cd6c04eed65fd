"""Splits keep queries whole, use every row once, and are decided by the seed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.dataset import RankingDataset
from plackett.data.letor import concatenate, letor_folds
from plackett.data.splits import QueryKFold, fold_of_groups, holdout_groups
from plackett.errors import ConfigurationError, DataError

SIZES = st.lists(st.integers(1, 30), min_size=2, max_size=40)


@given(SIZES, st.integers(2, 6), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_folds_are_balanced(sizes: list[int], n_folds: int, seed: int) -> None:
    if len(sizes) < n_folds:
        with pytest.raises(DataError, match=f"{len(sizes)} queries"):
            fold_of_groups(sizes, n_folds, seed)
        return
    fold = fold_of_groups(sizes, n_folds, seed)
    groups = np.bincount(fold, minlength=n_folds)
    rows = np.bincount(fold, weights=sizes, minlength=n_folds)
    assert groups.max() - groups.min() <= 1
    assert rows.max() - rows.min() <= max(sizes)
    np.testing.assert_array_equal(fold, fold_of_groups(sizes, n_folds, seed))


@given(SIZES, st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_query_k_fold_partitions_the_rows(sizes: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    groups = generator.permutation(np.repeat(np.arange(len(sizes)), sizes))
    seen = []
    for train, test in QueryKFold(2, seed).split(np.zeros((len(groups), 1)), groups=groups):
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(groups)
        seen.append(test)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(len(groups)))


def test_query_k_fold_is_a_scikit_learn_splitter() -> None:
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeRegressor

    groups = np.repeat(["a", "b", "c", "d"], 5)
    X = np.arange(20.0).reshape(-1, 1)
    splitter = QueryKFold(n_splits=2, seed=3)
    scores = cross_val_score(DecisionTreeRegressor(), X, X[:, 0], groups=groups, cv=splitter)
    assert len(scores) == splitter.get_n_splits() == 2
    assert repr(splitter) == "QueryKFold(n_splits=2, seed=3)"
    with pytest.raises(DataError, match="pass groups=qid"):
        next(splitter.split(X))
    with pytest.raises(ConfigurationError, match="n_splits=1"):
        fold_of_groups([1, 1], 1, 0)


def test_another_seed_makes_another_split() -> None:
    sizes = np.ones(50)
    assert not np.array_equal(fold_of_groups(sizes, 5, 0), fold_of_groups(sizes, 5, 1))
    first, second = holdout_groups(50, 0.8, 0)
    assert (len(first), len(second)) == (40, 10)
    assert sorted([*first, *second]) == list(range(50))
    assert not np.array_equal(first, holdout_groups(50, 0.8, 1)[0])
    assert [len(part) for part in holdout_groups(2, 0.99, 0)] == [1, 1]
    with pytest.raises(ConfigurationError, match=r"share=1.*0\.8"):
        holdout_groups(5, 1.0, 0)
    with pytest.raises(DataError, match="1 queries"):
        holdout_groups(1, 0.5, 0)


def _row(part: int, query: str | None = None) -> bytes:
    return b"1 qid:%s 1:%d # docid = D%d\n" % ((query or str(part)).encode(), part, part)


def _parts(folds: Iterator[tuple[RankingDataset, ...]]) -> list[list[list[int]]]:
    return [[data.X[:, 0].astype(int).tolist() for data in fold] for fold in folds]


def test_letor_parts_go_around_in_a_circle(tmp_path: Path) -> None:
    for part in range(1, 6):
        data = _row(part)
        if part == 2:
            (tmp_path / "S2.txt.gz").write_bytes(gzip.compress(data))
        else:
            (tmp_path / f"S{part}.txt").write_bytes(data)
    assert _parts(letor_folds(tmp_path)) == [
        [[1, 2, 3], [4], [5]],
        [[2, 3, 4], [5], [1]],
        [[3, 4, 5], [1], [2]],
        [[4, 5, 1], [2], [3]],
        [[5, 1, 2], [3], [4]],
    ]
    train = next(letor_folds(tmp_path)).train
    assert train.document_ids is not None
    assert list(train.document_ids) == ["D1", "D2", "D3"]
    (tmp_path / "S3.txt").unlink()
    with pytest.raises(DataError, match=r"found no S3\.txt or S3\.txt\.gz"):
        letor_folds(tmp_path)


def test_letor_folders(tmp_path: Path) -> None:
    for fold in (1, 2):
        (tmp_path / f"Fold{fold}").mkdir()
        for number, name in enumerate(("train", "vali", "test")):
            (tmp_path / f"Fold{fold}" / f"{name}.txt").write_bytes(_row(10 * fold + number))
    assert _parts(letor_folds(tmp_path)) == [[[10], [11], [12]], [[20], [21], [22]]]


def test_concatenation_joins_equal_queries_and_refuses_other_features() -> None:
    first = RankingDataset([[1.0]], [0], qid=["a"], documents=["x"])
    second = RankingDataset([[2.0]], [1], qid=["a"])
    both = concatenate([first, second])
    assert (both.n_queries, both.document, both.X.tolist()) == (1, None, [[1.0], [2.0]])
    with pytest.raises(DataError, match="parts of 1 and 2 features"):
        concatenate([first, RankingDataset([[2.0, 3.0]], [1], qid=["a"])])
    with pytest.raises(DataError, match="no datasets"):
        concatenate([])


@pytest.mark.shared_data
def test_the_folds_of_mq2008(shared_data: Path) -> None:
    tests = []
    for train, valid, test in letor_folds(shared_data / "mq2008"):
        assert len(train) + len(valid) + len(test) == 15_211
        assert train.n_queries + valid.n_queries + test.n_queries == 784
        tests.extend(test.query_ids)
    assert len(set(tests)) == 784
