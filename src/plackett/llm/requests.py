"""What ranking asks of a language model: four powers, as values.

A strategy never calls a model. It yields requests and is sent answers, so that the same strategy
runs on a local model in batches, on a server concurrently, on an oracle, and as a dry run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Answer",
    "Attention",
    "AttentionWeights",
    "Failure",
    "Generate",
    "Generation",
    "LabelScores",
    "Likelihood",
    "Message",
    "NextToken",
    "Prompt",
    "Request",
    "Shown",
    "TokenLikelihood",
    "TokenScore",
]

Role = Literal["system", "user", "assistant"]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True)
class Shown:
    """What a prompt shows, for whoever simulates its reader; models never see it.

    Parameters
    ----------
    query : the query's text.
    documents : the ids of the documents shown, in the order shown.
    labels : what each is called in the prompt.
    grammar : the form of the answer that the prompt asks for, as its template names it.
    scale : the least and the greatest number that the prompt lets an answer give.
    words : words that stand for numbers, and the numbers, such as ("yes", 1.0).
    count : how many documents the prompt asks for; 0 leaves it open.
    """

    query: str
    documents: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    grammar: str = "text"
    scale: tuple[int, int] = (0, 10)
    words: tuple[tuple[str, float], ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Prompt:
    """The turns of a conversation, and what the answer has already begun with.

    Parameters
    ----------
    messages : the turns; a model without a chat format reads them as paragraphs.
    answer_start : the beginning of the answer, which the model goes on from.
    shown : what the prompt shows; not part of its identity.

    >>> Prompt((Message("user", "Which is best?"),), answer_start="[").plain()
    'Which is best?\\n\\n['
    """

    messages: tuple[Message, ...]
    answer_start: str = ""
    shown: Shown | None = field(default=None, compare=False, repr=False)

    def plain(self) -> str:
        """The prompt as plain text: turns as paragraphs, then the answer's beginning."""
        started = [self.answer_start] if self.answer_start else []
        return "\n\n".join([*(message.text for message in self.messages), *started])

    def content(self) -> dict[str, Any]:
        """What determines an answer to it, as JSON."""
        turns = [[message.role, message.text] for message in self.messages]
        return {"messages": turns, "answer_start": self.answer_start}


@dataclass(frozen=True)
class Generate:
    """Write an answer.

    Parameters
    ----------
    prompt : the question.
    max_tokens : at most so many tokens of answer, a budget for thinking included.
    temperature : 0 for the likeliest answer.
    stop : texts at which the answer ends.
    seed : of the sampling, and of which of several answers this is.
    thinking_tokens : of `max_tokens`, at most so many for thinking before the answer; None leaves
        the model's way of thinking alone, 0 asks for none.
    logprobs : whether the log-probability of each token is wanted.
    """

    kind: ClassVar[str] = "generate"

    prompt: Prompt
    max_tokens: int = 256
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    thinking_tokens: int | None = None
    logprobs: bool = False

    def content(self) -> dict[str, Any]:
        """What determines the answer, as JSON."""
        return {
            "kind": self.kind,
            **self.prompt.content(),
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "stop": list(self.stop),
            "seed": self.seed,
            "thinking_tokens": self.thinking_tokens,
            "logprobs": self.logprobs,
        }


@dataclass(frozen=True)
class NextToken:
    """How probable each of some labels is as the next token after the prompt."""

    kind: ClassVar[str] = "next_token"

    prompt: Prompt
    labels: tuple[str, ...]

    def content(self) -> dict[str, Any]:
        """What determines the answer, as JSON."""
        return {"kind": self.kind, **self.prompt.content(), "labels": list(self.labels)}


@dataclass(frozen=True)
class Likelihood:
    """How probable a given continuation of the prompt is, token by token."""

    kind: ClassVar[str] = "likelihood"

    prompt: Prompt
    continuation: str

    def content(self) -> dict[str, Any]:
        """What determines the answer, as JSON."""
        return {"kind": self.kind, **self.prompt.content(), "continuation": self.continuation}


@dataclass(frozen=True)
class Attention:
    """How much the end of a prompt attends to each token of the documents in it.

    Parameters
    ----------
    before : the text before the documents.
    documents : the texts of the documents, with their labels and separators.
    after : the text after them, whose tokens attend.
    shown : what the prompt shows; not part of its identity.

    Requests with equal `before` and `documents` share the work of reading them.
    """

    kind: ClassVar[str] = "attention"

    before: str
    documents: tuple[str, ...]
    after: str
    shown: Shown | None = field(default=None, compare=False, repr=False)

    def content(self) -> dict[str, Any]:
        """What determines the answer, as JSON."""
        return {
            "kind": self.kind,
            "before": self.before,
            "documents": list(self.documents),
            "after": self.after,
        }


@dataclass(frozen=True)
class TokenScore:
    """A token of an answer, its log-probability, and those of what else could have stood there."""

    token: str
    logprob: float
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Generation:
    """An answer in words.

    Parameters
    ----------
    text : the answer, without what the prompt had begun.
    input_tokens, output_tokens : tokens read and written.
    finish : why it ended: "stop", or "length" where `max_tokens` cut it.
    token_scores : one a token of the answer, where asked for and known.
    """

    text: str
    input_tokens: int = 0
    output_tokens: int = 0
    finish: Literal["stop", "length"] = "stop"
    token_scores: tuple[TokenScore, ...] = ()


@dataclass(frozen=True)
class LabelScores:
    """The log-probability of each label as the next token.

    Parameters
    ----------
    logprobs : `float[m]`, in the order of the request's labels.
    guessed : which of them the model did not tell: those get one less than the least it told.
    """

    logprobs: tuple[float, ...]
    guessed: tuple[bool, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class TokenLikelihood:
    """The log-probability of every token of a continuation."""

    logprobs: tuple[float, ...]
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class AttentionWeights:
    """Attention that each token of each document received.

    Parameters
    ----------
    weights : one tuple a document, one number a token: the sum over layers and heads of the mean
        over the attending tokens.
    """

    weights: tuple[tuple[float, ...], ...]
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Failure:
    """No answer, after all retries; `reason` says why. It is never cached."""

    reason: str
    input_tokens: int = 0
    output_tokens: int = 0


Request: TypeAlias = Generate | NextToken | Likelihood | Attention
"""What can be asked."""

Answer: TypeAlias = Generation | LabelScores | TokenLikelihood | AttentionWeights | Failure
"""What can come back."""
