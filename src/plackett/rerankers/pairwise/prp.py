"""Pairwise ranking prompting: a sort whose comparison is a question to a model."""

from __future__ import annotations

from typing import Literal, get_args

from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.rerankers.pairwise.base import PairwiseReranker, sorted_by
from plackett.rerankers.pairwise.comparators import Comparator, Reading, Rule
from plackett.rerankers.pairwise.judges import Judgement
from plackett.rerankers.pairwise.pair_sorting import SortMethod, pair_sort
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.registry import register
from plackett.rerankers.strategy import Asking, Policy, Steps
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["PRP"]


@register("prp")
class PRP(PairwiseReranker):
    """Pairwise ranking prompting (PRP): all pairs, a heap for the best k, or k sliding passes.

    Each pair is asked in both orders; i wins where both answers say so, else it is a tie, which
    leaves the first stage's order. Pairs compared for n documents, each of them two calls (four by
    likelihood):

    | method | pairs | rounds | n = 100, k = 10 |
    |---|---|---|---|
    | all-pairs | n (n - 1) / 2 | 1 | 4,950 |
    | heap | about 1.5 n + 2 k log2 n | half as many | 277 on average, 258 to 292 seen |
    | sliding | (n - 1) + ... + (n - k) | n + k - 2 | 945 |
    | quick | about n log2 n | about 2 log2 n | 638 on average, 537 to 857 seen |

    Parameters
    ----------
    model : a `LanguageModel` or its description; None where `comparator` is a function.
    method : "all-pairs": by wins, ties a half; "heap": the best k in order, then the rest as they
        came; "sliding": k passes from the last document to the first; "quick": quicksort.
    k : of "heap" and "sliding": how many of the best are wanted.
    comparator : how the model is read: "generation", "logits", "likelihood"; or a function of a
        query and two texts, such as `ask_on_terminal`; or a `Comparator`.
    rule : "agreement", "calibrated" or "one-order" (see `Rule`); by default agreement for a model,
        and one order for a function, which is not asked twice.
    prompt : a template: "pairwise"; "duo-t5" for a duoT5 model read by its logits; or a file.
    demonstration : a query, a better and a worse document, shown in both orders.
    max_words : at most so many words of a document are shown.
    answer_tokens : at most so many tokens of a written answer.
    cache, budget, on_malformed, seed : of `StrategyReranker`.

    Qin et al., "Large language models are effective text rankers with pairwise ranking prompting",
    NAACL Findings 2024.

    >>> def longer(query, first, second):
    ...     return 0.5 if len(first) == len(second) else len(first) > len(second)
    >>> ranked = PRP(comparator=longer, method="all-pairs").rank("q", ["b", "ccc", "dd", "e"])
    >>> ranked.ids, ranked.scores.tolist(), ranked.calls
    (['1', '2', '0', '3'], [3.0, 2.0, 0.5, 0.5], 6)
    """

    def __init__(
        self,
        model: LanguageModel | str | None = None,
        *,
        method: Literal["all-pairs", "heap", "sliding", "quick"] = "sliding",
        k: int = 10,
        comparator: Reading | Judgement | Comparator = "generation",
        rule: Rule | None = None,
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
        if method not in get_args(SortMethod) or k < 1:
            raise ConfigurationError(
                f"method={method!r}, k={k}; expected {', '.join(get_args(SortMethod))}, and k "
                "from 1."
            )
        self.method, self.k, self.rule = method, k, rule
        self._rule(rule)

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """Rounds of comparisons until the sort is done."""
        sort = pair_sort(self.method, len(candidates), self.k)
        rule = self._rule(self.rule)
        return (yield from sorted_by(sort, self._comparator, rule, query, candidates, asking))
