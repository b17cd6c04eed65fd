"""Fixtures for the whole suite."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

# The workers of the suite share the cores: threads of their own would wait for one another. The
# libraries read this when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# Machines of all speeds run this; a slow example is no failure.
settings.register_profile(
    "default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The research collections that may not be shipped: $PLACKETT_SHARED_DATA or ../shared/data."""
    named = os.environ.get("PLACKETT_SHARED_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no research collections at {folder}; set PLACKETT_SHARED_DATA")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20090)


@dataclass
class FakeRequest:
    """What a fake server was sent; `number` counts from 1."""

    number: int
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.content)


@dataclass
class FakeReply:
    """What a fake server does: wait, then answer, wholly or not.

    `sent` bytes of the body only (the header promises all), `dropped` without a word, or `endless`.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    sent: int | None = None
    dropped: bool = False
    endless: bool = False

    @property
    def bytes(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class FakeServer:
    """A real HTTP server on this machine that does what a test tells it to.

    Attributes
    ----------
    url : its address.
    respond : what to do with a request: a `FakeReply`, or the JSON of a plain one.
    requests : all that were sent, in order.
    most_at_once : how many were under way at once, at most.
    """

    Reply = FakeReply

    def __init__(self) -> None:
        self.requests: list[FakeRequest] = []
        self.most_at_once = self.at_once = 0
        self.respond: Callable[[FakeRequest], Any] = lambda request: {"number": request.number}
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._serve(self)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that went away is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers["content-length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            request = FakeRequest(len(self.requests) + 1, handler.path, headers, content)
            self.requests.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            reply = self.respond(request)
            if not isinstance(reply, FakeReply):
                reply = FakeReply(reply)
            time.sleep(reply.delay)
        finally:
            with self._lock:
                self.at_once -= 1
        self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: FakeReply) -> None:
        if reply.dropped:
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.endless:
            handler.close_connection = True
            handler.end_headers()
            while True:
                handler.wfile.write(b" " * 65536)
        handler.send_header("content-length", str(len(reply.bytes)))
        handler.end_headers()
        handler.wfile.write(reply.bytes[: reply.sent])
        handler.close_connection = handler.close_connection or reply.sent is not None

    def close(self) -> None:
        """Stop, and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """A server that a test tells what to answer."""
    server = FakeServer()
    yield server
    server.close()
