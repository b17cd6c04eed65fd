"""Showing groups of documents to a language model: how, how long, in which orders."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plackett.errors import ConfigurationError
from plackett.llm import Answer, Generate, LabelScores, NextToken, Request
from plackett.llm.fitting import fit
from plackett.llm.labels import check_single_tokens
from plackett.llm.parsing.parser import Parsed
from plackett.llm.requests import Generation
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.listwise.rounds import Group
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking

__all__ = ["GroupShower", "Read", "Showing", "check_count", "load_template"]

Read = Literal["generation", "logits"]
"""How an answer is read: from the words that the model writes, or from the probabilities of the
labels as its next token."""

_SLACK = 32  # tokens of an answer beyond what it must say
_PIECE = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Showing:
    """How groups of documents are shown to a model.

    Parameters
    ----------
    template : the prompt.
    read : see `Read`.
    max_words, max_tokens : a document is cut after so many; None for no limit but the context.
    answer_tokens : at most so many tokens of answer; None for as many as the labels shown need.
    thinking : tokens for thinking before the answer; None leaves the model's way alone.
    temperature : of the sampling.
    votes : how often a group is asked about, each time in another order.
    shuffle : whether the first of these orders is a random one too.
    """

    template: PromptTemplate
    read: Read = "generation"
    max_words: int | None = None
    max_tokens: int | None = None
    answer_tokens: int | None = None
    thinking: int | None = None
    temperature: float = 0.0
    votes: int = 1
    shuffle: bool = False

    def __post_init__(self) -> None:
        if self.read not in ("generation", "logits"):
            raise ConfigurationError(f"read = {self.read!r}; expected generation or logits.")
        for name in ("max_words", "max_tokens", "answer_tokens"):
            check_count(name, getattr(self, name), optional=True)
        check_count("votes", self.votes)
        if self.thinking is not None and self.thinking < 0:
            raise ConfigurationError(f"thinking = {self.thinking}; expected tokens, or None.")
        if not self.temperature >= 0:
            raise ConfigurationError(f"temperature = {self.temperature}; expected 0 or more.")


def check_count(name: str, value: int | None, *, least: int = 1, optional: bool = False) -> None:
    """Refuse what is no integer of at least `least`."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} = {value!r}; expected an integer of at least {least}.")


def load_template(
    prompt: str, grammars: Sequence[str], read: Read = "generation", *, most: int = 1
) -> PromptTemplate:
    """The template of this name, or in this `.toml` file, if it fits the strategy.

    Parameters
    ----------
    grammars : those of which it must ask for one, where words are read.
    most : so many documents are shown at most.

    Raises
    ------
    UnknownNameError : there is no such prompt.
    ConfigurationError : it asks for something else; or it has too few labels, or labels that are
        not one token each where their probabilities are read.
    """
    template = prompt_template(prompt)
    if read == "logits":
        check_single_tokens(template.label_scheme, most)
    elif template.grammar not in grammars:
        raise ConfigurationError(
            f"prompt {prompt!r} asks for the grammar {template.grammar!r}; "
            f"expected {' or '.join(grammars)}."
        )
    template.labels(most)
    return template


class GroupShower:
    """Makes requests about groups of one query's candidates, and reads the bare answers."""

    def __init__(
        self, showing: Showing, query: str, candidates: Candidates, asking: Asking
    ) -> None:
        self.showing, self.query = showing, query
        self.candidates, self.asking = candidates, asking

    def orders(self, group: Group) -> list[Group]:
        """The orders in which a group is shown: as it is, then reversed, then at random.

        What is drawn depends on the seed and the group alone, not on what was asked before.
        """
        orders: list[Group] = [] if self.showing.shuffle else [group, group[::-1]]
        for vote in range(len(orders), self.showing.votes):
            shown = list(group)
            random.Random(f"{self.asking.seed} {vote} {group}").shuffle(shown)
            orders.append(tuple(shown))
        return orders[: self.showing.votes]

    def request(
        self, shown: Group, vote: int = 0, values: Mapping[str, str] | None = None
    ) -> Request:
        """The request about a group in the order shown.

        Parameters
        ----------
        vote : which of several requests about the same group it is.
        values : what the template's own placeholders stand for.
        """
        showing, template = self.showing, self.showing.template
        labels = template.labels(len(shown))
        answer = self._answer_tokens(labels)
        fitted = fit(
            self.asking.model,
            template,
            self.query,
            [self.candidates.texts[position] for position in shown],
            reserve=answer,
            max_words=showing.max_words,
            max_tokens=showing.max_tokens,
            values=values or {},
        )
        self.asking.truncated.update(
            position for position, cut in zip(shown, fitted.shortened, strict=True) if cut
        )
        prompt = template.render(
            fitted.query,
            fitted.texts,
            ids=[self.candidates.ids[position] for position in shown],
            values=values or {},
        )
        if showing.read == "logits":
            return NextToken(prompt, labels)
        return Generate(
            prompt,
            max_tokens=answer,
            temperature=showing.temperature,
            seed=self.asking.seed + vote,
            thinking_tokens=showing.thinking,
        )

    def _answer_tokens(self, labels: Sequence[str]) -> int:
        if self.showing.read == "logits":
            return 1
        answer = self.showing.answer_tokens
        if answer is None:
            longest = self._longest_answer(labels)
            # Signs between labels are a token each, whatever a rough estimate says.
            pieces = len(_PIECE.findall(longest))
            answer = max(self.asking.model.count_tokens(longest), pieces) + _SLACK
        return answer + (self.showing.thinking or 0)

    def _longest_answer(self, labels: Sequence[str]) -> str:
        """The longest answer in the form asked for, with the labels that are shown."""
        return " > ".join(f"[{label}]" for label in labels)

    def parsed(self, shown: Group, answer: Answer) -> Parsed | None:
        """What the words of an answer say; None where it is not to be used."""
        if isinstance(answer, Generation):
            parsed = self.showing.template.parse(answer.text, len(shown))
            return parsed if self.asking.note(parsed.status, answer) else None
        self.asking.note("missing", answer)
        return None

    def by_logits(self, shown: Group, answer: Answer) -> list[int] | None:
        """The documents shown, the likeliest label first; None where the model told of no label.

        Labels that the model did not tell are equally far below those that it told: they stay in
        the order shown.
        """
        if not isinstance(answer, LabelScores) or len(answer.logprobs) != len(shown):
            self.asking.note("missing", answer)
            return None
        logprobs = np.array(answer.logprobs, dtype=np.float64)
        told = ~np.isnan(logprobs)
        if answer.guessed:
            told &= ~np.array(answer.guessed, dtype=bool)
        status = "ok" if told.all() else "repaired" if told.any() else "missing"
        if not self.asking.note(status, answer):
            return None
        keys = np.where(told, -logprobs, np.inf)
        # A label told to be impossible still stands before one of which nothing is known.
        places = np.lexsort((np.arange(len(shown)), keys, ~told))
        return [shown[place] for place in places.tolist()]
