"""What the re-rankers that compare encoded texts share."""

from __future__ import annotations

import ast
import asyncio
import threading
import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import Encoder
from plackett.encoders.registry import parse_encoder
from plackett.errors import ConfigurationError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering, ScoreKind
from plackett.rerankers.registry import describe

__all__ = ["EncoderReranker"]

EncoderKind = TypeVar("EncoderKind", bound=Encoder[Any])
Floats = npt.NDArray[np.float64]


class EncoderReranker(TextReranker, Generic[EncoderKind]):
    """Encodes queries and texts on their own, and compares what comes out.

    A subclass says which kind of encoder it takes, how to make one of a model's folder, and how
    to compare. The texts of all queries of a call are encoded together, equal ones once; at most
    `documents_at_once`, as the memory for them allows. `calls` counts the texts read for a query,
    and the query.

    Parameters
    ----------
    model : a model's folder or a name in the hub's local cache; the description of an encoder,
        such as "TransformerEncoder('path', pooling='cls')"; or an encoder.
    """

    documents_at_once = 100_000
    encoder_kind: type[Encoder[Any]]

    def __init__(self, model: EncoderKind | str) -> None:
        self.model = model if isinstance(model, str) else repr(model)
        self._given: EncoderKind | None = None if isinstance(model, str) else model
        self._lock = threading.Lock()

    @abstractmethod
    def _default(self, model: str) -> EncoderKind:
        """The encoder of a model's folder."""

    @abstractmethod
    def _scores(self, query: Any, row: int, documents: Any, first: int, last: int) -> Floats:
        """Scores of documents `first` to `last` for the query in row `row`."""

    @abstractmethod
    def _score_kind(self) -> ScoreKind: ...

    @property
    def encoder(self) -> EncoderKind:
        """The encoder, loaded at first use.

        Raises
        ------
        ConfigurationError : the description is that of another kind of encoder.
        """
        with self._lock:
            if self._given is None:
                found = (
                    parse_encoder(self.model) if _is_call(self.model) else self._default(self.model)
                )
                self._given = found
            if not isinstance(self._given, self.encoder_kind):
                raise ConfigurationError(
                    f"{self._given!r} for {type(self).__name__}; expected a "
                    f"{self.encoder_kind.__name__}."
                )
            return self._given

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        encoder = self.encoder
        outcomes: list[Outcome] = []
        for first, last in _parts(candidates, self.documents_at_once):
            outcomes += await asyncio.to_thread(
                self._part, encoder, queries[first:last], candidates[first:last]
            )
            for outcome in outcomes[first:last]:
                self._tell(outcome)
        return outcomes

    def _part(
        self, encoder: EncoderKind, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        started = time.perf_counter()
        left = encoder.encode_all(queries, "query")
        texts = [text for given in candidates for text in given.texts]
        right = encoder.encode_all(texts, "document")
        outcomes = []
        first = 0
        for row, given in enumerate(candidates):
            last = first + len(given)
            scores = self._scores(left.values, row, right.values, first, last)
            outcomes.append(
                Outcome(
                    Ordering.by_scores(scores, self._score_kind()),
                    calls=len(given) + 1,
                    tokens=int(left.tokens[row] + right.tokens[first:last].sum()),
                    truncated=int(right.truncated[first:last].sum()),
                    seconds=time.perf_counter() - started,
                )
            )
            first = last
        return outcomes

    def __repr__(self) -> str:
        return describe(self)


def _is_call(text: str) -> bool:
    """Whether a text is written as a call, `Name(...)`, rather than as a path."""
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return isinstance(parsed, ast.Call)


def _parts(candidates: Sequence[Candidates], limit: int) -> list[tuple[int, int]]:
    """Runs of queries with at most `limit` documents together; a query is never taken apart."""
    parts, first, size = [], 0, 0
    for i, given in enumerate(candidates):
        if size and size + len(given) > limit:
            parts.append((first, i))
            first, size = i, 0
        size += len(given)
    return [*parts, (first, len(candidates))]
