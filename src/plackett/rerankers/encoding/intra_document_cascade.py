"""A cascade inside each document: a cheap look at all chunks, a cross-encoder for a few."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.model import BackendName
from plackett.encoders.pairs import CrossEncoder, TokenPair
from plackett.errors import ConfigurationError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register

if TYPE_CHECKING:
    from plackett.rerankers.encoding.chunk_scorer_torch import ChunkExample, ChunkScorer

__all__ = ["IntraDocumentCascade", "chunks"]

Ids = npt.NDArray[np.int32]


class _Document(NamedTuple):
    """What of a document is looked at: its chunks, and whether its end is not."""

    query: Ids
    chunks: list[Ids]
    truncated: bool


def chunks(length: int, chunk: int = 50, overlap: int = 7) -> list[tuple[int, int]]:
    """Where the chunks of a document begin and end: `chunk` tokens, and `overlap` on each side.

    An empty document has one empty chunk.

    >>> chunks(120, 50, 7)
    [(0, 57), (43, 107), (93, 120)]
    >>> chunks(50, 50, 7), chunks(0)
    ([(0, 50)], [(0, 0)])
    """
    count = max(1, -(-length // chunk))
    return [
        (max(0, i * chunk - overlap), min(length, (i + 1) * chunk + overlap)) for i in range(count)
    ]


@register("idcm")
class IntraDocumentCascade(TextReranker):
    """IDCM: a small network picks the chunks of each document that a cross-encoder then reads.

        score = sum_j w_j s_(j),  s_(1) >= s_(2) >= ... the cross-encoder's scores of the chosen

    However long a document is, the cross-encoder reads at most `keep` chunks of it. With `keep` at
    least the number of chunks, all are read, and the small network is not asked.

    Parameters
    ----------
    model : the cross-encoder's folder, or a name in the hub's local cache.
    selector : the folder of the small network (`ChunkScorer.save`); None reads all chunks.
    keep : how many chunks the cross-encoder reads.
    top : how many of its scores are summed; 1 takes the best chunk's.
    weights : w_1, ..., w_top; None for those saved with the selector, or 1 each.
    chunk, overlap : tokens of a chunk, and those of its neighbours that are read with it.
    max_document_tokens : what is further on is not looked at, and counted as truncated.
    max_query_tokens, backend, batch_tokens, label, threads : see `CrossEncoder`.

    Raises
    ------
    ConfigurationError : parameters that do not fit together, or the model.
    DataError : when first used: a model or selector that cannot be used.

    Reference: Hofstätter, Mitra, Zamani, Craswell & Hanbury, "Intra-document cascading: learning to
    select passages for neural document ranking", SIGIR 2021.
    """

    def __init__(
        self,
        model: str,
        *,
        selector: str | None = None,
        keep: int = 4,
        top: int = 3,
        weights: Sequence[float] | None = None,
        chunk: int = 50,
        overlap: int = 7,
        max_document_tokens: int = 2000,
        max_query_tokens: int = 64,
        backend: BackendName = "torch",
        batch_tokens: int = 4096,
        label: int | None = None,
        threads: int | None = None,
    ) -> None:
        for name, value in (
            ("keep", keep),
            ("top", top),
            ("chunk", chunk),
            ("max_document_tokens", max_document_tokens),
        ):
            if value < 1:
                raise ConfigurationError(f"{name} = {value}; expected 1 or more.")
        if overlap < 0:
            raise ConfigurationError(f"overlap = {overlap}; expected 0 or more.")
        if weights is not None and len(weights) != top:
            raise ConfigurationError(f"{len(weights)} weights for top = {top} chunks.")
        self.model, self.selector, self.keep, self.top = model, selector, keep, top
        self.weights = None if weights is None else tuple(float(weight) for weight in weights)
        self.chunk, self.overlap = chunk, overlap
        self.max_document_tokens, self.max_query_tokens = max_document_tokens, max_query_tokens
        self.backend, self.batch_tokens = backend, batch_tokens
        self.label, self.threads = label, threads
        self._lock = threading.Lock()
        self._encoder: CrossEncoder | None = None
        self._scorer: ChunkScorer | None = None
        self._saved_weights: tuple[float, ...] = ()

    @property
    def encoder(self) -> CrossEncoder:
        """The cross-encoder, loaded at first use.

        Raises
        ------
        ConfigurationError : a chunk with its overlaps and a query do not fit in its input.
        """
        with self._lock:
            if self._encoder is None:
                encoder = CrossEncoder(
                    self.model,
                    backend=self.backend,
                    max_query_tokens=self.max_query_tokens,
                    batch_tokens=self.batch_tokens,
                    label=self.label,
                    threads=self.threads,
                )
                room = encoder.room(np.zeros(self.max_query_tokens, dtype=np.int32))
                if self.chunk + 2 * self.overlap > room:
                    raise ConfigurationError(
                        f"chunks of {self.chunk} + 2 x {self.overlap} tokens; the model has room "
                        f"for {room} beside a query of {self.max_query_tokens}."
                    )
                self._encoder = encoder
            return self._encoder

    @property
    def scorer(self) -> ChunkScorer:
        """The small network, loaded at first use."""
        if self.selector is None:
            raise ConfigurationError("no selector: all chunks are read.")
        with self._lock:
            if self._scorer is None:
                module = require(
                    "plackett.rerankers.encoding.chunk_scorer_torch",
                    extra="text",
                    purpose="choose chunks",
                )
                self._scorer, weights = module.load_chunk_scorer(self.selector, self.model)
                self._saved_weights = tuple(weights)
            return self._scorer

    def examples(
        self, queries: Sequence[str], documents: Sequence[Sequence[str]]
    ) -> list[ChunkExample]:
        """What the small network learns from: every chunk, and the cross-encoder's score of it.

        Parameters
        ----------
        queries : n queries.
        documents : texts for each.
        """
        module = require(
            "plackett.rerankers.encoding.chunk_scorer_torch", extra="text", purpose="choose chunks"
        )
        looked = self._looked_at(queries, documents)
        pairs = [TokenPair(one.query, chunk) for one in looked for chunk in one.chunks]
        scores = self.encoder.score_tokens(pairs).tolist()
        out, place = [], 0
        for one in looked:
            stop = place + len(one.chunks)
            out.append(module.ChunkExample(one.query, one.chunks, scores[place:stop]))
            place = stop
        return out

    def chosen(self, query: str, document: str) -> list[int]:
        """Which chunks of a document the cross-encoder would read, in the document's order."""
        return self._choose(self._looked_at([query], [[document]]))[0]

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        return await asyncio.to_thread(self._ordered, queries, candidates)

    def _ordered(self, queries: Sequence[str], candidates: Sequence[Candidates]) -> list[Outcome]:
        started = time.perf_counter()
        looked = self._looked_at(queries, [given.texts for given in candidates])
        pairs = [
            [TokenPair(one.query, one.chunks[i]) for i in kept]
            for one, kept in zip(looked, self._choose(looked), strict=True)
        ]
        flat = self.encoder.score_tokens([pair for some in pairs for pair in some])
        weights = self._weights()
        scores, place = np.zeros(len(looked)), 0
        for row, some in enumerate(pairs):
            best = np.sort(flat[place : place + len(some)])[::-1][: self.top].astype(np.float64)
            scores[row] = float(best @ weights[: len(best)])
            place += len(some)
        seconds = time.perf_counter() - started
        outcomes = []
        bounds = np.concatenate([[0], np.cumsum([len(given) for given in candidates])]).tolist()
        for a, b in pairwise(bounds):
            read = [pair for some in pairs[a:b] for pair in some]
            outcome = Outcome(
                Ordering.by_scores(scores[a:b], "logit"),
                calls=len(read),
                tokens=sum(len(q) + len(d) + self.encoder.overhead for q, d in read),
                truncated=sum(one.truncated for one in looked[a:b]),
                seconds=seconds,
            )
            self._tell(outcome)
            outcomes.append(outcome)
        return outcomes

    def _looked_at(
        self, queries: Sequence[str], documents: Sequence[Sequence[str]]
    ) -> list[_Document]:
        encoder = self.encoder
        left = [encoder.cut_query(query) for query in encoder.tokens(queries)]
        found = []
        for query, texts in zip(left, documents, strict=True):
            for ids in encoder.tokens(texts):
                read = ids[: self.max_document_tokens]
                cuts = chunks(len(read), self.chunk, self.overlap)
                found.append(_Document(query, [read[a:b] for a, b in cuts], len(read) < len(ids)))
        return found

    def _choose(self, looked: Sequence[_Document]) -> list[list[int]]:
        """For each document its best chunks by the small network, in the document's order."""
        kept = [list(range(len(one.chunks))) for one in looked]
        if self.selector is None:
            return kept
        long = [row for row, one in enumerate(looked) if len(one.chunks) > self.keep]
        pairs = [(looked[row].query, chunk) for row in long for chunk in looked[row].chunks]
        scores = self.scorer.score(pairs)
        place = 0
        for row in long:
            stop = place + len(looked[row].chunks)
            best = np.argsort(-scores[place:stop], kind="stable")[: self.keep]
            kept[row] = sorted(best.tolist())
            place = stop
        return kept

    def _weights(self) -> npt.NDArray[np.float64]:
        weights = self.weights
        if weights is None and self.selector is not None and self.scorer is not None:
            weights = self._saved_weights or None
        if weights is not None and len(weights) < self.top:
            raise ConfigurationError(
                f"{len(weights)} weights saved with {self.selector}; top = {self.top}."
            )
        return np.ones(self.top) if weights is None else np.array(weights, dtype=np.float64)

    def __repr__(self) -> str:
        return describe(self)
