"""A ceiling on what a run may cost: in calls, in tokens, in money."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plackett.errors import ConfigurationError, PlackettError

__all__ = ["Budget", "BudgetExceededError", "Estimate", "Prices"]


class BudgetExceededError(PlackettError, RuntimeError):
    """The next call would go beyond the budget; what was answered is in the cache."""


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, and per call.

    Raises
    ------
    ConfigurationError : a price that is negative or no number.

    >>> Prices(input=0.15, output=0.60).of(calls=1, input_tokens=1_000_000, output_tokens=0)
    0.15
    """

    input: float = 0.0
    output: float = 0.0
    call: float = 0.0

    def __post_init__(self) -> None:
        for name in ("input", "output", "call"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"price {name} = {value!r}; expected 0 or more.")

    def of(self, *, calls: int, input_tokens: int, output_tokens: int) -> float:
        """What this many calls and tokens cost."""
        tokens = input_tokens * self.input + output_tokens * self.output
        return calls * self.call + tokens / 1e6


@dataclass(frozen=True)
class Estimate:
    """What a run will cost at most, before it is run.

    Parameters
    ----------
    calls : calls that will reach the model.
    input_tokens, output_tokens : tokens sent, and at most received.

    >>> total = Estimate(2, 1_000, 100) + Estimate(1, 500, 50)
    >>> str(total), total.money(Prices(input=10.0, output=20.0))
    ('3 calls, 1,650 tokens', 0.018)
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def money(self, prices: Prices) -> float:
        """What it costs by these prices."""
        return prices.of(
            calls=self.calls, input_tokens=self.input_tokens, output_tokens=self.output_tokens
        )

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )

    def __str__(self) -> str:
        return f"{self.calls:,} calls, {self.tokens:,} tokens"


class Budget:
    """Counts what is spent, and refuses the call that would go beyond a limit.

    A call reserves what it is expected to cost before it starts, so that calls under way at the
    same time cannot overdraw together; what it really cost replaces the reservation.

    Parameters
    ----------
    calls, tokens, money : the limits; None is none.
    prices : what money is counted by; needed for a limit in money.

    Raises
    ------
    ConfigurationError : a limit that is negative or no number, or one in money without prices.

    >>> budget = Budget(calls=1)
    >>> budget.reserve(input_tokens=10, output_tokens=5)
    >>> budget.settle(10, 5, input_tokens=10, output_tokens=3)
    >>> budget.reserve(input_tokens=10, output_tokens=5)
    Traceback (most recent call last):
    plackett.transport.budget.BudgetExceededError: the budget of 1 calls is spent: 1 calls, 13 \
tokens, 0 in money so far, and the next call may need 15 tokens. Answers so far are in the cache, \
if one was given: run again with a larger budget to go on.
    """

    def __init__(
        self,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        money: float | None = None,
        prices: Prices | None = None,
    ) -> None:
        for name, limit in (("calls", calls), ("tokens", tokens), ("money", money)):
            if limit is not None and not (math.isfinite(limit) and limit >= 0):
                raise ConfigurationError(f"a budget of {limit} {name}; expected 0 or more.")
        if money is not None and prices is None:
            raise ConfigurationError(f"a budget of {money} in money needs prices=Prices(...).")
        self.calls, self.tokens, self.money = calls, tokens, money
        self.prices = prices or Prices()
        self.spent_calls = self.spent_input_tokens = self.spent_output_tokens = 0

    @property
    def spent_tokens(self) -> int:
        """Tokens in and out, reservations included."""
        return self.spent_input_tokens + self.spent_output_tokens

    @property
    def spent_money(self) -> float:
        """Money by the prices, reservations included."""
        return self.prices.of(
            calls=self.spent_calls,
            input_tokens=self.spent_input_tokens,
            output_tokens=self.spent_output_tokens,
        )

    def require(self, estimate: Estimate) -> None:
        """Check before a run that what is left suffices for it; nothing is set aside.

        Raises
        ------
        BudgetExceededError : it does not.

        >>> Budget(calls=100).require(Estimate(calls=120))
        Traceback (most recent call last):
        plackett.transport.budget.BudgetExceededError: the run may need 120 calls, 0 tokens; the \
budget leaves 100 of 100 calls. Give a larger budget, fewer queries or documents, or a strategy of \
fewer calls.
        """
        for limit, spent, needed, unit in (
            (self.calls, self.spent_calls, estimate.calls, "calls"),
            (self.tokens, self.spent_tokens, estimate.tokens, "tokens"),
            (self.money, self.spent_money, estimate.money(self.prices), "in money"),
        ):
            if limit is not None and spent + needed > limit:
                raise BudgetExceededError(
                    f"the run may need {estimate}; the budget leaves {limit - spent:,} of "
                    f"{limit:,} {unit}. Give a larger budget, fewer queries or documents, or a "
                    "strategy of fewer calls."
                )

    def reserve(self, *, input_tokens: int, output_tokens: int) -> None:
        """Set aside one call with this many tokens.

        Raises
        ------
        BudgetExceededError : it would go beyond a limit; nothing is set aside then.
        """
        after = self.prices.of(
            calls=self.spent_calls + 1,
            input_tokens=self.spent_input_tokens + input_tokens,
            output_tokens=self.spent_output_tokens + output_tokens,
        )
        tokens = self.spent_tokens + input_tokens + output_tokens
        for limit, value, unit in (
            (self.calls, self.spent_calls + 1, "calls"),
            (self.tokens, tokens, "tokens"),
            (self.money, after, "in money"),
        ):
            if limit is not None and value > limit:
                raise BudgetExceededError(
                    f"the budget of {limit:,} {unit} is spent: {self.spent_calls:,} calls, "
                    f"{self.spent_tokens:,} tokens, {self.spent_money:.4g} in money so far, and "
                    f"the next call may need {input_tokens + output_tokens:,} tokens. "
                    "Answers so far are in the cache, if one was given: "
                    "run again with a larger budget to go on."
                )
        self.spent_calls += 1
        self.spent_input_tokens += input_tokens
        self.spent_output_tokens += output_tokens

    def settle(
        self,
        reserved_input: int,
        reserved_output: int,
        *,
        input_tokens: int,
        output_tokens: int,
        calls: int = 1,
    ) -> None:
        """Replace a reservation by what the call cost; `calls=0` gives a call back."""
        self.spent_calls += calls - 1
        self.spent_input_tokens += input_tokens - reserved_input
        self.spent_output_tokens += output_tokens - reserved_output
