"""A language model as ranking sees it: what it can do, and the door that asks it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from plackett.llm.requests import Answer, Request

__all__ = ["LanguageModel"]


class LanguageModel(ABC):
    """Anything that answers some of the four kinds of request.

    A subclass says which in `powers`, and answers a batch of requests of any of these kinds. It
    neither caches nor counts: the `Door` does.

    Attributes
    ----------
    powers : the kinds of request it answers: "generate", "next_token", "likelihood", "attention".
    context : how many tokens prompt and answer may have together.
    batch_size : how many requests one call of `answer` takes; 1 for a server.
    concurrency : how many calls of `answer` may be under way at once; 1 for a local model.
    """

    powers: frozenset[str] = frozenset()
    context: int = 4096
    batch_size: int = 1
    concurrency: int = 1

    @property
    @abstractmethod
    def identity(self) -> str:
        """What the model is: back end, name, version; all of it that may change an answer."""

    @abstractmethod
    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request, in order; `Failure` where there is none."""

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """How many tokens `text` has; an upper estimate where the tokenizer is not known."""

    @abstractmethod
    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""

    @abstractmethod
    def __repr__(self) -> str:
        """A description that `plackett.llm.parse_model` reads back."""
