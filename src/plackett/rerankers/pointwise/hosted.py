"""Services that re-rank texts over HTTP: one adapter for all, a row of a table for each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from plackett.errors import ConfigurationError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.pointwise.hosted_services import (
    Service,
    ServiceAnswer,
    service_of,
)
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.transport.budget import Budget, BudgetExceededError
from plackett.transport.cache import AnswerCache, MissingAnswerError, content_key
from plackett.transport.http import HttpTransport
from plackett.transport.http_errors import AccessError, HttpError
from plackett.transport.limits import Limits
from plackett.transport.records import CallLog, CallRecord
from plackett.transport.retries import RetryPolicy
from plackett.transport.secrets import Secret
from plackett.transport.token_counts import EstimatedTokens

__all__ = ["Hosted"]

KIND = "rerank"


@register("hosted")
class Hosted(TextReranker):
    """Scores of a re-ranking service: Cohere, Jina, Voyage, Mixedbread, TEI, vLLM, Infinity.

    Texts are sent in requests of at most `documents_per_call`, all of them at once as far as the
    limits go, and put together by score: these services score a text by itself. A text that the
    service does not score, or that is empty, stands last, in first-stage order; what was not as
    asked is counted in the result's `answers`. A request that fails after all retries leaves its
    texts without scores; what every request would meet (a wrong key or address) is raised.

    Parameters
    ----------
    service : "cohere", "jina", "voyage", "mixedbread", "tei", "vllm" or "infinity".
    model : the model's name at the service; needed wherever the service has several.
    url : another address; needed for TEI.
    key : the name of the environment variable that holds the key, or a `Secret`; None is the
        service's usual one, or none for servers of one's own.
    documents_per_call : texts of one request; None is what the service takes.
    cache, budget : as of all re-rankers that pay for calls.
    concurrency, requests_per_minute, tokens_per_minute : what the service allows.
    timeout : seconds for one request.
    retries : how often a request that failed for the moment is sent again.

    Raises
    ------
    ConfigurationError : a parameter that cannot be used, or one that is missing.

    >>> Hosted("cohere", model="rerank-v3.5")
    Reranker('hosted', service='cohere', model='rerank-v3.5')
    """

    def __init__(
        self,
        service: str,
        *,
        model: str | None = None,
        url: str | None = None,
        key: str | Secret | None = None,
        documents_per_call: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        timeout: float = 60.0,
        retries: int = 5,
    ) -> None:
        self.service, self.model, self.url, self.key = service, model, url, key
        self.documents_per_call = documents_per_call
        self.cache, self.budget = cache, budget
        self.concurrency = concurrency
        self.requests_per_minute, self.tokens_per_minute = requests_per_minute, tokens_per_minute
        self.timeout, self.retries = timeout, retries
        self.log = CallLog()
        self._row = service_of(service)
        self._size = _size(documents_per_call, self._row)
        if not (url or self._row.url):
            raise ConfigurationError(f"service {service!r} needs url=, the server's address.")
        if self._row.model and model is None:
            raise ConfigurationError(f"service {service!r} needs model=, the model's name there.")
        self._budget = budget or Budget()
        self._kept: AnswerCache | None = None
        self._tokens = EstimatedTokens()
        self._transport = HttpTransport(
            url or self._row.url,
            key=key or self._row.key or None,
            timeout=timeout,
            retry=RetryPolicy(retries=retries, deadline=max(300.0, 3.0 * timeout)),
            limits=Limits(
                concurrency=concurrency,
                requests_per_minute=requests_per_minute,
                tokens_per_minute=tokens_per_minute,
            ),
        )

    @property
    def identity(self) -> str:
        """Service, address and model; never the key."""
        return f"{self.service} {self._transport.url} {self.model or ''}".rstrip()

    def __repr__(self) -> str:
        return describe(self)

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        if self._kept is None and self.cache is not None:
            self._kept = AnswerCache(self.cache) if isinstance(self.cache, str) else self.cache
        asking = _Asking(self)
        tasks = [
            asyncio.ensure_future(self._order(asking, query, given))
            for query, given in zip(queries, candidates, strict=True)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # One that fails must not leave the others asking, and paying.
            asking.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asking.finish()

    async def _order(self, asking: _Asking, query: str, candidates: Candidates) -> Outcome:
        started = time.perf_counter()
        if len(candidates) == 1:
            outcome = Outcome(Ordering((0,)))
            self._tell(outcome)
            return outcome
        # Services refuse a whole request for one empty text.
        full = [i for i, text in enumerate(candidates.texts) if text.strip()]
        parts = [full[a : a + self._size] for a in range(0, len(full), self._size)]
        replies = await asyncio.gather(
            *[asking.ask(query, [candidates.texts[i] for i in part]) for part in parts]
        )
        scores = np.full(len(candidates), np.nan)
        for part, reply in zip(parts, replies, strict=True):
            for position, score in zip(part, reply.answer.scores, strict=True):
                if score is not None:
                    scores[position] = score
        outcome = Outcome(
            Ordering.by_scores(scores, self._row.score_kind),
            calls=sum(not reply.cached for reply in replies),
            cached_calls=sum(reply.cached for reply in replies),
            tokens=sum(reply.answer.tokens or 0 for reply in replies if not reply.cached),
            answers=dict(Counter(reply.answer.status for reply in replies)),
            seconds=time.perf_counter() - started,
        )
        self._tell(outcome)
        return outcome


class _Reply:
    """What is known of the texts of one request, and whether the cache knew it."""

    def __init__(self, answer: ServiceAnswer, *, cached: bool) -> None:
        self.answer, self.cached = answer, cached


class _Asking:
    """The requests of one run: each sent once, none after an error, those under way finished."""

    def __init__(self, reranker: Hosted) -> None:
        self._of = reranker
        self._tasks: dict[str, asyncio.Task[ServiceAnswer]] = {}
        self._places = asyncio.Semaphore(reranker.concurrency)
        self._stopped = False
        self._sending = 0
        self._settled = asyncio.Event()

    async def ask(self, query: str, texts: list[str]) -> _Reply:
        """What the service, or the cache, says of these texts."""
        row, cache = self._of._row, self._of._kept
        body = row.body(query, texts, self._of.model)
        url = self._of._transport.url + row.path
        key = content_key({"kind": KIND, "url": url, "body": body})
        kept = None if cache is None else cache.get(key)
        if kept is not None:
            answer = ServiceAnswer.model_validate(kept)
            self._record(key, answer.tokens or 0, seconds=0.0, cached=True)
            return _Reply(answer, cached=True)
        if cache is not None and cache.offline:
            raise MissingAnswerError(
                f"{cache!r} is offline and has no answer of {self._of.identity} to {query[:200]!r} "
                f"with {len(texts)} texts. Run once with offline off."
            )
        again = key in self._tasks
        if not again:
            self._tasks[key] = asyncio.ensure_future(self._send(key, body, query, texts))
        return _Reply(await asyncio.shield(self._tasks[key]), cached=again)

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True

    async def finish(self) -> None:
        """Wait for what is under way: it is paid for, and goes into the cache."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._of.timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _send(
        self, key: str, body: dict[str, object], query: str, texts: list[str]
    ) -> ServiceAnswer:
        row, transport, budget = self._of._row, self._of._transport, self._of._budget
        async with self._places:
            count = self._of._tokens.count
            expected = count(query) * len(texts) + sum(count(text) for text in texts)
            await self._set_aside(expected)
            started, failure, used = time.perf_counter(), "", 0
            answer = ServiceAnswer(scores=[None] * len(texts), status="missing")
            try:
                reply = await transport.post_json(row.path, body, tokens=expected)
                answer = row.read(reply.content, len(texts))
                if answer.tokens is None:
                    answer = answer.model_copy(update={"tokens": expected})
                used = answer.tokens or 0
            except AccessError:
                self._stopped = True
                raise
            except HttpError as error:
                failure = str(error)
            finally:
                budget.settle(expected, 0, input_tokens=used, output_tokens=0)
                self._sending -= 1
                self._settled.set()
            transport.limits.settle(expected, used)
            if self._of._kept is not None and answer.status in ("ok", "repaired"):
                content = answer.model_dump()
                self._of._kept.put(key, content, kind=KIND, model=self._of.identity)
            seconds = time.perf_counter() - started
            self._record(key, used, seconds=seconds, cached=False, failure=failure)
            return answer

    async def _set_aside(self, tokens: int) -> None:
        """Reserve a request; what is under way may cost less than was set aside for it."""
        while True:
            if self._stopped:
                raise asyncio.CancelledError
            try:
                self._of._budget.reserve(input_tokens=tokens, output_tokens=0)
            except BudgetExceededError:
                if not self._sending:
                    self._stopped = True
                    raise
            else:
                self._sending += 1
                return
            self._settled.clear()
            await self._settled.wait()

    def _record(
        self, key: str, tokens: int, *, seconds: float, cached: bool, failure: str = ""
    ) -> None:
        record = CallRecord(key, KIND, self._of.identity, tokens, 0, seconds, cached, failure)
        self._of.log.add(record)


def _size(documents_per_call: int | None, row: Service) -> int:
    if documents_per_call is None:
        return row.most_documents
    if isinstance(documents_per_call, bool) or not isinstance(documents_per_call, int):
        raise ConfigurationError(f"documents_per_call = {documents_per_call!r}; expected a number.")
    if documents_per_call < 1:
        raise ConfigurationError(f"documents_per_call = {documents_per_call}; expected 1 or more.")
    return documents_per_call
