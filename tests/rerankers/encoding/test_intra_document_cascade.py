"""The cascade inside documents: what it reads, what it skips, what its small network learns."""

import json
import os
import runpy
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plackett.encoders import CrossEncoder
from plackett.encoders.pairs import TokenPair
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.rerankers import Reranker, parse
from plackett.rerankers.encoding.chunk_scorer_torch import (
    ChunkExample,
    ChunkScorer,
    fit_weights,
    graded,
    load_chunk_scorer,
)
from plackett.rerankers.encoding.intra_document_cascade import IntraDocumentCascade, chunks

BUILD = Path(__file__).parents[2] / "encoders" / "tiny_models.py"
QUERY = "red wine"
SIZES = {"chunk": 6, "overlap": 2, "max_query_tokens": 8}
LONG = "the cat . a dog . rain and sky in the river . red wine of the house . milk and bread . "
DOCUMENTS = {"a": LONG, "b": "", "c": "wine", "d": LONG[::-1], "e": "red wine " * 20}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build = runpy.run_path(str(BUILD))
    return str(build["write_pair_model"](tmp_path_factory.mktemp("model") / "pair"))


@pytest.fixture(scope="module")
def selector(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("selector")
    scorer, _ = load_chunk_scorer(None, model, seed=1)
    scorer.save(folder, weights=[1.0, 0.5, 0.25])
    return str(folder)


def make(model: str, **parameters: Any) -> IntraDocumentCascade:
    made = Reranker("idcm", model=model, **{**SIZES, **parameters})
    assert isinstance(made, IntraDocumentCascade)
    return made


@given(length=st.integers(0, 400), chunk=st.integers(1, 60), overlap=st.integers(0, 20))
def test_every_token_is_in_a_chunk(length: int, chunk: int, overlap: int) -> None:
    found = chunks(length, chunk, overlap)
    assert {i for a, b in found for i in range(a, b)} == set(range(length))
    assert len(found) == max(1, -(-length // chunk))
    assert all(b - a <= chunk + 2 * overlap for a, b in found)


def test_a_document_of_just_so_many_chunks_has_no_empty_one() -> None:
    assert chunks(100, 50, 7) == [(0, 57), (43, 100)]


def test_without_a_selector_every_chunk_is_read(model: str) -> None:
    ranked = make(model, top=2).rank(QUERY, DOCUMENTS)
    encoder = CrossEncoder(model, max_query_tokens=8)
    (query,) = encoder.tokens([QUERY])
    calls = 0
    for name, text in DOCUMENTS.items():
        (ids,) = encoder.tokens([text])
        pairs = [TokenPair(query, ids[a:b]) for a, b in chunks(len(ids), 6, 2)]
        best = np.sort(encoder.score_tokens(pairs))[::-1][:2]
        (found,) = [document for document in ranked if document.id == name]
        assert found.score == pytest.approx(best.sum(), abs=1e-5)
        calls += len(pairs)
    assert ranked.calls == calls
    assert ranked.score_kind == "logit"


def test_keeping_all_chunks_is_the_full_model(model: str, selector: str) -> None:
    whole = make(model, top=3, weights=(1.0, 0.5, 0.25)).rank(QUERY, DOCUMENTS)
    cascade = make(model, selector=selector, keep=99).rank(QUERY, DOCUMENTS)
    assert cascade.ids == whole.ids
    assert cascade.scores.tolist() == whole.scores.tolist()


def test_the_cross_encoder_reads_no_more_than_it_was_told(model: str, selector: str) -> None:
    cascade = make(model, selector=selector, keep=2)
    ranked = cascade.rank(QUERY, DOCUMENTS)
    assert ranked.calls == 2 + 1 + 1 + 2 + 2
    longer = cascade.rank(QUERY, {"a": LONG * 3, "e": "red wine " * 60})
    assert longer.calls == 4
    assert len(cascade.chosen(QUERY, LONG)) == 2
    assert cascade.chosen(QUERY, LONG) == sorted(cascade.chosen(QUERY, LONG))
    assert cascade.chosen(QUERY, "") == [0]


def test_a_perfect_selector_gives_the_full_models_scores(
    model: str, selector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(model, top=2).rank(QUERY, DOCUMENTS)
    cascade = make(model, selector=selector, keep=2, top=2, weights=[1.0, 1.0])
    encoder = cascade.encoder

    def oracle(self: ChunkScorer, pairs: list[Any]) -> Any:
        return encoder.score_tokens([TokenPair(*pair) for pair in pairs])

    monkeypatch.setattr(ChunkScorer, "score", oracle)
    found = cascade.rank(QUERY, DOCUMENTS)
    assert found.ids == whole.ids
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-5)
    assert found.calls < whole.calls


def test_what_is_too_far_down_is_counted(model: str) -> None:
    cut = make(model, max_document_tokens=12)
    ranked = cut.rank(QUERY, {"a": LONG, "c": "wine"})
    assert ranked.truncated == 1
    assert ranked.calls == 2 + 1
    assert cut.rank(QUERY, [LONG]).scores == cut.rank(QUERY, [LONG + "more " * 50]).scores


def test_many_queries_give_what_each_gives(model: str, selector: str) -> None:
    cascade = make(model, selector=selector, keep=2)
    together = cascade.rank_many([QUERY, "the cat"], [DOCUMENTS, DOCUMENTS])
    for query, found in zip([QUERY, "the cat"], together, strict=True):
        alone = cascade.rank(query, DOCUMENTS)
        assert alone.ids == found.ids
        np.testing.assert_allclose(alone.scores, found.scores, atol=1e-4)


def test_a_description_reads_back(model: str, selector: str) -> None:
    cascade = make(model, selector=selector, top=2, weights=[1.0, 0.5])
    assert repr(parse(repr(cascade))) == repr(cascade)


@pytest.mark.parametrize(
    "parameters",
    [{"keep": 0}, {"chunk": 0}, {"overlap": -1}, {"top": 2, "weights": [1.0]}, {"top": 0}],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make("model", **parameters)


def test_what_does_not_fit_is_refused(model: str, selector: str) -> None:
    with pytest.raises(ConfigurationError, match=r"chunks of 60 \+ 2 x 2"):
        make(model, chunk=60).rank(QUERY, ["a"])
    with pytest.raises(ConfigurationError, match="3 weights saved"):
        make(model, selector=selector, top=4).rank(QUERY, ["a"])
    with pytest.raises(ConfigurationError, match="no selector"):
        _ = make(model).scorer


def test_the_small_network_is_its_formula() -> None:
    words = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    scorer = ChunkScorer(words, dimension=4, seed=3)
    query, chunk = np.array([3, 4], dtype=np.int32), np.array([5, 3, 4, 9], dtype=np.int32)

    def vectors(ids: np.ndarray) -> Any:
        padded = torch.cat([words[ids], torch.zeros(2, 5)])
        out = []
        for i in range(len(ids)):
            total = scorer.convolution.bias.clone()
            for j in range(3):
                total += scorer.convolution.weight[:, :, j] @ padded[i + j]
            out.append(torch.nn.functional.normalize(torch.relu(total), dim=0))
        return torch.stack(out)

    similarity = vectors(query) @ vectors(chunk).T
    score = scorer.combine.bias[0].clone()
    for k, centre in enumerate([1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9]):
        counts = torch.exp(-((similarity - centre) ** 2) / 0.02).sum(dim=1)
        matched = torch.log((counts * scorer.kernel_scale[k]).clamp(min=1e-4)).sum()
        score += scorer.combine.weight[0, k] * matched
    found = scorer.score([(query, chunk)])
    assert found[0] == pytest.approx(float(score.detach()), abs=1e-5)
    together = scorer.score(
        [(query, chunk), (query, np.arange(15, dtype=np.int32)), (chunk, query)]
    )
    assert together[0] == pytest.approx(found[0], abs=1e-5)
    assert np.isfinite(scorer.score([(query, query[:0]), (query[:0], chunk)])).all()


def test_grades_of_a_teachers_scores() -> None:
    assert graded([1.0, 1.0, 5.0, 0.0], 2).tolist() == [1.0, 0.0, 2.0, 0.0]
    assert graded([1.0], 4).tolist() == [4.0]


@pytest.mark.parametrize("loss", ["NDCGLoss2()", "SquaredError()", "ListNet()"])
def test_it_learns_which_chunks_hold_the_querys_words(loss: str) -> None:
    draws = np.random.default_rng(0)
    words = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))

    def examples(n: int) -> list[ChunkExample]:
        out = []
        for _ in range(n):
            query = draws.integers(0, 10, 2).astype(np.int32)
            found = [draws.integers(10, 40, 8).astype(np.int32) for _ in range(6)]
            best = int(draws.integers(6))
            found[best][2:4] = query
            out.append(ChunkExample(query, found, [3.0 if i == best else -1.0 for i in range(6)]))
        return out

    def right(scorer: ChunkScorer, some: list[ChunkExample]) -> float:
        hits = [
            int(np.argmax(scorer.score([(one.query, chunk) for chunk in one.chunks])))
            == int(np.argmax(one.scores))
            for one in some
        ]
        return float(np.mean(hits))

    held_out = examples(60)
    seen: list[float] = []
    scorer = ChunkScorer(words, dimension=16).fit(
        examples(60),
        loss=loss,
        top=1,
        epochs=4,
        learning_rate=5e-3,
        watch=lambda epoch, value: seen.append(value),
    )
    assert seen[-1] < seen[0]
    assert right(scorer, held_out) > 0.8  # by chance: 1 in 6
    again = ChunkScorer(words, dimension=16)
    assert torch.equal(again.convolution.weight, ChunkScorer(words, 16).convolution.weight)
    assert torch.equal(scorer.get_buffer("embeddings"), words)  # not trained
    with pytest.raises(DataError, match="no document of more than one chunk"):
        again.fit([ChunkExample(held_out[0].query, held_out[0].chunks[:1], [1.0])])


def test_examples_are_all_chunks_with_the_teachers_scores(model: str) -> None:
    cascade = make(model)
    (first, second) = cascade.examples([QUERY], [[LONG, "wine"]])
    assert len(first.chunks) == len(first.scores) > 1
    ranked = make(model, top=1).rank(QUERY, [LONG, "wine"])
    assert max(first.scores) == pytest.approx(
        next(document.score for document in ranked if document.id == "0"), abs=1e-5
    )
    assert len(second.chunks) == 1
    load_chunk_scorer(None, model)[0].fit([first], epochs=1)


def test_weights_by_rank_are_learned() -> None:
    draws = np.random.default_rng(1)
    scores = [[draws.normal(size=4).tolist() for _ in range(6)] for _ in range(40)]
    best = [[sorted(one, reverse=True) for one in documents] for documents in scores]
    # Only the best chunk matters: its weight must outgrow the second's.
    labels = [[float(one[0] > 1.2) for one in documents] for documents in best]
    weights = fit_weights(scores, labels, 2)
    assert weights[0] > 2 * abs(weights[1])
    assert fit_weights([[[1.0], [2.0, 1.0]]], [[0, 1]], 2, epochs=2)[0] > 1.0
    with pytest.raises(DataError, match="2 lists"):
        fit_weights([[[1.0]]], [[1], [0]], 1)


def test_a_saved_selector_is_checked(model: str, selector: str, tmp_path: Path) -> None:
    scorer, weights = load_chunk_scorer(selector, model)
    assert weights == [1.0, 0.5, 0.25]
    pair = (np.array([5, 6], dtype=np.int32), np.array([7, 5], dtype=np.int32))
    fresh, _ = load_chunk_scorer(None, model, seed=1)
    assert scorer.score([pair])[0] == fresh.score([pair])[0]
    with pytest.raises(CorruptFileError, match="no chunk scorer"):
        load_chunk_scorer(tmp_path, model)
    fresh.save(tmp_path)
    manifest = json.loads((tmp_path / "chunk_scorer.json").read_text())
    for change, error in (
        ({"format": "other"}, CorruptFileError),
        ({"embeddings": [3, 3]}, ConfigurationError),
        ({"dimension": 7}, CorruptFileError),
    ):
        (tmp_path / "chunk_scorer.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(error):
            load_chunk_scorer(tmp_path, model)
    (tmp_path / "chunk_scorer.json").write_text(json.dumps(manifest))
    (tmp_path / "chunk_scorer.safetensors").write_bytes(b"short")
    with pytest.raises(CorruptFileError):
        load_chunk_scorer(tmp_path, model)
