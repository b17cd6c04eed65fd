"""Answers as JSON, for the cache."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from plackett.llm.requests import (
    Answer,
    AttentionWeights,
    Generation,
    LabelScores,
    TokenLikelihood,
    TokenScore,
)

__all__ = ["from_wire", "to_wire"]


def to_wire(answer: Answer) -> dict[str, Any]:
    """An answer as JSON; numbers keep all their digits."""
    return asdict(answer)


def from_wire(kind: str, content: dict[str, Any]) -> Answer:
    """The answer that `to_wire` wrote, to a request of this kind.

    >>> from_wire("likelihood", to_wire(TokenLikelihood((-0.5,), 3, 0)))
    TokenLikelihood(logprobs=(-0.5,), input_tokens=3, output_tokens=0)
    """
    usage = {name: int(content[name]) for name in ("input_tokens", "output_tokens")}
    if kind == "generate":
        scores = tuple(
            TokenScore(row["token"], row["logprob"], tuple(map(tuple, row["alternatives"])))
            for row in content["token_scores"]
        )
        return Generation(content["text"], finish=content["finish"], token_scores=scores, **usage)
    if kind == "next_token":
        return LabelScores(tuple(content["logprobs"]), tuple(content["guessed"]), **usage)
    if kind == "likelihood":
        return TokenLikelihood(tuple(content["logprobs"]), **usage)
    return AttentionWeights(tuple(map(tuple, content["weights"])), **usage)
