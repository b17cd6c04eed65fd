"""Listwise re-ranking in windows that slide from the back of the list to its front.

One method, of three parts: which windows (their size, stride, number of passes, and where the list
begins), how a window is put in order (words or the probabilities of labels), and by which prompt.
"""

from __future__ import annotations

import random

from plackett.errors import ConfigurationError
from plackett.llm import LanguageModel
from plackett.rerankers.listwise.list_questions import OrderQuestion
from plackett.rerankers.listwise.rounds import asked
from plackett.rerankers.listwise.showing import Showing, check_count, load_template
from plackett.rerankers.listwise.window_schedule import apply_windows, back_to_front
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["First", "RankGPT", "RankK", "SlidingWindow"]


class SlidingWindow(StrategyReranker):
    """What all re-rankers by sliding windows share.

    One pass over n documents takes 1 call if n <= window, else 1 + ceil((n - window) / stride),
    one after the other; a further pass follows at a distance of the windows that overlap, in the
    same rounds. With exact answers p passes put the best p (window - stride) documents first, from
    any start; a window's last `stride` places may still hide a document from further behind.

    Whoever orders so knows an order and no scores: answers of different windows do not compare.
    """

    window: int
    stride: int
    passes: int
    shuffle: bool
    _showing: Showing

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One question a window; windows that do not overlap share a round."""
        n = len(candidates)
        start = list(range(n))
        if self.shuffle:
            random.Random(f"start {asking.seed}").shuffle(start)
        windows = back_to_front(n, self.window, self.stride) * self.passes
        question = OrderQuestion(self._showing, query, candidates, asking)
        plan = apply_windows(start, windows, lambda _, ordered: ordered)
        return Ordering(tuple((yield from asked(plan, question))))

    def _set_windows(self, window: int, stride: int, passes: int, *, shuffle: bool) -> None:
        check_count("window", window, least=2)
        check_count("stride", stride)
        check_count("passes", passes)
        if stride >= window:
            raise ConfigurationError(
                f"stride = {stride} with window = {window}; expected less than the window, or "
                "no document can rise from one window to the next."
            )
        self.window, self.stride, self.passes, self.shuffle = window, stride, passes, shuffle

    def __repr__(self) -> str:
        return describe(self)


@register("rank-gpt")
class RankGPT(SlidingWindow):
    """Listwise re-ranking: the model writes the order of a window's documents.

    Parameters
    ----------
    model : a model that can "generate", or its description.
    window, stride : documents a window, and how far one is from the next.
    passes : how often the windows slide over the list.
    shuffle : whether the list begins in an order drawn by `seed`, not in that of the first stage.
    votes : how often each window is asked about, its documents shown in different orders, all at
        once; the mean place decides.
    prompt : a template whose grammar is "order" or "tiers", by name or as a `.toml` file.
        "rank-gpt" shows each document in a turn of its own; "rank-gpt-single" and "rank-zephyr"
        show all in one, the latter for models that were trained to rank lists.
    max_words : a document is cut after so many words; None for the context's limit only.
    answer_tokens : at most so many tokens of answer; None for as many as the labels need.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    The open models of the RankVicuna kind run with `prompt="rank-zephyr"`, and gain from
    `passes=3`.

    Sun et al., "Is ChatGPT Good at Search?", EMNLP 2023; Pradeep et al., "RankZephyr", 2023.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1}}
    >>> ranked = RankGPT(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-"})
    >>> ranked.ids, ranked.calls
    (['b', 'c', 'a'], 1)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        window: int = 20,
        stride: int = 10,
        passes: int = 1,
        shuffle: bool = False,
        votes: int = 1,
        prompt: str = "rank-gpt",
        max_words: int | None = 300,
        answer_tokens: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self._set_windows(window, stride, passes, shuffle=shuffle)
        self.votes, self.prompt = votes, prompt
        self.max_words, self.answer_tokens = max_words, answer_tokens
        self._showing = Showing(
            load_template(prompt, ("order", "tiers"), most=window),
            max_words=max_words,
            answer_tokens=answer_tokens,
            votes=votes,
        )


@register("rank-k")
class RankK(SlidingWindow):
    """Listwise re-ranking by a model that thinks first, and may call documents equally relevant.

    The answer, such as `[3] > [2] = [1]`, puts the documents into tiers; those of one tier stay in
    the order in which they were shown.

    Parameters
    ----------
    model : a model that can "generate", or its description.
    window, stride, passes, shuffle, votes : as in "rank-gpt".
    prompt : a template whose grammar is "tiers" or "order".
    max_tokens : a document is cut after so many tokens; None for the context's limit only.
    thinking : tokens for thinking before the answer; None leaves the model's way alone, so that
        `answer_tokens` must have room for it.
    answer_tokens : at most so many tokens of answer after it; None for what the labels need.
    temperature : of the sampling; 0 for the likeliest answer. `seed` makes it repeatable.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Yang et al., "Rank-K: Test-Time Reasoning for Listwise Reranking", 2025.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 1, "c": 1}}
    >>> RankK(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-"}).ids
    ['b', 'c', 'a']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        window: int = 20,
        stride: int = 10,
        passes: int = 1,
        shuffle: bool = False,
        votes: int = 1,
        prompt: str = "rank-k",
        max_tokens: int | None = 450,
        thinking: int | None = 4096,
        answer_tokens: int | None = None,
        temperature: float = 0.6,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self._set_windows(window, stride, passes, shuffle=shuffle)
        self.votes, self.prompt, self.max_tokens = votes, prompt, max_tokens
        self.thinking, self.answer_tokens = thinking, answer_tokens
        self.temperature = temperature
        self._showing = Showing(
            load_template(prompt, ("tiers", "order"), most=window),
            max_tokens=max_tokens,
            answer_tokens=answer_tokens,
            thinking=thinking,
            temperature=temperature,
            votes=votes,
        )


@register("first")
class First(SlidingWindow):
    """Listwise re-ranking by one token: the probabilities of the labels as the answer's first.

    A model asked for an order begins it with the best label; the probabilities of all labels there
    are an order of the whole window. Nothing is written, so that a call costs the reading of its
    prompt only. Labels of which a server tells nothing come last, in the order shown.

    Parameters
    ----------
    model : a model that can "next_token", or its description.
    window, stride, passes, shuffle, votes, max_words : as in "rank-gpt"; at most 26 a window.
    prompt : a template with letters for labels, whose answer has begun with what stands before the
        first of them.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Reddy et al., "FIRST: Faster Improved Listwise Reranking with Single Token Decoding", EMNLP
    2024.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1}}
    >>> First(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-"}).ids
    ['b', 'c', 'a']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        window: int = 20,
        stride: int = 10,
        passes: int = 1,
        shuffle: bool = False,
        votes: int = 1,
        prompt: str = "first",
        max_words: int | None = 300,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        self._set_windows(window, stride, passes, shuffle=shuffle)
        self.votes, self.prompt, self.max_words = votes, prompt, max_words
        self._showing = Showing(
            load_template(prompt, (), "logits", most=window),
            read="logits",
            max_words=max_words,
            votes=votes,
        )
