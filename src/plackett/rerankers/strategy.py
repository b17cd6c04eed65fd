"""Strategies that ask a language model: written once, run in batches, concurrently or for show.

A strategy is a generator. It yields rounds, each a list of requests that do not depend on each
other, is sent the answers, and returns an `Ordering`. It does no input or output itself: who drives
it decides how the questions travel.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from plackett.errors import ConfigurationError, PlackettError
from plackett.llm.base import LanguageModel
from plackett.llm.door import Door, Usage
from plackett.llm.requests import Answer, Failure, Request
from plackett.llm.wire import to_wire
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache
from plackett.transport.records import CallLog

__all__ = ["Asking", "MalformedAnswerError", "Policy", "Recorded", "Steps", "StrategyReranker"]

Policy = Literal["repair", "keep", "strict"]
"""What to do with an answer that is not as asked: mend what can be mended; leave that call's
documents as they were; or stop with an error."""

Steps: TypeAlias = Generator[Sequence[Request], list[Answer], Ordering]


@runtime_checkable
class Recorded(Protocol):
    """A re-ranker that records its calls to a model or a service."""

    log: CallLog


class MalformedAnswerError(PlackettError, ValueError):
    """A model's answer is not what its prompt asked for, and the policy is "strict"."""


class Asking:
    """What a strategy knows and notes while it orders the candidates of one query.

    Attributes
    ----------
    model : who will answer, for its context, its tokenizer and its powers.
    policy : see `Policy`.
    answers : how many answers were ok, repaired, wrong_format, missing, refused.
    truncated : positions of the candidates that were shown shortened.
    seed : for all that is drawn by chance; the same for every query.
    """

    def __init__(self, model: LanguageModel, policy: Policy = "repair", seed: int = 0) -> None:
        self.model, self.policy, self.seed = model, policy, seed
        self.answers: Counter[str] = Counter()
        self.truncated: set[int] = set()

    def note(self, status: str, answer: Answer) -> bool:
        """Count an answer's status; whether to use it ("repair" and "keep" leave a bad one out).

        Raises
        ------
        MalformedAnswerError : it is not "ok", and the policy is "strict".
        """
        self.answers[status] += 1
        if status == "ok":
            return True
        if self.policy == "strict":
            raise MalformedAnswerError(
                f"an answer of {self.model!r} is {status}: {_excerpt(answer)}. "
                'on_malformed="repair" mends what can be mended and counts it.'
            )
        return status == "repaired" and self.policy == "repair"


class StrategyReranker(TextReranker):
    """Orders texts by asking a language model.

    A subclass defines `steps`. Its constructor hands these on:

    Parameters
    ----------
    model : a `LanguageModel`, or its description, such as "OpenAI('gpt-4o-mini')".
    cache : a file of answers, or an `AnswerCache`; None asks anew each time.
    budget : what all calls together may cost.
    on_malformed : see `Policy`.
    seed : for all that is drawn by chance.
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        if on_malformed not in ("repair", "keep", "strict"):
            raise ConfigurationError(
                f"on_malformed = {on_malformed!r}; expected repair, keep or strict."
            )
        self.model, self.cache, self.budget = model, cache, budget
        self.on_malformed, self.seed = on_malformed, seed
        self.log = CallLog()
        self._door: Door | None = None

    @property
    def door(self) -> Door:
        """The door to the model, opened at first use."""
        if self._door is None:
            from plackett.llm import parse_model

            model = parse_model(self.model) if isinstance(self.model, str) else self.model
            cache = self.cache
            if isinstance(cache, str):
                cache = AnswerCache(cache)
            self._door = Door(model, cache=cache, budget=self.budget, log=self.log)
        return self._door

    @abstractmethod
    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """Yield rounds of requests, take their answers, return the ordering; n is at least 1."""

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        door = self.door
        tasks = [
            asyncio.ensure_future(self._order(door, query, given))
            for query, given in zip(queries, candidates, strict=True)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # One that fails must not leave the others asking, and paying.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _order(self, door: Door, query: str, candidates: Candidates) -> Outcome:
        started = time.perf_counter()
        if len(candidates) == 1 and not (self.may_drop or self.scores_one):
            return Outcome(Ordering((0,)))
        asking = Asking(door.model, self.on_malformed, self.seed)
        steps = self.steps(query, candidates, asking)
        usage = Usage()
        try:
            requests = next(steps)
            while True:
                requests = steps.send(await door.ask(requests, usage))
        except StopIteration as stop:
            ordering: Ordering = stop.value
        finally:
            steps.close()
        outcome = Outcome(
            ordering,
            calls=usage.calls,
            cached_calls=usage.cached_calls,
            tokens=usage.tokens,
            truncated=len(asking.truncated),
            answers=dict(asking.answers),
            seconds=time.perf_counter() - started,
        )
        self._tell(outcome)
        return outcome


def _excerpt(answer: Answer) -> str:
    if isinstance(answer, Failure):
        return answer.reason
    text = str(to_wire(answer).get("text", answer))
    return repr(text if len(text) <= 200 else text[:200] + "...")
