"""What a feature set promises beside its formulas: names, schema, texts, grades, invariances."""

from __future__ import annotations

import json

import numpy as np
import pytest

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features import BoundFeature, Feature, FeatureSet, get, names, register
from plackett.features import feature_set as module

EVERYTHING = list(names())


def test_the_lexical_set_names_its_columns_in_order(small_index):
    features = FeatureSet.lexical(small_index)
    expected = module.LEXICAL + module.FEEDBACK
    expected += ("title.bm25", "title.idf_coverage", "text.bm25", "text.idf_coverage")
    assert features.names == expected
    assert len(features) == len(expected)
    assert FeatureSet.lexical(small_index, fields=(), feedback=False).names == module.LEXICAL
    chosen = FeatureSet.lexical(small_index, names=["rm3", "bm25"])
    assert chosen.names == ("rm3", "bm25")
    assert repr(chosen) == "FeatureSet(2 features: rm3, bm25)"


def test_the_full_set_has_every_feature_of_the_index(small_index, small_run, build_index):
    features = FeatureSet.full(small_index, threads=1)
    known = [
        name
        for name in EVERYTHING
        if get(name).kind == "index" and not {"pairs", "spans"} & set(get(name).needs)
    ]
    by_field = [name for name in known if get(name).by_field and name not in module.SUMMARIES]
    assert set(module.SUMMARIES) < {name for name in known if get(name).by_field}
    assert features.names[: len(known)] == tuple(known)
    assert len(features) == len(known) + 2 * len(by_field)
    assert {"tf_idf_variance", "text.length", "all_terms"} <= set(features.names)
    assert len(FeatureSet.full(small_index, fields=("title",))) == len(known) + len(by_field)
    assert len(FeatureSet.full(build_index({"text": ["a"]}))) == len(known)
    values = features.extract(small_run).X
    chosen = FeatureSet.of(["text.dph", "cosine"], small_index).extract(small_run).X
    places = [features.names.index(name) for name in ("text.dph", "cosine")]
    np.testing.assert_array_equal(values[:, places], chosen)
    with pytest.raises(UnknownNameError, match="field"):
        FeatureSet.full(small_index, fields=["body"])


def test_what_features_share_cannot_be_written_to(small_index, small_run):
    def spoil(candidates):
        candidates.frequency()[:] = 0
        return np.zeros(candidates.n_rows)

    features = FeatureSet.of(["bm25"], small_index).with_function("spoil", spoil)
    with pytest.raises(ValueError, match="read-only"):
        features.extract(small_run)


def test_an_index_of_one_field_has_no_columns_by_field(build_index):
    assert (
        FeatureSet.lexical(build_index({"text": ["a"]})).names == module.LEXICAL + module.FEEDBACK
    )


def test_a_retriever_is_taken_for_its_index(small_index):
    class Retriever:
        index = small_index

    assert FeatureSet.lexical(Retriever()).index is small_index
    with pytest.raises(ConfigurationError, match="expected an InvertedIndex"):
        FeatureSet.lexical("index")


def test_rows_grades_and_documents_follow_the_run(small_index, small_run):
    qrels = Qrels.from_dict(
        {"q1": {"d0": 3, "d1": -1, "gone": 2}, "q6": {"d6": 1}, "other": {"d0": 4}}
    )
    data = FeatureSet.of(["run_score", "run_reciprocal_rank"], small_index).extract(
        small_run, qrels
    )
    np.testing.assert_array_equal(data.X[:, 0], small_run.score)
    np.testing.assert_array_equal(data.document, small_run.document)
    np.testing.assert_array_equal(data.query, small_run.query[small_run.query_rows])
    assert data.missing == "nan"
    grades = {
        (data.query_ids[q], data.document_ids[d]): y
        for q, d, y in zip(data.query, data.document, data.y.tolist(), strict=True)
    }
    assert {key: y for key, y in grades.items() if y} == {("q1", "d0"): 3.0, ("q6", "d6"): 1.0}
    np.testing.assert_array_equal(data.X[:7, 1], 1 / np.arange(1, 8, dtype=np.float32))
    unjudged = FeatureSet.of(["bm25"], small_index).extract(small_run)
    assert not unjudged.y.any()


def test_threads_and_batches_change_nothing(small_index, small_run, monkeypatch):
    one = FeatureSet.of(EVERYTHING, small_index, threads=1).extract(small_run).X
    np.testing.assert_array_equal(
        FeatureSet.of(EVERYTHING, small_index, threads=4).extract(small_run).X, one
    )
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 10)
    np.testing.assert_array_equal(FeatureSet.of(EVERYTHING, small_index).extract(small_run).X, one)
    for segment, query in enumerate(small_run.query_ids):
        alone = FeatureSet.of(EVERYTHING, small_index).extract(small_run.select([query])).X
        np.testing.assert_array_equal(alone, one[small_run.query_rows == segment])


def test_all_values_are_finite_whatever_the_query(small_index, small_run):
    data = FeatureSet.of(EVERYTHING, small_index).extract(small_run)
    assert np.isfinite(data.X).all()
    unknown = data.X[small_run.query_rows == 2]
    for name in ("bm25", "ql_dirichlet", "coverage", "phrase", "term_proximity", "query_idf"):
        assert not unknown[:, EVERYTHING.index(name)].any()


def test_values_lie_in_the_stated_range(small_index, small_run):
    features = FeatureSet.of(EVERYTHING, small_index)
    data = features.extract(small_run)
    for column, entry in zip(data.X.T, features.schema["features"], strict=True):
        low, high = entry["range"]
        assert low is None or column.min() >= low, entry["name"]
        assert high is None or column.max() <= high + 1e-6, entry["name"]


def test_query_order_matters_to_pairs_and_phrases_only(small_index, make_run):
    documents = {"q": [f"d{row}" for row in range(7)]}
    features = FeatureSet.of(EVERYTHING, small_index)
    forth = features.extract(make_run({"q": "a b c"}, documents)).X
    back = features.extract(make_run({"q": "c b a"}, documents)).X
    ordered = {"ordered_pairs", "phrase", "sdm", "sdm_ordered"}
    for column, name in enumerate(EVERYTHING):
        if name not in ordered:
            np.testing.assert_array_equal(forth[:, column], back[:, column], err_msg=name)
    assert (forth[:, EVERYTHING.index("phrase")] != back[:, EVERYTHING.index("phrase")]).any()


def test_a_repeated_query_term_counts_twice_in_ranking_functions(small_index, make_run):
    documents = {"q": ["d0", "d3"]}
    columns = ["bm25", "ql_dirichlet", "dph", "pl2", "inl2", "ql_jelinek_mercer"]
    features = FeatureSet.of([*columns, "coverage", "tf_sum"], small_index)
    once = features.extract(make_run({"q": "a"}, documents)).X
    twice = features.extract(make_run({"q": "a a"}, documents)).X
    np.testing.assert_allclose(twice[:, : len(columns)], 2 * once[:, : len(columns)], rtol=1e-6)
    np.testing.assert_array_equal(twice[:, len(columns) :], once[:, len(columns) :])


def test_the_order_of_the_collection_changes_nothing(build_index, make_run):
    texts = ["a b c", "b c a d", "a a e", "", "e d c b a", "f f"]
    places = [4, 2, 5, 0, 3, 1]
    documents = {"q": [f"d{row}" for row in (1, 0, 4, 2, 3, 5)]}
    run = make_run({"q": "a b e"}, documents)
    straight = build_index({"text": texts})
    shuffled = build_index({"text": [texts[p] for p in places]}, [f"d{p}" for p in places])
    np.testing.assert_allclose(
        FeatureSet.of(EVERYTHING, shuffled).extract(run).X,
        FeatureSet.of(EVERYTHING, straight).extract(run).X,
        rtol=1e-6,
        atol=1e-7,
    )


def test_a_collection_of_one_document_and_an_empty_run(build_index, make_run):
    index = build_index({"text": ["a b"]})
    features = FeatureSet.of(EVERYTHING, index)
    assert np.isfinite(features.extract(make_run({"q": "a b"}, {"q": ["d0"]})).X).all()
    assert features.extract(make_run({"q": "a"}, {"q": []})).shape == (0, len(EVERYTHING))


def test_a_collection_without_tokens_has_zero_or_constant_features(build_index, make_run):
    index = build_index({"text": ["", ""]})
    data = FeatureSet.of(EVERYTHING, index).extract(make_run({"q": "a"}, {"q": ["d0", "d1"]}))
    assert np.isfinite(data.X).all()


@pytest.mark.parametrize("normalise", ["query_minmax", "query_zscore"])
def test_normalisation_inside_queries(small_index, small_run, normalise):
    columns = ["bm25", "log_length", "query_length"]
    raw = FeatureSet.of(columns, small_index).extract(small_run).X
    found = FeatureSet.of(columns, small_index, normalise=normalise).extract(small_run).X
    np.testing.assert_array_equal(found[:, 2], raw[:, 2])
    for a, b in zip(small_run.offsets[:-1], small_run.offsets[1:], strict=True):
        for column in range(2):
            values = raw[a:b, column].astype(float)
            scale = np.ptp(values) if normalise == "query_minmax" else values.std()
            centre = values.min() if normalise == "query_minmax" else values.mean()
            expected = (values - centre) / scale if np.ptp(values) else np.zeros(b - a)
            np.testing.assert_allclose(found[a:b, column], expected, rtol=1e-5, atol=1e-6)


def test_columns_of_the_corpus_and_functions(small_index, small_run):
    corpus = Corpus.from_records(
        [
            {"id": "d0", "text": "x", "year": 1999, "tag": "t"},
            {"id": "d1", "text": "y", "year": None},
        ]
    )
    run = small_run.replace(corpus=corpus)
    seen = []

    def length_of_text(candidates):
        seen.extend(candidates.texts)
        return np.array([len(candidates.texts[q]) for q in candidates.rows_query])

    base = FeatureSet.of(["bm25"], small_index, normalise="query_minmax")
    features = base.with_column("year").with_function("chars", length_of_text, "characters")
    assert features.names == ("bm25", "year", "chars")
    data = features.extract(run)
    assert seen[0] == "a b"
    year = dict(zip(run.document_ids.strings(run.document).to_pylist(), data.X[:, 1], strict=True))
    assert year["d0"] == 0
    assert np.isnan(year["d1"])
    assert np.isnan(year["d5"])
    with pytest.raises(DataError, match="without its corpus"):
        features.extract(small_run)
    with pytest.raises(DataError, match="numbers or booleans"):
        base.with_column("tag").extract(run)
    with pytest.raises(DataError, match="expected one number for each"):
        base.with_function("short", lambda candidates: [1.0, 2.0]).extract(run)
    with pytest.raises(DataError, match="infinite value of feature 'inf'"):
        base.with_function("inf", lambda c: np.full(c.n_rows, np.inf)).extract(run)


def test_two_sets_add_up(small_index, build_index):
    a, b = FeatureSet.of(["bm25"], small_index), FeatureSet.of(["dph"], small_index)
    assert (a + b).names == ("bm25", "dph")
    with pytest.raises(ConfigurationError, match="'bm25' twice"):
        a + a
    with pytest.raises(ConfigurationError, match="different indexes"):
        a + FeatureSet.of(["dph"], build_index({"text": ["a"]}))
    with pytest.raises(TypeError):
        a + 1


def test_what_cannot_be_asked_for(small_index):
    with pytest.raises(UnknownNameError, match="did you mean 'bm25'"):
        FeatureSet.of(["bm52"], small_index)
    with pytest.raises(UnknownNameError, match="field of the index"):
        FeatureSet.of(["titel.bm25"], small_index)
    with pytest.raises(ConfigurationError, match="cannot be computed on the field"):
        FeatureSet.of(["title.rm3"], small_index)
    with pytest.raises(ConfigurationError, match="list of names"):
        FeatureSet.of("bm25", small_index)
    with pytest.raises(ConfigurationError, match="without features"):
        FeatureSet.of([], small_index)
    with pytest.raises(ConfigurationError, match="threads=0"):
        FeatureSet.of(["bm25"], small_index, threads=0)
    with pytest.raises(UnknownNameError, match="normalisation"):
        FeatureSet.of(["bm25"], small_index, normalise="minmax")
    with pytest.raises(UnknownNameError, match="column of this lexical set"):
        FeatureSet.lexical(small_index, names=["tf_max"])


def test_texts_and_documents_that_are_missing(small_index, small_run):
    features = FeatureSet.of(["bm25"], small_index)
    with pytest.raises(DataError, match="pass queries="):
        features.extract(Run.from_dict({"q1": {"d0": 1.0}}))
    with pytest.raises(DataError, match="no text for query 'q2'"):
        features.extract(small_run, queries=Queries.from_texts({"q1": "a"}))
    stranger = Run.from_dict({"q1": {"elsewhere": 1.0}})
    with pytest.raises(DataError, match="document 'elsewhere'"):
        features.extract(stranger, queries=Queries.from_texts({"q1": "a"}))


def test_queries_whose_field_has_another_name(small_index):
    queries = Queries.from_records([{"id": "q", "question": "a b"}])
    run = Run.from_dict({"q": {"d0": 1.0}})
    found = FeatureSet.of(["coverage"], small_index).extract(run, queries=queries)
    assert found.X.tolist() == [[1.0]]


def test_the_schema_is_json_and_says_what_each_feature_is(small_index):
    schema = FeatureSet.of(EVERYTHING, small_index).schema
    assert json.loads(json.dumps(schema)) == schema
    for entry in schema["features"]:
        assert entry["description"]
        assert entry["formula"]
        assert entry["dtype"] == "float32"
        assert entry["needs"]


def test_the_registry_refuses_a_second_feature_of_a_name():
    assert register(get("bm25")) is get("bm25")
    with pytest.raises(ConfigurationError, match="two features named 'bm25'"):
        register(Feature("bm25", "", "", get("bm25").compute))
    assert BoundFeature(get("bm25"), "title").name == "title.bm25"
