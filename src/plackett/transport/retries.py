"""When to ask again, and after how long: exponential backoff with full jitter.

A service that is busy is asked again after a random time whose bound doubles, so that many callers
that failed together do not come back together; where the service says how long to wait, it is
waited at least that long.

Brooker. Exponential Backoff And Jitter. AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from plackett.errors import ConfigurationError

__all__ = ["RetryPolicy", "parse_retry_after"]

RETRYABLE_STATUSES = frozenset(
    {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
)
"""Statuses that say "not now"; all others say "not so"."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and when a request is sent again.

    The wait before retry number a (from 0) is uniform on [0, min(longest, first * 2**a)] seconds;
    where the server named a time, it is that time plus a wait drawn so from the first bound.

    Parameters
    ----------
    retries : at most so many requests after the first; 0 for none.
    first, longest : the first bound and the greatest one, in seconds.
    deadline : seconds from the first request after which none is sent again. A server that asks
        for a wait beyond it is not waited for.
    statuses : HTTP statuses after which it is worth asking again.

    Raises
    ------
    ConfigurationError : a negative or endless number.

    >>> policy = RetryPolicy(first=1.0, longest=4.0)
    >>> [policy.bound(attempt) for attempt in range(4)]
    [1.0, 2.0, 4.0, 4.0]
    """

    retries: int = 5
    first: float = 0.5
    longest: float = 30.0
    deadline: float = 300.0
    statuses: frozenset[int] = RETRYABLE_STATUSES

    def __post_init__(self) -> None:
        if isinstance(self.retries, bool) or not isinstance(self.retries, int) or self.retries < 0:
            raise ConfigurationError(f"retries = {self.retries!r}; expected 0 or more.")
        for name in ("first", "longest", "deadline"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{name} = {value!r}; expected seconds, 0 or more.")

    def bound(self, attempt: int) -> float:
        """The greatest wait before retry number `attempt`, from 0."""
        # The exponent is held down: 2.0 ** 2000 is no number.
        return min(self.longest, self.first * 2.0 ** min(attempt, 60))

    def wait(
        self, attempt: int, rng: random.Random, *, retry_after: float | None, elapsed: float
    ) -> float | None:
        """Seconds to wait before retry number `attempt`; None where it should not be made.

        Parameters
        ----------
        attempt : from 0.
        rng : where the jitter is drawn from.
        retry_after : what the server asked for, in seconds; None where it did not say.
        elapsed : seconds since the first request.
        """
        if attempt >= self.retries:
            return None
        if retry_after is None:
            seconds = rng.uniform(0.0, self.bound(attempt))
        else:
            seconds = retry_after + rng.uniform(0.0, self.bound(0))
        return seconds if elapsed + seconds <= self.deadline else None


def parse_retry_after(header: str | None, *, date: float) -> float | None:
    """The header Retry-After in seconds: a number, or an HTTP date; None where it is neither.

    Parameters
    ----------
    header : the header's text.
    date : now, in seconds since 1970.

    >>> parse_retry_after("1.5", date=0.0)
    1.5
    >>> parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", date=20.0)
    40.0
    >>> parse_retry_after("soon", date=0.0) is None
    True
    """
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - date
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
