"""Setwise re-ranking: the best k by asking, of a few documents at a time, which is the best."""

from __future__ import annotations

from typing import Literal

from plackett.errors import ConfigurationError
from plackett.llm import LanguageModel
from plackett.rerankers.listwise.list_questions import PickQuestion
from plackett.rerankers.listwise.rounds import asked, remembering
from plackett.rerankers.listwise.setwise_sorting import bubble_top, heap_top
from plackett.rerankers.listwise.showing import Read, Showing, check_count, load_template
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["Method", "RankR1", "Setwise"]

Method = Literal["heap", "bubble"]
"""How the best k are found: see `plackett.rerankers.listwise.setwise_sorting`."""


class _SetwiseSorter(StrategyReranker):
    """The best k of the candidates, then all others in first-stage order.

    A set of documents that has been compared is not asked about again.
    """

    k: int
    children: int
    method: Method
    _showing: Showing

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One question a comparison; comparisons that do not depend on each other share a round."""
        n = len(candidates)
        sort = heap_top if self.method == "heap" else bubble_top
        question = PickQuestion(self._showing, query, candidates, asking)
        plan = remembering(sort(n, min(self.k, n), self.children))
        best = yield from asked(plan, question)
        first = set(best)
        return Ordering((*best, *(i for i in range(n) if i not in first)))

    def _set_sorting(self, method: Method, children: int, k: int) -> None:
        if method not in ("heap", "bubble"):
            raise ConfigurationError(f"method = {method!r}; expected heap or bubble.")
        check_count("children", children)
        check_count("k", k)
        self.method, self.children, self.k = method, children, k

    def __repr__(self) -> str:
        return describe(self)


@register("setwise")
class Setwise(_SetwiseSorter):
    """Setwise re-ranking: heap or bubble sort by questions with several documents each.

    The best k are exact where the answers follow one order of the documents. For 100 documents and
    k = 10 a heap takes about 80 calls with 3 children, in 30 rounds; 31 with 9, 23 with 19, in a
    few rounds less than calls; bubble sort at most 318 with 3 children, in 48 rounds. Where an
    answer cannot be used, the document counts as best that the first stage had ahead.

    Parameters
    ----------
    model : a model that can "generate", or "next_token" for `read="logits"`; or its description.
    method : "heap", or "bubble", which also mends the order of what it passes.
    children : a question shows one document more than that; 1 compares pairs.
    k : so many are sorted; the others stay in first-stage order behind them.
    read : whether the model writes the best label, or the probabilities of labels tell it.
    votes : how often each question is asked, its documents shown in different orders.
    prompt : a template whose grammar is "label", by name or as a `.toml` file.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Zhuang et al., "A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking with
    Large Language Models", SIGIR 2024.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1, "d": 3}}
    >>> reranker = Setwise(Oracle(relevance), k=2)
    >>> reranker.rank("wine", {"a": "-", "b": "-", "c": "-", "d": "-"}).ids
    ['d', 'b', 'a', 'c']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        method: Method = "heap",
        children: int = 3,
        k: int = 10,
        read: Read = "generation",
        votes: int = 1,
        prompt: str = "setwise",
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self._set_sorting(method, children, k)
        self.read, self.votes, self.prompt = read, votes, prompt
        self.max_words = max_words
        self._showing = Showing(
            load_template(prompt, ("label",), read, most=children + 1),
            read=read,
            max_words=max_words,
            votes=votes,
        )


@register("rank-r1")
class RankR1(_SetwiseSorter):
    """Setwise re-ranking by a model that thinks about 20 documents before it names the best.

    The documents of a question are shown in an order drawn by `seed`. Everything else is as in
    "setwise".

    Parameters
    ----------
    model : a model that can "generate", or its description.
    method, children, k : as in "setwise".
    votes : how often each question is asked, in different orders; the majority decides.
    prompt : a template whose grammar is "label".
    thinking : tokens for thinking before the answer; 0 asks for none.
    temperature : of the sampling; 0 for the likeliest answer.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Zhuang et al., "Rank-R1: Enhancing Reasoning in LLM-based Document Rerankers via Reinforcement
    Learning", 2025.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1, "d": 3}}
    >>> ranked = RankR1(Oracle(relevance), k=1).rank("wine", {"a": "-", "b": "-", "d": "-"})
    >>> ranked.ids, ranked.calls
    (['d', 'a', 'b'], 1)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        method: Method = "heap",
        children: int = 19,
        k: int = 10,
        votes: int = 1,
        prompt: str = "rank-r1",
        thinking: int = 2048,
        temperature: float = 0.0,
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self._set_sorting(method, children, k)
        self.votes, self.prompt, self.max_words = votes, prompt, max_words
        self.thinking, self.temperature = thinking, temperature
        self._showing = Showing(
            load_template(prompt, ("label",), most=children + 1),
            max_words=max_words,
            thinking=thinking,
            temperature=temperature,
            votes=votes,
            shuffle=True,
        )
