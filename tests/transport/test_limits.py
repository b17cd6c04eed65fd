"""Rates and places, by a clock that stands still unless somebody sleeps."""

import asyncio
import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.transport.clock import Clock
from plackett.transport.limits import Limits, TokenBucket


class FakeClock(Clock):
    """Its time passes when all tasks sleep: then it is that of the next to wake."""

    def __init__(self):
        self.time = 0.0
        self.sleepers = []
        self.count = 0

    def now(self):
        return self.time

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        self.count += 1
        heapq.heappush(self.sleepers, (self.time + seconds, self.count, woken))
        await woken

    async def run(self, work):
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done() and self.sleepers:
                self.time, _, woken = heapq.heappop(self.sleepers)
                if not woken.done():
                    woken.set_result(None)
        return await task


def run(make):
    clock = FakeClock()
    return asyncio.run(clock.run(make(clock)))


def most_in_a_minute(times, amounts=None):
    amounts = amounts or [1.0] * len(times)
    return max(
        sum(a for t, a in zip(times, amounts, strict=True) if start <= t < start + 60.0 - 1e-6)
        for start in times
    )


@pytest.mark.parametrize("limit", [1, 2, 7, 60, 600])
def test_no_minute_holds_more_requests_than_allowed_and_no_long_one_less(limit):
    count = 3 * limit + 2

    async def work(clock):
        bucket, times = TokenBucket(limit, clock=clock), []

        async def one():
            await bucket.take(1.0)
            times.append(clock.now())

        await asyncio.gather(*[one() for _ in range(count)])
        return times

    times = run(work)
    assert most_in_a_minute(times) <= limit
    # No slower than it has to be: a tenth of a minute at the most for each minute.
    assert times[-1] <= 60.0 * (count / limit) * 1.12 + 1e-6


@given(st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=30))
def test_no_minute_holds_more_tokens_than_allowed_and_the_part_of_one_that_is_large(amounts):
    async def work(clock):
        bucket, times = TokenBucket(1000, clock=clock), []
        for amount in amounts:
            await bucket.take(amount)
            times.append(clock.now())
        return times

    assert most_in_a_minute(run(work), amounts) <= 1001.0 + max(0.0, max(amounts) - 100.0)


def test_first_come_first_served_and_a_large_one_is_not_starved():
    async def work(clock):
        bucket, order = TokenBucket(60, clock=clock), []

        async def one(name, amount):
            await bucket.take(amount)
            order.append(name)

        await asyncio.gather(one("a", 6), one("large", 500), one("b", 1), one("c", 1))
        return order

    assert run(work) == ["a", "large", "b", "c"]


def test_who_is_cancelled_takes_nothing():
    async def work(clock):
        bucket = TokenBucket(10, clock=clock)
        await bucket.take(1.0)
        waiting = asyncio.ensure_future(bucket.take(1.0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await bucket.take(1.0)
        return clock.now()

    # The second one waits no longer than it would have without the one that left.
    assert run(work) == pytest.approx(6.0)


def test_what_was_not_needed_is_given_back():
    async def work(clock):
        bucket = TokenBucket(600, clock=clock)
        await bucket.take(60.0)
        bucket.give_back(50.0)
        await bucket.take(50.0)
        first = clock.now()
        bucket.give_back(1e9)  # no more than the bucket holds
        await bucket.take(60.0)
        await bucket.take(1.0)
        return first, clock.now()

    first, second = run(work)
    assert first == 0.0
    assert second > 0.0


def test_no_limit_is_no_wait():
    async def work(clock):
        limits = Limits(clock=clock)
        for _ in range(1000):
            async with limits.slot(1e9):
                pass
        limits.settle(5.0, 1.0)
        return clock.now()

    assert run(work) == 0.0


def test_places_are_never_more_than_allowed_and_are_all_used():
    async def work(clock):
        limits = Limits(concurrency=3, clock=clock)

        async def one():
            async with limits.slot():
                assert limits.under_way <= 3
                await clock.sleep(1.0)

        await asyncio.gather(*[one() for _ in range(12)])
        return limits.most_under_way, limits.under_way, clock.now()

    assert run(work) == (3, 0, 4.0)


def test_an_error_gives_the_place_back():
    async def work(clock):
        limits = Limits(concurrency=1, clock=clock)
        for _ in range(3):
            with pytest.raises(KeyError):
                async with limits.slot():
                    raise KeyError
        return limits.under_way

    assert run(work) == 0


def test_a_pause_holds_for_all_and_the_longest_counts():
    async def work(clock):
        limits, times = Limits(concurrency=4, clock=clock), []
        limits.pause(10.0)
        limits.pause(3.0)

        async def one():
            async with limits.slot():
                times.append(clock.now())

        await asyncio.gather(*[one() for _ in range(4)])
        return times

    assert run(work) == [10.0] * 4


def test_another_loop_finds_its_own_places():
    limits = Limits(concurrency=1, requests_per_minute=6000)

    async def work():
        async def one():
            async with limits.slot():
                await asyncio.sleep(0.001)

        await asyncio.gather(*[one() for _ in range(3)])

    asyncio.run(work())
    asyncio.run(work())
    assert limits.under_way == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"concurrency": 0},
        {"concurrency": True},
        {"concurrency": 2.0},
        {"requests_per_minute": 0},
        {"requests_per_minute": -5},
        {"tokens_per_minute": float("nan")},
        {"tokens_per_minute": float("inf")},
    ],
    ids=str,
)
def test_limits_are_above_0(parameters):
    with pytest.raises(ConfigurationError):
        Limits(**parameters)
