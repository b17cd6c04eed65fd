"""Few comparisons, well aggregated: one round of sampled pairs, one order of their results."""

from __future__ import annotations

from plackett.errors import ConfigurationError
from plackett.fusion import aggregate, aggregator, wins_of_pairs
from plackett.llm.base import LanguageModel
from plackett.rerankers.pairwise.base import PairwiseReranker
from plackett.rerankers.pairwise.comparators import Comparator, Reading
from plackett.rerankers.pairwise.judges import Judgement
from plackett.rerankers.pairwise.pair_samplers import Sampler, sampled_pairs
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import register
from plackett.rerankers.strategy import Asking, Policy, Steps
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["SparsePairs"]


@register("sparse-pairs")
class SparsePairs(PairwiseReranker):
    """Sparse pairwise re-ranking: m sampled comparisons a document, put together by an aggregator.

    All are asked in one round of n m calls ("full": n (n - 1), duoT5's way; "grouped": about
    3 n m). A comparison of (i, j) that finds i better with probability p gives i p and j 1 - p.

    Parameters
    ----------
    model : a `LanguageModel` or its description; None where `comparator` is a function.
    sampler : "full", "random", "window", "biased-window", "grouped"; see
        `plackett.rerankers.pairwise.pair_samplers`.
    size : m: partners of "random", the window's size, or the size of a group.
    dilation : of "window": its step.
    power : of "random": partners are drawn in proportion to |s_i - s_j|^power of the first-stage
        scores.
    aggregator : a name of `plackett.fusion.aggregator`: "additive" (with "full" it is SYM-SUM),
        "greedy", "kwiksort", "pagerank", "bradley_terry", "win_rate", ...
    comparator : as in `PRP`; "logits" and "likelihood" give probabilities, "generation" 0 or 1.
    prompt, demonstration, max_words, answer_tokens : as in `PRP`.
    cache, budget, on_malformed, seed : of `StrategyReranker`.

    Gienapp, Froebe, Hagen & Potthast, "Sparse pairwise re-ranking with pre-trained transformers",
    ICTIR 2022.

    >>> def longer(query, first, second):
    ...     return len(first) > len(second)
    >>> reranker = SparsePairs(comparator=longer, sampler="window", size=2)
    >>> ranked = reranker.rank("q", ["b", "ccc", "dd", "eeee"])
    >>> ranked.ids, ranked.calls
    (['3', '1', '2', '0'], 8)
    """

    def __init__(
        self,
        model: LanguageModel | str | None = None,
        *,
        sampler: Sampler = "window",
        size: int = 10,
        dilation: int = 1,
        power: float = 0.0,
        aggregator: str = "additive",
        comparator: Reading | Judgement | Comparator = "logits",
        prompt: str = "pairwise",
        demonstration: tuple[str, str, str] | None = None,
        max_words: int | None = None,
        answer_tokens: int = 16,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(
            model,
            comparator=comparator,
            prompt=prompt,
            demonstration=demonstration,
            max_words=max_words,
            answer_tokens=answer_tokens,
            cache=cache,
            budget=budget,
            on_malformed=on_malformed,
            seed=seed,
        )
        _check_aggregator(aggregator)
        if power != 0.0 and sampler != "random":
            raise ConfigurationError(f'power={power} is for sampler="random".')
        self.sampler, self.size, self.dilation, self.power = sampler, size, dilation, power
        self.aggregator = aggregator
        self._pairs(Candidates(("0",), ("",)), seed)

    def _pairs(self, candidates: Candidates, seed: int) -> list[tuple[int, int]]:
        return sampled_pairs(
            self.sampler,
            len(candidates),
            size=self.size,
            dilation=self.dilation,
            scores=candidates.scores,
            power=self.power if len(candidates) > 1 else 0.0,
            seed=seed,
        )

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round of all sampled pairs."""
        pairs = self._pairs(candidates, asking.seed)
        comparing = self._comparator.begin(query, candidates, asking)
        found = yield from comparing(pairs)
        wins = wins_of_pairs(
            [i for i, _ in pairs], [j for _, j in pairs], found, items=len(candidates)
        )
        # Sums of the same numbers in another order differ in their last digits; those are ties.
        scores = aggregate(wins, self.aggregator, seed=asking.seed).round(9)
        return Ordering.by_scores(scores, "wins")


def _check_aggregator(name: str) -> None:
    aggregator(name)
