"""One event loop for all that waits: blocking and asynchronous callers share one path.

Limits, caches and connections belong to the loop they were made on. A loop of plackett's own, in a
thread of its own, lets a blocking call, an asynchronous one and a notebook (which runs a loop
already) all use the same ones.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["run_blocking", "run_on_loop"]

Result = TypeVar("Result")

_LOCK = threading.Lock()
_LOOPS: list[asyncio.AbstractEventLoop] = []


def _loop() -> asyncio.AbstractEventLoop:
    with _LOCK:
        if not _LOOPS:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="plackett", daemon=True).start()
            _LOOPS.append(loop)
        return _LOOPS[0]


def run_blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on plackett's loop and wait for it; an interrupt cancels it.

    Raises
    ------
    RuntimeError : called from the loop itself, which would wait for ever.

    >>> async def answer() -> int:
    ...     return 42
    >>> run_blocking(answer())
    42
    """
    loop = _loop()
    if threading.current_thread().name == "plackett" and _runs_here(loop):
        work.close()
        raise RuntimeError("a blocking call on plackett's own event loop; await it instead.")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        # Ctrl-C reaches the waiting thread only: what still runs has to be told.
        _cancelled(future)
        raise


async def run_on_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on plackett's loop and await it from any other loop.

    >>> async def answer() -> int:
    ...     return 42
    >>> asyncio.run(run_on_loop(answer()))
    42
    """
    loop = _loop()
    if _runs_here(loop):
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _cancelled(future: Future[Result]) -> None:
    if future.cancel():
        return
    if not future.done():
        future.result(timeout=5.0)
