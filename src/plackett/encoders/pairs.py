"""Cross-encoders: a query and a document read together, and one score for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import Encoded, PairScorer, check_texts
from plackett.encoders.model import BackendName, TextModel
from plackett.encoders.registry import describe_encoder, register_encoder
from plackett.encoders.tokens import Inputs
from plackett.errors import ConfigurationError, DataError

__all__ = ["CrossEncoder", "TokenPair", "score_of_logits"]

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


class TokenPair(NamedTuple):
    """A query and a document, or a part of it, as token ids without special tokens."""

    query: Ids
    document: Ids


def score_of_logits(logits: Floats, label: int | None = None) -> Floats:
    """One number a pair from the logits of a classification head: `float32[b]`.

    One label: its logit. Two: z1 - z0, which orders as the softmax's second probability does, and
    does not run into 1.0 where that does. More: that of the label that is asked for.

    Raises
    ------
    ConfigurationError : more than two labels and none chosen, or one that is not there.

    >>> score_of_logits(np.array([[1.0, 3.0]], dtype=np.float32)).tolist()
    [2.0]
    """
    labels = logits.shape[1]
    if label is not None:
        if not 0 <= label < labels:
            raise ConfigurationError(f"label = {label}; the model has labels 0 to {labels - 1}.")
        return logits[:, label]
    if labels == 1:
        return logits[:, 0]
    if labels == 2:
        return logits[:, 1] - logits[:, 0]
    raise ConfigurationError(f"a model of {labels} labels; say by label=... which is the score.")


@register_encoder
class CrossEncoder(PairScorer):
    """Scores pairs by a transformer with a classification head.

    The input is `[CLS] query [SEP] document [SEP]`, with the special tokens and token types that
    the model's tokenizer puts. What is too long is cut on the document's side, at its end; only a
    query of more than `max_query_tokens` is cut as well. A document that has tokens keeps at
    least one. All texts are taken apart once, sorted by length, and computed in batches of
    `batch_tokens` tokens.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache. Nothing is downloaded.
    backend : "torch", "onnx" or "onnx-int8".
    max_tokens : how many tokens of a pair are read at most; None for as many as the model can.
    max_query_tokens : how many of them the query may have.
    batch_tokens : how many tokens a batch has at most, padding included.
    label : which label's logit is the score; needed for more than two labels only.
    threads : how many threads a call may use; None leaves it to the back end.

    Raises
    ------
    ConfigurationError : parameters that do not fit the model.
    DataError : no such model, no weights for its classification head, or weights that are not
        finite.

    Reference: Nogueira & Cho, "Passage re-ranking with BERT", 2019.
    """

    def __init__(
        self,
        model: str,
        *,
        backend: BackendName = "torch",
        max_tokens: int | None = None,
        max_query_tokens: int = 64,
        batch_tokens: int = 4096,
        label: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.model, self.backend, self.max_tokens = model, backend, max_tokens
        self.max_query_tokens, self.batch_tokens = max_query_tokens, batch_tokens
        self.label, self.threads = label, threads
        if batch_tokens < 1:
            raise ConfigurationError(f"batch_tokens = {batch_tokens}; expected 1 or more.")
        self._text = TextModel(
            model, "pair", backend=backend, texts=2, max_tokens=max_tokens, threads=threads
        )
        room = self._text.max_tokens - self._text.template.overhead - 1
        if not 1 <= max_query_tokens <= room:
            raise ConfigurationError(
                f"max_query_tokens = {max_query_tokens}; expected 1 to {room}, so that at least "
                "one token of the document is read."
            )

    @property
    def identity(self) -> str:
        """The model's content, what ran it, and the limits."""
        label = "" if self.label is None else f":label {self.label}"
        return f"{self._text.identity}:{self._text.max_tokens}:{self.max_query_tokens}{label}"

    def tokens(self, texts: Sequence[str]) -> list[Ids]:
        """The token ids of texts, without special ones; equal texts are taken apart once."""
        return self._text.tokenizer.encode(check_texts(texts))

    def cut_query(self, query: Ids) -> Ids:
        """The query as it is read: its first `max_query_tokens` tokens."""
        return query[: self.max_query_tokens]

    def room(self, query: Ids) -> int:
        """How many tokens of a document are read beside this query (as `cut_query` gives it)."""
        return self._text.max_tokens - self._text.template.overhead - len(query)

    @property
    def overhead(self) -> int:
        """Special tokens of a pair."""
        return self._text.template.overhead

    def score_tokens(
        self,
        pairs: Sequence[TokenPair],
        watch: Callable[[list[int], list[float]], None] | None = None,
    ) -> Floats:
        """Score pairs of token ids: `float32[n]`.

        Parameters
        ----------
        pairs : each short enough: a query as `cut_query` gives it, a document of at most `room`.
        watch : told of each batch as it is ready: which pairs, and their scores.

        Raises
        ------
        DataError : a score is not finite.
        """
        scores = np.zeros(len(pairs), dtype=np.float32)

        def collect(rows: npt.NDArray[np.int64], inputs: Inputs, logits: Floats) -> None:
            found = score_of_logits(logits, self.label)
            if not np.isfinite(found).all():
                raise DataError(
                    f"a score of {found[~np.isfinite(found)][0]}",
                    expected="a finite number",
                    path=self._text.folder.root,
                )
            scores[rows] = found
            if watch is not None:
                watch(rows.tolist(), found.tolist())

        self._text.run(pairs, self.batch_tokens, collect)
        return scores

    def score(self, queries: Sequence[str], documents: Sequence[str]) -> Encoded[Floats]:
        """Score n pairs; a document that is too long is cut at its end.

        Parameters
        ----------
        queries, documents : n of each.

        Raises
        ------
        DataError : a text is no string, or there are more of one than of the other.
        """
        if len(queries) != len(documents):
            raise DataError(
                f"{len(queries)} queries and {len(documents)} documents", expected="as many of each"
            )
        left = [self.cut_query(query) for query in self.tokens(queries)]
        whole = self.tokens(documents)
        pairs = [
            TokenPair(query, document[: self.room(query)])
            for query, document in zip(left, whole, strict=True)
        ]
        lengths = [len(pair.query) + len(pair.document) + self.overhead for pair in pairs]
        cut = [len(pair.document) < len(ids) for pair, ids in zip(pairs, whole, strict=True)]
        return Encoded(
            self.score_tokens(pairs), np.array(lengths, dtype=np.int64), np.array(cut, dtype=bool)
        )

    def __repr__(self) -> str:
        return describe_encoder(self)
