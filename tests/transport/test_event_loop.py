"""One loop for all: interrupted, cancelled, forked, with nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from plackett.transport.event_loop import run_blocking, run_on_loop


async def tasks_left():
    return [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]


def test_results_and_errors_come_through():
    async def fail():
        raise KeyError("x")

    assert run_blocking(asyncio.sleep(0, 5)) == 5
    with pytest.raises(KeyError, match="x"):
        run_blocking(fail())
    with pytest.raises(KeyError, match="x"):
        asyncio.run(run_on_loop(fail()))
    # A time limit of the work's own is not mistaken for one of the waiting.
    with pytest.raises(asyncio.TimeoutError):
        run_blocking(asyncio.wait_for(asyncio.sleep(5), 0.01))


def test_all_callers_share_one_loop():
    async def loop():
        return asyncio.get_running_loop()

    found = [run_blocking(loop()), asyncio.run(run_on_loop(loop()))]
    thread = threading.Thread(target=lambda: found.append(run_blocking(loop())))
    thread.start()
    thread.join()

    async def inside():
        return await run_on_loop(loop())

    found.append(run_blocking(inside()))
    assert len(set(found)) == 1


def test_a_notebook_runs_a_loop_already():
    async def cell():
        return run_blocking(asyncio.sleep(0, "done"))

    assert asyncio.run(cell()) == "done"


def test_a_blocking_call_on_the_loop_itself_is_refused():
    async def inside():
        return run_blocking(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="await it instead"):
        run_blocking(inside())


def test_an_interrupt_cancels_the_work_and_waits_for_its_tidying():
    tidied = []

    async def work():
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            tidied.append(True)

    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_blocking(work())
    timer.join()
    assert tidied == [True]
    assert time.perf_counter() - started < 5
    assert run_blocking(tasks_left()) == []


def test_who_is_cancelled_elsewhere_cancels_the_work_here():
    ended = threading.Event()

    async def work():
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    async def outside():
        task = asyncio.ensure_future(run_on_loop(work()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(outside())
    assert ended.wait(5)
    assert run_blocking(tasks_left()) == []


def test_work_that_cancels_itself_is_no_hang():
    async def work():
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_blocking(work())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_a_loop_of_its_own():
    script = """
        import asyncio, os, sys
        from plackett.transport.event_loop import run_blocking
        run_blocking(asyncio.sleep(0))
        child = os.fork()
        if child == 0:
            os._exit(run_blocking(asyncio.sleep(0.01, 7)))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.exit(0 if status == 7 and run_blocking(asyncio.sleep(0, 1)) else 1)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], timeout=60, check=False)
    assert done.returncode == 0


def test_ctrl_c_ends_a_program_soon():
    script = """
        import asyncio
        from plackett.transport.event_loop import run_blocking
        print("ready", flush=True)
        run_blocking(asyncio.sleep(60))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(2)
    _, said = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in said
    assert "never awaited" not in said
