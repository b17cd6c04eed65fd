"""The best strategy that a budget pays for, as a simulation knows it."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace

from plackett.errors import ConfigurationError
from plackett.rerankers.planning.simulator import Simulation, SimulationRow
from plackett.transport.budget import Prices

__all__ = ["Limits", "Plan", "plan"]

_LIMIT = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-z]+)", re.IGNORECASE)
_UNITS = {
    "call": "calls", "calls": "calls", "token": "tokens", "tokens": "tokens", "money": "money",
    "s": "seconds", "second": "seconds", "seconds": "seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What may be spent; None is no limit.

    Parameters
    ----------
    calls, tokens, money : for all queries together.
    seconds : for one query.

    >>> Limits.parse("200calls 0.5 money")
    Limits(calls=200.0, tokens=None, money=0.5, seconds=None)
    """

    calls: float | None = None
    tokens: float | None = None
    money: float | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> Limits:
        """Numbers with their units, apart from each other: "200calls", "1e5 tokens, 2s".

        Raises
        ------
        ConfigurationError : anything else, or a unit twice.
        """
        found: dict[str, float] = {}
        for value, unit in _LIMIT.findall(text):
            name = _UNITS.get(unit.lower())
            if name is None or name in found:
                break
            found[name] = float(value)
        else:
            if found and not _LIMIT.sub("", text).strip(" ,;"):
                return cls(**found)
        raise ConfigurationError(
            f"budget {text!r}; expected numbers with calls, tokens, money or s, such as 200calls."
        )


@dataclass(frozen=True)
class Plan:
    """A strategy chosen for a budget.

    Parameters
    ----------
    strategy, depth : what to run; see `SimulationRow`.
    quality : mean over the levels of errors that were simulated.
    calls, tokens, money, seconds : of one query, at the worst of these levels.
    rejected : strategies and depths that would be better and cost too much, the best first.
    """

    strategy: str
    depth: int | None
    quality: float
    calls: float
    tokens: float
    money: float
    seconds: float
    rejected: tuple[tuple[str, int | None], ...] = ()


def plan(
    budget: Limits | str,
    simulation: Simulation,
    *,
    queries: int = 1,
    prices: Prices | None = None,
    noise: float | None = None,
) -> Plan:
    """The strategy with the best simulated quality that keeps to a budget.

    The first stage as it is costs nothing, so that there is always one. Of equal quality the one
    with fewer calls is taken.

    Parameters
    ----------
    budget : limits, or their text, such as "200calls".
    simulation : made with documents and prompts of the length that will be used.
    queries : how many the limits in calls, tokens and money are for.
    prices : what money is counted by.
    noise : look only at what was simulated with this noise; None is all of it.

    Raises
    ------
    ConfigurationError : a budget that is none, one in money without prices, no query, or a noise
        that was not simulated.

    >>> row = SimulationRow("a", None, 0, 0, 0, 0.7, 0, 30, 900, 30, 1, 0.5, 0.5, 0)
    >>> cheap = SimulationRow("b", None, 0, 0, 0, 0.6, 0, 3, 900, 30, 1, 0.5, 0.5, 0)
    >>> best = plan("200calls", Simulation("nDCG@10", 1, 1, 16, (row, cheap)), queries=10)
    >>> best.strategy, best.rejected
    ('b', (('a', None),))
    """
    limits = Limits.parse(budget) if isinstance(budget, str) else budget
    if queries < 1:
        raise ConfigurationError(f"queries = {queries}; expected 1 or more.")
    if limits.money is not None and prices is None:
        raise ConfigurationError("a budget in money needs prices=Prices(...).")
    groups: dict[tuple[str, int | None], list[SimulationRow]] = defaultdict(list)
    for row in simulation.rows:
        if noise is None or row.noise == noise:
            groups[row.strategy, row.depth].append(row)
    if not groups:
        raise ConfigurationError(f"noise = {noise}; it was not simulated.")
    offers = [_offer(rows, prices or Prices()) for rows in groups.values()]
    offers.sort(key=lambda offer: (-offer.quality, offer.calls, offer.tokens))
    rejected: list[tuple[str, int | None]] = []
    for offer in offers:
        if _affordable(offer, limits, queries):
            return replace(offer, rejected=tuple(rejected))
        rejected.append((offer.strategy, offer.depth))
    raise ConfigurationError(f"no strategy of the simulation keeps to {limits}.")


def _offer(rows: list[SimulationRow], prices: Prices) -> Plan:
    money = max(
        row.calls * prices.call
        + (row.input_tokens * prices.input + row.output_tokens * prices.output) / 1e6
        for row in rows
    )
    return Plan(
        rows[0].strategy,
        rows[0].depth,
        math.fsum(row.quality for row in rows) / len(rows),
        max(row.calls for row in rows),
        max(row.tokens for row in rows),
        money,
        max(row.seconds for row in rows),
    )


def _affordable(offer: Plan, limits: Limits, queries: int) -> bool:
    spent = (
        (limits.calls, offer.calls * queries),
        (limits.tokens, offer.tokens * queries),
        (limits.money, offer.money * queries),
        (limits.seconds, offer.seconds),
    )
    return all(limit is None or value <= limit for limit, value in spent)
