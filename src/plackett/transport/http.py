"""JSON over HTTP: with time limits, retries, rate limits, and a name for all that goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import random
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from plackett._optional import require
from plackett.errors import ConfigurationError
from plackett.transport.clock import Clock
from plackett.transport.event_loop import run_on_loop
from plackett.transport.http_errors import (
    AccessError,
    Fault,
    HttpError,
    describe_body,
    is_html,
    is_quota,
    remedy_of,
)
from plackett.transport.limits import Limits
from plackett.transport.retries import RetryPolicy, parse_retry_after
from plackett.transport.secrets import Secret, check_key_name, read_key, redact, redact_bytes

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTransport", "Reply"]

ACCESS_STATUSES = frozenset({401, 402, 403, 404, 405, 407})
"""Statuses that every other request would get as well."""

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    """A JSON answer.

    Parameters
    ----------
    content : the object or list that the server sent.
    attempts : how often the request was sent.
    seconds : of the last one.
    """

    content: dict[str, Any] | list[Any]
    attempts: int
    seconds: float


class HttpTransport:
    """Sends JSON to one server, and hands back its JSON or an error that says what is wrong.

    A request that fails for the moment (see `RetryPolicy`) is sent again; while a server says that
    there are too many, no other request starts either. Connections are kept open and shared.
    Redirects are not followed: a key must not travel to another host unseen.

    Parameters
    ----------
    url : the address that paths are added to.
    key : the name of the environment variable that holds the key, a `Secret`, or None. It is read
        at the first request, sent as a bearer token, and replaced by a mark in every message.
    key_required : whether a variable that is not set is an error, or no key.
    timeout : seconds for one request, from the connection to the last byte.
    retry : when to send again.
    limits : requests and tokens a minute, and requests at once.
    max_bytes : the largest answer that is read.
    seed : of the jitter; it has no part in any answer.

    Raises
    ------
    ConfigurationError : no http(s) address, one with a name and password in it, or a timeout that
        is not above 0.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | Secret | None = None,
        key_required: bool = True,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        max_bytes: int = 32 * 1024 * 1024,
        seed: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        check_url(url)
        check_key_name(key)
        if not 0 < timeout < float("inf"):
            raise ConfigurationError(f"timeout = {timeout!r}; expected seconds, above 0.")
        self.url, self.timeout, self.max_bytes = url.rstrip("/"), timeout, max_bytes
        self.clock = clock or Clock()
        self.retry, self.limits = retry or RetryPolicy(), limits or Limits(clock=self.clock)
        self._key, self._key_required = key, key_required
        self._secret: Secret | None = None
        # Callers that fail together must not come back together, so each process draws its own.
        self._rng = random.Random(seed)
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered = False

    async def post_json(self, path: str, body: Mapping[str, Any], *, tokens: float = 0.0) -> Reply:
        """Send an object, and have the object or list that comes back.

        Parameters
        ----------
        path : added to the address.
        body : what to send.
        tokens : how many it will need, for the limit of tokens a minute.

        Raises
        ------
        HttpError : no usable answer after all retries.
        AccessError : every other request would fail as well: a wrong key, address or model, a
            spent quota, or no server that ever answered.
        ConfigurationError : the key's variable is not set.
        """
        return await run_on_loop(self._post(path, body, tokens))

    async def aclose(self) -> None:
        """Close the connections; the next request opens new ones."""
        await run_on_loop(self._close())

    def redact(self, text: str) -> str:
        """`text` without the key."""
        return redact(text, [self._secret])

    async def _post(self, path: str, body: Mapping[str, Any], tokens: float) -> Reply:
        self._secret = read_key(self._key, required=self._key_required)
        self._open()
        content = json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()
        started, attempt = self.clock.now(), 0
        while True:
            async with self.limits.slot(tokens):
                sent = self.clock.now()
                outcome = await self._attempt(path, content)
            if not isinstance(outcome, Fault):
                self._answered = True
                return Reply(outcome, attempt + 1, self.clock.now() - sent)
            self._answered = self._answered or outcome.status is not None
            elapsed = self.clock.now() - started
            wait = None
            if outcome.retry:
                wait = self.retry.wait(
                    attempt, self._rng, retry_after=outcome.retry_after, elapsed=elapsed
                )
            if wait is None:
                self._give_up(outcome, attempt + 1)
            if outcome.kind == "throttled":
                self.limits.pause(outcome.retry_after or 0.0)
            attempt += 1
            await self.clock.sleep(wait)

    def _give_up(self, fault: Fault, attempts: int) -> NoReturn:
        unreachable = fault.kind == "connection" and not self._answered
        final = fault.kind in ("access", "redirect") or unreachable
        count = "" if attempts == 1 else f" after {attempts} attempts"
        message = f"{self.url}: {fault.detail}{count}."
        if final:
            name = self._secret.name if self._secret is not None else ""
            location = fault.detail.partition(" to ")[2] if fault.kind == "redirect" else ""
            remedy = remedy_of(fault.status, url=self.url, key_name=name, location=location)
            message += f" Remedy: {remedy}"
        error = AccessError if final else HttpError
        raise error(self.redact(message), kind=fault.kind, status=fault.status, attempts=attempts)

    async def _attempt(self, path: str, content: bytes) -> dict[str, Any] | list[Any] | Fault:
        """One request; what httpx raises stays here, for it knows the request and its headers."""
        import httpx

        try:
            return await asyncio.wait_for(self._exchange(path, content), self.timeout)
        except (httpx.TimeoutException, asyncio.TimeoutError) as error:
            if isinstance(error, httpx.ConnectTimeout):
                return Fault("connection", f"no connection in {CONNECT_SECONDS:g} s", retry=True)
            return Fault("timeout", f"no answer in {self.timeout:g} s", retry=True)
        except httpx.DecodingError:
            return Fault("not_json", "an answer whose compression is broken", retry=True)
        except httpx.TransportError as error:
            what = f"the connection failed ({type(error).__name__}: {error})"
            broken = "certificate" not in str(error).lower()
            return Fault("connection", what.replace(": )", ")"), retry=broken)
        except httpx.InvalidURL as error:
            return Fault("access", f"no address ({error})", retry=False)

    async def _exchange(self, path: str, content: bytes) -> dict[str, Any] | list[Any] | Fault:
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._secret is not None:
            headers["authorization"] = f"Bearer {self._secret.reveal()}"
        request = self._open().stream("POST", self.url + path, content=content, headers=headers)
        async with request as response:
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > self.max_bytes:
                    return Fault(
                        "too_large",
                        f"an answer of more than {self.max_bytes:,} bytes",
                        retry=False,
                        status=response.status_code,
                    )
            # A server that repeats the key must not bring it into a message, cut or whole, or into
            # the cache.
            return self._classed(response, redact_bytes(bytes(body), [self._secret]))

    def _classed(self, response: httpx.Response, body: bytes) -> dict[str, Any] | list[Any] | Fault:
        status = response.status_code
        if 200 <= status < 300:
            return _content(status, body)
        said = f"status {status}: {describe_body(body) or 'no body'}"
        if 300 <= status < 400:
            target = response.headers.get("location", "another address")
            return Fault(
                "redirect", f"status {status}, sent on to {target}", retry=False, status=status
            )
        after = parse_retry_after(response.headers.get("retry-after"), date=self.clock.date())
        if status in ACCESS_STATUSES or (status == 429 and is_quota(body)):
            return Fault("access", said, retry=False, status=status)
        kind: Any = "server_error" if status >= 500 else "refused"
        if status == 429:
            kind = "throttled"
        retry = status in self.retry.statuses
        return Fault(kind, said, retry=retry, status=status, retry_after=after)

    def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            httpx = require("httpx", extra="llm", purpose="talk to a server")
            places = self.limits.concurrency
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(self.timeout, connect=CONNECT_SECONDS, pool=None),
                limits=httpx.Limits(max_connections=places, max_keepalive_connections=places),
                follow_redirects=False,
            )
            self._loop = loop
            # Who lets go of a transport does not close it: its connections go with it.
            weakref.finalize(self, _close_soon, self._client, loop, os.getpid()).atexit = False
        return self._client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()


def check_url(url: str) -> None:
    """Refuse what is no address of a server, and one that holds a password.

    Raises
    ------
    ConfigurationError : it is one of these.

    >>> check_url("localhost:8000")
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: url 'localhost:8000'; expected an address such as \
'http://localhost:8000/v1'.
    """
    try:
        parts = urlsplit(url)
        password = parts.password is not None or parts.username is not None
        known = parts.scheme in ("http", "https") and parts.hostname
        _ = parts.port
    except (ValueError, AttributeError, TypeError):
        password, known = False, None
    if password:
        raise ConfigurationError(
            "url= holds a name or password; leave them out and name the environment variable that "
            "holds the key: key='...'."
        )
    if not known:
        raise ConfigurationError(
            f"url {url!r}; expected an address such as 'http://localhost:8000/v1'."
        )


def _close_soon(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, process: int) -> None:
    if process == os.getpid() and loop.is_running():
        asyncio.run_coroutine_threadsafe(client.aclose(), loop)


def _content(status: int, body: bytes) -> dict[str, Any] | list[Any] | Fault:
    if not body.strip():
        return Fault("empty", f"an empty answer (status {status})", retry=True, status=status)
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        if is_html(body[:400].decode("utf-8", "replace")):
            return Fault("html", "an HTML page in place of JSON", retry=True, status=status)
        said = f"an answer that is no JSON, or cut short: {describe_body(body)}"
        return Fault("not_json", said, retry=True, status=status)
    if not isinstance(content, dict | list):
        said = f"an answer that is no JSON object: {describe_body(body)}"
        return Fault("not_json", said, retry=True, status=status)
    return content
