"""The cross-encoder as a re-ranker: shared batches, windows, cache, counts."""

import asyncio
import contextlib
import os
import runpy
import time
import warnings
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

from plackett import Corpus, Queries, Run
from plackett.encoders import CrossEncoder
from plackett.errors import ConfigurationError, DataError
from plackett.rerankers import Reranker, parse
from plackett.rerankers.encoding.cross_encoder import CrossEncoderReranker
from plackett.transport import AnswerCache

BUILD = Path(__file__).parents[2] / "encoders" / "tiny_models.py"
QUERY = "what is red wine"
DOCUMENTS = {
    "a": "red wine and bread",
    "b": "",
    "c": "the cat. the dog",
    "d": "white wine of the river house " * 12,
    "e": "wine",
    "f": "rain",
}
LONG = DOCUMENTS["d"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("transformers", reason="needs the extra `text`")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build = runpy.run_path(str(BUILD))
    return str(build["write_pair_model"](tmp_path_factory.mktemp("model") / "pair"))


def make(model: str, **parameters: Any) -> CrossEncoderReranker:
    made = Reranker("cross-encoder", model=model, **{"max_query_tokens": 16, **parameters})
    assert isinstance(made, CrossEncoderReranker)
    return made


def test_documents_come_in_the_order_of_their_logits(model: str) -> None:
    ranked = make(model).rank(QUERY, DOCUMENTS)
    found = CrossEncoder(model, max_query_tokens=16).score(
        [QUERY] * len(DOCUMENTS), list(DOCUMENTS.values())
    )
    wanted = dict(zip(DOCUMENTS, found.values.tolist(), strict=True))
    assert ranked.ids == sorted(DOCUMENTS, key=lambda name: -wanted[name])
    for document in ranked:
        assert document.score == pytest.approx(wanted[document.id], abs=1e-5)
    assert ranked.score_kind == "logit"
    assert ranked.calls == len(DOCUMENTS)
    assert ranked.tokens == found.tokens.sum()
    assert ranked.truncated == 1


def test_many_queries_share_batches_and_give_the_same(model: str) -> None:
    reranker = make(model)
    queries = [QUERY, "the cat", QUERY, "of"]
    alone = [reranker.rank(query, DOCUMENTS) for query in queries]
    together = reranker.rank_many(queries, [DOCUMENTS] * 4)
    for one, other in zip(alone, together, strict=True):
        assert one.ids == other.ids
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert (one.calls, one.tokens, one.truncated) == (other.calls, other.tokens, 1)
    awaited = asyncio.run(reranker.arank_many(queries, [DOCUMENTS] * 4))
    assert [one.ids for one in awaited] == [one.ids for one in together]


def test_it_is_a_stage_of_a_pipeline(model: str) -> None:
    corpus = Corpus.from_texts(DOCUMENTS)
    queries = Queries.from_texts({"q1": QUERY, "q2": "the cat", "q3": "of"})
    run = Run.from_dict({"q1": dict.fromkeys("abcdef", 1.0), "q2": {"c": 2.0, "a": 1.0}})
    reranker = make(model)
    found = reranker(run.replace(queries=queries, corpus=corpus))
    assert [name for name, _ in found["q1"]] == reranker.rank(QUERY, DOCUMENTS).ids
    assert len(found["q2"]) == 2
    assert found.costs[-1].calls == 8


def test_a_document_that_fits_scores_the_same_by_every_policy(model: str) -> None:
    fits = {name: text for name, text in DOCUMENTS.items() if name != "d"}
    wanted = make(model).rank(QUERY, fits)
    for long in ("first", "max", "mean", "top-k-mean"):
        found = make(model, long=long).rank(QUERY, fits)
        assert found.ids == wanted.ids
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
        assert found.truncated == 0
        assert found.calls == len(fits)


def test_windows_are_scored_one_by_one_and_combined(model: str) -> None:
    encoder = CrossEncoder(model, max_query_tokens=16)
    query, document = encoder.tokens([QUERY, LONG])
    parts = [document[a : a + 20] for a in range(0, len(document) - 20 + 10, 10)]
    scores = encoder.score_tokens([(query, part) for part in parts])  # type: ignore[misc]
    best = np.sort(scores)[::-1]
    for long, wanted in (
        ("first", scores[0]),
        ("max", best[0]),
        ("mean", scores.mean()),
        ("top-k-mean", best[:2].mean()),
    ):
        ranked = make(model, long=long, window=20, stride=10, k=2).rank(QUERY, [LONG])
        assert ranked[0].score == pytest.approx(wanted, abs=1e-5)
        assert ranked.calls == (1 if long == "first" else len(parts))
        assert ranked.truncated == (long == "first")


def test_windows_take_all_the_room_there_is(model: str) -> None:
    ranked = make(model, long="max").rank(QUERY, [LONG])
    # 72 tokens; 57 beside a query of 4 and 3 special tokens, every 28.
    assert ranked.calls == 2
    assert make(model, long="max", window=1000, stride=1000).rank(QUERY, [LONG]).calls == 2


def test_text_beyond_the_cut_changes_nothing(model: str) -> None:
    plain = make(model)
    one = plain.rank(QUERY, [LONG])
    other = plain.rank(QUERY, [LONG + "cat dog bird " * 2000])
    assert one.scores.tolist() == other.scores.tolist()
    by_windows = make(model, long="max")
    assert by_windows.rank(QUERY, [LONG + "cat " * 60])[0].score != one[0].score


def test_sigmoid_keeps_the_order_and_says_so(model: str) -> None:
    plain = make(model).rank(QUERY, DOCUMENTS)
    found = make(model, activation="sigmoid").rank(QUERY, DOCUMENTS)
    assert found.ids == plain.ids
    assert found.score_kind == "probability"
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-plain.scores)), atol=1e-6)


def test_equal_documents_keep_their_first_order(model: str) -> None:
    ranked = make(model).rank(QUERY, ["wine", "rain", "wine", "wine"])
    places = [document.position for document in ranked if document.text == "wine"]
    assert places == [0, 2, 3]


def test_a_second_run_answers_from_the_cache(model: str, tmp_path: Path) -> None:
    path = str(tmp_path / "scores.sqlite")
    first = make(model, cache=path).rank(QUERY, DOCUMENTS)
    again = make(model, cache=path).rank(QUERY, DOCUMENTS)
    assert (first.calls, first.cached_calls) == (6, 0)
    assert (again.calls, again.cached_calls, again.tokens) == (0, 6, 0)
    assert again.ids == first.ids
    assert again.scores.tolist() == first.scores.tolist()
    more = make(model, cache=path).rank(QUERY, {**DOCUMENTS, "g": "milk"})
    assert (more.calls, more.cached_calls) == (1, 6)
    other = make(model, cache=path, max_tokens=40).rank(QUERY, DOCUMENTS)
    assert other.calls == 6  # another limit is another model
    held = AnswerCache()
    assert make(model, cache=held).rank(QUERY, ["rain", "rain"]).calls == 2
    assert len(held) == 1


def test_a_description_reads_back(model: str) -> None:
    reranker = make(model, long="top-k-mean", k=2, activation="sigmoid")
    again = parse(repr(reranker))
    assert repr(again) == repr(reranker)
    assert again.rank(QUERY, DOCUMENTS).ids == reranker.rank(QUERY, DOCUMENTS).ids


def test_nothing_is_loaded_before_it_is_needed() -> None:
    reranker = make("no such folder")
    assert reranker.rank(QUERY, []).documents == ()
    with pytest.raises(DataError, match="downloads nothing"):
        reranker.rank(QUERY, ["a"])


@pytest.mark.parametrize(
    "parameters",
    [{"long": "middle"}, {"activation": "tanh"}, {"stride": 9, "window": 3}, {"k": 0}],
)
def test_impossible_parameters_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make("model", **parameters)


def test_the_watcher_is_told_of_every_query(model: str) -> None:
    reranker = make(model)
    seen: list[int] = []
    reranker.watcher = lambda outcome: seen.append(outcome.calls)
    reranker.rank_many([QUERY, "of"], [DOCUMENTS, ["rain"]])
    assert seen == [6, 1]


def test_an_interrupted_run_stops_and_goes_on_where_it_was(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "scores.sqlite")
    reranker = make(model, cache=path, batch_tokens=1)
    put, kept = AnswerCache.put, []

    def slow(self: AnswerCache, key: str, answer: Any, *, kind: str) -> None:
        put(self, key, answer, kind=kind)
        kept.append(key)
        time.sleep(0.05)

    monkeypatch.setattr(AnswerCache, "put", slow)

    async def interrupted() -> None:
        task = asyncio.ensure_future(reranker.arank(QUERY, list(DOCUMENTS.values())))
        while len(kept) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    time.sleep(0.3)
    done = len(kept)
    assert 2 <= done < len(DOCUMENTS)
    monkeypatch.undo()
    again = make(model, cache=path).rank(QUERY, DOCUMENTS)
    assert (again.cached_calls, again.calls) == (done, len(DOCUMENTS) - done)
