"""Bi-encoder, late interaction and learned sparse weights: their formulas, and what they share."""

import os
import runpy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

from plackett.encoders import (
    DenseEncoder,
    Encoded,
    Kind,
    TokenMatrixEncoder,
    TransformerEncoder,
    TransformerSparseEncoder,
)
from plackett.errors import ConfigurationError
from plackett.rerankers import Reranker, parse
from plackett.rerankers.encoding.bi_encoder import BiEncoderReranker
from plackett.rerankers.encoding.encoder_reranker import EncoderReranker
from plackett.rerankers.encoding.late_interaction import LateInteractionReranker
from plackett.rerankers.encoding.learned_sparse import LearnedSparseReranker

BUILD = Path(__file__).parents[2] / "encoders" / "tiny_models.py"
QUERY = "red wine"
DOCUMENTS = {
    "a": "red wine and bread",
    "b": "",
    "c": "the cat. the dog",
    "d": "white wine of the river house " * 12,
    "e": "red wine",
}
NAMES = ["bi-encoder", "max-sim", "splade"]


class Models(NamedTuple):
    dense: str
    lexical: str


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    pytest.importorskip("transformers", reason="needs the extra `text`")
    folder = tmp_path_factory.mktemp("models")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build = runpy.run_path(str(BUILD))
        return Models(
            build["write_dense_model"](folder / "dense"),
            build["write_lexical_model"](folder / "lexical"),
        )


def make(name: str, models: Models, **parameters: Any) -> Any:
    model = models.lexical if name == "splade" else models.dense
    return Reranker(name, model=model, **parameters)


class Table(DenseEncoder):
    """Vectors that a test chose."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.vectors = vectors
        self.asked: list[int] = []

    @property
    def dimension(self) -> int:
        return 2

    @property
    def identity(self) -> str:
        return "table"

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Any]:
        self.asked.append(len(texts))
        values = np.array([self.vectors[text] for text in texts], dtype=np.float32)
        n = len(texts)
        return Encoded(values.reshape(n, 2), np.ones(n, dtype=np.int64), np.zeros(n, dtype=bool))

    def __repr__(self) -> str:
        return "Table({})"


def test_cosine_and_dot_differ_where_lengths_do() -> None:
    table = Table({"q": [1.0, 0.0], "long": [5.0, 5.0], "near": [1.0, 0.1], "none": [0.0, 0.0]})
    texts = ["none", "long", "near"]
    cosine = BiEncoderReranker(table).rank("q", texts)
    assert [document.text for document in cosine] == ["near", "long", "none"]
    np.testing.assert_allclose(cosine.scores, [1 / np.hypot(1, 0.1), np.sqrt(0.5), 0.0], atol=1e-6)
    assert cosine.score_kind == "cosine"
    dot = BiEncoderReranker(table, similarity="dot").rank("q", texts)
    assert [document.text for document in dot] == ["long", "near", "none"]
    assert dot.scores.tolist() == [5.0, 1.0, 0.0]
    assert dot.score_kind == "dot_product"
    assert (dot.calls, dot.tokens) == (4, 4)


def test_large_runs_are_encoded_in_parts_of_whole_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = Table({"q": [1.0, 0.0], "x": [0.5, 1.0], "y": [1.0, 1.0], "z": [2.0, 1.0]})
    monkeypatch.setattr(BiEncoderReranker, "documents_at_once", 4)
    lists = [["x", "y"], ["y", "z"], ["x", "y", "z"], ["z"]]
    found = BiEncoderReranker(table, similarity="dot").rank_many(["q"] * 4, lists)
    assert table.asked == [2, 4, 2, 4]
    assert [[d.text for d in one] for one in found] == [sorted(one)[::-1] for one in lists]


def test_bi_encoder_scores_are_cosines(models: Models) -> None:
    ranked = make("bi-encoder", models).rank(QUERY, DOCUMENTS)
    encoder = TransformerEncoder(models.dense)
    wanted = encoder.encode(list(DOCUMENTS.values())) @ encoder.encode([QUERY], "query")[0]
    scores = dict(zip(DOCUMENTS, wanted.tolist(), strict=True))
    for document in ranked:
        assert document.score == pytest.approx(scores[document.id], abs=1e-5)
    assert ranked.truncated == 1


def test_splade_scores_are_products_of_weights(models: Models) -> None:
    ranked = make("splade", models).rank(QUERY, DOCUMENTS)
    encoder = TransformerSparseEncoder(models.lexical)
    weights = encoder.encode(list(DOCUMENTS.values())).toarray()
    wanted = weights @ encoder.encode([QUERY], "query").toarray()[0]
    scores = dict(zip(DOCUMENTS, wanted.tolist(), strict=True))
    for document in ranked:
        assert document.score == pytest.approx(scores[document.id], rel=1e-5)
    assert ranked.score_kind == "dot_product"


def test_max_sim_scores_are_sums_of_best_matches(models: Models) -> None:
    ranked = make("max-sim", models).rank(QUERY, DOCUMENTS)
    encoder = TokenMatrixEncoder(models.dense)
    query = encoder.encode([QUERY], "query")[0]
    tokens = encoder.encode(list(DOCUMENTS.values()))
    for document in ranked:
        matrix = tokens[list(DOCUMENTS).index(document.id)]
        wanted = (query @ matrix.T).max(axis=1).sum()
        assert document.score == pytest.approx(wanted, abs=1e-4)
    averaged = make("max-sim", models, average=True).rank(QUERY, DOCUMENTS)
    assert averaged.ids == ranked.ids
    np.testing.assert_allclose(averaged.scores, ranked.scores / len(query), atol=1e-6)
    assert averaged.scores.max() <= 1.0 + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_many_queries_give_what_each_gives(name: str, models: Models) -> None:
    reranker = make(name, models)
    together = reranker.rank_many([QUERY, "the cat", ""], [DOCUMENTS] * 3)
    for query, found in zip([QUERY, "the cat", ""], together, strict=True):
        alone = reranker.rank(query, DOCUMENTS)
        np.testing.assert_allclose(alone.scores, found.scores, atol=1e-4)
        assert set(found.ids) == set(DOCUMENTS)
        assert found.calls == len(DOCUMENTS) + 1


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_read_back(name: str, models: Models) -> None:
    reranker = make(name, models)
    assert repr(parse(repr(reranker))) == repr(reranker)
    inner = repr(reranker.encoder)
    outer = Reranker(name, model=inner)
    assert repr(parse(repr(outer))) == repr(outer)
    assert repr(type(reranker)(reranker.encoder)) == repr(outer)
    np.testing.assert_allclose(
        outer.rank(QUERY, DOCUMENTS).scores, reranker.rank(QUERY, DOCUMENTS).scores, atol=1e-6
    )


def test_another_kind_of_encoder_is_refused(models: Models) -> None:
    description = f"TokenMatrixEncoder({models.dense!r})"
    with pytest.raises(ConfigurationError, match="expected a DenseEncoder"):
        Reranker("bi-encoder", model=description).rank(QUERY, ["a"])
    with pytest.raises(ConfigurationError, match="expected a SparseEncoder"):
        LearnedSparseReranker(TransformerEncoder(models.dense)).rank(  # type: ignore[arg-type]
            QUERY, ["a"]
        )
    with pytest.raises(ConfigurationError, match="expected a TokenEncoder"):
        LateInteractionReranker(TransformerEncoder(models.dense)).rank(  # type: ignore[arg-type]
            QUERY, ["a"]
        )
    with pytest.raises(ConfigurationError, match="similarity = 'angle'"):
        Reranker("bi-encoder", model=models.dense, similarity="angle")


def test_outcomes_are_told_once(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EncoderReranker, "documents_at_once", 1)
    reranker = make("bi-encoder", models)
    seen: list[int] = []
    reranker.watcher = lambda outcome: seen.append(outcome.calls)
    reranker.rank_many(["red", "cat"], [["a", "b"], ["c"]])
    assert seen == [3, 2]
