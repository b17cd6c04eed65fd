"""What all strategies of comparisons share: who compares, and how it is asked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Request
from plackett.rerankers.pairwise.comparators import (
    Comparator,
    PromptComparator,
    Reading,
    Rule,
    preferred,
)
from plackett.rerankers.pairwise.judges import Judge, JudgeComparator, Judgement
from plackett.rerankers.pairwise.pair_sorting import PairSort
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe
from plackett.rerankers.strategy import Asking, Policy, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["PairwiseReranker", "sorted_by"]


class PairwiseReranker(StrategyReranker):
    """A strategy that asks which of two documents is the better.

    Parameters
    ----------
    model : a `LanguageModel` or its description; None where `comparator` is a function.
    comparator : how a model is read ("generation", "logits", "likelihood"); or a function of a
        query and two texts (`Judgement`), such as `ask_on_terminal`; or a `Comparator`.
    prompt, demonstration, max_words, answer_tokens : of `PromptComparator`.
    cache, budget, on_malformed, seed : of `StrategyReranker`.

    Raises
    ------
    ConfigurationError : a model and a function, or neither.
    """

    def __init__(
        self,
        model: LanguageModel | str | None,
        *,
        comparator: Reading | Judgement | Comparator,
        prompt: str,
        demonstration: tuple[str, str, str] | None,
        max_words: int | None,
        answer_tokens: int,
        cache: AnswerCache | str | None,
        budget: Budget | None,
        on_malformed: Policy,
        seed: int,
    ) -> None:
        self.comparator, self.prompt, self.demonstration = comparator, prompt, demonstration
        self.max_words, self.answer_tokens = max_words, answer_tokens
        self.judged = False
        if isinstance(comparator, str):
            self._comparator: Comparator = PromptComparator(
                comparator, prompt, demonstration, max_words, answer_tokens
            )
        elif isinstance(comparator, Comparator):
            self._comparator = comparator
        elif callable(comparator):
            self._comparator, self.judged = JudgeComparator(), True
            # `model` may be the judge of a copy that was made of this one's parameters.
            if model is not None and not isinstance(model, Judge):
                raise ConfigurationError(
                    "both a model and a function that compares were given; pass one of them."
                )
            model = Judge(comparator)
        else:
            raise ConfigurationError(f"comparator={comparator!r} compares nothing.")
        if model is None:
            raise ConfigurationError(
                "no model: pass one, or a function that compares as comparator=."
            )
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)

    def _rule(self, rule: Rule | None) -> Rule:
        """A function is asked once a pair, a model in both orders, unless told otherwise."""
        if rule is None:
            return "one-order" if self.judged else "agreement"
        if rule not in ("agreement", "calibrated", "one-order"):
            raise ConfigurationError(f"rule={rule!r}; expected agreement, calibrated or one-order.")
        return rule

    def __repr__(self) -> str:
        return describe(self)


def sorted_by(
    sort: PairSort,
    comparator: Comparator,
    rule: Rule,
    query: str,
    candidates: Candidates,
    asking: Asking,
) -> Generator[Sequence[Request], list[Answer], Ordering]:
    """Drive a sort with the comparisons of a comparator; a round of the one is one of the other."""
    comparing = comparator.begin(query, candidates, asking)
    answers: Any = None
    while True:
        try:
            pairs = next(sort) if answers is None else sort.send(answers)
        except StopIteration as stop:
            ordering: Ordering = stop.value
            return ordering
        found = yield from preferred(comparing, pairs, rule)
        answers = found.tolist()
