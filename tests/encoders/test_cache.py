"""The cache of vectors gives back what was put, and says when a file was changed."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from plackett.encoders import VectorCache
from plackett.errors import CorruptFileError

ARRAYS = st.one_of(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=1, max_dims=3, min_side=0)),
    hnp.arrays(np.int32, hnp.array_shapes(min_dims=1, max_dims=2, min_side=0)),
)


@given(
    entries=st.dictionaries(
        st.text(max_size=8),
        st.tuples(st.lists(ARRAYS, max_size=3), st.integers(0, 99), st.booleans()),
    )
)
def test_what_was_put_comes_back(
    entries: dict[str, tuple[list[np.ndarray], int, bool]],
) -> None:
    cache = VectorCache()
    given_entries = {
        text: (tuple(arrays), tokens, cut) for text, (arrays, tokens, cut) in entries.items()
    }
    cache.put_many("model", given_entries)
    found = cache.get_many("model", [*given_entries, "\ud800 not there"])
    assert list(found) == list(given_entries) or set(found) == set(given_entries)
    for text, (arrays, tokens, cut) in given_entries.items():
        assert found[text][1:] == (tokens, cut)
        for one, other in zip(found[text][0], arrays, strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other, equal_nan=True)
    assert cache.get_many("another model", list(given_entries)) == {}


def test_more_entries_than_one_question_holds(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(1203)]
    with VectorCache(tmp_path / "deep" / "file") as cache:
        cache.put_many("m", {t: ((np.float32([i]),), i, False) for i, t in enumerate(texts)})
    with VectorCache(tmp_path / "deep" / "file") as cache:
        found = cache.get_many("m", texts)
        assert [float(found[text][0][0][0]) for text in texts] == list(range(1203))
        assert len(cache) == 1203


def test_a_changed_entry_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with VectorCache(path) as cache:
        cache.put_many("m", {"a": ((np.ones(4, dtype=np.float32),), 1, False)})
    base = sqlite3.connect(path)
    (data,) = base.execute("select data from vectors").fetchone()
    base.execute("update vectors set data = ?", (data[:-1] + b"\x01",))
    base.commit()
    base.close()
    with VectorCache(path) as cache, pytest.raises(CorruptFileError, match="wrong checksum"):
        cache.get_many("m", ["a"])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("not a database, but long enough to be looked at" * 10)
    with pytest.raises(CorruptFileError, match="no cache of vectors"):
        VectorCache(path)
    other = tmp_path / "other"
    base = sqlite3.connect(other)
    base.execute("create table vectors (id integer)")
    base.close()
    with pytest.raises(CorruptFileError, match="no cache of vectors"):
        VectorCache(other)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "file")
    good = ((np.ones(1, dtype=np.float32),), 1, False)
    with pytest.raises(OverflowError):
        cache.put_many("m", {"a": good, "b": (good[0], 1 << 70, False)})
    assert len(cache) == 0
    cache.put_many("m", {"a": good})
    assert len(cache) == 1
