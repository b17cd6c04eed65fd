"""What OpenAI-compatible servers call the things on which they differ: a row for each server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from plackett.errors import UnknownNameError

__all__ = ["Dialect", "dialect_of"]


@dataclass(frozen=True)
class Dialect:
    """The fields of one kind of server.

    Parameters
    ----------
    max_tokens : what the longest answer of a chat is called.
    continues : whether a chat goes on from a last message of the assistant.
    continuing : fields that are sent to have it go on.
    no_thinking : fields that switch thinking off.
    thinking_budget : the field that bounds the tokens of thinking; "" where there is none.
    likelihood : how the log-probabilities of a given text are had, by API: "echo" (completions
        that repeat the prompt), "prompt_logprobs", or not at all.
    most_logprobs : how many log-probabilities a token there are at most, by API.
    """

    max_tokens: str = "max_tokens"
    continues: bool = False
    continuing: Mapping[str, Any] = field(default_factory=dict)
    no_thinking: Mapping[str, Any] = field(default_factory=dict)
    thinking_budget: str = ""
    likelihood: Mapping[str, Literal["echo", "prompt_logprobs"]] = field(default_factory=dict)
    most_logprobs: Mapping[str, int] = field(
        default_factory=lambda: {"chat": 20, "completions": 20}
    )


_DIALECTS = {
    # The hosted service: no prefilled answers, and no log-probabilities of a given text.
    "openai": Dialect(
        max_tokens="max_completion_tokens",
        most_logprobs={"chat": 20, "completions": 5},
    ),
    "vllm": Dialect(
        continues=True,
        continuing={"add_generation_prompt": False, "continue_final_message": True},
        no_thinking={"chat_template_kwargs": {"enable_thinking": False}},
        thinking_budget="thinking_token_budget",
        likelihood={"completions": "echo", "chat": "prompt_logprobs"},
    ),
    # Its `echo` repeats the prompt, but gives log-probabilities of what it wrote only.
    "llama.cpp": Dialect(
        continues=True,
        no_thinking={"chat_template_kwargs": {"enable_thinking": False}},
        thinking_budget="thinking_budget_tokens",
    ),
    "ollama": Dialect(no_thinking={"reasoning_effort": "none"}),
    # What all of them understand.
    "plain": Dialect(),
}


def dialect_of(name: str) -> Dialect:
    """The row of a kind of server.

    Raises
    ------
    UnknownNameError : there is none of this name.

    >>> dialect_of("vllm").thinking_budget
    'thinking_token_budget'
    """
    if name not in _DIALECTS:
        raise UnknownNameError("server", name, _DIALECTS)
    return _DIALECTS[name]
