"""What strategies that look at one document at a time have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from plackett.llm.fitting import fit
from plackett.llm.requests import Answer, Prompt
from plackett.llm.templates import PromptTemplate
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking

__all__ = ["document_prompts", "read_scores"]

OPENING_TOKENS = 24
"""Set aside for how a chat format opens an answer, an empty thinking block included."""


def document_prompts(
    template: PromptTemplate,
    query: str,
    candidates: Candidates,
    asking: Asking,
    *,
    reserve: int,
    max_words: int | None = None,
    max_tokens: int | None = None,
    values: Mapping[str, str] | None = None,
) -> list[Prompt]:
    """One prompt a document, each cut so that it fits the model; what was cut is noted.

    Parameters
    ----------
    reserve : tokens kept free for the answer.
    max_words, max_tokens : at most so many of a document; None is what the context leaves.
    values : the template's further placeholders.
    """
    given = dict(values or {})
    taken = reserve + OPENING_TOKENS + sum(map(asking.model.count_tokens, given.values()))
    prompts = []
    for position, (identifier, text) in enumerate(
        zip(candidates.ids, candidates.texts, strict=True)
    ):
        fitted = fit(
            asking.model,
            template,
            query,
            [text],
            reserve=taken,
            max_words=max_words,
            max_tokens=max_tokens,
        )
        if any(fitted.shortened):
            asking.truncated.add(position)
        prompts.append(template.render(fitted.query, fitted.texts, ids=(identifier,), values=given))
    return prompts


def read_scores(
    answers: Sequence[Answer],
    asking: Asking,
    read: Callable[[Answer], tuple[float, str]],
    *,
    bad: float = math.nan,
) -> list[float]:
    """One score an answer, `bad` where there is none that may be used.

    `read` gives a score and the answer's status, which is counted.
    """
    scores = []
    for answer in answers:
        score, status = read(answer)
        usable = asking.note(status, answer)
        scores.append(score if usable else bad)
    return scores
