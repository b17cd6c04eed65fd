"""Relevance as a grade: written after thinking, read off two logits, or given after explaining."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Generate, Generation, NextToken
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.pointwise.questions import document_prompts, read_scores
from plackett.rerankers.pointwise.relevance_label import read_relevance_label
from plackett.rerankers.pointwise.score_tokens import expected_grade, grade_probability
from plackett.rerankers.pointwise.yes_no import label_masses
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["ERank", "InteRank", "ProRank", "ScoreMode"]

ScoreMode = Literal["argmax", "s_times_p", "expectation"]
"""What becomes of a grade s that was written with probability p: s; s p; or the mean grade under
the probabilities of all grades at its place."""

RELEVANCE = "A document is relevant if it helps to answer the query."


@register("e-rank")
class ERank(StrategyReranker):
    """A whole number from 0 to 10 after thinking, times the probability that it was written with.

    All documents of a query are asked in one round: n calls of some hundred tokens of answer.

    Parameters
    ----------
    model : with the power "generate", and token probabilities unless `score_mode="argmax"`.
    score_mode : see `ScoreMode`. s p is the paper's; it is not monotone in what the model
        believes: 9 written with probability 0.5 stands below 5 with 0.95, and 0 is 0 in any case.
        Where a server tells no probabilities, p counts as 1 and the answer as repaired.
    relevance : what relevant means for the task at hand, a sentence of the prompt.
    first_stage_weight : w in [0, 1] of w z(first stage) + (1 - w) z(grade), both in standard
        scores of the query; the paper's hybrid has 0.2.
    fail_score : the score of a document whose answer cannot be used.
    max_tokens : of an answer, thinking included.
    document_tokens : at most so many of a document.
    template : the prompt's name, or the path of a prompt of your own.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Raises
    ------
    ConfigurationError : an unknown score mode, or a weight outside [0, 1].
    DataError : a weight for first-stage scores, and candidates without any.

    Paper: ERank: Fusing SFT and RL for Effective and Efficient Text Reranking (2025).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> ranked = ERank(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind, ranked.calls
    (['b', 'a'], 'grade', 2)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        score_mode: ScoreMode = "s_times_p",
        relevance: str = RELEVANCE,
        first_stage_weight: float = 0.0,
        fail_score: float = -1.0,
        max_tokens: int = 1024,
        document_tokens: int = 2048,
        template: str = "e-rank",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if score_mode not in ("argmax", "s_times_p", "expectation"):
            raise ConfigurationError(
                f"score_mode = {score_mode!r}; expected argmax, s_times_p or expectation."
            )
        if not 0.0 <= first_stage_weight <= 1.0:
            raise ConfigurationError(
                f"first_stage_weight = {first_stage_weight!r}; expected 0 to 1."
            )
        self.score_mode, self.relevance = score_mode, relevance
        self.first_stage_weight, self.fail_score = first_stage_weight, fail_score
        self.max_tokens, self.document_tokens, self.template = max_tokens, document_tokens, template

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: one grade a document."""
        first_stage = candidates.scores
        if self.first_stage_weight > 0 and first_stage is None:
            raise DataError(
                "candidates without first-stage scores",
                expected=f"scores, of which first_stage_weight = {self.first_stage_weight} is made",
                remedy="re-rank a Run, or give Candidates with scores",
            )
        template = prompt_template(self.template)
        prompts = document_prompts(
            template,
            query,
            candidates,
            asking,
            reserve=self.max_tokens,
            max_tokens=self.document_tokens,
            values={"relevance": self.relevance} if "relevance" in template.values else {},
        )
        answers = yield [
            Generate(
                prompt,
                max_tokens=self.max_tokens,
                seed=asking.seed,
                logprobs=self.score_mode != "argmax",
            )
            for prompt in prompts
        ]
        scores = read_scores(
            answers, asking, lambda answer: self._read(template, answer), bad=self.fail_score
        )
        if self.first_stage_weight == 0 or first_stage is None:
            return Ordering.by_scores(scores, "grade")
        weight = self.first_stage_weight
        mixed = (1.0 - weight) * _standard(scores) + weight * _standard(first_stage)
        return Ordering.by_scores(mixed, "standard")

    def _read(self, template: PromptTemplate, answer: Answer) -> tuple[float, str]:
        if not isinstance(answer, Generation):
            return math.nan, "missing"
        parsed = template.parse(answer.text, 1)
        grade = parsed.scores[0] if parsed.scores else math.nan
        if math.isnan(grade):
            return grade, parsed.status
        if grade != int(grade):
            return math.nan, "wrong_format"
        return graded_score(answer, int(grade), self.score_mode, template.scale, parsed.status)

    def __repr__(self) -> str:
        return describe(self)


def graded_score(
    answer: Generation, grade: int, mode: ScoreMode, scale: tuple[int, int], status: str
) -> tuple[float, str]:
    """The score of a grade in an answer, and the answer's status.

    Without probabilities the grade itself stands, and an answer that was ok is repaired.
    """
    if mode == "argmax":
        return float(grade), status
    tokens = answer.token_scores
    if mode == "expectation":
        expected = expected_grade(tokens, grade, scale)
        if expected is not None:
            return expected, status
    else:
        probability = grade_probability(tokens, grade)
        if probability is not None:
            return grade * probability, status
    return float(grade), "repaired" if status == "ok" else status


@register("pro-rank")
class ProRank(StrategyReranker):
    """score = z("1") - z("0"): the log-odds of the digit that says "relevant", as a logit.

    Nothing is generated, and the order is that of p(1) / (p(0) + p(1)). All documents of a query
    are asked in one round: n calls, one token each.

    Parameters
    ----------
    model : with the power "next_token"; "0" and "1" must be one token each.
    template : the prompt's name, or the path of a prompt of your own.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Paper: ProRank: Prompt Warmup via Reinforcement Learning for Small Language Models Reranking
    (2025).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> ranked = ProRank(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind
    (['b', 'a'], 'logit')
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        template: str = "pro-rank",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self.template = template

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: one digit a document."""
        template = prompt_template(self.template)
        prompts = document_prompts(template, query, candidates, asking, reserve=1)
        answers = yield [NextToken(prompt, ("1", "0")) for prompt in prompts]
        return Ordering.by_scores(read_scores(answers, asking, _log_odds), "logit")

    def __repr__(self) -> str:
        return describe(self)


@register("inte-rank")
class InteRank(StrategyReranker):
    """An explanation, and then a label: 0, 1 or 2; the many ties stay in first-stage order.

    All documents of a query are asked in one round: n calls of 150 to 300 tokens of answer. What
    is read from answers without a label: see `read_relevance_label`.

    Parameters
    ----------
    model : with the power "generate".
    score_mode : "argmax" is the label; "expectation" the mean label under the probabilities of
        the label's token, which breaks ties; "s_times_p" as in `ERank`.
    max_tokens : of an answer.
    document_words : at most so many of a document.
    template : "inte-rank"; "inte-rank-label" asks for the label alone; or a path of your own.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Raises
    ------
    ConfigurationError : an unknown score mode.

    Paper: Distillation and Refinement of Reasoning in Small Language Models for Document
    Re-ranking (2025).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> ranked = InteRank(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind
    (['b', 'a'], 'grade')
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        score_mode: ScoreMode = "argmax",
        max_tokens: int = 1024,
        document_words: int = 4000,
        template: str = "inte-rank",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if score_mode not in ("argmax", "s_times_p", "expectation"):
            raise ConfigurationError(
                f"score_mode = {score_mode!r}; expected argmax, s_times_p or expectation."
            )
        self.score_mode, self.max_tokens = score_mode, max_tokens
        self.document_words, self.template = document_words, template

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: one explained label a document."""
        template = prompt_template(self.template)
        prompts = document_prompts(
            template,
            query,
            candidates,
            asking,
            reserve=self.max_tokens,
            max_words=self.document_words,
        )
        logprobs = self.score_mode != "argmax"
        answers = yield [
            Generate(prompt, max_tokens=self.max_tokens, seed=asking.seed, logprobs=logprobs)
            for prompt in prompts
        ]
        scores = read_scores(answers, asking, lambda answer: self._read(template, answer))
        return Ordering.by_scores(scores, "grade")

    def _read(self, template: PromptTemplate, answer: Answer) -> tuple[float, str]:
        if not isinstance(answer, Generation):
            return math.nan, "missing"
        label, status = read_relevance_label(template, answer.text)
        if status != "ok":
            return label, status
        return graded_score(answer, int(label), self.score_mode, template.scale, status)

    def __repr__(self) -> str:
        return describe(self)


def _log_odds(answer: Answer) -> tuple[float, str]:
    one, zero, status = label_masses(answer, 1)
    # Two impossible labels have no odds; label_masses has said so.
    return (one - zero if status in ("ok", "repaired") else math.nan), status


def _standard(scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard scores; 0 everywhere where all are equal. What is no number is the least of them."""
    values = np.asarray(scores, dtype=np.float64)
    known = np.isfinite(values)
    spread = values[known].std() if known.any() else 0.0
    if not spread > 0:
        return np.zeros_like(values)
    standard = (values - values[known].mean()) / spread
    return np.asarray(np.where(known, standard, standard[known].min()), dtype=np.float64)
