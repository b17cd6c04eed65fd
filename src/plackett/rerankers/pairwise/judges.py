"""A function or a person as the one who compares: asked through the same door as a model.

So answers are cached, counted and resumed as a model's are: nobody is asked the same thing twice
where a cache is given.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from plackett.errors import DataError, PlackettError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import (
    Answer,
    Failure,
    LabelScores,
    Message,
    NextToken,
    Prompt,
    Request,
)
from plackett.rerankers.pairwise.comparators import Compared, Comparing
from plackett.rerankers.pairwise.pair_sorting import Pair
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking

__all__ = ["Judge", "JudgeComparator", "JudgeStoppedError", "Judgement", "ask_on_terminal"]

Judgement: TypeAlias = Callable[[str, str, str], "float | bool | Awaitable[float | None] | None"]
"""From a query and two texts to the probability that the first is the better one: 1 or True for
the first, 0 or False for the second, 0.5 for a tie, None for no answer. It may be awaitable."""


class JudgeStoppedError(PlackettError):
    """A judge gave up in the middle of a comparison; what was answered before is kept."""


_LABELS = ("1", "2")
_SURE = 1e-12


class Judge(LanguageModel):
    """Answers comparisons by calling a function, one at a time, beside the event loop.

    Parameters
    ----------
    judgement : see `Judgement`.

    The cache knows a judge by its function's module and name.

    >>> Judge(len).identity
    'Judge(builtins.len)'
    """

    powers = frozenset({"next_token"})
    context = 2**31

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement

    @property
    def identity(self) -> str:
        """The function's module and name."""
        return repr(self)

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in order."""
        return [await self._answer(request) for request in requests]

    async def _answer(self, request: Request) -> Answer:
        if not isinstance(request, NextToken) or len(request.prompt.messages) != 3:
            raise DataError(
                f"a request of kind {request.kind!r}",
                expected="a comparison of two texts; a judge answers nothing else",
            )
        query, first, second = (message.text for message in request.prompt.messages)
        try:
            if inspect.iscoroutinefunction(self.judgement):
                found = await self.judgement(query, first, second)
            else:
                found = await asyncio.to_thread(self.judgement, query, first, second)
        except (KeyboardInterrupt, SystemExit) as error:
            # Either would end the event loop, and leave everyone waiting for ever.
            raise JudgeStoppedError(f"{self!r} stopped: {type(error).__name__}.") from error
        if found is None:
            return Failure("the judge gave no answer")
        if isinstance(found, (bool, int, float, np.number, np.bool_)) and 0 <= found <= 1:
            probability = float(np.clip(float(found), _SURE, 1.0 - _SURE))
            return LabelScores((float(np.log(probability)), float(np.log1p(-probability))))
        raise DataError(
            f"judgement {found!r}", expected="a number from 0 to 1, True, False, or None"
        )

    def count_tokens(self, text: str) -> int:
        """0: a judge reads no tokens."""
        return 0

    def truncate(self, text: str, tokens: int) -> str:
        """The text itself: a judge reads all of it."""
        return text

    def __repr__(self) -> str:
        kind = type(self.judgement)
        module = getattr(self.judgement, "__module__", kind.__module__)
        name = getattr(self.judgement, "__qualname__", kind.__qualname__)
        return f"Judge({module}.{name})"


@dataclass(frozen=True)
class JudgeComparator:
    """Has a `Judge` compare documents, whole and as they are."""

    def begin(self, query: str, candidates: Candidates, asking: Asking) -> Comparing:
        """What compares the documents of this query."""

        def comparing(shown: Sequence[Pair]) -> Compared:
            texts = candidates.texts
            turns = [(query, texts[i], texts[j]) for i, j in shown]
            answers = yield [
                NextToken(Prompt(tuple(Message("user", text) for text in turn)), _LABELS)
                for turn in turns
            ]
            found = np.full(len(shown), np.nan)
            for place, answer in enumerate(answers):
                if isinstance(answer, LabelScores):
                    asking.note("ok", answer)
                    gap = answer.logprobs[1] - answer.logprobs[0]
                    found[place] = 1.0 / (1.0 + np.exp(gap))
                else:
                    asking.note("missing", answer)
            return found

        return comparing


def ask_on_terminal(query: str, first: str, second: str) -> float | None:
    """Ask a person: 1 for the first text, 2 for the second, = for a tie, Enter for no opinion.

    `Reranker("prp", comparator=ask_on_terminal, method="sliding", k=3)` lets a person sort.
    """
    question = f"\nQuery: {query}\n\n(1) {first}\n\n(2) {second}\n\nWhich is better, 1, 2 or =? "
    while True:
        answer = input(question).strip()
        if answer in ("1", "2", "=", ""):
            return {"1": 1.0, "2": 0.0, "=": 0.5, "": None}[answer]
        question = "Please answer 1, 2, = or nothing: "
