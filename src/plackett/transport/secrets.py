"""Keys of services: named, read when they are needed, never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from plackett.errors import ConfigurationError

__all__ = ["Secret", "check_key_name", "read_key", "redact", "redact_bytes"]

HIDDEN = "[hidden]"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# What services call their keys: a literal key that is passed for a name must not be repeated.
_KEY_LIKE = re.compile(r"(?:sk|pa|jina|hf|key|xai|gsk|mxb|co)[-_]\w{12,}|\w{33,}", re.ASCII)


class Secret:
    """A text that is never shown: its `repr`, `str` and format are a mark.

    Parameters
    ----------
    value : the text itself.
    name : what to call it in messages, such as the environment variable it was read from.

    >>> key = Secret("sk-123", name="OPENAI_API_KEY")
    >>> key, f"{key}", key.reveal()
    (Secret('[hidden]', name='OPENAI_API_KEY'), '[hidden]', 'sk-123')
    """

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str = "") -> None:
        if not isinstance(value, str) or not value.strip():
            raise ConfigurationError(f"the key {name or 'given'} is empty; expected a text.")
        if not value.strip().isascii() or not value.strip().isprintable():
            raise ConfigurationError(
                f"the key {name or 'given'} holds characters that no header can carry; "
                "copy it anew, without line breaks."
            )
        self._value, self.name = value.strip(), name

    def reveal(self) -> str:
        """The text; only for the header that carries it."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({HIDDEN!r}, name={self.name!r})"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, form: str) -> str:
        return format(HIDDEN, form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled; name an environment variable instead.")


def read_key(key: str | Secret | None, *, required: bool = True) -> Secret | None:
    """The key that an environment variable of this name holds.

    Parameters
    ----------
    key : the variable's name, a `Secret` as it is, or None for no key.
    required : whether a variable that is not set is an error, or no key.

    Raises
    ------
    ConfigurationError : the text is no name of a variable (it may be a key: it is not repeated),
        or the variable is not set.

    >>> read_key("NO_SUCH_KEY", required=False) is None
    True
    >>> read_key("NO_SUCH_KEY")
    Traceback (most recent call last):
    plackett.errors.ConfigurationError: the environment variable 'NO_SUCH_KEY' is not set; set it \
to the service's key, or give key=None to a server that needs none.
    """
    if key is None or isinstance(key, Secret):
        return key
    check_key_name(key)
    value = os.environ.get(key, "")
    if value.strip():
        return Secret(value, name=key)
    if required:
        raise ConfigurationError(
            f"the environment variable {key!r} is not set; set it to the service's key, or give "
            "key=None to a server that needs none."
        )
    return None


def check_key_name(key: str | Secret | None) -> None:
    """Refuse a key where its name is expected, without repeating it.

    Raises
    ------
    ConfigurationError : the text is no name of an environment variable, or looks like a key.
    """
    if key is None or isinstance(key, Secret):
        return
    if not isinstance(key, str) or not _VARIABLE.fullmatch(key) or _KEY_LIKE.search(key):
        raise ConfigurationError(
            "key= takes the name of an environment variable, such as 'OPENAI_API_KEY', not the "
            "key itself (what was given is not repeated here). For a key from elsewhere: "
            "key=Secret(value)."
        )


def redact(text: str, secrets: Iterable[Secret | None]) -> str:
    """`text` with every secret in it replaced by a mark.

    >>> redact("bad key sk-123!", [Secret("sk-123")])
    'bad key [hidden]!'
    """
    for secret in secrets:
        if secret is not None:
            text = text.replace(secret.reveal(), HIDDEN)
    return text


def redact_bytes(content: bytes, secrets: Iterable[Secret | None]) -> bytes:
    """`redact`, of bytes that may not be text."""
    for secret in secrets:
        if secret is not None:
            content = content.replace(secret.reveal().encode(), HIDDEN.encode())
    return content
