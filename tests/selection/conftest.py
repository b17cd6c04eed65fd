"""A scripted reader: it chooses exactly what it was told to, whatever the order shown."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import pytest

from plackett.llm import (
    Answer,
    Failure,
    Generate,
    Generation,
    LabelScores,
    LanguageModel,
    NextToken,
    Request,
)


class Scripted(LanguageModel):
    """Chooses the needed passages among those shown, in the order of need.

    `spoil` turns an answer's text into another one.
    """

    powers = frozenset({"generate", "next_token"})
    context = 100_000
    concurrency = 8

    def __init__(
        self,
        needed: Mapping[str, Sequence[str]],
        spoil: Callable[[str], str | None] = lambda text: text,
        context: int = 100_000,
    ) -> None:
        self.needed, self.spoil, self.context = needed, spoil, context
        self.seen: list[Request] = []

    @property
    def identity(self) -> str:
        return "scripted"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        await asyncio.sleep(0)
        self.seen += requests
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Answer:
        assert isinstance(request, Generate | NextToken)
        shown = request.prompt.shown
        assert shown is not None
        label_of = dict(zip(shown.documents, shown.labels, strict=True))
        wanted = [label_of[d] for d in self.needed.get(shown.query, ()) if d in label_of]
        if isinstance(request, NextToken):
            free: Collection[str] = set(request.labels)
            best = next((label for label in wanted if label in free), "Z")
            return LabelScores(tuple(0.0 if label == best else -5.0 for label in request.labels))
        text = self.spoil(", ".join(f"[{label}]" for label in wanted) or "none")
        return Failure("no answer") if text is None else Generation(text, 10, 3)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[:tokens])

    def __repr__(self) -> str:
        return "Scripted()"


@pytest.fixture(scope="session")
def scripted() -> type[Scripted]:
    """The class of the scripted reader."""
    return Scripted
