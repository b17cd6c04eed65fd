"""Re-ranking services: every row of the table, and servers that answer badly."""

import asyncio
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plackett.data import Corpus, Queries, Run
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.rerankers import parse
from plackett.rerankers.pointwise.hosted import Hosted
from plackett.rerankers.pointwise.hosted_services import Service, service_of, services
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache, MissingAnswerError
from plackett.transport.http_errors import AccessError

KEY = "pa-hidden-0123456789abcdef"
TEXTS = [f"text {i} " + "x" * (i * 7 % 5) for i in range(30)]


def relevance(text):
    return random.Random(text).random()


def answer_of(row, texts, *, shuffle=True):
    """What the service of this row answers, in an order of its own."""
    rows = [{row.index: i, row.score: relevance(text)} for i, text in enumerate(texts)]
    if shuffle:
        rows.sort(key=lambda each: -each[row.score])
    content = rows
    for name in reversed(row.results.split(".") if row.results else []):
        content = {name: content}
    if row.tokens:
        *outer, last = row.tokens.split(".")
        inner = {last: 11}
        for name in reversed(outer):
            inner = {name: inner}
        content = {**content, **inner}
    return content


def served(fake_server, service="vllm", **parameters):
    row = service_of(service)
    fake_server.respond = lambda request: answer_of(row, request.json[row.documents])
    parameters = {"key": "PLACKETT_TEST_KEY", "retries": 1, "timeout": 5.0, **parameters}
    return Hosted(service, model="m" if row.model else None, url=fake_server.url, **parameters)


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("PLACKETT_TEST_KEY", KEY)


@pytest.mark.parametrize("service", sorted(services()))
def test_every_service_is_asked_and_read_as_its_row_says(fake_server, service):
    row = service_of(service)
    ranked = served(fake_server, service).rank("a query", TEXTS)
    best = sorted(range(30), key=lambda i: -relevance(TEXTS[i]))
    assert ranked.ids == [str(i) for i in best]
    assert np.allclose(ranked.scores, [relevance(TEXTS[i]) for i in best])
    assert ranked.score_kind == row.score_kind
    assert (ranked.calls, ranked.answers) == (1, {"ok": 1})
    assert ranked.tokens == 11 if row.tokens else ranked.tokens > 0
    request = fake_server.requests[0]
    assert request.path == row.path
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json["query"] == "a query"
    assert request.json[row.documents] == TEXTS
    assert request.json.get("model") == ("m" if row.model else None)
    assert row.fields.items() <= request.json.items()


def test_the_table_is_checked():
    row = service_of("cohere").model_dump()
    for name, wrong in (("score_kind", "stars"), ("most_documents", 0), ("more", 1), ("index", "")):
        with pytest.raises(ValidationError):
            Service.model_validate({**row, name: wrong})
    with pytest.raises(UnknownNameError, match="cohere"):
        service_of("Cohere")


def test_parts_of_a_list_are_sent_at_once_and_put_together(fake_server):
    reranker = served(fake_server, documents_per_call=7, concurrency=3)
    whole = served(fake_server).rank("q", TEXTS).ids
    inner = fake_server.respond
    fake_server.respond = lambda request: fake_server.Reply(inner(request), delay=0.03)
    ranked = reranker.rank("q", TEXTS)
    assert ranked.ids == whole
    assert ranked.calls == 5
    assert ranked.answers == {"ok": 5}
    assert fake_server.most_at_once == 3
    assert [len(r.json["documents"]) for r in fake_server.requests[1:]].count(7) == 4


def test_sync_and_async_and_a_run_give_the_same(fake_server):
    reranker = served(fake_server)
    queries = {f"q{i}": f"query {i}" for i in range(4)}
    corpus = {f"d{i}": text for i, text in enumerate(TEXTS)}
    many = reranker.rank_many(list(queries.values()), [corpus] * 4)

    async def awaited():
        return await reranker.arank_many(list(queries.values()), [corpus] * 4)

    assert [r.ids for r in asyncio.run(awaited())] == [r.ids for r in many]
    run = Run.from_dict({q: {d: float(-i) for i, d in enumerate(corpus)} for q in queries})
    run = run.replace(queries=Queries.from_texts(queries), corpus=Corpus.from_texts(corpus))
    result = reranker.rerank(run)
    assert list(result.to_dict()["q0"]) == many[0].ids


def test_equal_questions_are_sent_once(fake_server):
    ranked = served(fake_server).rank_many(["q", "q"], [TEXTS, TEXTS])
    assert ranked[0].ids == ranked[1].ids
    assert len(fake_server.requests) == 1
    assert sorted((each.calls, each.cached_calls) for each in ranked) == [(0, 1), (1, 0)]


BAD = {
    "out of range": (
        [{"index": 0, "relevance_score": 1.0}, {"index": 99, "relevance_score": 9}],
        1,
    ),
    "negative": ([{"index": -1, "relevance_score": 1.0}, {"index": 1, "relevance_score": 0.5}], 1),
    "repeated": ([{"index": 1, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.9}], 1),
    "no number": ([{"index": "0", "relevance_score": 1}, {"index": True, "relevance_score": 1}], 0),
    "no score": ([{"index": 0}, {"index": 1, "relevance_score": "high"}], 0),
    "not a number": (
        [{"index": 0, "relevance_score": float("nan")}, {"index": 2, "relevance_score": 0.1}],
        1,
    ),
    "no objects": ([1, None, "x"], 0),
    "empty": ([], 0),
    "null": (None, 0),
    "an object": ({"0": 1.0}, 0),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_answer_keeps_every_document(fake_server, name):
    rows, told = BAD[name]
    reranker = served(fake_server)
    fake_server.respond = lambda request: {"results": rows}
    ranked = reranker.rank("q", ["a", "b", "c"])
    assert sorted(ranked.ids) == ["0", "1", "2"]
    scored = ~np.isnan(ranked.scores)
    assert scored.sum() == told
    assert scored[:told].all()
    # Those without a score stand last, in first-stage order.
    assert ranked.ids[told:] == sorted(ranked.ids[told:])
    assert ranked.answers == {"repaired" if told else "wrong_format": 1}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["results", "index", "relevance_score", "usage", "total_tokens"]),
                inner,
                max_size=3,
            )
        ),
        max_leaves=15,
    )
)
def test_any_json_is_read_without_an_exception(content):
    for wrapped in (content, {"results": content, "usage": content}):
        answer = service_of("vllm").read(wrapped, 3)
        assert len(answer.scores) == 3
        assert all(score is None or np.isfinite(score) for score in answer.scores)
        assert (answer.status == "ok") == (None not in answer.scores and answer.status == "ok")


def test_texts_that_are_repeated_to_us_have_no_say(fake_server):
    reranker = served(fake_server)
    fake_server.respond = lambda request: {
        "results": [
            {"index": 0, "relevance_score": 0.1, "document": {"text": "b"}},
            {"index": 1, "relevance_score": 0.9, "document": {"text": "a"}},
        ]
    }
    assert reranker.rank("q", {"first": "a", "second": "b"}).ids == ["second", "first"]


def test_equal_texts_are_apart_and_empty_ones_are_not_sent(fake_server):
    ranked = served(fake_server).rank("q", ["same", " ", "same", ""])
    assert ranked.ids == ["0", "2", "1", "3"]
    assert np.isnan(ranked.scores[2:]).all()
    assert fake_server.requests[0].json["documents"] == ["same", "same"]
    assert served(fake_server).rank("q", ["", ""]).calls == 0
    assert len(fake_server.requests) == 1


def test_one_text_or_none_is_no_call(fake_server):
    reranker = served(fake_server)
    assert reranker.rank("q", ["a"]).ids == ["0"]
    assert reranker.rank("q", []).ids == []
    assert fake_server.requests == []


FAULTS = {
    "timeout": {"delay": 0.5},
    "dropped": {"dropped": True},
    "half": {"body": {"results": []}, "sent": 4},
    "html": {"body": "<html>"},
    "throttled": {"status": 429, "headers": {"retry-after": "0"}},
    "server_error": {"status": 500},
    "refused": {"status": 400},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_that_fails_leaves_its_texts_last(fake_server, name):
    timeout = 0.3 if name == "timeout" else 5.0
    reranker = served(fake_server, documents_per_call=10, timeout=timeout)
    inner = fake_server.respond

    def respond(request):
        fault = "text 10" in request.json["documents"][0]
        return fake_server.Reply(**FAULTS[name]) if fault else inner(request)

    fake_server.respond = respond
    ranked = reranker.rank("q", TEXTS)
    assert sorted(ranked.ids, key=int) == [str(i) for i in range(30)]
    assert ranked.ids[20:] == [str(i) for i in range(10, 20)]
    assert ranked.answers == {"ok": 2, "missing": 1}
    assert any(record.failure for record in reranker.log.records)


@pytest.mark.parametrize("name", ["dropped", "html", "throttled", "server_error"])
def test_a_fault_that_passes_changes_nothing(fake_server, name):
    reranker = served(fake_server)
    whole, inner = reranker.rank("q", TEXTS).ids, fake_server.respond
    before = len(fake_server.requests)
    fake_server.respond = lambda request: (
        fake_server.Reply(**FAULTS[name]) if request.number == before + 1 else inner(request)
    )
    assert reranker.rank("q", TEXTS).ids == whole
    assert len(fake_server.requests) == before + 2


def test_a_wrong_key_stops_the_run_and_is_not_shown(fake_server, tmp_path):
    reranker = served(fake_server, documents_per_call=1, concurrency=2)
    fake_server.respond = lambda request: fake_server.Reply(
        {"message": f"bad key {KEY}"}, 401, delay=0.01
    )
    with pytest.raises(AccessError, match="PLACKETT_TEST_KEY") as caught:
        reranker.rank("q", TEXTS)
    assert KEY not in str(caught.value)
    assert len(fake_server.requests) <= 3


def test_a_budget_stops_the_run_and_the_next_one_goes_on(fake_server, tmp_path):
    path = str(tmp_path / "cache.sqlite")
    first = served(fake_server, documents_per_call=5, cache=path, budget=Budget(calls=4))
    with pytest.raises(BudgetExceededError, match="budget of 4 calls"):
        first.rank("q", TEXTS)
    assert len(fake_server.requests) == 4
    second = served(fake_server, documents_per_call=5, cache=path)
    ranked = second.rank("q", TEXTS)
    assert (ranked.calls, ranked.cached_calls) == (2, 4)
    assert len(fake_server.requests) == 6
    assert ranked.ids == served(fake_server).rank("q", TEXTS).ids
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_a_budget_in_tokens_waits_for_what_is_under_way(fake_server):
    inner = served(fake_server)
    respond = fake_server.respond
    fake_server.respond = lambda request: fake_server.Reply(respond(request), delay=0.02)
    # A request of 5 texts may need some 40 tokens, and is billed 11.
    budget = Budget(tokens=120)
    reranker = Hosted(
        "vllm", model="m", url=inner._transport.url, documents_per_call=5, budget=budget
    )
    assert reranker.rank("q", TEXTS).answers == {"ok": 6}
    assert budget.spent_tokens == 66
    assert budget.spent_calls == 6


def test_offline_an_absent_answer_is_an_error_that_names_it(fake_server, tmp_path):
    path = tmp_path / "cache.sqlite"
    with AnswerCache(path) as cache:
        ids = served(fake_server, cache=cache).rank("q", TEXTS).ids
    with AnswerCache(path, offline=True) as cache:
        reranker = served(fake_server, cache=cache)
        assert reranker.rank("q", TEXTS).ids == ids
        with pytest.raises(MissingAnswerError, match="another query"):
            reranker.rank("another query", TEXTS)
    assert len(fake_server.requests) == 1


def test_a_bad_answer_is_not_kept(fake_server, tmp_path):
    with AnswerCache(tmp_path / "cache") as cache:
        reranker = served(fake_server, cache=cache)
        good = fake_server.respond
        fake_server.respond = lambda request: {"results": []}
        assert reranker.rank("q", TEXTS).answers == {"wrong_format": 1}
        fake_server.respond = good
        assert reranker.rank("q", TEXTS).answers == {"ok": 1}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"service": "cohere"}, "needs model="),
        ({"service": "tei"}, "needs url="),
        ({"service": "nobody"}, "unknown service"),
        ({"service": "cohere", "model": "m", "key": KEY}, "name of an environment variable"),
        ({"service": "cohere", "model": "m", "documents_per_call": 0}, "documents_per_call"),
        ({"service": "cohere", "model": "m", "documents_per_call": "5"}, "documents_per_call"),
        ({"service": "cohere", "model": "m", "concurrency": 0}, "concurrency"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(parameters, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        Hosted(**parameters)
    assert KEY not in str(caught.value)


def test_a_description_is_read_back():
    described = Hosted("jina", model="m", documents_per_call=9, retries=2, key="A_KEY")
    assert repr(parse(repr(described))) == repr(described)
