"""A saved feature set comes back the same, or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plackett.data.texts import Corpus
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.features import FeatureSet
from plackett.features.saving import FILE_NAME, read_schema, write_schema


def test_a_saved_set_gives_the_same_values(small_index, small_run, tmp_path):
    features = FeatureSet.lexical(small_index, normalise="query_zscore")
    features.save(tmp_path / "model")
    loaded = FeatureSet.load(tmp_path / "model", small_index)
    assert loaded.schema == features.schema
    np.testing.assert_array_equal(loaded.extract(small_run).X, features.extract(small_run).X)
    assert [path.name for path in (tmp_path / "model").iterdir()] == [FILE_NAME]


def test_columns_are_saved_and_functions_are_asked_for(small_index, small_run, tmp_path):
    def ones(candidates):
        return np.ones(candidates.n_rows)

    features = FeatureSet.of(["bm25"], small_index).with_column("year", "of print")
    features.with_function("ones", ones, "one").save(tmp_path)
    with pytest.raises(ConfigurationError, match="'ones' is a function, which is not saved"):
        FeatureSet.load(tmp_path, small_index)
    loaded = FeatureSet.load(tmp_path, small_index, functions={"ones": ones})
    assert loaded.names == ("bm25", "year", "ones")
    corpus = Corpus.from_records([{"id": "d0", "text": "x", "year": 5}])
    X = loaded.extract(small_run.replace(corpus=corpus)).X
    assert np.nanmax(X[:, 1]) == 5
    assert (X[:, 2] == 1).all()


def test_a_feature_that_has_changed_since_is_refused(small_index, tmp_path):
    schema = FeatureSet.of(["bm25"], small_index).schema
    schema["features"][0]["version"] = 99
    write_schema(tmp_path, schema)
    with pytest.raises(ConfigurationError, match="saved in version 99"):
        FeatureSet.load(tmp_path, small_index)


def test_files_that_are_none_of_ours(small_index, tmp_path):
    with pytest.raises(DataError, match="no saved feature set"):
        read_schema(tmp_path)
    file = tmp_path / FILE_NAME
    file.write_text("{")
    with pytest.raises(CorruptFileError, match="no JSON"):
        read_schema(tmp_path)
    file.write_text("[]")
    with pytest.raises(CorruptFileError, match="no feature set"):
        read_schema(tmp_path)
    FeatureSet.of(["bm25"], small_index).save(tmp_path)
    contents = json.loads(file.read_text())
    file.write_text(json.dumps({**contents, "format_version": 2}))
    with pytest.raises(CorruptFileError, match="format version 2"):
        read_schema(tmp_path)
    file.write_text(json.dumps({**contents, "normalise": "query_minmax"}))
    with pytest.raises(CorruptFileError, match="altered"):
        read_schema(tmp_path)
    with pytest.raises(DataError, match="a folder, or nothing"):
        write_schema(file, {})


def test_a_killed_writer_leaves_the_old_set(small_index, tmp_path, monkeypatch):
    FeatureSet.of(["bm25"], small_index).save(tmp_path)

    def killed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr("plackett.features.saving.os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        FeatureSet.of(["dph"], small_index).save(tmp_path)
    assert FeatureSet.load(tmp_path, small_index).names == ("bm25",)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
