"""Scores of vectors as features: equal to searches whatever found the candidates; saved, read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import (
    DenseEncoder,
    Encoded,
    Kind,
    SparseEncoder,
    TokenEncoder,
    TokenVectors,
)
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features import FeatureSet
from plackett.fusion import Fusing
from plackett.pipeline import interleave
from plackett.rankers import LinearRanker
from plackett.retrievers import BM25, Dense, LateInteraction, Sparse
from plackett.retrievers.inverted import InvertedIndex

WORDS = "abcdefg"
CORPUS = Corpus.from_texts(
    {"d0": "a b c", "d1": "a a d", "d2": "", "d3": "b e e", "d4": "a c f", "d5": "g", "d6": "d e"}
)
QUERIES = Queries.from_texts({"q1": "a b", "q2": "e", "q3": "", "q4": "c c g"})


def counted(text: str) -> np.ndarray:
    return np.array([text.split().count(word) for word in WORDS], dtype=np.float32)


class _Words:
    """Counts of words; a query's are doubled."""

    dimension = len(WORDS)

    def __init__(self, name: str = "words") -> None:
        self.name, self.encoded = name, 0

    @property
    def identity(self) -> str:
        return self.name

    def encode(self, texts: Sequence[str], kind: Kind = "document") -> Any:
        return self.encode_all(texts, kind).values

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Any]:
        self.encoded += len(texts)
        rows = [counted(text) * (2 if kind == "query" else 1) for text in texts]
        read = np.zeros(len(texts), dtype=np.int64)
        return Encoded(self.shaped(rows), read, read > 0)

    def shaped(self, rows: list[np.ndarray]) -> Any:
        raise NotImplementedError


class DenseWords(_Words, DenseEncoder):
    def shaped(self, rows: list[np.ndarray]) -> Any:
        return np.array(rows, dtype=np.float32).reshape(len(rows), len(WORDS))


class SparseWords(_Words, SparseEncoder):
    def shaped(self, rows: list[np.ndarray]) -> Any:
        return sparse.csr_matrix(np.array(rows, dtype=np.float32).reshape(len(rows), len(WORDS)))


class TokenWords(_Words, TokenEncoder):
    """A vector for each distinct word."""

    def shaped(self, rows: list[np.ndarray]) -> Any:
        parts = [np.diag(row)[row > 0] for row in rows]
        values = np.concatenate([np.zeros((0, len(WORDS))), *parts]).astype(np.float32)
        return TokenVectors(values, np.cumsum([0, *map(len, parts)]).astype(np.int64))


KINDS = {"dense": (Dense, DenseWords), "sparse": (Sparse, SparseWords)}
ALL_KINDS = {**KINDS, "tokens": (LateInteraction, TokenWords)}


@pytest.fixture
def inverted(tmp_path: Path) -> InvertedIndex:
    return InvertedIndex.build(CORPUS, tmp_path / "inverted", analyzer=str.split)


def every_document(queries: Queries = QUERIES) -> Run:
    """All documents for all queries, in another order each."""
    found = {
        query: {name: float((row * 3 + place) % 7) for row, name in enumerate(CORPUS.ids)}
        for place, query in enumerate(queries.ids)
    }
    return Run.from_dict(found).replace(queries=queries, corpus=CORPUS)


def expected_scores(run: Run, kind: str) -> np.ndarray:
    texts = [QUERIES.text(run.query_names[row]) for row in run.query_rows]
    documents = [CORPUS.text(run.document_ids[int(code)]) for code in run.document]
    pairs = [(2 * counted(q), counted(d)) for q, d in zip(texts, documents, strict=True)]
    if kind == "tokens":
        return np.array([(q * d).sum() for q, d in pairs])  # distinct words match themselves
    return np.array([float(q @ d) for q, d in pairs])


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_scores_are_those_of_the_vectors(kind: str, inverted: InvertedIndex, tmp_path: Path):
    retriever, encoder = ALL_KINDS[kind]
    index = retriever.build(CORPUS, tmp_path / kind, encoder=encoder())
    run = every_document()
    for source in (index, encoder()):
        features = FeatureSet.of(["bm25"], inverted).with_scores("v", source)
        assert features.names == ("bm25", "v_score")
        X = features.extract(run).X
        np.testing.assert_allclose(X[:, 1], expected_scores(run, kind), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_and_feedback_against_the_definition(
    kind: str, inverted: InvertedIndex, tmp_path: Path
) -> None:
    retriever, encoder = KINDS[kind]
    index = retriever.build(CORPUS, tmp_path / kind, encoder=encoder())
    run = every_document()
    values = ["feedback", "reciprocal_rank", "score"]
    X = FeatureSet.of(["bm25"], inverted).with_scores("v", index, values).extract(run).X
    scores = expected_scores(run, kind)
    for segment in range(len(run)):
        rows = np.arange(run.offsets[segment], run.offsets[segment + 1])
        ranks = [1 + (scores[rows] > scores[row]).sum() for row in rows]
        np.testing.assert_allclose(X[rows, 2], 1.0 / np.array(ranks))
        best = rows[np.argsort(-scores[rows], kind="stable")[:5]]
        names = [run.document_ids[int(code)] for code in run.document[best]]
        centre = np.mean([counted(CORPUS.text(name)) for name in names], axis=0)
        known = [counted(CORPUS.text(run.document_ids[int(c)])) for c in run.document[rows]]
        np.testing.assert_allclose(X[rows, 1], np.array(known) @ centre, rtol=1e-6)
        np.testing.assert_allclose(X[rows, 3], scores[rows])


def test_over_segments_and_documents_that_the_index_lacks(
    inverted: InvertedIndex, tmp_path: Path
) -> None:
    some = CORPUS.select(["d3", "d0", "d6"])
    index = Dense.build(some, tmp_path / "dense", encoder=DenseWords())
    index = index.add(CORPUS.select(["d1", "d2"])).delete(["d0"])
    run = every_document()
    values = ["score", "reciprocal_rank", "feedback"]
    X = FeatureSet.of(["bm25"], inverted).with_scores("v", index, values).extract(run).X
    names = [run.document_ids[int(code)] for code in run.document]
    lacking = np.array([name not in ("d1", "d2", "d3", "d6") for name in names])
    assert np.isnan(X[lacking][:, [1, 3]]).all()
    assert (X[lacking, 2] == 0).all()
    np.testing.assert_allclose(X[~lacking, 1], expected_scores(run, "dense")[~lacking])
    centre = np.mean([counted(CORPUS.text(d)) for d in ("d1", "d2", "d3", "d6")], axis=0)
    vectors = np.array([counted(CORPUS.text(name)) for name in names])
    np.testing.assert_allclose(X[~lacking, 3], (vectors @ centre)[~lacking], rtol=1e-6)
    corpus = CORPUS.select(["d1"])
    few = FeatureSet.of(["bm25"], inverted).with_scores("v", DenseWords())
    assert np.isnan(few.extract(run.replace(corpus=corpus)).X[:, 1]).sum() == 6 * 4
    none = run.replace(corpus=Corpus.from_texts({"z": "a"}))
    assert np.isnan(few.extract(none).X[:, 1]).all()


def test_columns_of_a_source_encode_once(inverted: InvertedIndex) -> None:
    encoder = DenseWords()
    values = ("score", "reciprocal_rank", "feedback")
    features = FeatureSet.of(["bm25"], inverted).with_scores("v", encoder, values)
    features.extract(every_document())
    assert encoder.encoded == len(QUERIES) + len(CORPUS)


def test_batches_of_queries_change_nothing(
    inverted: InvertedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = ("score", "reciprocal_rank", "feedback")
    features = FeatureSet.of(["bm25"], inverted, normalise="query_zscore").with_scores(
        "v", DenseWords(), values
    )
    run = interleave(every_document(), every_document().head(2)).replace(corpus=CORPUS)
    features = features.with_parts(["one", "two"])
    whole = features.extract(run, queries=QUERIES).X
    monkeypatch.setattr("plackett.features.feature_set.ROWS_AT_ONCE", 8)
    np.testing.assert_array_equal(features.extract(run, queries=QUERIES).X, whole)


def test_a_saved_set_asks_for_its_sources(inverted: InvertedIndex, tmp_path: Path) -> None:
    index = Dense.build(CORPUS, tmp_path / "dense", encoder=DenseWords())
    values = ("score", "feedback")
    features = FeatureSet.of(["bm25"], inverted).with_scores("v", index, values)
    features.save(tmp_path / "model")
    run = every_document()
    # The encoder in the place of the index it made: the same values, so the same identity.
    for source in (index, DenseWords()):
        loaded = FeatureSet.load(tmp_path / "model", inverted, sources={"v": source})
        assert loaded.schema == features.schema
        np.testing.assert_allclose(loaded.extract(run).X, features.extract(run).X, rtol=1e-6)
    with pytest.raises(ConfigurationError, match="'v_score' is a score of 'v', whose vectors"):
        FeatureSet.load(tmp_path / "model", inverted)
    for other in (DenseWords("changed"), SparseWords()):
        with pytest.raises(ConfigurationError, match="which the feature set was saved with"):
            FeatureSet.load(tmp_path / "model", inverted, sources={"v": other})


def test_wrong_sources(inverted: InvertedIndex, tmp_path: Path) -> None:
    features = FeatureSet.of(["bm25"], inverted)
    with pytest.raises(ConfigurationError, match="expected an index of vectors"):
        features.with_scores("v", inverted)
    with pytest.raises(UnknownNameError, match="reciprocal_rank"):
        features.with_scores("v", DenseWords(), ["rank"])
    with pytest.raises(ConfigurationError, match="expected a list of values"):
        features.with_scores("v", DenseWords(), "score")
    with pytest.raises(ConfigurationError, match="a vector a token"):
        features.with_scores("v", TokenWords(), ["feedback"])
    bare = Run.from_dict({"q1": {"d0": 1.0}}).replace(queries=QUERIES)
    with pytest.raises(DataError, match="a run without its corpus"):
        features.with_scores("v", DenseWords()).extract(bare)
    given = Dense.from_vectors(["d0"], np.ones((1, 7)), tmp_path / "given")
    with pytest.raises(ConfigurationError, match="made of vectors and has no encoder"):
        features.with_scores("v", given)
    opened = Dense.open(tmp_path / "given", encoder=DenseWords())
    assert features.with_scores("v", opened).names == ("bm25", "v_score")
    with pytest.raises(ConfigurationError, match="twice in one set"):
        features.with_scores("v", DenseWords()).with_scores("v", DenseWords())


def test_what_each_part_of_a_union_said(inverted: InvertedIndex, tmp_path: Path) -> None:
    one = Run.from_dict({"q1": {"d0": 5.0, "d1": 3.0}, "q2": {"d3": 1.0}})
    two = Run.from_dict({"q1": {"d1": 0.2, "d4": 0.1}, "q2": {}})
    union = interleave(one, two).replace(queries=QUERIES, corpus=CORPUS)
    features = FeatureSet.of(["bm25"], inverted).with_parts(["bm25", "dense"])
    assert features.names[1:] == (
        "bm25_score",
        "bm25_reciprocal_rank",
        "dense_score",
        "dense_reciprocal_rank",
    )
    rows = {"d0": [5, 1, np.nan, 0], "d1": [3, 0.5, 0.2, 1], "d4": [np.nan, 0, 0.1, 0.5]}
    for run in (union, Fusing()(union), Fusing()(union).head(2)):
        data = features.extract(run)
        for row, code in enumerate(run.document):
            if run.query_names[run.query_rows[row]] == "q1":
                expected = rows[run.document_ids[int(code)]]
                np.testing.assert_allclose(data.X[row, 1:], expected, rtol=1e-6)
    features.save(tmp_path)
    loaded = FeatureSet.load(tmp_path, inverted)
    assert loaded.schema == features.schema
    np.testing.assert_array_equal(loaded.extract(union).X, features.extract(union).X)
    with pytest.raises(DataError, match="of 0 parts; expected 2 parts, part 1 being 'bm25'"):
        features.extract(one.replace(queries=QUERIES))
    for wrong in ("bm25", []):
        with pytest.raises(ConfigurationError, match="one a part"):
            features.with_parts(wrong)


def test_the_cascade_of_the_issue(tmp_path: Path) -> None:
    bm25 = BM25.build(CORPUS, tmp_path / "bm25", analyzer="whitespace")
    dense = Dense.build(CORPUS, tmp_path / "dense", encoder=DenseWords())
    features = FeatureSet.of(["bm25", "coverage"], bm25).with_scores("words", dense)
    features = features.with_parts(["first", "second"])
    candidates = ((bm25 % 4 | dense % 4) >> Fusing("rrf") % 5).search(QUERIES)
    qrels = Qrels.from_dict({"q1": {"d1": 1}, "q2": {"d3": 1}, "q4": {"d5": 1}})
    ranker = LinearRanker(restarts=1, seed=0).fit(features.extract(candidates, qrels))
    pipeline = (bm25 % 4 | dense % 4) >> Fusing("rrf") % 5 >> ranker.on(features) % 3
    run = pipeline.search(QUERIES)
    again = ranker.on(features)(candidates).head(3)
    assert run.to_dict() == again.to_dict()
    assert max(len(found) for found in run.to_dict().values()) == 3
