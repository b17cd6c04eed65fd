"""A cross-encoder: the query and each text read together by one transformer."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.encoders.model import BackendName
from plackett.encoders.pairs import CrossEncoder, TokenPair
from plackett.errors import ConfigurationError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.encoding.windows import LongPolicy, check_windows, combine, windows
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.transport.cache import AnswerCache, content_key

__all__ = ["CrossEncoderReranker"]

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class _Plan(NamedTuple):
    """What is read of one document: its windows, and whether some of it is not."""

    pairs: list[TokenPair]
    truncated: bool


class _Scored(NamedTuple):
    """The documents of one query: scores, and what they cost."""

    scores: Floats
    calls: int
    cached: int
    tokens: int
    truncated: int


@register("cross-encoder")
class CrossEncoderReranker(TextReranker):
    """Scores each document by a transformer that reads it together with the query.

    The score is the raw logit, z1 - z0 for a head of two labels: it is comparable between queries,
    and does not saturate. The pairs of all queries of a run share batches of similar length.

    A document that is too long is cut at its end, or read in windows; the query is never cut for
    it. How many documents were shortened is in the result.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache. Nothing is downloaded.
    backend : "torch", "onnx" or "onnx-int8"; the last two run a folder that
        `plackett.encoders.to_onnx` wrote.
    long : see `LongPolicy`. With windows, no part of a document goes unread, except by "first".
    window : tokens of a document in a window; None for all that fit beside the query.
    stride : from one window's start to the next; None for half of a window.
    k : how many windows count in "top-k-mean".
    max_tokens : how many tokens of a pair are read at most; None for as many as the model can.
    max_query_tokens : how many of them the query may have; a longer one is cut.
    batch_tokens : how many tokens a batch has at most, padding included.
    label : which label's logit is the score; needed for more than two labels only.
    activation : "sigmoid" gives 1 / (1 + exp(-score)) in place of the score, in the same order.
    cache : a file of scores, or an `AnswerCache`; None asks anew each time.
    threads : how many threads a call may use; None leaves it to the back end.

    Raises
    ------
    ConfigurationError : parameters that do not fit together or the model.
    DataError : when first used: no such model, no weights for its classification head, or weights
        that are not finite.

    Reference: Nogueira & Cho, "Passage re-ranking with BERT", 2019.
    """

    def __init__(
        self,
        model: str,
        *,
        backend: BackendName = "torch",
        long: LongPolicy = "truncate",
        window: int | None = None,
        stride: int | None = None,
        k: int = 3,
        max_tokens: int | None = None,
        max_query_tokens: int = 64,
        batch_tokens: int = 4096,
        label: int | None = None,
        activation: Literal["sigmoid"] | None = None,
        cache: AnswerCache | str | None = None,
        threads: int | None = None,
    ) -> None:
        check_windows(long, window, stride, k)
        if activation not in (None, "sigmoid"):
            raise ConfigurationError(f"activation = {activation!r}; expected 'sigmoid' or None.")
        self.model, self.backend, self.long = model, backend, long
        self.window, self.stride, self.k = window, stride, k
        self.max_tokens, self.max_query_tokens = max_tokens, max_query_tokens
        self.batch_tokens, self.label, self.activation = batch_tokens, label, activation
        self.cache, self.threads = cache, threads
        self._encoder: CrossEncoder | None = None
        self._answers: AnswerCache | None = None
        self._lock = threading.Lock()

    @property
    def encoder(self) -> CrossEncoder:
        """The model, loaded at first use."""
        with self._lock:
            if self._encoder is None:
                self._encoder = CrossEncoder(
                    self.model,
                    backend=self.backend,
                    max_tokens=self.max_tokens,
                    max_query_tokens=self.max_query_tokens,
                    batch_tokens=self.batch_tokens,
                    label=self.label,
                    threads=self.threads,
                )
            return self._encoder

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        started = time.perf_counter()
        stop = threading.Event()
        try:
            scored = await asyncio.to_thread(self._score_many, queries, candidates, stop)
        finally:
            # A thread cannot be cancelled: an interrupted run must tell it, or it goes on.
            stop.set()
        seconds = time.perf_counter() - started
        outcomes = []
        for found in scored:
            kind: Literal["logit", "probability"] = "logit"
            scores = found.scores
            if self.activation == "sigmoid":
                kind, scores = "probability", _sigmoid(scores)
            # The order is that of the logits, which tell apart what a probability rounds to 1.
            order = Ordering.by_scores(found.scores, "logit").order
            outcome = Outcome(
                Ordering(order, scores, kind),
                calls=found.calls,
                cached_calls=found.cached,
                tokens=found.tokens,
                truncated=found.truncated,
                seconds=seconds,
            )
            self._tell(outcome)
            outcomes.append(outcome)
        return outcomes

    def _score_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates], stop: threading.Event
    ) -> list[_Scored]:
        encoder = self.encoder
        left = [encoder.cut_query(query) for query in encoder.tokens(queries)]
        texts = encoder.tokens([text for given in candidates for text in given.texts])
        plans: list[_Plan] = []
        bounds = [0]
        for query, given in zip(left, candidates, strict=True):
            first = bounds[-1]
            plans += [self._plan(encoder, query, ids) for ids in texts[first : first + len(given)]]
            bounds.append(first + len(given))
        pairs = [pair for plan in plans for pair in plan.pairs]
        scores, cached = self._scores_of(encoder, pairs, stop)
        tokens = [len(pair.query) + len(pair.document) + encoder.overhead for pair in pairs]
        out, place = [], 0
        for a, b in pairwise(bounds):
            values = np.zeros(b - a)
            begin = place
            for row, plan in enumerate(plans[a:b]):
                end = place + len(plan.pairs)
                values[row] = combine(scores[place:end], self.long, self.k)
                place = end
            hits = cached[begin:place]
            read = [n for n, hit in zip(tokens[begin:place], hits, strict=True) if not hit]
            truncated = sum(plan.truncated for plan in plans[a:b])
            out.append(_Scored(values, len(read), sum(hits), sum(read), truncated))
        return out

    def _plan(self, encoder: CrossEncoder, query: Ids, document: Ids) -> _Plan:
        room = encoder.room(query)
        if self.long == "truncate":
            return _Plan([TokenPair(query, document[:room])], len(document) > room)
        window = min(self.window or room, room)
        stride = min(self.stride or max(1, window // 2), window)
        cuts = windows(len(document), window, stride)
        if self.long == "first":
            return _Plan([TokenPair(query, document[:window])], len(cuts) > 1)
        return _Plan([TokenPair(query, document[a:b]) for a, b in cuts], False)

    def _scores_of(
        self, encoder: CrossEncoder, pairs: list[TokenPair], stop: threading.Event
    ) -> tuple[npt.NDArray[np.float32], list[bool]]:
        """The scores of pairs, and which of them the cache knew."""

        def go_on(rows: list[int], values: list[float]) -> None:
            if stop.is_set():
                raise asyncio.CancelledError

        if self.cache is None:
            return encoder.score_tokens(pairs, go_on), [False] * len(pairs)
        cache, identity = self._opened(), encoder.identity
        keys = [
            content_key(
                {
                    "cross-encoder": identity,
                    "query": pair.query.tolist(),
                    "document": pair.document.tolist(),
                }
            )
            for pair in pairs
        ]
        known = {key: cache.get(key) for key in keys}
        fresh = [key for key, answer in known.items() if answer is None]
        place = {key: i for i, key in enumerate(keys)}
        found = {key: float(answer["score"]) for key, answer in known.items() if answer is not None}

        def keep(rows: list[int], values: list[float]) -> None:
            # Batch by batch: a run that is killed goes on where it stopped.
            for row, value in zip(rows, values, strict=True):
                cache.put(fresh[row], {"score": value}, kind="pair")
                found[fresh[row]] = value
            go_on(rows, values)

        encoder.score_tokens([pairs[place[key]] for key in fresh], keep)
        scores = np.array([found[key] for key in keys], dtype=np.float32)
        asked = set(fresh)
        return scores, [key not in asked for key in keys]

    def _opened(self) -> AnswerCache:
        with self._lock:
            if self._answers is None:
                given = self.cache
                self._answers = given if isinstance(given, AnswerCache) else AnswerCache(given)
            return self._answers

    def __repr__(self) -> str:
        return describe(self)


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)), dtype=np.float64)
