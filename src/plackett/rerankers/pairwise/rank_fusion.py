"""LLM-RankFusion: a matrix of calibrated comparisons, sorted in several ways, fused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.fusion import borda, calibrated_preference
from plackett.llm.base import LanguageModel
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.pairwise.comparators import PromptComparator, Reading, probability_matrix
from plackett.rerankers.pairwise.pair_sorting import SortMethod, pair_sort, replay
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking
from plackett.transport.records import CallLog

__all__ = ["RankFusion"]

Floats = npt.NDArray[np.float64]


@register("rank-fusion")
class RankFusion(TextReranker):
    """LLM-RankFusion: each model compares all ordered pairs once; several sorts are fused.

    The preference of i over j is P* = e^{P_ij} / (e^{P_ij} + e^{P_ji}), so that a bias towards what
    is shown first cancels. Where preferences go in circles, sorts disagree: the orders of all sorts
    by all models get Borda points, and the sum orders the documents. n (n - 1) calls a model (twice
    that by likelihood), in one round; the sorts cost nothing.

    Parameters
    ----------
    model : a `LanguageModel`, its description, or several of them.
    sorts : of "all-pairs", "heap", "sliding", "quick".
    comparator : how models are read: "logits", "likelihood" or "generation".
    prompt, demonstration, max_words, answer_tokens : as in `PRP`.
    cache, budget, on_malformed, seed : of `StrategyReranker`; the budget is one for all models.

    `matrices` gives what the models said; `plackett.fusion.inconsistency` tells how far it
    contradicts itself.

    Zeng, Tankasala, Iyer, Hu & Zhou, "LLM-RankFusion: mitigating intrinsic inconsistency in
    LLM-based ranking", 2024.

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"q": {"a": 0, "b": 2, "c": 1}})
    >>> ranked = RankFusion(oracle).rank("q", {"a": "one", "b": "two", "c": "three"})
    >>> ranked.ids, ranked.calls
    (['b', 'c', 'a'], 6)
    """

    def __init__(
        self,
        model: LanguageModel | str | Sequence[LanguageModel | str],
        *,
        sorts: Sequence[SortMethod] = ("all-pairs", "heap", "sliding", "quick"),
        comparator: Reading = "logits",
        prompt: str = "pairwise",
        demonstration: tuple[str, str, str] | None = None,
        max_words: int | None = None,
        answer_tokens: int = 16,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        alone = isinstance(model, (str, LanguageModel))
        models = _Models([model]) if isinstance(model, (str, LanguageModel)) else _Models(model)
        if not models or not sorts:
            raise ConfigurationError("no models or no sorts to fuse; pass at least one of each.")
        self.model = models[0] if alone else models
        self.sorts, self.comparator, self.prompt = tuple(sorts), comparator, prompt
        self.demonstration, self.max_words = demonstration, max_words
        self.answer_tokens, self.cache, self.budget = answer_tokens, cache, budget
        self.on_malformed, self.seed = on_malformed, seed
        for sort in self.sorts:
            pair_sort(sort, 1, 1)
        asked = PromptComparator(comparator, prompt, demonstration, max_words, answer_tokens)
        self.log = CallLog()
        shared = AnswerCache(cache) if isinstance(cache, str) else cache
        self._members = [
            _Matrix(each, asked, shared, budget, on_malformed, seed) for each in models
        ]
        for member in self._members:
            member.log = self.log

    def matrices(self, query: str, documents: Mapping[str, str] | Candidates) -> list[Floats]:
        """What each model says of each ordered pair of texts by id: `float64[n, n]` a model.

        Row i, column j: the probability that i, shown first, is better than j; NaN where there was
        no answer, and on the diagonal.
        """
        candidates = documents
        if not isinstance(candidates, Candidates):
            candidates = Candidates(tuple(candidates), tuple(candidates.values()))
        if len(candidates) < 2:
            return [np.full((len(candidates),) * 2, np.nan) for _ in self._members]
        found = run_blocking(self._compare([query], [candidates]))
        return [_matrix_of(outcomes[0]) for outcomes in found]

    async def _compare(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[list[Outcome]]:
        """For each model its outcome on each query; where one fails, none goes on asking."""
        tasks = [
            asyncio.ensure_future(member._order_many(queries, candidates))
            for member in self._members
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        found = await self._compare(queries, candidates)
        outcomes = []
        for place, given in enumerate(candidates):
            outcome = self._fused([outcomes[place] for outcomes in found], len(given))
            self._tell(outcome)
            outcomes.append(outcome)
        return outcomes

    def _fused(self, parts: Sequence[Outcome], n: int) -> Outcome:
        answers: Counter[str] = Counter()
        for part in parts:
            answers.update(part.answers)
        ordering = Ordering((0,))
        if n > 1:
            preferences = [calibrated_preference(_matrix_of(part)) for part in parts]
            places = [
                _places(replay(pair_sort(sort, n, n), _reader(p)))
                for p in preferences
                for sort in self.sorts
            ]
            ordering = Ordering.by_scores(borda(np.stack(places)), "wins")
        return Outcome(
            ordering,
            calls=sum(part.calls for part in parts),
            cached_calls=sum(part.cached_calls for part in parts),
            tokens=sum(part.tokens for part in parts),
            truncated=max(part.truncated for part in parts),
            answers=dict(answers),
            seconds=max(part.seconds for part in parts),
        )

    def __repr__(self) -> str:
        return describe(self)


def _reader(preferences: Floats) -> Callable[[int, int], float]:
    return lambda i, j: float(preferences[i, j])


def _places(ordering: Ordering) -> Floats:
    """An order as scores: n for the first to 1 for the last."""
    scores = np.empty(len(ordering.order))
    scores[list(ordering.order)] = np.arange(len(ordering.order), 0, -1)
    return scores


class _Models(tuple[LanguageModel | str, ...]):
    """Models that show themselves by their descriptions, so that the text can be read back."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(tuple(each if isinstance(each, str) else repr(each) for each in self))


@dataclass(frozen=True, eq=False)
class _Compared(Ordering):
    """What a model said of all pairs; its order is the first stage's, for the sorts come later."""

    matrix: Floats = field(default_factory=lambda: np.zeros((0, 0)))


def _matrix_of(outcome: Outcome) -> Floats:
    ordering = outcome.ordering
    return ordering.matrix if isinstance(ordering, _Compared) else np.full((1, 1), np.nan)


class _Matrix(StrategyReranker):
    """Asks one model about all ordered pairs of a query."""

    def __init__(
        self,
        model: LanguageModel | str,
        comparator: PromptComparator,
        cache: AnswerCache | None,
        budget: Budget | None,
        on_malformed: Policy,
        seed: int,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self.comparator = comparator

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round of all ordered pairs."""
        n = len(candidates)
        comparing = self.comparator.begin(query, candidates, asking)
        matrix = yield from probability_matrix(comparing, n)
        return _Compared(tuple(range(n)), matrix=matrix)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"
