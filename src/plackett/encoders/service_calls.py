"""The calls of an embedding service: several at once, refused ones cut in two, all counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.encoders.service_answers import UnusableAnswerError, read_embeddings
from plackett.errors import DataError
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import content_key
from plackett.transport.http import HttpTransport
from plackett.transport.http_errors import AccessError, HttpError
from plackett.transport.records import CallLog, CallRecord

__all__ = ["Calls", "Question", "cut_calls"]

Floats = npt.NDArray[np.float32]

PATH = "/embeddings"
KIND = "embed"
TOO_MUCH = frozenset({400, 413, 422})
"""Statuses that may be about one text of a call, or about their number."""


class Question(NamedTuple):
    """A text whose vector is wanted.

    Attributes
    ----------
    text : the whole of it, prompt included.
    shown : what is sent of it.
    tokens : how many tokens that is.
    truncated : whether the end was cut off.
    """

    text: str
    shown: str
    tokens: int
    truncated: bool


def cut_calls(questions: Sequence[Question], *, texts: int, tokens: int) -> list[list[Question]]:
    """Calls of at most so many texts and tokens, the longest texts first.

    Texts of a call are of similar length, as servers pad them. A longer text is a call of its own.

    >>> asked = [Question(str(n), str(n), n, False) for n in (5, 9, 1, 2)]
    >>> [[one.tokens for one in call] for call in cut_calls(asked, texts=2, tokens=10)]
    [[9], [5, 2], [1]]
    """
    calls: list[list[Question]] = []
    room = 0
    for question in sorted(questions, key=lambda question: -question.tokens):
        if not calls or len(calls[-1]) == texts or question.tokens > room:
            calls.append([])
            room = tokens
        calls[-1].append(question)
        room -= question.tokens
    return calls


class Calls:
    """The calls of one run: none starts after an error, and those under way are waited for.

    Parameters
    ----------
    transport : sends them.
    body : what every call says besides its texts.
    budget : what they may cost.
    log : told of each.
    concurrency : how many are under way at once.
    dimension : how long vectors must be; None for all alike.
    identity : of the model, for the log.
    arrived : told of the vectors of each call, `float32[b, d]`.
    """

    def __init__(
        self,
        *,
        transport: HttpTransport,
        body: Mapping[str, Any],
        budget: Budget,
        log: CallLog,
        concurrency: int,
        dimension: int | None,
        identity: str,
        arrived: Callable[[Sequence[Question], Floats], None],
    ) -> None:
        self._transport, self._body, self._budget, self._log = transport, body, budget, log
        self._dimension, self._identity, self._arrived = dimension, identity, arrived
        self._places = asyncio.Semaphore(concurrency)
        self._stopped, self._sending, self._settled = False, 0, asyncio.Event()

    async def run(self, calls: Sequence[Sequence[Question]]) -> None:
        """Make all calls.

        Raises
        ------
        HttpError, AccessError, BudgetExceededError, DataError : the first that went wrong; what
            arrived before has been told.
        """
        tasks = [asyncio.ensure_future(self._placed(questions)) for questions in calls]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # What is under way is paid for; what waits must not be.
            self._stopped = True
            _, late = await asyncio.wait(tasks, timeout=self._transport.timeout)
            for task in late:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for error in ended if isinstance(error, BaseException)]
        # Who was told to stop is not who went wrong.
        for error in sorted(errors, key=lambda error: isinstance(error, asyncio.CancelledError)):
            raise error

    async def _placed(self, questions: Sequence[Question]) -> None:
        async with self._places:
            try:
                await self._ask(questions)
            except BaseException:
                # Before the place is given to the next.
                self._stopped = True
                raise

    async def _ask(self, questions: Sequence[Question]) -> None:
        """One call, or as many as it takes where the server refuses it."""
        if self._stopped:
            return
        try:
            vectors = await self._answered(questions)
        except AccessError:
            raise
        except HttpError as error:
            if error.kind != "refused" or error.status not in TOO_MUCH:
                raise
            if len(questions) == 1:
                raise _refused(questions[0], error) from error
            middle = len(questions) // 2
            await self._ask(questions[:middle])
            await self._ask(questions[middle:])
            return
        # From here on all calls, those under way too, must agree.
        self._dimension = vectors.shape[1]
        self._arrived(questions, vectors)

    async def _answered(self, questions: Sequence[Question]) -> Floats:
        """The vectors of a call; an answer that cannot be used is asked for once more."""
        body = {**self._body, "input": [question.shown for question in questions]}
        expected = sum(question.tokens for question in questions)
        for again in (True, False):
            await self._set_aside(expected)
            try:
                return await self._sent(body, len(questions), expected)
            except UnusableAnswerError as error:
                if not again:
                    raise DataError(
                        f"an answer of {self._transport.url} with {error}",
                        expected="a vector of finite numbers for each text, all of one length",
                        remedy="is this an embedding model, and url= the API's base address?",
                    ) from error
        raise RuntimeError("unreachable")

    async def _sent(self, body: Mapping[str, Any], n: int, expected: int) -> Floats:
        started, used, failure = time.perf_counter(), 0, ""
        try:
            reply = await self._transport.post_json(PATH, body, tokens=expected)
            used = expected
            vectors, told = read_embeddings(reply.content, n, self._dimension)
            used = expected if told is None else told
        except (HttpError, UnusableAnswerError) as error:
            failure = str(error)
            raise
        finally:
            self._budget.settle(expected, 0, input_tokens=used, output_tokens=0)
            self._sending -= 1
            self._settled.set()
            self._transport.limits.settle(expected, used)
            seconds = time.perf_counter() - started
            key = content_key({"kind": KIND, "url": self._transport.url, "body": body})
            self._log.add(CallRecord(key, KIND, self._identity, used, 0, seconds, failure=failure))
        return vectors

    async def _set_aside(self, tokens: int) -> None:
        """Reserve a call; what is under way may cost less than was set aside for it."""
        while True:
            if self._stopped:
                raise asyncio.CancelledError
            try:
                self._budget.reserve(input_tokens=tokens, output_tokens=0)
            except BudgetExceededError:
                if not self._sending:
                    raise
            else:
                self._sending += 1
                return
            self._settled.clear()
            await self._settled.wait()


def _refused(question: Question, error: HttpError) -> DataError:
    begin = question.shown if len(question.shown) <= 80 else f"{question.shown[:77]}..."
    return DataError(
        f"a text of about {question.tokens:,} tokens that the service refuses: {begin!r} ({error})",
        remedy="give max_tokens=, what the model reads, so that longer texts are cut",
    )
