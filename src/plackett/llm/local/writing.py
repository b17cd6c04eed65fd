"""An answer under way: what it has written, and what ends it."""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plackett.llm.requests import Generate, Generation, TokenScore

__all__ = ["TokenTexts", "Writing"]

Floats = npt.NDArray[np.floating]

_ALTERNATIVES = 20
"""How many tokens are told beside each one written, where log-probabilities are asked for."""

_TAIL = 48
"""So many last tokens are searched for stop texts and tags, and the longest stop text's."""

_OPEN, _CLOSE = "<think>", "</think>"


class TokenTexts(Protocol):
    """A model's tokens as text, and text as tokens."""

    def ids(self, text: str) -> list[int]:
        """The tokens of `text` alone."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, without those that steer."""

    def token_text(self, token: int) -> str:
        """The text of one token, as it reads alone."""


class Writing:
    """One answer under way.

    Parameters
    ----------
    request : what was asked.
    texts : of the model's tokens.
    read : what the model goes on from.
    begun : the end of the prompt as text, for whether thinking has begun in it.
    limit : at most so many tokens are written.
    ends : the tokens that end an answer.

    Attributes
    ----------
    tokens : what is written so far.
    finish : why it has ended; None while it is under way.

    What is drawn by chance depends on the request's seed and its content, not on the batch.
    """

    def __init__(
        self,
        request: Generate,
        texts: TokenTexts,
        read: Sequence[int],
        *,
        begun: str,
        limit: int,
        ends: frozenset[int],
    ) -> None:
        self.request, self.read, self._texts = request, tuple(read), texts
        self._limit, self._ends = limit, ends
        content = json.dumps(request.content(), sort_keys=True).encode()
        self._random = np.random.default_rng([request.seed % 2**63, zlib.crc32(content)])
        self._forced: deque[int] = deque()
        self._thinks = begun.rpartition(_OPEN)[1] != "" and _CLOSE not in begun.rpartition(_OPEN)[2]
        self._has_thought = False
        self._thoughts = 0
        self._tail = _TAIL + max((len(stop) for stop in request.stop), default=0)
        self.tokens: list[int] = []
        self.scores: list[TokenScore] = []
        self.finish: str | None = "length" if limit < 1 else None

    def take(self, logits: Floats) -> int:
        """Choose the next token by its logits, `float[V]`, and write it down."""
        if self._thinks and self._spent():
            self._forced.extend(self._texts.ids(f"\n{_CLOSE}\n\n"))
            self._thinks, self._has_thought = False, True
        token = self._forced.popleft() if self._forced else self._chosen(logits)
        if self.request.logprobs:
            self.scores.append(self._score(logits, token))
        self.tokens.append(token)
        self._look()
        return token

    def _spent(self) -> bool:
        budget = self.request.thinking_tokens
        return budget is not None and self._thoughts >= budget

    def _chosen(self, logits: Floats) -> int:
        if self.request.temperature <= 0:
            return int(logits.argmax())
        # In float64, and by one number a token: the draw does not depend on the batch's rounding.
        shares = np.cumsum(np.exp(_log_softmax(logits / self.request.temperature)))
        drawn = self._random.random() * shares[-1]
        return min(int(np.searchsorted(shares, drawn, side="right")), len(shares) - 1)

    def _score(self, logits: Floats, token: int) -> TokenScore:
        logprobs = _log_softmax(logits)
        count = min(_ALTERNATIVES, len(logprobs))
        best = np.argpartition(-logprobs, count - 1)[:count]
        others = tuple(
            (self._texts.token_text(int(other)), float(logprobs[other]))
            for other in best[np.lexsort((best, -logprobs[best]))]
        )
        return TokenScore(self._texts.token_text(token), float(logprobs[token]), others)

    def _look(self) -> None:
        """See whether the token just written ends the answer, or begins or ends a thought."""
        if self.tokens[-1] in self._ends and not self._forced:
            self.finish = "stop"
            return
        watching = self.request.thinking_tokens is not None and not self._has_thought
        if self.request.stop or watching:
            recent = self._texts.decode(self.tokens[-self._tail :])
            if any(stop in recent for stop in self.request.stop):
                self.finish = "stop"
                return
            if watching and self._thinks:
                self._thoughts += 1
                self._has_thought = _CLOSE in recent
                self._thinks = not self._has_thought
            elif watching:
                self._thinks = _OPEN in recent
        if len(self.tokens) >= self._limit:
            self.finish = "length"

    def answer(self, input_tokens: int) -> Generation:
        """The answer as written, up to a stop text; the model has read `input_tokens`."""
        before = self.read[-4:]
        begun = len(self._texts.decode(before))

        def text_of(count: int) -> str:
            return self._texts.decode([*before, *self.tokens[:count]])[begun:]

        text = text_of(len(self.tokens))
        cuts = [text.find(stop) for stop in self.request.stop if stop in text]
        scores = self.scores
        if cuts:
            text = text[: min(cuts)]
            while scores and len(text_of(len(scores) - 1)) >= len(text):
                scores = scores[:-1]
        return Generation(
            text,
            input_tokens=input_tokens,
            output_tokens=len(self.tokens),
            finish="stop" if self.finish == "stop" else "length",
            token_scores=tuple(scores),
        )


def _log_softmax(logits: Floats) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64) - float(logits.max())
    found: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return found
