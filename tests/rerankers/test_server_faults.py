"""A strategy before a server that does everything wrong: every document stays.

The strategy is "rank-gpt"; what is tested is the way of its questions to the server and back.
"""

import asyncio
import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from plackett.llm.openai.model import OpenAI
from plackett.rerankers.listwise.sliding_window import RankGPT
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking
from plackett.transport.http_errors import AccessError

KEY = "sk-hidden-0123456789abcdef"
QUERIES = [f"question {q}" for q in range(3)]
TEXTS = [f"item-{d} text" for d in range(30)]
WINDOWS = 5  # of 10 documents with stride 5 over 30
FAULTS = {
    "times out": {"delay": 0.8},
    "drops": {"dropped": True},
    "throttles": {"status": 429, "headers": {"retry-after": "0"}},
    "half a body": {"body": {"choices": [{"message": {}}]}, "sent": 11},
    "html": {"body": "<html><body>Bad gateway</body></html>"},
    "cut json": {"body": '{"choices": [{"message": {"content": "[1'},
    "500": {"status": 500, "body": "oops"},
    "empty": {"body": ""},
}


def worth(name):
    return hashlib.sha256(name.encode()).digest()


def order_of(request):
    """What a perfect model says of a prompt's passages."""
    text = "\n".join(turn["content"] for turn in request.json["messages"])
    found = dict(re.findall(r"\[(\d+)\]\s+(item-\d+)", text))
    order = " > ".join(f"[{n}]" for n in sorted(found, key=lambda n: worth(found[n])))
    return {"choices": [{"message": {"content": order}, "finish_reason": "stop"}]}


def reranker(at, *, cache=None, budget=None, **parameters):
    parameters = {"key": None, "timeout": 5.0, "retries": 2, **parameters}
    model = OpenAI("m", url=at.url, **parameters)
    return RankGPT(model, window=10, stride=5, cache=cache, budget=budget)


def ranked_ids(asked):
    return [each.ids for each in asked.rank_many(QUERIES, [TEXTS] * 3)]


@pytest.fixture
def expected(fake_server):
    fake_server.respond = order_of
    ids = ranked_ids(reranker(fake_server))
    assert len(fake_server.requests) == 3 * WINDOWS
    fake_server.requests.clear()
    return ids


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_now_and_then_changes_nothing(fake_server, expected, name):
    seen, bad = set(), set()

    def respond(request):
        first = request.content not in seen
        seen.add(request.content)
        if first and worth(str(request.json))[0] % 3 == 0:
            bad.add(request.content)
            return fake_server.Reply(**FAULTS[name])
        return order_of(request)

    fake_server.respond = respond
    timeout = 0.5 if name == "times out" else 5.0
    assert ranked_ids(reranker(fake_server, timeout=timeout)) == expected
    # One more request for each fault, and no more.
    assert len(fake_server.requests) == 3 * WINDOWS + len(bad)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_for_ever_keeps_every_document_and_is_counted(fake_server, name):
    fake_server.respond = lambda request: (
        order_of(request) if request.number == 1 else fake_server.Reply(**FAULTS[name])
    )
    timeout = 0.2 if name == "times out" else 5.0
    asked = reranker(fake_server, timeout=timeout, retries=1, concurrency=1)
    ranked = asked.rank(QUERIES[0], TEXTS)
    assert sorted(ranked.ids, key=int) == [str(i) for i in range(30)]
    assert ranked.answers == {"ok": 1, "missing": WINDOWS - 1}
    assert len(fake_server.requests) == 1 + 2 * (WINDOWS - 1)
    assert sum(bool(record.failure) for record in asked.log.records) == WINDOWS - 1


@pytest.mark.parametrize("text", ["", "[99] > [100]", "no", None, "[1] > [1]", "x" * 100_000])
def test_senseless_answers_keep_every_document(fake_server, text):
    fake_server.respond = lambda request: {"choices": [{"message": {"content": text}}]}
    ranked = reranker(fake_server).rank(QUERIES[0], TEXTS)
    assert ranked.ids == [str(i) for i in range(30)]
    assert sum(ranked.answers.values()) == WINDOWS
    assert "ok" not in ranked.answers


def test_a_wrong_key_stops_the_run_at_once(fake_server, monkeypatch):
    monkeypatch.setenv("A_KEY", KEY)
    fake_server.respond = lambda request: fake_server.Reply({"error": KEY}, 401)
    with pytest.raises(AccessError, match="A_KEY") as caught:
        ranked_ids(reranker(fake_server, key="A_KEY", concurrency=1))
    assert KEY not in str(caught.value)
    run_blocking(asyncio.sleep(0.05))
    assert len(fake_server.requests) <= 2


def test_a_spent_budget_stops_the_run_which_then_goes_on(fake_server, expected, tmp_path):
    with AnswerCache(tmp_path / "c") as cache:
        with pytest.raises(BudgetExceededError, match="budget of 7 calls"):
            ranked_ids(reranker(fake_server, cache=cache, budget=Budget(calls=7)))
        run_blocking(asyncio.sleep(0.1))
        assert len(fake_server.requests) == len(cache) == 7
        assert ranked_ids(reranker(fake_server, cache=cache)) == expected
    assert len(fake_server.requests) == 3 * WINDOWS


def test_sync_and_async_and_every_concurrency_give_the_same(fake_server, expected):
    asked = reranker(fake_server, concurrency=1)

    async def awaited():
        return [each.ids for each in await asked.arank_many(QUERIES, [TEXTS] * 3)]

    assert asyncio.run(awaited()) == expected
    assert fake_server.most_at_once <= 3
    assert ranked_ids(reranker(fake_server, concurrency=50)) == expected


def test_ctrl_c_asks_nothing_more_and_keeps_what_is_under_way(fake_server, tmp_path):
    fake_server.respond = lambda request: fake_server.Reply(order_of(request), delay=0.2)
    with AnswerCache(tmp_path / "c") as cache:
        asked = reranker(fake_server, cache=cache, concurrency=2)
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            ranked_ids(asked)
        timer.join()
        until = time.monotonic() + 5
        while len(cache) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.1)
        assert len(cache) == len(fake_server.requests) == 2
        # The same re-ranker goes on.
        fake_server.respond = order_of
        ranked_ids(asked)
        assert len(fake_server.requests) == 3 * WINDOWS


RUN = """
    import sys
    from plackett.llm.openai.model import OpenAI
    from plackett.rerankers.listwise.sliding_window import RankGPT

    url, path = sys.argv[1:]
    model = OpenAI("m", url=url, key=None, concurrency=2)
    asked = RankGPT(model, window=10, stride=5, cache=path)
    texts = [f"item-{d} text" for d in range(30)]
    ranked = asked.rank_many([f"question {q}" for q in range(3)], [texts] * 3)
    print([each.ids for each in ranked])
"""


@pytest.mark.parametrize("deadly", [3, 12])
def test_a_run_that_was_killed_goes_on_without_repeating(fake_server, expected, tmp_path, deadly):
    processes = []

    def respond(request):
        if len(processes) == 1 and request.number == deadly:
            os.kill(processes[0].pid, signal.SIGKILL)
        return order_of(request)

    fake_server.respond = respond
    path = tmp_path / "cache"
    command = [sys.executable, "-c", textwrap.dedent(RUN), fake_server.url, str(path)]

    def run():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    assert run()[0] == -signal.SIGKILL
    with AnswerCache(path) as cache:
        kept = len(cache)
    first = len(fake_server.requests)
    # Two may have been under way; all others are kept.
    assert first - 2 <= kept <= first
    assert run() == (0, f"{expected}\n")
    assert len(fake_server.requests) - first == 3 * WINDOWS - kept
