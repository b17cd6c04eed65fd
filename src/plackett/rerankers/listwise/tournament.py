"""Tournaments: documents win their way up, by selection, in Swiss rounds, or by knock-out."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np

from plackett.errors import ConfigurationError
from plackett.fusion.pair_aggregation import aggregate, aggregator
from plackett.llm import LanguageModel
from plackett.rerankers.listwise.list_questions import PairQuestion, PickQuestion, SelectQuestion
from plackett.rerankers.listwise.rounds import asked, together
from plackett.rerankers.listwise.showing import Read, Showing, check_count, load_template
from plackett.rerankers.listwise.swiss_rounds import swiss_rounds
from plackett.rerankers.listwise.tournament_plans import (
    STAGES,
    knock_out,
    selection_points,
    stages_for,
)
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["KnockOut", "Swiss", "TourRank"]

_BOTH_ORDERS = 2
_DIGITS = 12  # what is left of equal scores after iterations must not order them


@register("tour-rank")
class TourRank(StrategyReranker):
    """Selection in stages: of each group the best few go on, with a point for every stage.

    100 documents become 50, 20, 10, 5 and 2, in 13 calls and 5 rounds; several tournaments run
    side by side in the same rounds, with other groups and other orders, and their points are
    added. Equal points stay in first-stage order. With exact answers the best two come first; the
    more tournaments, the finer the order behind them.

    Parameters
    ----------
    model : a model that can "generate", or its description.
    tournaments : whose points are added.
    stages : how many documents each stage keeps and how many a group has at most; stages that
        would keep more than three quarters of what is left are not played, and long lists are
        halved first.
    prompt : a template whose grammar is "selection", with the value "count".
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Chen et al., "TourRank: Utilizing Large Language Models for Documents Ranking with a Tournament-
    Inspired Strategy", WWW 2025.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1, "d": 3}}
    >>> reranker = TourRank(Oracle(relevance), tournaments=1)
    >>> reranker.rank("wine", {"a": "-", "b": "-", "c": "-", "d": "-"}).ids
    ['b', 'd', 'a', 'c']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        tournaments: int = 10,
        stages: tuple[tuple[int, int], ...] = STAGES,
        prompt: str = "tour-rank",
        max_words: int | None = 300,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        check_count("tournaments", tournaments)
        _check_stages(stages)
        self.tournaments, self.stages = tournaments, stages
        self.prompt, self.max_words = prompt, max_words
        most = max(size for _, size in stages)
        template = load_template(prompt, ("selection",), most=most)
        if template.values != ("count",):
            raise ConfigurationError(
                f"prompt {prompt!r} declares the values {list(template.values)}; expected count, "
                "the number of documents to select."
            )
        self._showing = Showing(template, max_words=max_words)

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round a stage, for all groups of all tournaments."""
        n = len(candidates)
        stages = stages_for(n, self.stages)
        plans = [
            selection_points(
                n, stages, random.Random(f"tournament {asking.seed} {number}"), mixed=number > 0
            )
            for number in range(self.tournaments)
        ]
        question = SelectQuestion(self._showing, query, candidates, asking)
        points = yield from asked(together(plans), question)
        return Ordering.by_scores(np.sum(points, axis=0), "wins")

    def __repr__(self) -> str:
        return describe(self)


def _check_stages(stages: tuple[tuple[int, int], ...]) -> None:
    keeps = [keep for keep, _ in stages]
    falling = all(more > fewer for more, fewer in pairwise(keeps))
    if not stages or not falling or keeps[-1] < 1 or any(size < 2 for _, size in stages):
        raise ConfigurationError(
            f"stages = {stages!r}; expected pairs (documents kept, documents a group) that keep "
            "fewer and fewer, in groups of at least 2."
        )


@register("swiss")
class Swiss(StrategyReranker):
    """Swiss rounds: neighbours in the table who have not met are compared, in both orders.

    A round is n calls for even n, n - 1 for odd, all at once; the lowest without one gets a bye.
    With exact answers, ceil(log2 n) rounds find the best document, and sort the others the better
    the nearer they are to the top.

    Parameters
    ----------
    model : a model that can "generate", or "next_token" for `read="logits"`; or its description.
    rounds : how many; None for ceil(log2 n), and never more than there are opponents.
    aggregate : what orders the documents in the end: an aggregation of wins, one of
        `plackett.fusion.aggregator_names()`; or "points", then the points of those met (Buchholz),
        which is quicker for a thousand documents.
    read : whether the model writes the better label, or the probabilities of labels tell it.
    prompt : a template whose grammar is "label", by name or as a `.toml` file.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1, "d": 3}}
    >>> ranked = Swiss(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-", "d": "-"})
    >>> ranked.ids, ranked.calls
    (['d', 'b', 'c', 'a'], 8)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        rounds: int | None = None,
        aggregate: str = "bradley_terry",
        read: Read = "generation",
        prompt: str = "pairwise",
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        check_count("rounds", rounds, optional=True)
        if aggregate != "points":
            aggregator(aggregate)
        self.rounds, self.aggregate, self.read = rounds, aggregate, read
        self.prompt, self.max_words = prompt, max_words
        self._showing = Showing(
            load_template(prompt, ("label",), read, most=2),
            read=read,
            max_words=max_words,
            votes=_BOTH_ORDERS,
        )

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round of requests a round of play."""
        n = len(candidates)
        rounds = (n - 1).bit_length() if self.rounds is None else self.rounds
        question = PairQuestion(self._showing, query, candidates, asking)
        table = yield from asked(swiss_rounds(n, rounds), question)
        if self.aggregate != "points":
            scores = aggregate(table.wins, self.aggregate, seed=asking.seed)
            return Ordering.by_scores(scores.round(_DIGITS), "wins")
        # Points differ by 1/4 at least; what is met adds less than that.
        most = max(1.0, float(table.buchholz.max()))
        return Ordering.by_scores(table.points + table.buchholz / (8 * most), "wins")

    def __repr__(self) -> str:
        return describe(self)


@register("knock-out")
class KnockOut(StrategyReranker):
    """Knock-out: winners meet until one is left; the next best is among those who lost to it.

    The best k are exact with exact answers; the others follow by how far they came, then in
    first-stage order. With pairs, the champion takes n - 1 matches in ceil(log2 n) rounds, each
    next place about log2 n matches more. A match is one call a vote, and all matches of a round
    are asked at once; a match without a majority goes to whom the first stage had ahead.

    Parameters
    ----------
    model : a model that can "generate", or "next_token" for `read="logits"`; or its description.
    k : so many places are played out.
    size : documents a match.
    votes : how often a match is asked about: 2 for both orders of a pair.
    read : whether the model writes the best label, or the probabilities of labels tell it.
    prompt : a template whose grammar is "label", by name or as a `.toml` file.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1, "d": 3}}
    >>> reranker = KnockOut(Oracle(relevance), k=2)
    >>> reranker.rank("wine", {"a": "-", "b": "-", "c": "-", "d": "-"}).ids
    ['d', 'b', 'c', 'a']
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        k: int = 10,
        size: int = 2,
        votes: int = _BOTH_ORDERS,
        read: Read = "generation",
        prompt: str = "setwise",
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        check_count("k", k)
        check_count("size", size, least=2)
        self.k, self.size, self.votes, self.read = k, size, votes, read
        self.prompt, self.max_words = prompt, max_words
        self._showing = Showing(
            load_template(prompt, ("label",), read, most=size),
            read=read,
            max_words=max_words,
            votes=votes,
        )

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round of requests a round of play."""
        question = PickQuestion(self._showing, query, candidates, asking)
        plan = knock_out(len(candidates), self.k, self.size)
        return Ordering(tuple((yield from asked(plan, question))))

    def __repr__(self) -> str:
        return describe(self)
