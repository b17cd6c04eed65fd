"""How long calls take that nobody makes: rounds, one after the other, on a server's slots."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from plackett.errors import ConfigurationError

__all__ = ["Latency", "Rounds", "finishing_times"]

Rounds: TypeAlias = Sequence[Sequence[float]]
"""The seconds of each call of each round of one query."""


@dataclass(frozen=True)
class Latency:
    """Seconds that a call takes: call + input_token x tokens read + output_token x tokens written.

    >>> Latency(call=0.1, output_token=0.02).of(input_tokens=500, output_tokens=10)
    0.30000000000000004
    """

    call: float = 0.1
    input_token: float = 0.0
    output_token: float = 0.0

    def __post_init__(self) -> None:
        if min(self.call, self.input_token, self.output_token) < 0:
            raise ConfigurationError(f"{self}; expected seconds of 0 or more.")

    def of(self, *, input_tokens: int, output_tokens: int) -> float:
        """The seconds of one call."""
        return self.call + input_tokens * self.input_token + output_tokens * self.output_token


def finishing_times(queries: Sequence[Rounds], concurrency: int) -> list[float]:
    """When each query is done, if all begin at once and share `concurrency` slots.

    The calls of a round wait in one line for a slot; a query's next round joins the end of the line
    when the last call of the round before is done.

    Parameters
    ----------
    queries : the rounds of each.
    concurrency : calls under way at once.

    Returns
    -------
    Seconds from the beginning, one a query.

    >>> finishing_times([[[1.0, 1.0, 1.0], [1.0]]], 2)
    [3.0]
    >>> finishing_times([[[1.0], [1.0]], [[1.0], [1.0]]], 2)
    [2.0, 2.0]
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency = {concurrency}; expected 1 or more.")
    done = [0.0] * len(queries)
    left = [0] * len(queries)
    following = [0] * len(queries)
    line: deque[tuple[int, float]] = deque()
    under_way: list[tuple[float, int, int]] = []
    started = 0

    def join(query: int) -> None:
        rounds = queries[query]
        while following[query] < len(rounds) and not rounds[following[query]]:
            following[query] += 1
        if following[query] < len(rounds):
            calls = rounds[following[query]]
            following[query] += 1
            left[query] = len(calls)
            line.extend((query, seconds) for seconds in calls)

    for query in range(len(queries)):
        join(query)
    now = 0.0
    while line or under_way:
        while line and len(under_way) < concurrency:
            query, seconds = line.popleft()
            heapq.heappush(under_way, (now + seconds, started, query))
            started += 1
        now, _, query = heapq.heappop(under_way)
        left[query] -= 1
        if not left[query]:
            done[query] = now
            join(query)
    return done
