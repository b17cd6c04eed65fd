"""What a run of a strategy will cost, counted with its own prompts and nothing sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plackett.data.run import Run
from plackett.errors import ConfigurationError
from plackett.llm.door import expected_tokens
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import Request
from plackett.rerankers.base import candidates_of
from plackett.rerankers.ranked import Candidates
from plackett.rerankers.strategy import Asking, StrategyReranker
from plackett.transport.budget import Estimate
from plackett.transport.cache import content_key
from plackett.transport.event_loop import run_blocking

__all__ = ["CallEstimate", "estimate_calls"]


@dataclass(frozen=True)
class CallEstimate:
    """The cost of a run, counted several times with different answers made up.

    Parameters
    ----------
    likely : where the answers agree with the first stage's order.
    least, most : over all trials, by calls.
    cached : calls of `likely` that the strategy's cache would answer; they are in `likely` too.

    >>> CallEstimate(Estimate(9), Estimate(9), Estimate(9)).exact
    True
    """

    likely: Estimate
    least: Estimate
    most: Estimate
    cached: int = 0

    @property
    def exact(self) -> bool:
        """Whether the number of calls was the same whatever the answers."""
        return self.least.calls == self.likely.calls == self.most.calls


def estimate_calls(reranker: StrategyReranker, run: Run) -> CallEstimate:
    """Count the calls and tokens of a strategy on a run; its model is not asked.

    The strategy runs against an oracle that believes in the first stage's order, one that believes
    the opposite, and one that errs often. A strategy that is not adaptive asks as often each time:
    then the number is exact. Tokens sent are counted by the strategy's own model; of tokens
    received it is the most that each request allows.

    Parameters
    ----------
    run : with its queries and corpus.

    Raises
    ------
    DataError : the run has no texts.
    ConfigurationError : the model lacks a power that the strategy needs.

    >>> from plackett import Corpus, Queries
    >>> from plackett.rerankers.pointwise.yes_no import YesNo
    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}}).replace(
    ...     queries=Queries.from_texts({"q": "red wine"}),
    ...     corpus=Corpus.from_texts({"a": "bread", "b": "wine"}),
    ... )
    >>> estimate = estimate_calls(YesNo("Oracle({})"), run)
    >>> estimate.likely.calls, estimate.exact
    (2, True)
    """
    queries, candidates = candidates_of(run)
    trials = [
        run_blocking(_trial(reranker, queries, candidates, turn, noise))
        for turn, noise in ((1, 0.0), (-1, 0.0), (1, 0.4))
    ]
    likely, cached = trials[0]
    totals = sorted((estimate for estimate, _ in trials), key=lambda estimate: estimate.calls)
    return CallEstimate(likely, totals[0], totals[-1], cached)


async def _trial(
    reranker: StrategyReranker,
    queries: Sequence[str],
    candidates: Sequence[Candidates],
    turn: int,
    noise: float,
) -> tuple[Estimate, int]:
    beliefs: dict[str, dict[str, float]] = {}
    for query, given in zip(queries, candidates, strict=True):
        grades = np.linspace(3.0, 0.0, len(given))[::turn].tolist()
        beliefs.setdefault(query, {}).update(zip(given.ids, grades, strict=True))
    oracle = Oracle(beliefs, noise=noise, seed=reranker.seed)
    total, cached = Estimate(), 0
    for query, given in zip(queries, candidates, strict=True):
        cost, known = await _driven(reranker, oracle, query, given)
        total, cached = total + cost, cached + known
    return total, cached


async def _driven(
    reranker: StrategyReranker, oracle: Oracle, query: str, given: Candidates
) -> tuple[Estimate, int]:
    if len(given) < 2 and not (len(given) and (reranker.may_drop or reranker.scores_one)):
        return Estimate(), 0
    asking = Asking(reranker.door.model, reranker.on_malformed, reranker.seed)
    steps = reranker.steps(query, given, asking)
    total, cached = Estimate(), 0
    try:
        requests = next(steps)
        while True:
            keys = [content_key(request.content()) for request in requests]
            # What is asked twice at the same time is one call.
            distinct = dict(zip(keys, requests, strict=True))
            for request in distinct.values():
                total += _cost(reranker, request)
                cached += _is_cached(reranker, request)
            answers = dict(zip(distinct, await oracle.answer(list(distinct.values())), strict=True))
            requests = steps.send([answers[key] for key in keys])
    except StopIteration:
        return total, cached
    finally:
        steps.close()


def _cost(reranker: StrategyReranker, request: Request) -> Estimate:
    model = reranker.door.model
    if request.kind not in model.powers:
        raise ConfigurationError(
            f"{model!r} has the powers {', '.join(sorted(model.powers)) or 'none'}; "
            f"{request.kind!r} is needed. Take another model or another strategy."
        )
    return Estimate(1, *expected_tokens(model, request))


def _is_cached(reranker: StrategyReranker, request: Request) -> bool:
    door = reranker.door
    if door.cache is None:
        return False
    key = content_key({"model": door.model.identity, **request.content()})
    return door.cache.get(key) is not None
