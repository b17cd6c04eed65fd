"""Requests to a server that misbehaves in every way a server can."""

import asyncio
import gc
import logging
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from plackett.errors import ConfigurationError
from plackett.transport.clock import Clock
from plackett.transport.event_loop import run_blocking, run_on_loop
from plackett.transport.http import HttpTransport
from plackett.transport.http_errors import AccessError, HttpError, describe_body
from plackett.transport.limits import Limits
from plackett.transport.retries import RetryPolicy
from plackett.transport.secrets import Secret

KEY = "sk-very-secret-0123456789"


class FastClock(Clock):
    """Real time for the network; waits are noted and skipped."""

    def __init__(self):
        self.waits = []

    async def sleep(self, seconds):
        self.waits.append(seconds)
        await asyncio.sleep(0)


def transport(server, *, retries=3, timeout=5.0, clock=None, **rest):
    clock = clock or FastClock()
    return HttpTransport(
        getattr(server, "url", server),
        timeout=timeout,
        retry=RetryPolicy(retries=retries, first=0.001, longest=0.002),
        limits=Limits(clock=clock),
        clock=clock,
        seed=0,
        **rest,
    )


def post(sender, body=None, path="/ask"):
    return run_blocking(sender.post_json(path, body or {"q": 1}))


def test_a_request_is_json_with_the_key_and_the_answer_is_a_value(fake_server):
    fake_server.respond = lambda request: {"said": request.json, "path": request.path}
    reply = post(transport(fake_server, key=Secret(KEY)), {"text": "naïve \ud800 {}"})
    assert reply.content == {"said": {"text": "naïve \ud800 {}"}, "path": "/ask"}
    assert reply.attempts == 1
    assert reply.seconds > 0
    sent = fake_server.requests[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"


def test_a_list_is_an_answer_too(fake_server):
    fake_server.respond = lambda request: [1, 2]
    assert post(transport(fake_server)).content == [1, 2]


def test_without_a_key_none_is_sent(fake_server):
    post(transport(fake_server))
    assert "authorization" not in fake_server.requests[0].headers


FAULTS = {
    "timeout": {"delay": 0.4},
    "connection": {"dropped": True},
    "half a body": {"body": {"a": "b" * 100}, "sent": 20},
    "throttled": {"status": 429},
    "server_error": {"status": 503, "body": "<html>Bad gateway</html>"},
    "html": {"body": "<!DOCTYPE html><html>log in</html>"},
    "cut json": {"body": '{"choices": [{"mess'},
    "no json": {"body": "yes"},
    "a number": {"body": "42"},
    "empty": {"body": ""},
    "broken compression": {"body": b"no gzip", "headers": {"content-encoding": "gzip"}},
    "invalid utf-8": {"body": b'{"a": "\xff"}'},
}
KINDS = {
    "half a body": "connection",
    "cut json": "not_json",
    "no json": "not_json",
    "a number": "not_json",
    "broken compression": "not_json",
    "invalid utf-8": "not_json",
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_passing_fault_is_tried_again_and_the_run_goes_on(fake_server, name):
    def respond(request):
        return fake_server.Reply(**FAULTS[name]) if request.number <= 2 else {"ok": True}

    fake_server.respond = respond
    reply = post(transport(fake_server, timeout=0.2 if name == "timeout" else 5.0))
    assert reply.content == {"ok": True}
    assert reply.attempts == len(fake_server.requests) == 3


@pytest.mark.parametrize("name", FAULTS)
def test_a_lasting_fault_is_an_error_that_says_what_it_is(fake_server, name):
    # The first answer is sound, so that a server is known to be there.
    fake_server.respond = lambda request: (
        {"ok": 1} if request.number == 1 else fake_server.Reply(**FAULTS[name])
    )
    sender = transport(fake_server, timeout=0.2 if name == "timeout" else 5.0, retries=2)
    post(sender)
    with pytest.raises(HttpError) as caught:
        post(sender)
    assert caught.value.kind == KINDS.get(name, name)
    assert caught.value.attempts == 3
    assert not isinstance(caught.value, AccessError)
    assert fake_server.url in str(caught.value)
    assert "3 attempts" in str(caught.value)
    assert len(fake_server.requests) == 4


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_sent_again(fake_server, status):
    fake_server.respond = lambda request: fake_server.Reply(
        {"error": {"message": "context length exceeded"}}, status
    )
    with pytest.raises(HttpError, match="context length exceeded") as caught:
        post(transport(fake_server))
    assert (caught.value.kind, caught.value.status) == ("refused", status)
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405])
def test_what_every_request_would_meet_is_raised_with_a_remedy(fake_server, status):
    fake_server.respond = lambda request: fake_server.Reply({"message": "no"}, status)
    with pytest.raises(AccessError, match="Remedy: ") as caught:
        post(transport(fake_server, key=Secret(KEY, name="A_KEY")))
    assert isinstance(caught.value, ConfigurationError)
    assert len(fake_server.requests) == 1
    if status == 401:
        assert "A_KEY" in str(caught.value)


def test_a_spent_quota_is_not_waited_for(fake_server):
    body = {"error": {"code": "insufficient_quota", "message": "pay"}}
    fake_server.respond = lambda request: fake_server.Reply(body, 429, {"retry-after": "1"})
    with pytest.raises(AccessError, match="quota is spent"):
        post(transport(fake_server))
    assert len(fake_server.requests) == 1


def test_redirects_are_not_followed_for_the_key_would_travel(fake_server):
    fake_server.respond = lambda request: fake_server.Reply(
        b"", 307, {"location": "http://elsewhere.example/v1"}
    )
    with pytest.raises(AccessError, match=r"elsewhere\.example/v1; give its base address"):
        post(transport(fake_server, key=Secret(KEY)))
    assert len(fake_server.requests) == 1


def test_an_endless_answer_is_cut_off(fake_server):
    fake_server.respond = lambda request: fake_server.Reply(endless=True)
    with pytest.raises(HttpError, match="more than 100,000 bytes") as caught:
        post(transport(fake_server, max_bytes=100_000))
    assert caught.value.kind == "too_large"
    assert len(fake_server.requests) == 1


def test_a_slow_trickle_ends_at_the_time_limit(fake_server):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ended = threading.Event()

        def trickle():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
                while not ended.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        started = time.perf_counter()
        with pytest.raises(HttpError) as caught:
            post(transport(f"http://127.0.0.1:{listener.getsockname()[1]}", retries=0, timeout=0.3))
        ended.set()
        thread.join()
    assert caught.value.kind == "timeout"
    assert time.perf_counter() - started < 3.0


def test_no_server_at_all_stops_the_run(fake_server):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # taken, and nobody listens
        with pytest.raises(AccessError, match="is a server running at") as caught:
            post(transport(f"http://127.0.0.1:{held.getsockname()[1]}", retries=2))
    assert (caught.value.kind, caught.value.attempts) == ("connection", 3)


def test_retry_after_is_honoured_and_holds_back_all_others(fake_server):
    times = []

    def respond(request):
        times.append(time.perf_counter())
        throttled = fake_server.Reply(b"", 429, {"retry-after": "0.3"})
        return throttled if request.number == 1 else {}

    fake_server.respond = respond
    sender = transport(fake_server, clock=Clock())

    async def both():
        first = asyncio.ensure_future(sender.post_json("", {}))
        while sender.limits._until < 0:
            await asyncio.sleep(0.001)
        await sender.post_json("", {})
        await first

    run_blocking(both())
    assert len(times) == 3
    assert min(times[1:]) - times[0] >= 0.3


def test_a_wait_beyond_the_deadline_is_not_waited(fake_server):
    fake_server.respond = lambda request: fake_server.Reply(b"", 429, {"retry-after": "3600"})
    clock = FastClock()
    with pytest.raises(HttpError) as caught:
        post(transport(fake_server, clock=clock))
    assert caught.value.kind == "throttled"
    assert clock.waits == []
    assert len(fake_server.requests) == 1


def test_the_cap_on_requests_at_once_holds_and_connections_are_kept(fake_server):
    fake_server.respond = lambda request: fake_server.Reply({}, delay=0.03)
    sender = HttpTransport(fake_server.url, limits=Limits(concurrency=4))

    async def many():
        await asyncio.gather(*[sender.post_json("", {"i": i}) for i in range(40)])

    started = time.perf_counter()
    run_blocking(many())
    assert fake_server.most_at_once == 4
    assert sender.limits.most_under_way == 4
    assert time.perf_counter() - started < 40 * 0.03


def test_answers_out_of_order_reach_those_who_asked(fake_server):
    fake_server.respond = lambda request: fake_server.Reply(
        {"i": request.json["i"]}, delay=0.1 - 0.01 * request.json["i"]
    )
    sender = transport(fake_server)

    async def many():
        return await asyncio.gather(*[sender.post_json("", {"i": i}) for i in range(8)])

    assert [reply.content["i"] for reply in run_blocking(many())] == list(range(8))


@pytest.mark.parametrize("fault", ["echo", "cut", "header", "status", "connect", "type"])
def test_the_key_is_in_no_error_and_no_log(fake_server, fault, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("A_KEY", KEY)
    body = {"error": {"message": f"the key {KEY} is wrong"}}
    replies = {
        "echo": fake_server.Reply(body, 400),
        "cut": fake_server.Reply("x" * 290 + KEY, 400),
        "header": fake_server.Reply(b"", 302, {"location": f"http://x.example/?key={KEY}"}),
        "status": fake_server.Reply(body, 401),
        "connect": fake_server.Reply(dropped=True),
        "type": fake_server.Reply(f"no json but {KEY}"),
    }
    fake_server.respond = lambda request: replies[fault]
    sender = transport(fake_server, key="A_KEY", retries=1)
    with pytest.raises(HttpError) as caught:
        post(sender)
    error = caught.value
    while error is not None:
        assert KEY[:8] not in f"{error} {error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    # What the server says in its headers, httpcore repeats where it is asked to log everything.
    said = [r.getMessage() for r in caplog.records if "response_headers" not in r.getMessage()]
    assert KEY not in "\n".join(said)
    assert KEY not in repr(vars(sender))


def test_a_key_that_is_repeated_in_an_answer_is_not_handed_on(fake_server):
    fake_server.respond = lambda request: {"text": f"Bearer {KEY}"}
    assert post(transport(fake_server, key=Secret(KEY))).content == {"text": "Bearer [hidden]"}


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://a", "http://", None, "http://a:b@c/v1", "http://x:port"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigurationError) as caught:
        HttpTransport(url)
    assert "b@c" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_timeout_is_a_positive_number(timeout):
    with pytest.raises(ConfigurationError, match="timeout"):
        HttpTransport("http://a", timeout=timeout)


def test_a_variable_that_is_not_set_is_said_before_anything_is_sent(fake_server, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(ConfigurationError, match="'NOT_SET' is not set"):
        post(transport(fake_server, key="NOT_SET"))
    assert fake_server.requests == []
    post(transport(fake_server, key="NOT_SET", key_required=False))
    assert "authorization" not in fake_server.requests[0].headers


def test_any_loop_may_ask_and_all_share_the_connections(fake_server):
    sender = transport(fake_server)
    post(sender)
    assert asyncio.run(sender.post_json("", {})).content == {"number": 2}
    run_blocking(sender.aclose())
    assert post(sender).content == {"number": 3}


def test_who_is_cancelled_leaves_nothing_behind(fake_server):
    fake_server.respond = lambda request: fake_server.Reply({}, delay=0.2)
    sender = transport(fake_server)

    async def give_up():
        task = asyncio.ensure_future(sender.post_json("", {}))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]

    assert run_blocking(give_up()) == []
    assert sender.limits.under_way == 0
    gc.collect()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "plain"}', "plain"),
        (b'{"detail": [{"msg": "x"}]}', '[{"msg": "x"}]'),
        (b'{"message": {"message": "inner"}}', '{"message": "inner"}'),
        (b"a\x00b\n\x1b[31mc", "a b [31mc"),
        (b"[" * 100_000, "[" * 300 + "..."),
        (b"x" * 1000, "x" * 300 + "..."),
        (b"", ""),
    ],
)
def test_an_error_is_one_short_printable_line(body, said):
    assert describe_body(body) == said


def test_work_on_the_loop_is_awaited_there():
    async def inner():
        return await run_on_loop(asyncio.sleep(0, "done"))

    assert run_blocking(inner()) == "done"


FORKED = """
    import os, sys
    from plackett.llm import Door, Generate, Message, Prompt
    from plackett.llm.openai.model import OpenAI
    from plackett.transport.event_loop import run_blocking

    door = Door(OpenAI("m", url=sys.argv[1], key=None, concurrency=1))

    def ask(text):
        prompt = Prompt((Message("user", text),))
        return run_blocking(door.ask([Generate(prompt)]))[0].text

    assert ask("before") == "before"
    child = os.fork()
    if child == 0:
        os._exit(0 if ask("in the child") == "in the child" else 1)
    assert ask("meanwhile") == "meanwhile"
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_asks_by_connections_of_its_own(fake_server):
    fake_server.respond = lambda request: {
        "choices": [{"message": {"content": request.json["messages"][0]["content"]}}]
    }
    command = [sys.executable, "-c", textwrap.dedent(FORKED), fake_server.url]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    assert len(fake_server.requests) == 3


def test_an_error_can_be_sent_to_another_process():
    error = AccessError("m", kind="access", status=401, attempts=2)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (AccessError, "m")
    assert (again.kind, again.status, again.attempts) == ("access", 401, 2)
