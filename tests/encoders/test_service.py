"""An embedding service: what is sent, what is read, and servers that answer badly."""

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.data import Corpus, Queries
from plackett.encoders import EmbeddingService, VectorCache, parse_encoder
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers import Dense
from plackett.transport.budget import Budget, BudgetExceededError, Prices
from plackett.transport.http_errors import AccessError, HttpError
from plackett.transport.secrets import Secret

TEXTS = [f"text {i} {'word ' * (i % 7)}".strip() for i in range(50)]
SIZE = 6


def vector_of(text: str, size: int = SIZE) -> np.ndarray:
    """What the fake model makes of a text: numbers drawn by its content."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def unit(text: str, size: int = SIZE) -> np.ndarray:
    vector = vector_of(text, size)
    return vector / np.linalg.norm(vector)


def answer_of(request: Any) -> dict[str, Any]:
    """What a right server says, its rows in another order."""
    body = request.json
    size = body.get("dimensions", SIZE)
    rows: list[dict[str, Any]] = []
    for i, text in enumerate(body["input"]):
        vector: Any = vector_of(text, size)
        if body.get("encoding_format") == "base64":
            vector = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        else:
            vector = [float(number) for number in vector]
        rows.append({"object": "embedding", "index": i, "embedding": vector})
    return {"data": rows[::-1], "usage": {"prompt_tokens": 3 * len(rows), "total_tokens": 99}}


def served(fake_server: Any, **parameters: Any) -> EmbeddingService:
    if "__init__" in fake_server.respond.__qualname__:  # as it was made
        fake_server.respond = answer_of
    parameters = {"retries": 1, "timeout": 5.0, **parameters}
    return EmbeddingService("m", url=fake_server.url, **parameters)


def sizes(fake_server: Any) -> list[int]:
    return [len(request.json["input"]) for request in fake_server.requests]


@pytest.mark.parametrize("in_base64", [False, True])
def test_vectors_come_back_in_order(fake_server: Any, in_base64: bool) -> None:
    encoder = served(fake_server, base64=in_base64, texts_per_call=8)
    found = encoder.encode_all(TEXTS)
    np.testing.assert_allclose(found.values, [unit(text) for text in TEXTS], atol=1e-6)
    assert (encoder.dimension, encoder.normalised) == (SIZE, True)
    assert sorted(sizes(fake_server)) == [2] + [8] * 6
    assert not found.truncated.any()
    request = fake_server.requests[0]
    assert (request.path, request.json["model"]) == ("/embeddings", "m")
    assert set(request.json) == {"model", "input"} | ({"encoding_format"} if in_base64 else set())
    whole = served(fake_server, normalise=False)
    np.testing.assert_allclose(whole.encode(TEXTS[:2]), [vector_of(t) for t in TEXTS[:2]])
    assert not whole.normalised


def test_each_distinct_text_is_sent_once_and_blank_ones_never(fake_server: Any) -> None:
    encoder = served(fake_server)
    found = encoder.encode_all(["a", " ", "b", "a", "", "\n"])
    np.testing.assert_allclose(found.values[[0, 2, 3]], [unit("a"), unit("b"), unit("a")])
    assert not found.values[[1, 4, 5]].any()
    assert found.tokens.tolist() == [1, 0, 1, 1, 0, 0]
    assert [sorted(request.json["input"]) for request in fake_server.requests] == [["a", "b"]]


def test_nothing_has_the_right_shape(fake_server: Any) -> None:
    # No vector was seen yet: one word tells how long they are.
    encoder = served(fake_server)
    assert encoder.encode([]).shape == (0, SIZE)
    assert encoder.encode([" "]).shape == (1, SIZE)
    assert sizes(fake_server) == [1]
    assert served(fake_server, dimensions=3).encode([]).shape == (0, 3)
    assert sizes(fake_server) == [1]


def test_prompts_and_fields_of_each_kind(fake_server: Any) -> None:
    encoder = served(
        fake_server,
        query_prompt="query: ",
        document_fields={"input_type": "document"},
        query_fields={"input_type": "query"},
        dimensions=4,
        cache=VectorCache(),
    )
    np.testing.assert_allclose(encoder.encode(["a"], "query"), [unit("query: a", 4)], atol=1e-6)
    encoder.encode(["query: a"], "document")  # the same text, but the service reads it otherwise
    first, second = (request.json for request in fake_server.requests)
    assert first == {
        "model": "m", "dimensions": 4, "input_type": "query", "input": ["query: a"]
    }  # fmt: skip
    assert second["input_type"] == "document"
    with pytest.raises(ConfigurationError, match="kind = 'passage'"):
        encoder.encode(["a"], "passage")  # type: ignore[arg-type]


def test_long_texts_are_cut_and_reported(fake_server: Any, tmp_path: Path) -> None:
    encoder = served(fake_server, max_tokens=3)
    found = encoder.encode_all(["one two six ten", "one two"])
    assert found.truncated.tolist() == [True, False]
    assert found.tokens.tolist() == [3, 2]
    assert sorted(fake_server.requests[0].json["input"]) == ["one two", "one two six"]
    np.testing.assert_allclose(found.values[0], unit("one two six"), atol=1e-6)
    whole = served(fake_server).encode_all(["one two six ten"])
    assert not whole.truncated.any()


def test_a_tokenizer_file_counts_exactly(fake_server: Any, tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    encoder = served(fake_server, max_tokens=2, tokenizer=str(path))
    found = encoder.encode_all(["extraordinarily unlikely words"])
    assert fake_server.requests[0].json["input"] == ["extraordinarily unlikely"]
    assert (found.tokens.tolist(), found.truncated.tolist()) == ([2], [True])
    assert encoder.identity != served(fake_server, max_tokens=2).identity


def test_calls_hold_so_many_tokens_and_run_at_once(fake_server: Any) -> None:
    fake_server.respond = lambda request: fake_server.Reply(answer_of(request), delay=0.05)
    encoder = served(fake_server, tokens_per_call=5, concurrency=3)
    texts = [f"{'a ' * i}b{i}" for i in range(1, 8)]
    found = encoder.encode(texts)
    np.testing.assert_allclose(found, [unit(text) for text in texts], atol=1e-6)
    assert fake_server.most_at_once == 3
    for request in fake_server.requests:
        words = [len(text.split()) for text in request.json["input"]]
        assert len(words) == 1 or sum(words) <= 5


def test_a_second_run_asks_nothing(fake_server: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "vectors.sqlite")
    first = served(fake_server, cache=path).encode_all(TEXTS)
    before = len(fake_server.requests)
    encoder = served(fake_server, cache=path)
    again = encoder.encode_all(TEXTS)
    assert np.array_equal(first.values, again.values)
    assert np.array_equal(first.tokens, again.tokens)
    assert len(fake_server.requests) == before
    assert encoder.log.calls == 0
    served(fake_server, cache=path, dimensions=4).encode(TEXTS[:1])
    assert len(fake_server.requests) == before + 1


def test_what_arrived_before_an_error_is_kept(fake_server: Any) -> None:
    def fails_late(request: Any) -> Any:
        return answer_of(request) if request.number < 4 else fake_server.Reply(status=404)

    fake_server.respond = fails_late
    cache = VectorCache()
    with pytest.raises(AccessError, match="404"):
        served(fake_server, cache=cache, texts_per_call=5, concurrency=1).encode(TEXTS)
    assert len(cache) == 15
    assert len(fake_server.requests) == 4  # nothing is sent after such an error
    fake_server.respond = answer_of
    found = served(fake_server, cache=cache, texts_per_call=5).encode(TEXTS)
    np.testing.assert_allclose(found, [unit(text) for text in TEXTS], atol=1e-6)
    assert len(fake_server.requests) == 4 + 7


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_call_is_cut_down_to_the_text_at_fault(fake_server: Any, status: int) -> None:
    def picky(request: Any) -> Any:
        if any("bad" in text for text in request.json["input"]):
            return fake_server.Reply({"error": {"message": "too long"}}, status=status)
        return answer_of(request)

    fake_server.respond = picky
    cache = VectorCache()
    with pytest.raises(DataError, match=r"'bad text'.*too long.*max_tokens") as caught:
        served(fake_server, cache=cache).encode(["a", "b", "c", "bad text", "d"])
    assert isinstance(caught.value.__cause__, HttpError)
    assert sizes(fake_server) == [5, 2, 1]  # the longest text goes first


def test_too_many_texts_for_a_server_are_cut_in_two(fake_server: Any) -> None:
    def small(request: Any) -> Any:
        too_many = len(request.json["input"]) > 4
        return fake_server.Reply(b"{}", status=413) if too_many else answer_of(request)

    fake_server.respond = small
    found = served(fake_server).encode(TEXTS[:16])
    np.testing.assert_allclose(found, [unit(text) for text in TEXTS[:16]], atol=1e-6)
    assert sorted(sizes(fake_server)) == [4, 4, 4, 4, 8, 8, 16]


WRONG = {
    "no list": {"vectors": []},
    "a list of lists": {"data": [[1.0], [2.0]]},
    "too few": {"data": [{"index": 0, "embedding": [1.0]}]},
    "too many": {"data": [{"index": i, "embedding": [1.0]} for i in range(3)]},
    "a place twice": {"data": [{"index": 0, "embedding": [1.0]}] * 2},
    "a place outside": {"data": [{"index": i, "embedding": [1.0]} for i in (0, 7)]},
    "a place that is a truth value": {
        "data": [{"index": i, "embedding": [1.0]} for i in (False, True)]
    },
    "another length": {"data": [{"embedding": [1.0]}, {"embedding": [1.0, 2.0]}]},
    "no numbers": {"data": [{"embedding": []}, {"embedding": []}]},
    "words": {"data": [{"embedding": ["1.0"]}, {"embedding": ["2.0"]}]},
    "nothing": {"data": [{"embedding": None}, {"embedding": [1.0]}]},
    "holes": {"data": [{"embedding": [None]}, {"embedding": [1.0]}]},
    "matrices": {"data": [{"embedding": [[1.0], [2.0]]}, {"embedding": [[1.0], [2.0]]}]},
    "ragged": {"data": [{"embedding": [[1.0], [2.0, 3.0]]}, {"embedding": [1.0]}]},
    "no base64": {"data": [{"embedding": "%%%"}, {"embedding": "AAAA"}]},
    "half a number": {"data": [{"embedding": "AAA="}, {"embedding": "AAA="}]},
    "NaN": {"data": [{"embedding": [float("nan")]}, {"embedding": [1.0]}]},
    "beyond float32": {"data": [{"embedding": [1e300]}, {"embedding": [1.0]}]},
}


@pytest.mark.parametrize("wrong", WRONG, ids=list(WRONG))
def test_an_answer_that_cannot_be_used(fake_server: Any, wrong: str) -> None:
    fake_server.respond = lambda request: WRONG[wrong]
    encoder = EmbeddingService("m", url=fake_server.url, cache=VectorCache())
    with pytest.raises(DataError, match=r"127\.0\.0\.1.*vector"):
        encoder.encode(["a", "b"])
    assert len(fake_server.requests) == 2  # once more, and no more than that
    assert encoder.log.calls == 2
    assert all(record.failure for record in encoder.log.records)
    assert len(encoder.cache or ()) == 0
    fake_server.respond = lambda request: (
        WRONG[wrong] if request.number == 3 else answer_of(request)
    )
    np.testing.assert_allclose(encoder.encode(["a", "b"]), [unit("a"), unit("b")], atol=1e-6)


def test_a_dimension_that_was_not_asked_for(fake_server: Any) -> None:
    fake_server.respond = lambda request: {"data": [{"embedding": [1.0, 2.0]}]}
    encoder = EmbeddingService("m", url=fake_server.url, dimensions=3)
    with pytest.raises(DataError, match="a vector of 2 numbers in place of 3"):
        encoder.encode(["a"])
    # Nor may a length change from call to call, or from the cache to the server.
    lengths = iter([2, 3, 3, 3])
    fake_server.respond = lambda request: {"data": [{"embedding": [1.0] * next(lengths)}]}
    with pytest.raises(DataError, match="3 numbers"):
        served(fake_server, texts_per_call=1, concurrency=1).encode(["a", "b"])


def test_lengths_that_differ_among_calls_under_way(fake_server: Any) -> None:
    fake_server.respond = lambda request: fake_server.Reply(
        {"data": [{"embedding": [1.0] * len(request.json["input"][0])}]}, delay=0.05
    )
    encoder = EmbeddingService("m", url=fake_server.url, texts_per_call=1)
    with pytest.raises(DataError, match=r"a vector of [12] numbers in place of [12]"):
        encoder.encode(["a", "bb"])


def test_another_model_at_the_address_of_a_cache(fake_server: Any) -> None:
    cache = VectorCache()
    served(fake_server, cache=cache).encode(["a"])
    fake_server.respond = lambda request: {"data": [{"embedding": [1.0, 2.0]}]}
    with pytest.raises(DataError, match=r"vectors of 2 and of 6 numbers"):
        EmbeddingService("m", url=fake_server.url, cache=cache).encode(["a", "b"])


def test_places_may_be_left_out(fake_server: Any) -> None:
    fake_server.respond = lambda request: {
        "data": [{"embedding": vector_of(text).tolist()} for text in request.json["input"]]
    }
    found = EmbeddingService("m", url=fake_server.url).encode_all(["a", "b c"])
    np.testing.assert_allclose(found.values, [unit("a"), unit("b c")], atol=1e-6)


@pytest.mark.parametrize("told", [None, True, -1, float("nan"), "many"])
def test_tokens_that_are_not_told_are_estimated(fake_server: Any, told: Any) -> None:
    def silent(request: Any) -> Any:
        return {**answer_of(request), "usage": {"prompt_tokens": told}}

    fake_server.respond = silent
    encoder = EmbeddingService("m", url=fake_server.url)
    encoder.encode(["one two", "red"])
    assert encoder.log.tokens == 3


def test_costs_are_counted_and_bounded(fake_server: Any) -> None:
    budget = Budget(money=1.0, prices=Prices(input=10_000.0))
    encoder = served(fake_server, texts_per_call=2, budget=budget)
    encoder.encode(["a", "b", "c"])
    (record, other) = encoder.log.records
    assert (record.kind, record.output_tokens) == ("embed", 0)
    assert record.input_tokens + other.input_tokens == encoder.log.tokens == 9
    assert budget.spent_money == pytest.approx(0.09)
    few = Budget(calls=3)
    encoder = served(fake_server, texts_per_call=1, budget=few, concurrency=2, cache=VectorCache())
    with pytest.raises(BudgetExceededError, match="budget of 3 calls"):
        encoder.encode([f"x{i}" for i in range(6)])
    assert few.spent_calls == 3
    assert isinstance(encoder.cache, VectorCache)
    assert len(encoder.cache) == 3


def test_a_budget_waits_for_what_calls_under_way_give_back(fake_server: Any) -> None:
    # Each is expected to cost five tokens, and costs three.
    fake_server.respond = lambda request: fake_server.Reply(answer_of(request), delay=0.02)
    texts = [f"one two six ten {i}" for i in range(4)]
    encoder = served(fake_server, texts_per_call=1, budget=Budget(tokens=14))
    np.testing.assert_allclose(encoder.encode(texts), [unit(text) for text in texts], atol=1e-6)


def test_a_server_that_hangs_is_not_waited_for(fake_server: Any) -> None:
    fake_server.respond = lambda request: fake_server.Reply(answer_of(request), delay=6.0)
    started = time.perf_counter()
    encoder = EmbeddingService("m", url=fake_server.url, timeout=0.2, retries=0)
    with pytest.raises(HttpError, match=r"no answer in 0\.2 s"):
        encoder.encode(TEXTS)
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize("fault", ["html", "cut", "dropped", "busy", "no JSON"])
def test_a_moment_of_failure_is_ridden_out(fake_server: Any, fault: str) -> None:
    replies = {
        "html": fake_server.Reply(b"<html><body>502</body></html>", status=200),
        "cut": fake_server.Reply(b'{"data": []}', sent=5),
        "dropped": fake_server.Reply(dropped=True),
        "busy": fake_server.Reply({}, status=429, headers={"retry-after": "0.01"}),
        "no JSON": fake_server.Reply(b"vectors!"),
    }
    fake_server.respond = lambda request: (
        replies[fault] if request.number == 1 else answer_of(request)
    )
    found = EmbeddingService("m", url=fake_server.url, retries=2).encode(["a"])
    np.testing.assert_allclose(found, [unit("a")], atol=1e-6)
    assert len(fake_server.requests) == 2


def test_keys_go_where_they_were_sent_and_are_never_shown(
    fake_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACKETT_TEST_KEY", "pa-hidden-0123456789abcdef")
    encoder = served(fake_server, key="PLACKETT_TEST_KEY")
    encoder.encode(["a"])
    assert fake_server.requests[0].headers["authorization"] == "Bearer pa-hidden-0123456789abcdef"
    assert "hidden" not in encoder.identity + repr(encoder)
    secret = served(fake_server, key=Secret("pa-hidden-0123456789abcdef"))
    assert "key" not in repr(secret)
    assert "authorization" not in _sent_without_key(fake_server)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        EmbeddingService("text-embedding-3-small").encode(["a"])


def _sent_without_key(fake_server: Any) -> dict[str, str]:
    served(fake_server).encode(["b"])
    headers: dict[str, str] = fake_server.requests[-1].headers
    return headers


def test_descriptions_read_back(fake_server: Any, tmp_path: Path) -> None:
    encoder = served(
        fake_server,
        dimensions=4,
        query_fields={"input_type": "query"},
        cache=VectorCache(tmp_path / "vectors.sqlite"),
        budget=Budget(calls=5),
    )
    again = parse_encoder(repr(encoder))
    assert (repr(again), again.identity) == (repr(encoder), encoder.identity)
    assert np.array_equal(again.encode(["a"]), encoder.encode(["a"]))
    assert len(fake_server.requests) == 1
    assert "cache" not in repr(served(fake_server, cache=VectorCache()))


def test_a_model_may_move_under_a_name_of_its_own(fake_server: Any) -> None:
    here = served(fake_server, content="m@1")
    there = EmbeddingService("other", url="http://localhost:1/v1", content="m@1")
    assert here.identity == there.identity
    assert served(fake_server).identity != EmbeddingService("m", url="http://x/v1").identity


def test_an_index_of_a_service(fake_server: Any, tmp_path: Path) -> None:
    corpus = Corpus.from_texts({f"d{i}": text for i, text in enumerate(TEXTS)})
    encoder = served(fake_server, max_tokens=6)
    index = Dense.build(corpus, tmp_path / "index", encoder=encoder)
    run = index.search(Queries.from_texts({"q": TEXTS[3]}), k=3)
    assert run["q"][0][0] == "d3"
    again = Dense.open(tmp_path / "index").search(Queries.from_texts({"q": TEXTS[3]}), k=3)
    assert again["q"] == run["q"]
    cut = sum(int(entry.facts["truncated"]) for entry in index.manifest.segments)
    assert cut == int(encoder.encode_all(TEXTS).truncated.sum()) > 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"dimensions": 0},
        {"max_tokens": True},
        {"texts_per_call": 0},
        {"tokens_per_call": 1.5},
        {"texts_per_call": None},
        {"query_fields": {"a": {1, 2}}},
        {"url": "localhost"},
        {"timeout": 0.0},
        {"concurrency": 0},
        {"retries": -1},
    ],
)
def test_parameters_that_cannot_be_used(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        EmbeddingService("m", **{"url": "http://localhost:1/v1", **parameters})
    with pytest.raises(ConfigurationError, match="model ''"):
        EmbeddingService("")
