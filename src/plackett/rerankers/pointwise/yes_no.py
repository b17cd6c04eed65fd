"""Relevance as the probability that a model says yes: one token a document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Generate, Generation, LabelScores, NextToken
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.pointwise.questions import document_prompts, read_scores
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["MonoT5", "YesNo", "label_masses"]


def label_masses(answer: Answer, positive: int) -> tuple[float, float, str]:
    """Log-probability of the positive surface forms together, of the others, and a status.

    A form that the model did not tell adds nothing beside one that it told. Of a side of which it
    told none, the likeliest guess stands: "repaired". Nothing told at all is "wrong_format".

    Parameters
    ----------
    answer : of a `NextToken` request, positive forms first.
    positive : how many of them there are.

    >>> yes, no, status = label_masses(LabelScores((-1.0, -1.0, -3.0)), 2)
    >>> round(yes, 4), no, status
    (-0.3069, -3.0, 'ok')
    """
    if not isinstance(answer, LabelScores):
        return math.nan, math.nan, "missing"
    logprobs = np.asarray(answer.logprobs, dtype=np.float64)
    if len(logprobs) <= positive or np.isnan(logprobs).any() or logprobs.max() == -np.inf:
        return math.nan, math.nan, "wrong_format"
    told = ~np.asarray(answer.guessed or (False,) * len(logprobs), dtype=bool)
    sides = (slice(0, positive), slice(positive, None))
    known = [bool(told[side].any()) for side in sides]
    if not any(known):
        return math.nan, math.nan, "wrong_format"
    yes, no = (
        float(np.logaddexp.reduce(logprobs[side][told[side]]) if any_told else logprobs[side].max())
        for side, any_told in zip(sides, known, strict=True)
    )
    return yes, no, "ok" if all(known) else "repaired"


@register("yes-no")
class YesNo(StrategyReranker):
    """Asks of each document whether it is relevant, and reads the probability of "yes".

    score = z_yes - log(e^z_yes + e^z_no), at most 0: the two-way softmax over the labels, each the
    sum (log-sum-exp) over its surface forms, not over the whole vocabulary. All documents of a
    query are asked in one round: n calls, one token of answer each.

    Parameters
    ----------
    model : with the power "next_token", or "generate" for `mode="generation"`.
    mode : "likelihood" reads the labels' probabilities; "generation" reads a word, for servers
        that tell no probabilities: scores are then 1 and 0, and ties stay in first-stage order.
    yes, no : surface forms of the labels; each must be one token of the model.
    template : the prompt's name, or the path of a prompt of your own.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Raises
    ------
    ConfigurationError : an unknown mode, or labels that are empty or on both sides.

    Paper: Document Ranking with a Pretrained Sequence-to-Sequence Model (2020), for language
    models.

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> ranked = YesNo(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind, ranked.calls
    (['b', 'a'], 'log_probability', 2)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        mode: Literal["likelihood", "generation"] = "likelihood",
        yes: Sequence[str] = ("yes", "Yes"),
        no: Sequence[str] = ("no", "No"),
        template: str = "yes-no",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if mode not in ("likelihood", "generation"):
            raise ConfigurationError(f"mode = {mode!r}; expected likelihood or generation.")
        if not yes or not no or set(yes) & set(no):
            raise ConfigurationError(
                f"labels {tuple(yes)} and {tuple(no)}; expected some on each side, none on both."
            )
        self.mode, self.yes, self.no, self.template = mode, tuple(yes), tuple(no), template

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: one question a document."""
        template = prompt_template(self.template)
        if self.mode == "generation":
            prompts = document_prompts(template, query, candidates, asking, reserve=WORD_TOKENS)
            answers = yield [
                Generate(prompt, max_tokens=WORD_TOKENS, seed=asking.seed) for prompt in prompts
            ]
            scores = read_scores(answers, asking, lambda answer: _read_word(template, answer))
            return Ordering.by_scores(scores, "grade")
        prompts = document_prompts(template, query, candidates, asking, reserve=1)
        answers = yield [NextToken(prompt, (*self.yes, *self.no)) for prompt in prompts]
        return Ordering.by_scores(read_scores(answers, asking, self._read), "log_probability")

    def _read(self, answer: Answer) -> tuple[float, str]:
        yes, no, status = label_masses(answer, len(self.yes))
        if status not in ("ok", "repaired"):
            return math.nan, status
        return yes - float(np.logaddexp(yes, no)), status

    def __repr__(self) -> str:
        return describe(self)


WORD_TOKENS = 8
"""Room for one word and what a model puts around it."""


@register("mono-t5")
class MonoT5(YesNo):
    """The probability of "true" against "false" as the first word of an encoder-decoder's answer.

    The same as `YesNo` with the words and the prompt that monoT5 models were trained on.

    Parameters
    ----------
    model, mode, yes, no, template, cache, budget, on_malformed, seed : see `YesNo`.

    Paper: Document Ranking with a Pretrained Sequence-to-Sequence Model (2020).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> MonoT5(oracle).rank("red wine", {"a": "bread", "b": "a red wine"}).ids
    ['b', 'a']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        mode: Literal["likelihood", "generation"] = "likelihood",
        yes: Sequence[str] = ("true",),
        no: Sequence[str] = ("false",),
        template: str = "mono-t5",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(
            model,
            mode=mode,
            yes=yes,
            no=no,
            template=template,
            cache=cache,
            budget=budget,
            on_malformed=on_malformed,
            seed=seed,
        )


def _read_word(template: PromptTemplate, answer: Answer) -> tuple[float, str]:
    if not isinstance(answer, Generation):
        return math.nan, "missing"
    parsed = template.parse(answer.text, 1)
    return (parsed.scores[0] if parsed.scores else math.nan), parsed.status
