"""One event loop for all that waits: blocking and asynchronous callers share one path.

Limits, caches and connections belong to the loop they were made on. A loop of plackett's own, in a
thread of its own, lets a blocking call, an asynchronous one and a notebook (which runs a loop
already) all use the same ones. A forked process has none of its parent's threads: it makes a loop
of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["run_blocking", "run_on_loop"]

Result = TypeVar("Result")

TIDY_SECONDS = 5.0
"""How long an interrupted caller waits for what it cancelled to tidy up."""

GLANCE_SECONDS = 0.2


class _Home:
    """Where the loop of this process is kept."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None

    def find(self) -> asyncio.AbstractEventLoop:
        with self.lock:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                run = threading.Thread(target=self.loop.run_forever, name="plackett", daemon=True)
                run.start()
            return self.loop


_HOME = _Home()

if hasattr(os, "register_at_fork"):
    # The parent's thread does not run here, and its lock may have been held at that moment.
    os.register_at_fork(after_in_child=_HOME.forget)


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
    loop = _HOME.find()
    if _runs_here(loop):
        work.close()
        raise RuntimeError("a blocking call on plackett's own event loop; await it instead.")
    ended = threading.Event()
    tasks: list[asyncio.Task[Result]] = []

    def start() -> None:
        tasks.append(loop.create_task(work))
        tasks[0].add_done_callback(lambda _: ended.set())

    loop.call_soon_threadsafe(start)
    try:
        # A signal that another thread was given does not wake this one: look up now and then.
        while not ended.wait(GLANCE_SECONDS):
            pass
    except BaseException:
        # Ctrl-C reaches the waiting thread only: what still runs has to be told, and left the
        # time to put away what it holds.
        loop.call_soon_threadsafe(lambda: tasks[0].cancel())
        if ended.wait(TIDY_SECONDS) and not tasks[0].cancelled():
            tasks[0].exception()
        raise
    return tasks[0].result()


async def run_on_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on plackett's loop and await it from any other loop.

    >>> async def answer() -> int:
    ...     return 42
    >>> asyncio.run(run_on_loop(answer()))
    42
    """
    loop = _HOME.find()
    if _runs_here(loop):
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
