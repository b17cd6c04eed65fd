"""When to ask again."""

import random
from datetime import datetime, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.transport.retries import RetryPolicy, parse_retry_after

seconds = st.floats(0.0, 100.0)


@given(st.integers(0, 5000), seconds, seconds, st.integers(0, 99))
def test_a_wait_is_uniform_below_its_bound(attempt, first, longest, seed):
    policy = RetryPolicy(retries=10_000, first=first, longest=longest, deadline=1e9)
    bound = policy.bound(attempt)
    assert bound <= longest
    assert bound == pytest.approx(min(longest, first * 2.0 ** min(attempt, 60)))
    wait = policy.wait(attempt, random.Random(seed), retry_after=None, elapsed=0.0)
    assert wait == random.Random(seed).uniform(0.0, bound)


def test_the_jitter_is_full():
    policy = RetryPolicy(first=8.0, longest=8.0)
    rng = random.Random(0)
    waits = [policy.wait(0, rng, retry_after=None, elapsed=0.0) for _ in range(4000)]
    assert sum(waits) / len(waits) == pytest.approx(4.0, abs=0.2)
    assert min(waits) < 0.05
    assert max(waits) > 7.95


@given(seconds, st.integers(0, 4))
def test_at_least_what_the_server_asked_is_waited(after, attempt):
    wait = RetryPolicy(first=1.0).wait(attempt, random.Random(1), retry_after=after, elapsed=0.0)
    assert after <= wait <= after + 1.0


@given(seconds, seconds)
def test_nothing_is_sent_after_the_deadline(after, elapsed):
    policy = RetryPolicy(first=0.0, deadline=60.0)
    wait = policy.wait(0, random.Random(0), retry_after=after, elapsed=elapsed)
    assert (wait is None) == (elapsed + after > 60.0)


def test_retries_come_to_an_end():
    policy = RetryPolicy(retries=2)
    waits = [policy.wait(a, random.Random(0), retry_after=0.0, elapsed=0.0) for a in range(3)]
    assert [wait is None for wait in waits] == [False, False, True]
    assert RetryPolicy(retries=0).wait(0, random.Random(0), retry_after=None, elapsed=0.0) is None


@pytest.mark.parametrize(
    "parameters",
    [{"retries": -1}, {"retries": 1.5}, {"retries": True}, {"first": -1.0}, {"longest": -1.0},
     {"deadline": float("inf")}, {"first": float("nan")}],
    ids=str,
)  # fmt: skip
def test_numbers_that_are_none_are_refused(parameters):
    with pytest.raises(ConfigurationError, match=next(iter(parameters))):
        RetryPolicy(**parameters)


@given(st.integers(0, 10**9), st.integers(-(10**6), 10**6))
def test_a_date_is_as_many_seconds_ahead_as_it_is(now, ahead):
    if now + ahead < 0:
        return
    header = format_datetime(datetime.fromtimestamp(now + ahead, timezone.utc), usegmt=True)
    assert parse_retry_after(header, date=float(now)) == max(0.0, float(ahead))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("0", 0.0),
        (" 2 ", 2.0),
        ("-3", 0.0),
        ("1e3", 1000.0),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("tomorrow", None),
        ("Thu, 99 Foo 1970 00:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:01:00", 60.0),
        ("Thu, 01 Jan 99999999999999 00:00:00 GMT", None),
    ],
)
def test_other_headers(header, expected, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    assert parse_retry_after(header, date=0.0) == expected


@given(st.text())
def test_no_header_is_an_exception(header):
    value = parse_retry_after(header, date=0.0)
    assert value is None or value >= 0.0
