"""What an OpenAI-compatible server sends, read with distrust."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from plackett.llm.requests import Generation, LabelScores, TokenLikelihood, TokenScore

__all__ = [
    "Unusable",
    "read_generation",
    "read_labels",
    "read_likelihood",
    "read_prompt_logprobs",
    "read_usage",
]

ROUNDING = 1e-3
"""How far above 0 a log-probability may be by the server's rounding."""


class Unusable(Exception):  # noqa: N818 - an outcome that becomes a Failure, not a user's error
    """The answer does not hold what was asked for; the text says what is wrong."""


class Position(NamedTuple):
    """A token, its log-probability (None: missing or impossible), and all that were told there."""

    token: str
    logprob: float | None
    told: dict[str, float]
    offset: int | None


def read_usage(content: dict[str, Any]) -> tuple[int, int] | None:
    """Tokens read and written, where the server says so."""
    usage = content.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens", 0)]
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in counts):
        return None
    return int(counts[0]), int(counts[1])


def read_generation(
    content: dict[str, Any], *, begun: str, thinking: bool, tokens: tuple[int, int]
) -> Generation:
    """The answer in words; thoughts that the server keeps apart are left out.

    Parameters
    ----------
    content : the server's answer.
    begun : what the answer was asked to begin with, which is taken off where it is repeated.
    thinking : whether the model was left to think. Where it was not, but the server took the
        whole answer for a thought, the thought is the answer.
    tokens : tokens read and written.

    Raises
    ------
    Unusable : there is no text.
    """
    choice = _choice(content)
    text = _text(choice, thinking=thinking)
    reason = choice.get("finish_reason")
    if reason == "content_filter" and not text.strip():
        raise Unusable("the server's content filter held the answer back")
    if begun and text.lstrip().startswith(begun):
        text = text.lstrip()[len(begun) :]
    positions = _positions(choice.get("logprobs"))
    scores = tuple(
        TokenScore(each.token, each.logprob, tuple(each.told.items()))
        for each in _after_thoughts(positions)
        if each.logprob is not None
    )
    # Some of the numbers, with others left out, would be read as the wrong tokens'.
    whole = len(scores) == len(_after_thoughts(positions))
    return Generation(
        text,
        *tokens,
        finish="length" if reason == "length" else "stop",
        token_scores=scores if whole else (),
    )


def read_labels(
    content: dict[str, Any], labels: Sequence[str], *, begun: str, tokens: tuple[int, int]
) -> LabelScores:
    """The log-probabilities of the labels, by the tokens that the server told at their place.

    A label is the tokens that are equal to it without the spaces around them, together; one that
    is not among those told gets one less than the least of them, and is marked.

    Parameters
    ----------
    begun : what the answer was asked to begin with; the labels are looked for after it.

    Raises
    ------
    Unusable : there are no log-probabilities, or none that can be one.
    """
    positions = _positions(_choice(content).get("logprobs"))
    if not positions:
        raise Unusable("no log-probabilities in the answer; does the server offer them?")
    told = positions[_place(positions, begun)].told
    if not told:
        raise Unusable("log-probabilities that cannot be any (missing, above 0 or no numbers)")
    found = [_total([lp for token, lp in told.items() if _bare(token) == x]) for x in labels]
    floor = min(told.values()) - 1.0
    return LabelScores(
        tuple(floor if value is None else value for value in found),
        tuple(value is None for value in found),
        *tokens,
    )


def read_likelihood(
    content: dict[str, Any], prompt: str, continuation: str, *, tokens: tuple[int, int]
) -> TokenLikelihood:
    """The log-probabilities of a continuation, of a completion that repeats its prompt.

    Raises
    ------
    Unusable : the prompt is not repeated, or its tokens have no log-probabilities.
    """
    choice = _choice(content)
    sent = prompt + continuation
    text = choice.get("text")
    if not isinstance(text, str) or not text.startswith(sent):
        raise Unusable("the server does not repeat the prompt (echo), so it tells no likelihoods")
    positions = _positions(choice.get("logprobs"))
    written = len(text) - len(sent)
    while positions and written > 0 and len(positions[-1].token) <= written:
        written -= len(positions.pop().token)
    if written:
        raise Unusable("tokens that do not make up the text")
    start = _start([each.token for each in positions], continuation)
    if start is None:
        inside = [i for i, p in enumerate(positions) if _ends(p) > len(prompt)]
        start = inside[0] if inside else None
    return TokenLikelihood(_all_known(positions, start), *tokens)


def read_prompt_logprobs(
    content: dict[str, Any], continuation: str, *, tokens: tuple[int, int]
) -> TokenLikelihood:
    """The log-probabilities of a continuation that ends the prompt, of a server that tells those.

    Raises
    ------
    Unusable : it does not tell them, or they are not of this continuation.
    """
    rows = content.get("prompt_logprobs")
    if not isinstance(rows, list):
        rows = _choice(content).get("prompt_logprobs")
    if not isinstance(rows, list) or not rows:
        raise Unusable("no prompt_logprobs in the answer; does the server offer them?")
    positions = []
    for row in rows:
        # The prompt's own token comes first; others follow only where they were asked for.
        entry = next(iter(row.values()), None) if isinstance(row, dict) else None
        known = entry if isinstance(entry, dict) else {}
        token = known.get("decoded_token")
        token = token if isinstance(token, str) else ""
        positions.append(Position(token, _logprob(known.get("logprob")), {}, None))
    start = _start([each.token for each in positions], continuation)
    return TokenLikelihood(_all_known(positions, start), *tokens)


def _choice(content: dict[str, Any]) -> dict[str, Any]:
    choices = content.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    error = content.get("error", content.get("message"))
    if isinstance(error, dict):
        error = error.get("message")
    said = f": {str(error)[:200]}" if error else ""
    raise Unusable(f"an answer without choices{said}")


def _text(choice: dict[str, Any], *, thinking: bool) -> str:
    message = choice.get("message")
    if not isinstance(message, dict):
        if isinstance(choice.get("text"), str):
            return str(choice["text"])
        raise Unusable("an answer without text")
    text = message.get("content")
    if isinstance(text, list):  # parts
        parts = [part.get("text") for part in text if isinstance(part, dict)]
        text = "".join(part for part in parts if isinstance(part, str))
    if not text:
        text = message.get("refusal")
    if not text and not thinking and choice.get("finish_reason") != "length":
        text = message.get("reasoning_content") or message.get("reasoning")
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Unusable("an answer whose text is no text")
    return text


def _positions(logprobs: object) -> list[Position]:
    """Both forms: a list of tokens (chat), or parallel lists (completions)."""
    if not isinstance(logprobs, dict):
        return []
    rows = logprobs.get("content")
    if isinstance(rows, list):
        return [_position_of(row) for row in rows]
    tokens = logprobs.get("tokens")
    if not isinstance(tokens, list):
        return []
    columns = [
        _column(logprobs.get(name), len(tokens))
        for name in ("token_logprobs", "top_logprobs", "text_offset")
    ]
    positions = []
    for token, value, others, offset in zip(tokens, *columns, strict=True):
        name = token if isinstance(token, str) else ""
        logprob = _logprob(value)
        told = dict(others) if isinstance(others, dict) else {}
        told.setdefault(name, value)
        place = offset if isinstance(offset, int) else None
        positions.append(Position(name, logprob, _valid(told), place))
    return positions


def _position_of(row: object) -> Position:
    if not isinstance(row, dict) or not isinstance(row.get("token"), str):
        return Position("", None, {}, None)
    told: dict[Any, Any] = {}
    others = row.get("top_logprobs")
    for other in [*(others if isinstance(others, list) else []), row]:
        if isinstance(other, dict):
            # One that is listed twice is the same token, not another.
            told.setdefault(other.get("token"), other.get("logprob"))
    return Position(row["token"], _logprob(row.get("logprob")), _valid(told), None)


def _column(values: object, n: int) -> list[Any]:
    return values if isinstance(values, list) and len(values) == n else [None] * n


def _valid(told: dict[Any, Any]) -> dict[str, float]:
    kept = {token: _logprob(value) for token, value in told.items() if isinstance(token, str)}
    return {token: value for token, value in kept.items() if value is not None}


def _logprob(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return min(float(value), 0.0) if math.isfinite(value) and value <= ROUNDING else None


def _after_thoughts(positions: list[Position]) -> list[Position]:
    text = ""
    start = 0
    for i, each in enumerate(positions):
        text += each.token
        if "</think>" in text:
            start, text = i + 1, ""
    return positions[start:]


def _place(positions: list[Position], begun: str) -> int:
    """Where the labels stand: at the start, or after what the answer was asked to begin with."""
    if begun:
        text = ""
        for i, each in enumerate(positions):
            if text.strip() == begun.strip():
                return i
            text += each.token
    return 0


def _bare(token: str) -> str:
    # Tokens of some servers keep the sign that stands for a space.
    return token.strip().lstrip("\u2581\u0120\u010a").strip()


def _total(logprobs: list[float]) -> float | None:
    """The log of the sum of probabilities, at most 0."""
    if not logprobs:
        return None
    top = max(logprobs)
    return min(0.0, top + math.log(sum(math.exp(value - top) for value in logprobs)))


def _ends(position: Position) -> int:
    return -1 if position.offset is None else position.offset + len(position.token)


def _all_known(positions: list[Position], start: int | None) -> tuple[float, ...]:
    if start is None:
        raise Unusable("tokens among which the continuation cannot be found")
    values = [each.logprob for each in positions[start:]]
    known = tuple(value for value in values if value is not None)
    if len(known) < len(values) or not known:
        raise Unusable("a continuation with tokens that have no log-probability, or none possible")
    return known


def _start(tokens: list[str], wanted: str) -> int | None:
    """The first of the last tokens that make up the text; one that reaches into it counts.

    A token that is a part of a character shows as U+FFFD, or as nothing. Such tokens stand for
    whatever characters outside ASCII are left between those that are known.
    """
    left, gap = wanted, False
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token == "" or "\ufffd" in token:
            gap = True
            continue
        if gap:
            found = left.rfind(token)
            between = left[found + len(token) :]
            if found >= 0 and between and not any(map(str.isascii, between)):
                left, gap = left[:found], False
            else:
                return i + 1 if left and not any(map(str.isascii, left)) else None
        elif left.endswith(token):
            left = left[: len(left) - len(token)]
        else:
            return i if left and token.endswith(left) else None
        if not left:
            return i
    return None
