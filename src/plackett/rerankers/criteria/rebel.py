"""Relevance is not all: documents scored on several criteria, the sum computed here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.fitting import fit
from plackett.llm.requests import Answer, Generate, Generation, Request
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.criteria.rebel_criteria import (
    CRITERIA,
    CRITERION_TOP,
    DOCUMENTS,
    QUERY,
    RELEVANCE_TOP,
    Criteria,
    Instructions,
    check_criteria,
    composite_scores,
    criteria_text,
    example_line,
    read_instructions,
)
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["Rebel"]

LINE_TOKENS = 24
"""Tokens of an answer's line, beside those of its example."""
INSTRUCTION_TOKENS = 1024
INSTRUCTED = "rebel-instructions"


@register("rebel")
class Rebel(StrategyReranker):
    """Each document is scored on relevance, 0 to 10, and on further criteria, 0 to 5.

    composite = relevance + sum of weight x criterion, computed from the single scores whatever the
    model adds up. With two turns the model first reads the query alone and invents criteria,
    weights and instructions for it; where these cannot be used (the instructions must hold both
    placeholders), the answer is counted as of a wrong format and the fixed criteria are taken.

    Documents whose relevance is below the threshold are dropped, or stand at the end, their
    composites lowered below 0. Those for which an answer says nothing are never dropped: they come
    last. Documents are shown in batches, in one round: ceil(n / batch) calls, one more with two
    turns. Scores of two batches were given without sight of one another and are only as comparable
    as the model's scale: cut to one batch before (`first % 10 >> rebel`), or take a larger batch.

    Parameters
    ----------
    model : with the power "generate".
    turns : 1, or 2 for criteria invented for each query.
    criteria : {name: (weight, what it means)} of one turn; None for depth, diversity, clarity,
        authority and recency with 0.2 each; {} for relevance alone.
    threshold : the least relevance that passes.
    drop : whether what does not pass is left out; else it comes after all that passes.
    batch : documents a prompt.
    template, meta_template : names of the prompts of the scoring and of the first of two turns, or
        paths of your own.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Raises
    ------
    ConfigurationError : other turns, a batch below 1, or criteria that are none.

    Paper: Relevance Isn't All You Need: Scaling RAG Systems With Inference-Time Compute Via
    Multi-Criteria Reranking (2025).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"red wine": {"b": 1}})
    >>> Rebel(oracle).rank("red wine", {"a": "bread", "b": "a red wine"}).ids
    ['b', 'a']
    >>> Rebel(oracle, drop=True).rank("red wine", {"a": "bread", "b": "a red wine"}).ids
    ['b']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        turns: int = 1,
        criteria: Criteria | None = None,
        threshold: float = 3.0,
        drop: bool = False,
        batch: int = 10,
        template: str = "rebel",
        meta_template: str = "rebel-meta",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if turns not in (1, 2) or batch < 1:
            raise ConfigurationError(
                f"turns = {turns!r}, batch = {batch!r}; expected 1 or 2, and 1 or more."
            )
        if criteria is not None:
            check_criteria(criteria)
        self.turns, self.criteria, self.threshold = turns, criteria, threshold
        self.drop, self.batch = drop, batch
        self.template, self.meta_template = template, meta_template
        self.may_drop = drop

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """With two turns the query alone; then one round with every batch."""
        instructions = None
        if self.turns == 2:
            (answer,) = yield [self._meta_request(query, asking)]
            instructions = _instructions(answer, asking)
        criteria = CRITERIA if self.criteria is None else self.criteria
        if instructions is not None:
            criteria = instructions.criteria
        template = prompt_template(self.template if instructions is None else INSTRUCTED)
        positions = range(len(candidates))
        batches = [positions[i : i + self.batch] for i in positions[:: self.batch]]
        answers = yield [
            self._request(template, query, candidates, batch, criteria, instructions, asking)
            for batch in batches
        ]
        relevance = [math.nan] * len(candidates)
        composite = [math.nan] * len(candidates)
        for batch, answer in zip(batches, answers, strict=True):
            for position, scores in zip(
                batch, _scores(template, answer, len(batch), criteria, asking), strict=True
            ):
                relevance[position], composite[position] = scores
        return self._ordering(relevance, composite, criteria)

    def _meta_request(self, query: str, asking: Asking) -> Request:
        template = prompt_template(self.meta_template)
        slots = {"query_slot": QUERY, "documents_slot": DOCUMENTS}
        fitted = fit(asking.model, template, query, [""], reserve=INSTRUCTION_TOKENS)
        prompt = template.render(fitted.query, [], values=slots)
        return Generate(prompt, max_tokens=INSTRUCTION_TOKENS, seed=asking.seed)

    def _request(
        self,
        template: PromptTemplate,
        query: str,
        candidates: Candidates,
        batch: Sequence[int],
        criteria: Criteria,
        instructions: Instructions | None,
        asking: Asking,
    ) -> Request:
        values = {
            "criteria": criteria_text(criteria),
            "example": example_line(criteria, template.labels(1)[0]),
        }
        if instructions is not None:
            values["before"], values["between"] = instructions.before, instructions.between
            values["after"] = instructions.after
        count = asking.model.count_tokens
        most = len(batch) * (count(values["example"]) + LINE_TOKENS)
        fitted = fit(
            asking.model,
            template,
            query,
            [candidates.texts[position] for position in batch],
            reserve=most + sum(map(count, values.values())),
        )
        asking.truncated.update(
            position for position, cut in zip(batch, fitted.shortened, strict=True) if cut
        )
        prompt = template.render(
            fitted.query,
            fitted.texts,
            ids=[candidates.ids[position] for position in batch],
            values=values,
        )
        return Generate(prompt, max_tokens=most, seed=asking.seed)

    def _ordering(
        self, relevance: Sequence[float], composite: Sequence[float], criteria: Criteria
    ) -> Ordering:
        greatest = RELEVANCE_TOP + sum(weight * CRITERION_TOP for weight, _ in criteria.values())
        # NaN is not below: what nothing is known of is no reason to drop it.
        failed = [value < self.threshold for value in relevance]
        scores = [
            total - greatest - 1.0 if below else total
            for total, below in zip(composite, failed, strict=True)
        ]
        ordering = Ordering.by_scores(scores, "grade")
        if not self.drop:
            return ordering
        kept = tuple(position for position in ordering.order if not failed[position])
        return Ordering(kept, ordering.scores, ordering.score_kind)

    def __repr__(self) -> str:
        return describe(self)


def _instructions(answer: Answer, asking: Asking) -> Instructions | None:
    if not isinstance(answer, Generation):
        asking.note("missing", answer)
        return None
    found = read_instructions(answer.text)
    return found if asking.note("wrong_format" if found is None else "ok", answer) else None


def _scores(
    template: PromptTemplate, answer: Answer, n: int, criteria: Criteria, asking: Asking
) -> list[tuple[float, float]]:
    if not isinstance(answer, Generation):
        asking.note("missing", answer)
        return [(math.nan, math.nan)] * n
    parsed = template.parse(answer.text, n)
    scores = composite_scores(parsed.criteria or ({},) * n, criteria)
    status: str = parsed.status
    if status == "ok" and any(math.isnan(relevance) for relevance, _ in scores):
        status = "repaired"
    if all(math.isnan(relevance) for relevance, _ in scores) and status in ("ok", "repaired"):
        status = "wrong_format"
    return scores if asking.note(status, answer) else [(math.nan, math.nan)] * n
