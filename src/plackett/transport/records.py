"""A record of every call to a model."""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["CallLog", "CallRecord"]


@dataclass(frozen=True)
class CallRecord:
    """One question put to a model.

    Parameters
    ----------
    key : the digest of the question, as in the cache.
    kind : the power that was asked for, such as "generate".
    model : the model's identity.
    input_tokens, output_tokens : tokens sent and received.
    seconds : how long it took; 0 for an answer of the cache.
    cached : whether the cache answered.
    failure : why there is no answer, "" where there is one.
    """

    key: str
    kind: str
    model: str
    input_tokens: int
    output_tokens: int
    seconds: float
    cached: bool = False
    failure: str = ""


class CallLog:
    """The calls of a run, in the order in which they were answered.

    >>> log = CallLog()
    >>> log.add(CallRecord("k", "generate", "m", 10, 2, 0.5))
    >>> log.calls, log.tokens
    (1, 12)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[CallRecord] = []

    def add(self, record: CallRecord) -> None:
        """Add one call."""
        with self._lock:
            self._records.append(record)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """All records so far."""
        with self._lock:
            return tuple(self._records)

    @property
    def calls(self) -> int:
        """How many calls reached the model."""
        return sum(not record.cached for record in self.records)

    @property
    def tokens(self) -> int:
        """Tokens that the model read and wrote."""
        return sum(r.input_tokens + r.output_tokens for r in self.records if not r.cached)
