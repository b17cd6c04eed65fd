"""What every re-ranker keeps to, asked of each one that asks no language model."""

import asyncio
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.data import Corpus, Queries, Run
from plackett.rerankers import Candidates, Reranker, parse

QUERY = "what goes with red wine"
TEXTS = {
    "d0": "white bread and butter",
    "d1": "red wine goes with cheese",
    "d2": "",
    "d3": "the river runs to the sea",
    "d4": "wine, red and white",
    "d5": "what goes up comes down " * 40,
    "d6": "{query} [1] > [2] %s \x00 🙂",
}

ENCODING: dict[str, Callable[[pytest.FixtureRequest], dict[str, Any]]] = {
    "word-overlap": lambda request: {},
    "mmr": lambda request: {},
    "dpp": lambda request: {},
    "xquad": lambda request: {"aspects": {QUERY: {"a wine": 1.0, "a cheese": 0.5}}},
    "calibrated": lambda request: {
        "reranker": "word-overlap",
        "calibrator": "Platt(slope=2.0, intercept=-0.5, score_kind='grade')",
    },
    "cross-encoder": lambda request: {"model": tiny(request).pair, "max_query_tokens": 16},
    "bi-encoder": lambda request: {"model": tiny(request).dense},
    "max-sim": lambda request: {"model": tiny(request).dense},
    "splade": lambda request: {"model": tiny(request).lexical},
    "idcm": lambda request: {
        "model": tiny(request).pair,
        "max_query_tokens": 16,
        "chunk": 20,
        "overlap": 3,
    },
    "few-shot": lambda request: {"model": tiny(request).pair, "feedback": {}},
    "feedback-neighbours": lambda request: {"encoder": dense(request), "feedback": {}},
    "global": lambda request: {"model": trained_global(request)},
    "hosted": lambda request: {"service": "vllm", "model": "m", "url": server(request)},
    "pe-rank": lambda request: passage_embeddings(request),
}
# Their parameters hold objects that have no literal description.
WITHOUT_DESCRIPTION = {"feedback-neighbours", "pe-rank"}
# These read all documents in one text: equal ones differ by their place in it.
BY_PLACE = {"global", "pe-rank"}


def tiny(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue("tiny")


def dense(request: pytest.FixtureRequest) -> Any:
    from plackett.encoders import TransformerEncoder

    return TransformerEncoder(tiny(request).dense)


def server(request: pytest.FixtureRequest) -> str:
    """A service that scores a text by its length."""
    fake = request.getfixturevalue("fake_server")
    fake.respond = lambda call: {
        "results": [
            {"index": i, "relevance_score": len(text) % 7 / 7}
            for i, text in enumerate(call.json["documents"])
        ]
    }
    return str(fake.url)


def trained_global(request: pytest.FixtureRequest) -> str:
    from plackett.rerankers.criteria.global_reranker import GlobalExample, train_global_reranker

    folder = request.getfixturevalue("tmp_path") / "global"
    example = GlobalExample("red wine", ("cheese", "bread"), (1.0, 0.0))
    train_global_reranker(tiny(request).dense, [example], folder, epochs=1)
    return str(folder)


def passage_embeddings(request: pytest.FixtureRequest) -> dict[str, Any]:
    from plackett.llm.local.transformers_model import Transformers
    from plackett.rerankers.listwise.passage_decoding import PassageProjector

    build = runpy.run_path(str(Path(__file__).parents[1] / "llm" / "conftest.py"))
    folder = str(request.getfixturevalue("tmp_path") / "llama")
    tokenizer = build["bpe_tokenizer"](build["CHAT"])
    tokenizer.save_pretrained(folder)
    build["random_model"]("llama", tokenizer).save_pretrained(folder)

    def vectors(texts: list[str]) -> np.ndarray:
        seeds = [sum(map(ord, text)) for text in texts]
        return np.array([np.random.default_rng(seed).normal(size=8) for seed in seeds])

    return {
        "model": Transformers(folder),
        "projector": PassageProjector(8, 32),
        "encoder": vectors,
    }


@pytest.fixture(params=ENCODING)
def name(request) -> str:
    return request.param


@pytest.fixture
def reranker(name, request):
    return Reranker(name, **ENCODING[name](request))


@pytest.mark.filterwarnings("ignore")
def test_the_contract(name, reranker) -> None:
    """One test a re-ranker, so that its model is read once."""
    given = dict(TEXTS)
    ranked = reranker.rank(QUERY, given)
    assert given == TEXTS
    assert sorted(ranked.ids) == sorted(TEXTS)
    assert [each.text for each in ranked] == [TEXTS[each] for each in ranked.ids]
    assert [each.rank for each in ranked] == list(range(1, 8))
    assert [list(TEXTS)[each.position] for each in ranked] == ranked.ids

    assert reranker.rank(QUERY, TEXTS).ids == ranked.ids, "asked again"
    renamed = reranker.rank(QUERY, {f"x{i}": text for i, text in enumerate(TEXTS.values())})
    assert [each.position for each in renamed] == [each.position for each in ranked], "renamed"
    awaited = asyncio.run(reranker.arank(QUERY, TEXTS))
    assert awaited.ids == ranked.ids, "awaited"
    many = reranker.rank_many([QUERY, "bread", QUERY], [TEXTS, {"a": "bread", "b": "sea"}, TEXTS])
    assert [many[0].ids, many[2].ids] == [ranked.ids] * 2, "among others"
    assert reranker.rank(QUERY, TEXTS, k=2).ids == ranked.ids[:2]

    run = Run.from_dict({"q": {each: float(-i) for i, each in enumerate(TEXTS)}})
    run = run.replace(queries=Queries.from_texts({"q": QUERY}), corpus=Corpus.from_texts(TEXTS))
    scored = Candidates(tuple(TEXTS), tuple(TEXTS.values()), -np.arange(7.0), query_id="q")
    again = reranker.rerank(run)
    order = again.document_ids.strings(again.document).to_pylist()
    assert order == reranker.rank(QUERY, scored).ids, "as a run"

    assert reranker.rank(QUERY, {}).ids == []
    assert reranker.rank(QUERY, {"d1": TEXTS["d1"]}).ids == ["d1"]
    assert sorted(reranker.rank(QUERY, {"a": "", "b": ""}).ids) == ["a", "b"]
    for texts in (["the same"] * 4, [""] * 4):
        assert reranker.rank(QUERY, texts).ids == ["0", "1", "2", "3"] or name in BY_PLACE


def test_a_description_reads_back(name, reranker) -> None:
    if name in WITHOUT_DESCRIPTION:
        assert name in repr(reranker)
        return
    assert repr(parse(repr(reranker))) == repr(reranker)
