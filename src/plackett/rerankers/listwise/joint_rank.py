"""JointRank: overlapping blocks are ordered in one round, and their orders joined into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.fusion.pair_aggregation import aggregate, aggregator
from plackett.llm import LanguageModel
from plackett.rerankers.listwise.block_designs import Design, block_design, check_design
from plackett.rerankers.listwise.list_questions import EvidenceQuestion
from plackett.rerankers.listwise.rounds import Group, Plan, asked, one_round
from plackett.rerankers.listwise.showing import Showing, check_count, load_template
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["JointRank", "wins_of_orders"]

_DIGITS = 12  # what is left of equal scores after iterations must not order them


@register("joint-rank")
class JointRank(StrategyReranker):
    """Listwise re-ranking in a single round: a block design, and the wins inside its blocks.

    Each block is one call, and all are asked at once: ceil(n r / block) of them for n documents,
    each in r blocks. In the order of a block every document beats those behind it; `aggregate`
    turns the wins into scores. The order is exact, with exact answers, where every pair is
    compared equally often (one block, or a balanced design), and near it elsewhere; it does not
    depend on the first stage's order but for ties.

    Parameters
    ----------
    model : a model that can "generate", or its description.
    design : see `block_design`; where one does not exist for n, "equi-replicate" is taken.
    block : documents a block.
    replicates : blocks a document, for the designs "equi-replicate" and "random".
    aggregate : how wins become scores, one of `plackett.fusion.aggregator_names()`; the paper takes
        "pagerank" and "win_rate". "bradley_terry" is nearest where answers are exact, and takes
        seconds for a thousand documents.
    votes : how often each block is asked about, its documents shown in different orders.
    prompt : a template whose grammar is "order" or "tiers", by name or as a `.toml` file.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    A block whose answer cannot be used counts as no comparison.

    Dedov, "JointRank: Rank Large Set with Single Pass", 2025.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 2, "c": 1}}
    >>> ranked = JointRank(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-"})
    >>> ranked.ids, ranked.calls
    (['b', 'c', 'a'], 1)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        design: Design = "equi-replicate",
        block: int = 20,
        replicates: int = 4,
        aggregate: str = "rank_centrality",
        votes: int = 1,
        prompt: str = "rank-gpt-single",
        max_words: int | None = 300,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        check_design(design)
        check_count("block", block, least=2)
        check_count("replicates", replicates)
        aggregator(aggregate)
        self.design, self.block, self.replicates = design, block, replicates
        self.aggregate, self.votes, self.prompt = aggregate, votes, prompt
        self.max_words = max_words
        self._showing = Showing(
            load_template(prompt, ("order", "tiers"), most=block), max_words=max_words, votes=votes
        )

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """All blocks in one round."""
        n = len(candidates)
        blocks = block_design(self.design, n, self.block, self.replicates, seed=asking.seed)
        # One document alone is compared with nothing.
        blocks = [block for block in blocks if len(block) > 1]
        question = EvidenceQuestion(self._showing, query, candidates, asking)
        plan: Plan[Group, list[int], list[list[int]]] = one_round(blocks)
        orders = yield from asked(plan, question)
        scores = aggregate(wins_of_orders(orders, n), self.aggregate, seed=asking.seed)
        return Ordering.by_scores(scores.round(_DIGITS), "wins")

    def __repr__(self) -> str:
        return describe(self)


def wins_of_orders(orders: Sequence[Sequence[int]], items: int) -> npt.NDArray[np.float64]:
    """`float64[items, items]`: in how many of the orders the first stands before the second.

    >>> wins_of_orders([[2, 0], [2, 1]], 3)
    array([[0., 0., 0.],
           [0., 0., 0.],
           [1., 1., 0.]])
    """
    wins = np.zeros((items, items))
    for order in orders:
        ranks = np.triu(np.ones((len(order), len(order))), 1)
        wins[np.ix_(list(order), list(order))] += ranks
    return wins
