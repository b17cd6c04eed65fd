"""How a language model is asked which passages suffice: windows, whole answers, letter by letter.

The questions are yielded in rounds and the answers sent back, as re-ranking strategies do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np

from plackett.errors import DataError
from plackett.llm.base import LanguageModel
from plackett.llm.fitting import fit
from plackett.llm.requests import (
    Answer,
    Generate,
    Generation,
    LabelScores,
    NextToken,
    Prompt,
    Request,
)
from plackett.llm.templates import PromptTemplate

__all__ = ["END_LABEL", "Choices", "Choosing", "Policy"]

END_LABEL = "Z"
"""What a model answers, letter by letter, when nothing more is needed."""

TOKENS_A_LABEL = 6
"""So many tokens of answer a label may take: brackets, two digits, a comma and a space."""

Policy = Literal["repair", "keep", "strict"]
"""What to do with an answer that is not as asked: mend it; take the first passage that it was asked
about in its place; or stop with an error."""

Choices: TypeAlias = Generator[Sequence[Request], list[Answer], list[int]]


@dataclass(eq=False)
class Choosing:
    """One query's passages while they are chosen from.

    Parameters
    ----------
    model : who will answer.
    template : the prompt.
    query, texts, ids : what is asked about.
    window : the most passages in one prompt.
    stepwise : label by label.
    max_words : show at most so many words of a passage.
    policy : see `Policy`.

    Attributes
    ----------
    answers : how many answers were ok, repaired, wrong_format, missing, refused.
    truncated : positions of the passages that were shown shortened.
    """

    model: LanguageModel
    template: PromptTemplate
    query: str
    texts: Sequence[str]
    ids: Sequence[str]
    window: int
    stepwise: bool = False
    max_words: int | None = None
    policy: Policy = "repair"
    answers: Counter[str] = field(default_factory=Counter)
    truncated: set[int] = field(default_factory=set)

    def steps(self) -> Choices:
        """Window by window, then among what the windows chose, until it is no fewer."""
        positions, size = list(range(len(self.texts))), self.window
        while True:
            windows = [positions[i : i + size] for i in range(0, len(positions), size)]
            ask = self._by_letter if self.stepwise else self._by_answer
            chosen = yield from ask(windows)
            if len(windows) == 1 or not chosen or len(chosen) == len(positions):
                return chosen
            positions = chosen

    def _shown(self, window: Sequence[int], reserve: int) -> tuple[str, list[str]]:
        fitted = fit(
            self.model,
            self.template,
            self.query,
            [self.texts[i] for i in window],
            reserve=reserve,
            max_words=self.max_words,
        )
        self.truncated.update(i for i, cut in zip(window, fitted.shortened, strict=True) if cut)
        return fitted.query, list(fitted.texts)

    def _by_answer(self, windows: list[list[int]]) -> Choices:
        requests = []
        for window in windows:
            reserve = TOKENS_A_LABEL * len(window) + 16
            query, texts = self._shown(window, reserve)
            prompt = self.template.render(query, texts, ids=[self.ids[i] for i in window])
            requests.append(Generate(prompt, max_tokens=reserve))
        answers = yield requests
        chosen: list[int] = []
        for window, answer in zip(windows, answers, strict=True):
            chosen += [window[place] for place in self._read(answer, len(window))]
        return chosen

    def _read(self, answer: Answer, n: int) -> tuple[int, ...]:
        if not isinstance(answer, Generation):
            return self._unusable("missing", answer)
        parsed = self.template.parse(answer.text, n)
        usable = parsed.status == "ok" or (parsed.status == "repaired" and self.policy == "repair")
        if not usable:
            return self._unusable(parsed.status, answer)
        self.answers[parsed.status] += 1
        return parsed.positions

    def _unusable(self, status: str, answer: Answer) -> tuple[int, ...]:
        self.answers[status] += 1
        if self.policy == "strict":
            raise DataError(
                f"an answer of {self.model!r} that is {status}: {str(answer)[:200]!r}",
                expected="the labels of passages",
                remedy='on_malformed="repair" mends what can be mended and counts it',
            )
        return (0,)

    def _by_letter(self, windows: list[list[int]]) -> Choices:
        """All windows one letter further in each round, until each has ended."""
        prompts = []
        for window in windows:
            query, texts = self._shown(window, 2 * len(window) + 2)
            prompts.append(self.template.render(query, texts, ids=[self.ids[i] for i in window]))
        labels = [self.template.labels(len(window)) for window in windows]
        chosen: list[list[int]] = [[] for _ in windows]
        going = list(range(len(windows)))
        while going:
            requests = [_next_letter(prompts[i], labels[i], chosen[i]) for i in going]
            answers = yield requests
            following = []
            for i, request, answer in zip(going, requests, answers, strict=True):
                if not isinstance(answer, LabelScores):
                    places = self._unusable("missing", answer)
                    chosen[i] = chosen[i] or list(places)
                    continue
                self.answers["ok"] += 1
                best = request.labels[int(np.argmax(answer.logprobs))]
                if best != END_LABEL:
                    chosen[i].append(labels[i].index(best))
                    # With all passages chosen only the end is left, which need not be asked for.
                    if len(chosen[i]) < len(windows[i]):
                        following.append(i)
            going = following
        return [window[p] for window, own in zip(windows, chosen, strict=True) for p in own]


def _next_letter(prompt: Prompt, labels: Sequence[str], chosen: Sequence[int]) -> NextToken:
    """The question for the label after those that were chosen."""
    begun = prompt.answer_start + "".join(f" {labels[place]}" for place in chosen)
    left = tuple(label for place, label in enumerate(labels) if place not in chosen)
    return NextToken(replace(prompt, answer_start=begun), (*left, END_LABEL))
