"""The door to a language model: cached, counted, within a budget, in batches or concurrently."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Attention, Failure, Generate, Likelihood, Request
from plackett.llm.wire import from_wire, to_wire
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache, MissingAnswerError, content_key
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


class _Waiting:
    """A question that is not answered yet, and how many still wait for the answer."""

    def __init__(
        self,
        request: Request,
        key: str,
        expected: tuple[int, int],
        answer: asyncio.Future[Answer],
    ) -> None:
        self.request, self.key, self.expected, self.answer = request, key, expected, answer
        self.askers = 0


class Door:
    """Where all questions to one model pass.

    Questions that are asked at the same time are put together into the batches that the model
    takes, and no more calls are under way than it bears. An answer is kept as soon as it arrives.
    A question that is under way, or answered, is not asked twice. One that nobody waits for any
    more, as after an error or Ctrl-C, is not asked; what is under way then is finished and kept.
    A call that the budget cannot bear waits for those under way, which may cost less than was set
    aside for them.

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget()

    async def ask(self, requests: Sequence[Request], usage: Usage | None = None) -> list[Answer]:
        """One answer a request, in order; `usage` is told what each cost.

        Raises
        ------
        ConfigurationError : the model lacks a power that a request needs.
        BudgetExceededError : a call would go beyond the budget.
        MissingAnswerError : the cache is offline and lacks an answer.
        """
        if self._loop is not asyncio.get_running_loop():
            # A forked process has a loop of its own, on which nothing is under way.
            self._forget()
            self._loop = asyncio.get_running_loop()
        counted = usage or Usage()
        tasks = [asyncio.ensure_future(self._answer(each, counted)) for each in requests]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # Where one fails, the others must not go on to be asked and paid for.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._under_way: dict[str, _Waiting] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._starting = False

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
        if self.cache is not None and self.cache.offline:
            raise MissingAnswerError(_not_kept(self.cache, self.model, request, key))
        waiting = self._under_way.get(key)
        if waiting is None:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            # Who is cancelled while all others wait must not leave an error nobody reads.
            future.add_done_callback(_read)
            waiting = _Waiting(request, key, expected_tokens(self.model, request), future)
            self._under_way[key] = waiting
            self._waiting.append(waiting)
            self._start_soon()
        waiting.askers += 1
        try:
            # One who stops waiting does not take the answer away from the others.
            answer = await asyncio.shield(waiting.answer)
        finally:
            waiting.askers -= 1
        usage.add(answer, cached=False)
        return answer

    def _start_soon(self) -> None:
        if not self._starting:
            self._starting = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._starting = False
        while self._waiting and len(self._calls) < max(1, self.model.concurrency):
            batch = self._affordable_batch()
            if not batch:
                return
            task = asyncio.get_running_loop().create_task(self._call(batch))
            self._calls.add(task)
            task.add_done_callback(self._finished)

    def _affordable_batch(self) -> list[_Waiting]:
        """The next questions, their cost set aside; none while that must wait for other calls."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < max(1, self.model.batch_size):
            waiting = self._waiting[0]
            if not waiting.askers:
                self._waiting.popleft()
                self._under_way.pop(waiting.key, None)
                continue
            try:
                self.budget.reserve(
                    input_tokens=waiting.expected[0], output_tokens=waiting.expected[1]
                )
            except BudgetExceededError as error:
                if batch or self._calls:
                    break
                self._waiting.popleft()
                self._under_way.pop(waiting.key, None)
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            else:
                batch.append(self._waiting.popleft())
        return batch

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        if not task.cancelled():
            task.exception()  # those who asked have it
        self._start_soon()

    async def _call(self, batch: list[_Waiting]) -> None:
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

    def _keep(self, waiting: _Waiting, answer: Answer, seconds: float) -> None:
        self.budget.settle(
            *waiting.expected, input_tokens=answer.input_tokens, output_tokens=answer.output_tokens
        )
        if self.cache is not None and not isinstance(answer, Failure):
            kind, model = waiting.request.kind, self.model.identity
            self.cache.put(waiting.key, to_wire(answer), kind=kind, model=model)
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
    if isinstance(request, Likelihood):
        sent += model.count_tokens(request.continuation)
    if isinstance(request, Generate):
        return sent, request.max_tokens
    return sent, 1


def _not_kept(cache: AnswerCache, model: LanguageModel, request: Request, key: str) -> str:
    text = request.after if isinstance(request, Attention) else request.prompt.plain()
    shown = " ".join(text.split())
    if len(shown) > 200:
        shown = f"{shown[:100]} ... {shown[-100:]}"
    return (
        f"{cache!r} is offline and has no answer to the {request.kind} question {key[:16]} of "
        f"{model.identity}: {shown!r}. Run once with offline off."
    )


def _read(future: asyncio.Future[Answer]) -> None:
    if not future.cancelled():
        future.exception()


def _shareable(error: BaseException) -> BaseException:
    """The error for a future: one that waits may not be told that itself was cancelled."""
    if isinstance(error, asyncio.CancelledError):
        return ConfigurationError("the call was cancelled.")
    return error
