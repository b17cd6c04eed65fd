"""The door to a language model: cached, counted, within a budget, in batches or concurrently."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Attention, Failure, Generate, Request
from plackett.llm.wire import from_wire, to_wire
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache, content_key
from plackett.transport.records import CallLog, CallRecord

__all__ = ["Door", "Usage", "expected_tokens"]


class Usage:
    """What the questions of one asker came to.

    Attributes
    ----------
    calls, cached_calls : questions that the model answered, and those that the cache answered.
    tokens : tokens that the model read and wrote for them.
    """

    def __init__(self) -> None:
        self.calls = self.cached_calls = self.tokens = 0

    def add(self, answer: Answer, *, cached: bool) -> None:
        """Count one answer."""
        if cached:
            self.cached_calls += 1
            return
        self.calls += 1
        self.tokens += answer.input_tokens + answer.output_tokens


class _Waiting(NamedTuple):
    request: Request
    key: str
    expected: tuple[int, int]
    answer: asyncio.Future[Answer]


class Door:
    """Where all questions to one model pass.

    Questions that are asked at the same time are put together into the batches that the model
    takes, and no more calls are under way than it bears. An answer is kept as soon as it arrives.
    A question that is under way, or answered, is not asked twice.

    Parameters
    ----------
    model : who answers.
    cache : answers of before, by content; None asks always.
    budget : what may be spent; None is no limit.
    log : where calls are recorded.

    All coroutines of a door run on one event loop: plackett's own (`run_on_loop`).
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        cache: AnswerCache | None = None,
        budget: Budget | None = None,
        log: CallLog | None = None,
    ) -> None:
        self.model, self.cache = model, cache
        self.budget = budget or Budget()
        self.log = log or CallLog()
        self._waiting: deque[_Waiting] = deque()
        self._under_way: dict[str, asyncio.Future[Answer]] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._starting = False

    async def ask(self, requests: Sequence[Request], usage: Usage | None = None) -> list[Answer]:
        """One answer a request, in order; `usage` is told what each cost.

        Raises
        ------
        ConfigurationError : the model lacks a power that a request needs.
        BudgetExceededError : a call would go beyond the budget.
        """
        counted = usage or Usage()
        return list(await asyncio.gather(*[self._answer(each, counted) for each in requests]))

    async def _answer(self, request: Request, usage: Usage) -> Answer:
        if request.kind not in self.model.powers:
            raise ConfigurationError(
                f"{self.model!r} has the powers {', '.join(sorted(self.model.powers)) or 'none'}; "
                f"{request.kind!r} is needed. Take another model or another strategy."
            )
        key = content_key({"model": self.model.identity, **request.content()})
        kept = None if self.cache is None else self.cache.get(key)
        if kept is not None:
            answer = from_wire(request.kind, kept)
            self._record(key, request, answer, seconds=0.0, cached=True)
            usage.add(answer, cached=True)
            return answer
        if key not in self._under_way:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._under_way[key] = future
            # Who is cancelled while all others wait must not leave an error nobody reads.
            future.add_done_callback(_read)
            expected = expected_tokens(self.model, request)
            self._waiting.append(_Waiting(request, key, expected, future))
            self._start_soon()
        # One who stops waiting does not take the answer away from the others.
        answer = await asyncio.shield(self._under_way[key])
        usage.add(answer, cached=False)
        return answer

    def _start_soon(self) -> None:
        if not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        while self._waiting and len(self._calls) < max(1, self.model.concurrency):
            size = min(len(self._waiting), max(1, self.model.batch_size))
            batch = [self._waiting.popleft() for _ in range(size)]
            task = asyncio.get_running_loop().create_task(self._call(batch))
            self._calls.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # those who asked have it
        self._start_soon()

    async def _call(self, batch: list[_Waiting]) -> None:
        batch = [waiting for waiting in batch if self._affordable(waiting)]
        if not batch:
            return
        started = time.perf_counter()
        try:
            answers = await self.model.answer([waiting.request for waiting in batch])
            if len(answers) != len(batch):
                raise DataError(
                    f"{len(answers)} answers of {self.model!r} to {len(batch)} requests",
                    expected="one each",
                )
        except BaseException as error:
            for waiting in batch:
                self.budget.settle(*waiting.expected, input_tokens=0, output_tokens=0, calls=0)
                self._under_way.pop(waiting.key, None)
                if not waiting.answer.done():
                    waiting.answer.set_exception(_shareable(error))
            raise
        seconds = (time.perf_counter() - started) / len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            self._keep(waiting, answer, seconds)

    def _affordable(self, waiting: _Waiting) -> bool:
        expected_input, expected_output = waiting.expected
        try:
            self.budget.reserve(input_tokens=expected_input, output_tokens=expected_output)
        except BudgetExceededError as error:
            self._under_way.pop(waiting.key, None)
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
            return False
        return True

    def _keep(self, waiting: _Waiting, answer: Answer, seconds: float) -> None:
        self.budget.settle(
            *waiting.expected, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens
        )
        if self.cache is not None and not isinstance(answer, Failure):
            self.cache.put(waiting.key, to_wire(answer), kind=waiting.request.kind)
        self._record(waiting.key, waiting.request, answer, seconds=seconds, cached=False)
        self._under_way.pop(waiting.key, None)
        if not waiting.answer.done():
            waiting.answer.set_result(answer)

    def _record(
        self, key: str, request: Request, answer: Answer, *, seconds: float, cached: bool
    ) -> None:
        self.log.add(
            CallRecord(
                key,
                request.kind,
                self.model.identity,
                answer.input_tokens,
                answer.output_tokens,
                seconds,
                cached=cached,
                failure=answer.reason if isinstance(answer, Failure) else "",
            )
        )


def expected_tokens(model: LanguageModel, request: Request) -> tuple[int, int]:
    """Tokens that a request will send and, at most, receive."""
    if isinstance(request, Attention):
        text = "".join([request.before, *request.documents, request.after])
        return model.count_tokens(text), 0
    sent = model.count_tokens(request.prompt.plain())
    if isinstance(request, Generate):
        return sent, request.max_tokens
    return sent, 1


def _read(future: asyncio.Future[Answer]) -> None:
    if not future.cancelled():
        future.exception()


def _shareable(error: BaseException) -> BaseException:
    """The error for a future: one that waits may not be told that itself was cancelled."""
    if isinstance(error, asyncio.CancelledError):
        return ConfigurationError("the call was cancelled.")
    return error
