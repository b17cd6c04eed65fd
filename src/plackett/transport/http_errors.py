"""What can go wrong with a request, each kind under a name of its own."""

from __future__ import annotations

import json
from typing import Literal

from plackett.errors import ConfigurationError, PlackettError

__all__ = ["AccessError", "Fault", "HttpError", "Kind", "describe_body", "remedy_of"]

Kind = Literal[
    "timeout",
    "connection",
    "throttled",
    "server_error",
    "refused",
    "redirect",
    "access",
    "empty",
    "html",
    "not_json",
    "too_large",
]
"""timeout: no whole answer in time; connection: none, or cut off on the way; throttled: too many
requests; server_error: 5xx; refused: another 4xx, about this request alone; redirect: 3xx; access:
about every request (a key, an address, a quota); empty, html, not_json: a body that is no JSON
object or list; too_large: one without end."""

_EXCERPT = 300


class HttpError(PlackettError, RuntimeError):
    """A request that got no usable answer, after all retries. The next one may.

    Attributes
    ----------
    kind : see `Kind`.
    status : the last HTTP status; None where there was none.
    attempts : how often the request was sent.
    """

    def __init__(self, message: str, *, kind: Kind, status: int | None, attempts: int) -> None:
        super().__init__(message)
        self.kind, self.status, self.attempts = kind, status, attempts

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (type(self), str(self), self.kind, self.status, self.attempts)


class AccessError(HttpError, ConfigurationError):
    """A server that will refuse every request: a wrong key, address or model, or a spent quota.

    What was answered so far is in the cache, if there is one: with the fault mended, run again.
    """


def _rebuilt(
    error: type[HttpError], message: str, kind: Kind, status: int | None, attempts: int
) -> HttpError:
    return error(message, kind=kind, status=status, attempts=attempts)


class Fault:
    """One request that failed.

    Parameters
    ----------
    kind, status : as of `HttpError`.
    detail : what is known, in words.
    retry : whether it is worth sending again.
    retry_after : seconds that the server asked for.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        retry: bool,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.kind, self.detail, self.retry = kind, detail, retry
        self.status, self.retry_after = status, retry_after


def describe_body(body: bytes) -> str:
    """What a server says in the body of an error: its message, or the beginning of the text.

    >>> describe_body(b'{"error": {"message": "no such model", "code": 404}}')
    'no such model'
    >>> describe_body(b"<html><body>Bad gateway</body></html>")
    'an HTML page'
    """
    text = body[: 64 * _EXCERPT].decode("utf-8", "replace")
    if is_html(text):
        return "an HTML page"
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return _one_line(text)
    for name in ("error", "message", "detail"):
        if isinstance(content, dict) and name in content:
            content = content[name]
    return _one_line(content if isinstance(content, str) else json.dumps(content))


def is_html(text: str) -> bool:
    """Whether a text begins as a web page does."""
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    return start.startswith(("<!doctype", "<html", "<head", "<body", "<?xml"))


def is_quota(body: bytes) -> bool:
    """Whether an error says that the account is empty, which no waiting mends."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False
    error = content.get("error") if isinstance(content, dict) else None
    codes = (error.get("code"), error.get("type")) if isinstance(error, dict) else ()
    return "insufficient_quota" in codes or "billing_not_active" in codes


def remedy_of(status: int | None, *, url: str, key_name: str, location: str = "") -> str:
    """What the user can do about an error of this status.

    >>> remedy_of(404, url="http://localhost:8000/v1", key_name="")
    'is the address (url=) right, and does the server have a model of this name?'
    """
    if status in (401, 403):
        if key_name:
            return f"is {key_name} set to a key that may use this service and model?"
        return "the server wants a key: name the environment variable that holds it (key=)"
    if status == 404:
        return "is the address (url=) right, and does the server have a model of this name?"
    if status in (402, 429):
        return "the account's quota is spent; what was answered is in the cache, if one was given"
    if status == 405:
        return "the server does not take POST at this address; give the API's base address as url="
    if location:
        return f"the server sends on to {location}; give its base address as url="
    return f"is a server running at {url}, and reachable from here?"


def _one_line(text: str) -> str:
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown if len(shown) <= _EXCERPT else shown[:_EXCERPT] + "..."
