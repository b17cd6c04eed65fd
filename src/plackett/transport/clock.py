"""Time as the transport sees it, so that a test can turn the clock itself."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Clock"]


class Clock:
    """The machine's clock. A test gives a subclass whose time passes when it is told to.

    >>> clock = Clock()
    >>> clock.now() <= clock.now()
    True
    """

    def now(self) -> float:
        """Seconds that only ever grow, from any start."""
        return time.monotonic()

    def date(self) -> float:
        """Seconds since 1970, as servers write dates."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait; others run meanwhile."""
        await asyncio.sleep(max(0.0, seconds))
