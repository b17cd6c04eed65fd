"""Relevance as the likelihood of the query, read off the document."""

from __future__ import annotations

import math

import numpy as np

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Likelihood, TokenLikelihood
from plackett.llm.templates import prompt_template
from plackett.rerankers.pointwise.questions import document_prompts, read_scores
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["UPR", "RankingGPT"]

SPARE_TOKENS = 10
"""Kept free where document and query meet: tokens may split there otherwise than apart."""


@register("upr")
class UPR(StrategyReranker):
    """How probable the query is as the question that a document answers, without training.

    score = 1/|q| sum_t log p(q_t | q_<t, document), at most 0. The mean, not the sum: a query has
    the same number of tokens beside every document, so the order is the same, and the numbers of
    different queries can be compared. The document is cut where prompt and query do not fit; the
    instruction never is. All documents of a query are asked in one round: n calls, none of which
    writes a token.

    Parameters
    ----------
    model : with the power "likelihood".
    template : the prompt's name, or the path of a prompt of your own; the query follows it.
    query_tokens : at most so many tokens of the query are scored.
    length : tokens of prompt and query together at most; None is the model's context.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    A query without a word in it has no likelihood: no call, first-stage order.

    Raises
    ------
    ConfigurationError : a length or a number of query tokens below 1.

    Paper: Improving Passage Retrieval with Zero-Shot Question Generation (2022).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> ranked = UPR(oracle).rank("red wine", {"a": "bread", "b": "a red wine"})
    >>> ranked.ids, ranked.score_kind, ranked.calls
    (['b', 'a'], 'log_probability', 2)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        template: str = "upr",
        query_tokens: int = 128,
        length: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if query_tokens < 1 or (length is not None and length < 1):
            raise ConfigurationError(
                f"query_tokens = {query_tokens}, length = {length}; expected 1 or more."
            )
        self.template, self.query_tokens, self.length = template, query_tokens, length

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: the likelihood of the query after each document."""
        wanted = asking.model.truncate(query.strip(), self._query_budget()).strip()
        if not wanted:
            return Ordering(tuple(range(len(candidates))))
        template = prompt_template(self.template)
        room = None
        if self.length is not None:
            taken = template.render("", ("",)).plain() + wanted
            room = max(1, self.length - asking.model.count_tokens(taken) - SPARE_TOKENS)
        prompts = document_prompts(
            template, query, candidates, asking, reserve=SPARE_TOKENS, max_tokens=room
        )
        answers = yield [Likelihood(prompt, f" {wanted}") for prompt in prompts]
        return Ordering.by_scores(read_scores(answers, asking, _mean), "log_probability")

    def _query_budget(self) -> int:
        # A query as long as a document must leave the document its half.
        half = self.query_tokens if self.length is None else max(1, self.length // 2)
        return min(self.query_tokens, half)

    def __repr__(self) -> str:
        return describe(self)


@register("ranking-gpt")
class RankingGPT(UPR):
    """The likelihood of the query after the document, with the prompt that RankingGPT learned.

    score = the mean log-probability of the query's tokens. Prompt and query have 512 tokens
    together; a query of more than half of them is cut to half.

    Parameters
    ----------
    model, template, query_tokens, length, cache, budget, on_malformed, seed : see `UPR`.

    Paper: RankingGPT: Empowering Large Language Models in Text Ranking with Progressive
    Enhancement (2023).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> RankingGPT(oracle).rank("red wine", {"a": "bread", "b": "a red wine"}).ids
    ['b', 'a']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        template: str = "ranking-gpt",
        query_tokens: int = 256,
        length: int | None = 512,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(
            model,
            template=template,
            query_tokens=query_tokens,
            length=length,
            cache=cache,
            budget=budget,
            on_malformed=on_malformed,
            seed=seed,
        )


def _mean(answer: Answer) -> tuple[float, str]:
    """Mean log-likelihood, and the answer's status."""
    if not isinstance(answer, TokenLikelihood) or not answer.logprobs:
        return math.nan, "missing"
    mean = float(np.mean(answer.logprobs))
    return mean, "wrong_format" if math.isnan(mean) else "ok"
