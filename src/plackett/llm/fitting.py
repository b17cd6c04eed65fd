"""Documents cut to what a prompt has room for: never the instruction, and no document left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.templates import PromptTemplate

__all__ = ["Fitted", "fit"]

PER_TURN = 8
"""Tokens set aside for what a chat format puts around each turn."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Fitted:
    """Texts that fit into one prompt.

    Parameters
    ----------
    query : the query; cut only where it alone would take half of the room.
    texts : one a document, in the order given.
    shortened : which of them were cut.
    """

    query: str
    texts: tuple[str, ...]
    shortened: tuple[bool, ...]


def fit(
    model: LanguageModel,
    template: PromptTemplate,
    query: str,
    texts: Sequence[str],
    *,
    reserve: int,
    max_words: int | None = None,
    max_tokens: int | None = None,
    values: Mapping[str, str] = {},
) -> Fitted:
    """Cut documents, at their end, to equal shares of the room that a prompt has.

    A document may have `(context - fixed - query - reserve) // m` tokens, where `fixed` is the
    prompt without query and documents, and m the number of documents.

    Parameters
    ----------
    reserve : tokens to be left for the answer, thinking included.
    max_words, max_tokens : at most so many of a document, however much room there is.
    values : what the template's own placeholders will be filled with; empty where left out.

    Raises
    ------
    ConfigurationError : there is no room for one token of each document, or a limit below 1.
    """
    for name, limit in (("max_words", max_words), ("max_tokens", max_tokens)):
        if limit is not None and limit < 1:
            raise ConfigurationError(f"{name} = {limit}; expected 1 or more.")
    m = len(texts)
    short = [text if max_words is None else first_words(text, max_words) for text in texts]
    if m == 0:
        return Fitted(query, (), ())
    blank = template.render("", [""] * m, values=_with_all(template, values))
    fixed = model.count_tokens(blank.plain()) + PER_TURN * len(blank.messages)
    room = model.context - fixed - reserve
    if model.count_tokens(query) > max(1, room // 2):
        query = model.truncate(query, max(1, room // 2))
    share = (room - model.count_tokens(query)) // m
    if share < 1:
        raise ConfigurationError(
            f"no room for {m} documents in prompt {template.name!r}: the context of {model!r} is "
            f"{model.context} tokens, the prompt without documents takes {fixed}, the answer "
            f"{reserve}. Show fewer documents at once, or reserve less."
        )
    limit = share if max_tokens is None else min(share, max_tokens)
    fitted = tuple(_cut(model, text, limit) for text in short)
    cut = tuple(new != old for new, old in zip(fitted, texts, strict=True))
    return Fitted(query, fitted, cut)


def _with_all(template: PromptTemplate, values: Mapping[str, str]) -> dict[str, str]:
    return {name: values.get(name, "") for name in template.values}


def first_words(text: str, words: int) -> str:
    """The beginning of a text with so many words, as it stands there.

    >>> first_words("one  two\\nthree four", 3)
    'one  two\\nthree'
    """
    end = 0
    for count, found in enumerate(_WORD.finditer(text), start=1):
        if count > words:
            return text[:end]
        end = found.end()
    return text


def _cut(model: LanguageModel, text: str, tokens: int) -> str:
    return text if model.count_tokens(text) <= tokens else model.truncate(text, tokens)
