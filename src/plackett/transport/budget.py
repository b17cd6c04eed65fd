"""A ceiling on what a run may cost: in calls, in tokens, in money."""

from __future__ import annotations

from dataclasses import dataclass

from plackett.errors import ConfigurationError, PlackettError

__all__ = ["Budget", "BudgetExceededError", "Prices"]


class BudgetExceededError(PlackettError, RuntimeError):
    """The next call would go beyond the budget; what was answered is in the cache."""


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, and per call.

    >>> Prices(input=0.15, output=0.60).of(calls=1, input_tokens=1_000_000, output_tokens=0)
    0.15
    """

    input: float = 0.0
    output: float = 0.0
    call: float = 0.0

    def of(self, *, calls: int, input_tokens: int, output_tokens: int) -> float:
        """What this many calls and tokens cost."""
        tokens = input_tokens * self.input + output_tokens * self.output
        return calls * self.call + tokens / 1e6


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
    ConfigurationError : a negative limit, or one in money without prices.

    >>> budget = Budget(calls=1)
    >>> budget.reserve(input_tokens=10, output_tokens=5)
    >>> budget.settle(10, 5, input_tokens=10, output_tokens=3)
    >>> budget.reserve(input_tokens=10, output_tokens=5)
    Traceback (most recent call last):
    plackett.transport.budget.BudgetExceededError: the budget of 1 calls is spent: ...
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
            if limit is not None and limit < 0:
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
                    f"the budget of {limit:g} {unit} is spent: {self.spent_calls} calls, "
                    f"{self.spent_tokens} tokens, {self.spent_money:.4g} in money so far. "
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
