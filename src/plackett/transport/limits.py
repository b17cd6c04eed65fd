"""What a service allows: requests and tokens a minute, and requests at once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plackett.errors import ConfigurationError
from plackett.transport.clock import Clock

__all__ = ["Limits", "TokenBucket"]

MINUTE = 60.0


class TokenBucket:
    """At most `per_minute` units in any minute, first come, first served.

    The bucket holds up to a tenth of the limit (at least one `unit`) and is filled at the rate that
    keeps every window of 60 seconds within the limit, the burst included. Who needs more than the
    bucket holds goes when it is full, and those after it wait until that is paid back: by so much
    as the largest need is above a tenth of the limit, a window may go beyond it.

    Parameters
    ----------
    per_minute : the limit; None for none.
    unit : the least amount that is asked for: 1 where requests are counted.
    clock : what time it is.

    Raises
    ------
    ConfigurationError : a limit that is not above 0.

    >>> bucket = TokenBucket(600)
    >>> bucket.capacity, round(bucket.rate, 3)
    (60.0, 9.017)
    """

    def __init__(
        self, per_minute: float | None, *, unit: float = 1.0, clock: Clock | None = None
    ) -> None:
        if per_minute is not None and not (math.isfinite(per_minute) and per_minute > 0):
            raise ConfigurationError(
                f"{per_minute!r} a minute; expected a number above 0, or None."
            )
        self.per_minute, self.clock = per_minute, clock or Clock()
        limit = 0.0 if per_minute is None else float(per_minute)
        self.capacity = max(min(unit, limit), limit / 10.0)
        # Windows are half open: of a whole number of units, one more than the sum never fits.
        self.rate = min(limit, limit + unit - self.capacity) / MINUTE
        self._level = self.capacity
        self._filled = self.clock.now()
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def take(self, amount: float) -> None:
        """Wait until `amount` is there, and take it; nothing is taken where this is cancelled."""
        if self.per_minute is None or amount <= 0:
            return
        # A lock belongs to the loop that first waited for it; a forked process has a new one.
        if self._loop is not asyncio.get_running_loop():
            self._loop, self._turn = asyncio.get_running_loop(), asyncio.Lock()
        async with self._turn:
            needed = min(amount, self.capacity)
            while True:
                self._fill()
                # A rounding of the clock must not cost another wait.
                if self._level >= needed - 1e-9 * self.capacity:
                    break
                await self.clock.sleep((needed - self._level) / self.rate)
            self._level -= amount

    def give_back(self, amount: float) -> None:
        """Put back what was taken too much; a negative amount takes what was too little."""
        if self.per_minute is not None:
            self._fill()
            self._level = min(self.capacity, self._level + amount)

    def _fill(self) -> None:
        now = self.clock.now()
        self._level = min(self.capacity, self._level + (now - self._filled) * self.rate)
        self._filled = now


class Limits:
    """What one service allows all that ask it.

    Parameters
    ----------
    concurrency : requests under way at once.
    requests_per_minute, tokens_per_minute : limits in any minute; None for none.
    clock : what time it is.

    Raises
    ------
    ConfigurationError : a limit that is not above 0.
    """

    def __init__(
        self,
        *,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ConfigurationError(f"concurrency = {concurrency!r}; expected 1 or more.")
        self.concurrency, self.clock = concurrency, clock or Clock()
        self.requests = TokenBucket(requests_per_minute, clock=self.clock)
        self.tokens = TokenBucket(tokens_per_minute, clock=self.clock)
        self.under_way = self.most_under_way = 0
        self._until = -math.inf
        self._slots = asyncio.Semaphore(concurrency)
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def slot(self, tokens: float = 0.0) -> AsyncIterator[None]:
        """Hold one of the places for a request that is expected to need this many tokens."""
        if self._loop is not asyncio.get_running_loop():
            self._loop, self._slots = (
                asyncio.get_running_loop(),
                asyncio.Semaphore(self.concurrency),
            )
            self.under_way = 0
        async with self._slots:
            await self.requests.take(1.0)
            await self.tokens.take(tokens)
            while (pause := self._until - self.clock.now()) > 0:
                await self.clock.sleep(pause)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            try:
                yield
            finally:
                self.under_way -= 1

    def pause(self, seconds: float) -> None:
        """Let no request start for so long: the server said that there are too many."""
        self._until = max(self._until, self.clock.now() + seconds)

    def settle(self, expected: float, used: float) -> None:
        """Correct the tokens that a request was expected to need."""
        self.tokens.give_back(expected - used)
