"""What compares two documents: a language model in one of three ways, a function, or a person.

A comparator says of pairs of documents, shown in a given order, with what probability the first is
the better. It is a generator, as a strategy is: it yields requests and is sent the answers. Sorts
and samplers do not know which one they ask.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.llm.fitting import fit
from plackett.llm.requests import (
    Answer,
    Failure,
    Generate,
    Generation,
    LabelScores,
    Likelihood,
    Message,
    NextToken,
    Prompt,
    Request,
    TokenLikelihood,
)
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.pairwise.pair_sorting import Pair
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking

__all__ = [
    "Comparator",
    "Compared",
    "Comparing",
    "PromptComparator",
    "Reading",
    "Rule",
    "preferred",
    "probability_matrix",
]

Floats = npt.NDArray[np.float64]
Compared: TypeAlias = Generator[Sequence[Request], list[Answer], Floats]

Reading = Literal["generation", "logits", "likelihood"]
"""How a model's opinion is read: from its written answer, from the probabilities of the labels as
its next token, or from the likelihood of each label."""

Rule = Literal["agreement", "calibrated", "one-order"]
"""How two orders become one preference. "agreement": i wins where both answers say so, j where
both do; else a tie. "calibrated": i wins where it is the likelier answer shown first than j is.
"one-order": only (i, j) is asked, and whatever bias towards a place there is stays."""


class Comparing(Protocol):
    """Compares documents of one query."""

    def __call__(self, shown: Sequence[Pair]) -> Compared:
        """The probability that the first shown is the better, `float64[pairs]`; NaN: no answer.

        All pairs are asked in one round, if in any; positions are those of the candidates.
        """
        ...


@runtime_checkable
class Comparator(Protocol):
    """Anything that compares documents; give one of your own to any pairwise strategy."""

    def begin(self, query: str, candidates: Candidates, asking: Asking) -> Comparing:
        """What compares the documents of this query."""
        ...


@dataclass(frozen=True)
class PromptComparator:
    """Shows a language model two documents, and asks which is the more relevant.

    Parameters
    ----------
    reading : see `Reading`; one call a pair shown, two for "likelihood".
    prompt : a template by name or by file, of grammar "label"; or, where the answer is not written,
        of grammar "yes-no", which asks whether the first is the better, such as "duo-t5".
    demonstration : a query, a better and a worse document, shown before the question in both
        orders with the right answer each time; it teaches that the place means nothing.
    max_words : at most so many words of a document.
    answer_tokens : at most so many tokens of a written answer, thinking included.

    Raises
    ------
    ConfigurationError : an unknown reading, a template of another grammar, or tokens below 1.
    UnknownNameError : no such template.
    """

    reading: Reading = "generation"
    prompt: str = "pairwise"
    demonstration: tuple[str, str, str] | None = None
    max_words: int | None = None
    answer_tokens: int = 16

    def __post_init__(self) -> None:
        if self.reading not in ("generation", "logits", "likelihood"):
            raise ConfigurationError(
                f"comparator={self.reading!r}; expected generation, logits or likelihood, a "
                "function of a query and two texts, or a Comparator."
            )
        if self.answer_tokens < 1:
            raise ConfigurationError(f"answer_tokens={self.answer_tokens}; expected 1 or more.")
        if self.demonstration is not None and len(self.demonstration) != 3:
            raise ConfigurationError(
                f"{len(self.demonstration)} parts of a demonstration; expected a query, a better "
                "document and a worse one."
            )
        template = prompt_template(self.prompt)
        wanted = ("label",) if self.reading == "generation" else ("label", "yes-no")
        if template.grammar not in wanted:
            raise ConfigurationError(
                f"prompt {self.prompt!r} asks for {template.grammar!r}; a comparison by "
                f"{self.reading} needs one that asks for a {' or '.join(wanted)}, such as "
                '"pairwise".'
            )

    def begin(self, query: str, candidates: Candidates, asking: Asking) -> Comparing:
        """What compares the documents of this query."""
        return _Session(self, query, candidates, asking)


class _Session:
    """The comparisons of one query: each document is cut to its share of the room once."""

    def __init__(
        self, comparator: PromptComparator, query: str, candidates: Candidates, asking: Asking
    ) -> None:
        self.comparator, self.candidates, self.asking = comparator, candidates, asking
        self.template = prompt_template(comparator.prompt)
        self.examples = _examples(self.template, comparator.demonstration)
        reserve = comparator.answer_tokens + sum(
            asking.model.count_tokens(message.text) + 8 for message in self.examples
        )
        self.query, self.texts = query, list(candidates.texts)
        self.shortened: list[bool] = []
        # Two at a time, as they will be shown: the share of one does not depend on the other.
        for start in range(0, len(candidates), 2):
            two = [*candidates.texts[start : start + 2], ""][:2]
            fitted = fit(
                asking.model,
                self.template,
                query,
                two,
                reserve=reserve,
                max_words=comparator.max_words,
            )
            self.query = fitted.query
            self.texts[start : start + 2] = fitted.texts[: len(candidates) - start]
            self.shortened += fitted.shortened

    def __call__(self, shown: Sequence[Pair]) -> Compared:
        prompts = [self._prompt(pair) for pair in shown]
        self.asking.truncated.update(
            place for pair in shown for place in pair if self.shortened[place]
        )
        labels = _labels(self.template)
        requests: list[Request]
        if self.comparator.reading == "likelihood":
            requests = [Likelihood(prompt, label) for prompt in prompts for label in labels]
            answers = yield requests
            found = [
                self._of_likelihoods(first, second)
                for first, second in zip(answers[::2], answers[1::2], strict=True)
            ]
        elif self.comparator.reading == "logits":
            requests = [NextToken(prompt, labels) for prompt in prompts]
            found = [self._of_logits(answer) for answer in (yield requests)]
        else:
            tokens = self.comparator.answer_tokens
            requests = [Generate(prompt, max_tokens=tokens) for prompt in prompts]
            found = [self._of_words(answer) for answer in (yield requests)]
        return np.array(found, dtype=np.float64)

    def _prompt(self, pair: Pair) -> Prompt:
        prompt = self.template.render(
            self.query,
            [self.texts[place] for place in pair],
            ids=[self.candidates.ids[place] for place in pair],
        )
        if not self.examples:
            return prompt
        system = tuple(message for message in prompt.messages if message.role == "system")
        turns = tuple(message for message in prompt.messages if message.role != "system")
        return Prompt((*system, *self.examples, *turns), prompt.answer_start, prompt.shown)

    def _of_words(self, answer: Answer) -> float:
        if not isinstance(answer, Generation):
            return self._none("missing", answer)
        parsed = self.template.parse(answer.text, 2)
        if self.asking.note(parsed.status, answer) and len(parsed.positions) == 1:
            return 1.0 - parsed.positions[0]
        return np.nan

    def _of_logits(self, answer: Answer) -> float:
        if not isinstance(answer, LabelScores) or len(answer.logprobs) != 2:
            return self._none("missing", answer)
        first, second = answer.logprobs
        # Where the model told neither label, the two guesses are equal and say nothing.
        told = not (answer.guessed and all(answer.guessed))
        return self._of_scores(first, second, answer, told=told)

    def _of_likelihoods(self, first: Answer, second: Answer) -> float:
        if not isinstance(first, TokenLikelihood):
            return self._none("missing", first)
        if not isinstance(second, TokenLikelihood):
            return self._none("missing", second)
        return self._of_scores(sum(first.logprobs), sum(second.logprobs), second, told=True)

    def _of_scores(self, first: float, second: float, answer: Answer, *, told: bool) -> float:
        if not told or np.isnan(first) or np.isnan(second) or np.isneginf([first, second]).all():
            return self._none("wrong_format", answer)
        self.asking.note("ok", answer)
        gap = float(np.clip(second - first, -700.0, 700.0))
        return float(1.0 / (1.0 + np.exp(gap)))

    def _none(self, status: str, answer: Answer) -> float:
        self.asking.note("missing" if isinstance(answer, Failure) else status, answer)
        return float("nan")


def _labels(template: PromptTemplate) -> tuple[str, str]:
    """What says that the first document is the better, and what that the second is."""
    if template.grammar == "yes-no":
        words = template.words or {"Yes": 1.0, "No": 0.0}
        return max(words, key=words.__getitem__), min(words, key=words.__getitem__)
    first, second = template.labels(2)
    return first, second


def _examples(
    template: PromptTemplate, demonstration: tuple[str, str, str] | None
) -> tuple[Message, ...]:
    """A comparison whose answer is known, as turns of a conversation, in both orders."""
    if demonstration is None:
        return ()
    query, better, worse = demonstration
    turns: list[Message] = []
    for documents, right in (((better, worse), 0), ((worse, better), 1)):
        prompt = template.render(query, documents)
        turns += [message for message in prompt.messages if message.role != "system"]
        answer = prompt.answer_start + _labels(template)[right]
        turns.append(Message("assistant", answer))
    return tuple(turns)


def preferred(comparing: Comparing, pairs: Sequence[Pair], rule: Rule) -> Compared:
    """A preference for each pair, from 0 to 1, by asking it in both orders in one round.

    A missing answer makes a tie: the other order alone would be biased by what is shown first.

    Parameters
    ----------
    comparing : who compares.
    pairs : positions (i, j).
    rule : see `Rule`.

    Returns
    -------
    `float64[pairs]`; 1 where i is preferred, 0 where j is, 0.5 for a tie. Under "calibrated" any
    number between.
    """
    if rule == "one-order":
        alone = yield from comparing(pairs)
        return np.where(np.isnan(alone), 0.5, alone)
    both = yield from comparing([*pairs, *((j, i) for i, j in pairs)])
    there, back = both[: len(pairs)], both[len(pairs) :]
    if rule == "calibrated":
        gap = np.nan_to_num(there - back)
        return np.asarray(1.0 / (1.0 + np.exp(-gap)))
    won = (there > 0.5) & (back < 0.5)
    lost = (there < 0.5) & (back > 0.5)
    return np.where(won, 1.0, np.where(lost, 0.0, 0.5))


def probability_matrix(comparing: Comparing, n: int) -> Compared:
    """All n (n - 1) ordered pairs, in one round.

    Returns
    -------
    `float64[n, n]`: that i, shown first, is better than j; NaN where there was no answer, and on
    the diagonal.
    """
    shown = [(i, j) for i in range(n) for j in range(n) if i != j]
    found = yield from comparing(shown)
    matrix = np.full((n, n), np.nan)
    for (i, j), probability in zip(shown, found, strict=True):
        matrix[i, j] = probability
    return matrix
