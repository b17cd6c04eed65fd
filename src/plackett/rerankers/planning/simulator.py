"""What a strategy would cost and give: run against a judge whose errors are known.

The judge is the `Oracle`: it answers by real judgments, with as many errors as stated. No call is
made and nothing is waited for: calls, rounds and tokens are counted, seconds are computed.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.llm.oracle.model import Oracle
from plackett.llm.requests import Answer
from plackett.metrics.evaluation import evaluate
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.planning.simulated_time import Latency, finishing_times
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.strategy import Asking, StrategyReranker
from plackett.transport.cache import content_key

__all__ = ["FIRST_STAGE", "Simulation", "SimulationRow", "simulate"]

FIRST_STAGE = "first stage"
"""The row of the run as it was, without a call."""

DEFAULT_LATENCY = Latency()

_COLUMNS = (
    *("strategy", "depth", "noise", "bias", "malformed"),
    *("calls", "tokens", "rounds", "seconds", "unusable"),
)


@dataclass(frozen=True)
class SimulationRow:
    """One strategy at one depth and one level of errors: means over queries and seeds.

    Parameters
    ----------
    strategy : its name.
    depth : how many documents of a query it re-ranked; None for all.
    noise, order_bias, malformed : the judge's errors; see `Oracle`.
    quality : mean of the measure.
    deviation : standard deviation of this mean over the seeds.
    calls, input_tokens, output_tokens : of one query.
    rounds : of one query: calls that had to wait for each other.
    seconds : of one query that has the model to itself.
    run_seconds : of all queries together.
    unusable : share of the answers that were not ok.
    """

    strategy: str
    depth: int | None
    noise: float
    order_bias: float
    malformed: float
    quality: float
    deviation: float
    calls: float
    input_tokens: float
    output_tokens: float
    rounds: float
    seconds: float
    run_seconds: float
    unusable: float

    @property
    def tokens(self) -> float:
        """Tokens read and written for one query."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Simulation:
    """What strategies came to.

    Parameters
    ----------
    measure : of the quality.
    queries, seeds : how many of each.
    concurrency : calls under way at once.
    rows : one for each strategy, depth and level of errors.
    """

    measure: str
    queries: int
    seeds: int
    concurrency: int
    rows: tuple[SimulationRow, ...]

    def table(self) -> str:
        """The rows as text, one a line."""
        lines = [[*_COLUMNS[:5], self.measure, *_COLUMNS[5:]]]
        for row in self.rows:
            errors = (row.noise, row.order_bias, row.malformed)
            line = [row.strategy, "all" if row.depth is None else str(row.depth)]
            line += [f"{value:g}" for value in errors]
            line += [f"{row.quality:.4f}", f"{row.calls:.1f}", f"{row.tokens:.0f}"]
            line += [f"{row.rounds:.1f}", f"{row.seconds:.2f}", f"{row.unusable:.3f}"]
            lines.append(line)
        widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(
                [line[0].ljust(widths[0])]
                + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            )
            for line in lines
        )

    def to_json(self) -> str:
        """All of it as JSON, which `from_json` reads."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Simulation:
        """The simulation that `to_json` wrote.

        Raises
        ------
        DataError : the text is none.
        """
        try:
            content: dict[str, Any] = json.loads(text)
            rows = tuple(SimulationRow(**row) for row in content.pop("rows"))
            return cls(rows=rows, **content)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"no simulation ({error})", expected="what to_json wrote") from error

    def pareto(self, cost: str = "calls") -> tuple[SimulationRow, ...]:
        """The rows that no other of the same errors beats: as good or better for as much or less.

        Parameters
        ----------
        cost : "calls", "tokens", "rounds" or "seconds".

        The cheapest come first; of rows that are alike in both, the first.
        """
        if cost not in ("calls", "tokens", "rounds", "seconds"):
            raise ConfigurationError(f"cost = {cost!r}; expected calls, tokens, rounds or seconds.")
        front = []
        for group in _by_errors(self.rows).values():
            best = -np.inf
            for row in sorted(group, key=lambda row: (getattr(row, cost), -row.quality)):
                if row.quality > best:
                    best = row.quality
                    front.append(row)
        return tuple(front)


def simulate(
    strategies: Mapping[str, StrategyReranker] | Sequence[StrategyReranker],
    run: Run,
    qrels: Qrels,
    *,
    noise: Sequence[float] = (0.0, 0.1, 0.2),
    order_bias: Sequence[float] = (0.0,),
    malformed: Sequence[float] = (0.0,),
    seeds: Sequence[int] = (0,),
    depths: Sequence[int | None] = (None,),
    measure: str = "nDCG@10",
    latency: Latency = DEFAULT_LATENCY,
    concurrency: int = 16,
    watcher: Callable[[SimulationRow], None] | None = None,
) -> Simulation:
    """Run every strategy at every depth against a judge with every combination of errors.

    Parameters
    ----------
    strategies : by name, or a list whose `repr`s are their names. Their own model is not asked.
    run : the first stage's, with the texts of its queries and documents.
    qrels : what the judge goes by, and what the quality is measured with.
    noise, order_bias, malformed : see `Oracle`.
    seeds : one repetition each, of the judge's errors and the strategy's draws.
    depths : so many of each query's best are re-ranked, the rest stay below; None for all.
    measure : as text, such as "nDCG@10".
    latency : what a call takes.
    concurrency : calls under way at once; the rounds of a query wait for each other in any case.
    watcher : told of every row as it is ready, for a progress bar.

    Returns
    -------
    A row for the run as it is at each level of errors, and one for every strategy and depth.

    Raises
    ------
    ConfigurationError : no strategy, no seed, or a depth below 1.
    DataError : a run without its texts.

    >>> from plackett import Corpus, Queries
    >>> from plackett.rerankers.pointwise.yes_no import YesNo
    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}}).replace(
    ...     queries=Queries.from_texts({"q": "red wine"}),
    ...     corpus=Corpus.from_texts({"a": "bread", "b": "wine"}),
    ... )
    >>> simulation = simulate(
    ...     {"yes-no": YesNo("Oracle({})")}, run, Qrels.from_dict({"q": {"b": 1}}), noise=(0.0,)
    ... )
    >>> [(row.strategy, round(row.quality, 2), row.calls) for row in simulation.rows]
    [('first stage', 0.63, 0.0), ('yes-no', 1.0, 2.0)]
    """
    named = dict(strategies) if isinstance(strategies, Mapping) else _named(strategies)
    if not named or not seeds or any(depth is not None and depth < 1 for depth in depths):
        raise ConfigurationError("expected a strategy, a seed, and depths of 1 or more.")
    relevance = _relevance(run, qrels)
    plain = evaluate(run, qrels, measure).mean[measure]
    rows: list[SimulationRow] = []
    for errors in product(noise, order_bias, malformed):
        rows.append(SimulationRow(FIRST_STAGE, None, *errors, plain, *(0.0,) * 8))
        for (name, strategy), depth in product(named.items(), depths):
            trials = [
                _Trial(strategy, Oracle(relevance, *errors, seed=seed), seed, latency, concurrency)
                for seed in seeds
            ]
            qualities = [_quality(trial, run, qrels, measure, depth) for trial in trials]
            costs = np.mean([trial.costs() for trial in trials], axis=0).tolist()
            mean, deviation = float(np.mean(qualities)), float(np.std(qualities))
            rows.append(SimulationRow(name, depth, *errors, mean, deviation, *costs))
            if watcher is not None:
                watcher(rows[-1])
    return Simulation(measure, len(run), len(seeds), concurrency, tuple(rows))


class _Trial(TextReranker):
    """One strategy, driven to its end by one judge's answers, its calls counted."""

    def __init__(
        self,
        strategy: StrategyReranker,
        oracle: Oracle,
        seed: int,
        latency: Latency,
        concurrency: int,
    ) -> None:
        self.strategy, self.oracle, self.seed = strategy, oracle, seed
        self.latency, self.concurrency = latency, concurrency
        self.may_drop = strategy.may_drop
        self.rounds: list[list[list[float]]] = []
        self.statuses: Counter[str] = Counter()
        self.tokens = np.zeros(2)

    def costs(self) -> list[float]:
        """The fields of a row from `calls` on."""
        n = max(1, len(self.rounds))
        calls = sum(len(part) for rounds in self.rounds for part in rounds)
        alone = [finishing_times([rounds], self.concurrency)[0] for rounds in self.rounds]
        together = finishing_times(self.rounds, self.concurrency)
        answers = sum(self.statuses.values())
        return [
            calls / n,
            *(self.tokens / n).tolist(),
            sum(map(len, self.rounds)) / n,
            sum(alone) / n,
            max(together, default=0.0),
            1.0 - self.statuses["ok"] / answers if answers else 0.0,
        ]

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        return [
            Outcome(await self._drive(query, given))
            for query, given in zip(queries, candidates, strict=True)
        ]

    async def _drive(self, query: str, given: Candidates) -> Ordering:
        if len(given) == 1 and not self.may_drop:
            self.rounds.append([])
            return Ordering((0,))
        asking = Asking(self.oracle, self.strategy.on_malformed, self.seed)
        steps = self.strategy.steps(query, given, asking)
        rounds: list[list[float]] = []
        try:
            requests = next(steps)
            while True:
                keys = [content_key(request.content()) for request in requests]
                # What is asked twice at the same time is one call.
                distinct = dict(zip(keys, requests, strict=True))
                answers = await self.oracle.answer(list(distinct.values()))
                rounds.append([self._count(answer) for answer in answers])
                known = dict(zip(distinct, answers, strict=True))
                requests = steps.send([known[key] for key in keys])
        except StopIteration as stop:
            ordering: Ordering = stop.value
        finally:
            steps.close()
        self.rounds.append(rounds)
        self.statuses.update(asking.answers)
        return ordering

    def _count(self, answer: Answer) -> float:
        self.tokens += (answer.input_tokens, answer.output_tokens)
        return self.latency.of(input_tokens=answer.input_tokens, output_tokens=answer.output_tokens)

    def __repr__(self) -> str:
        return f"simulated {self.strategy!r}"


def _quality(trial: _Trial, run: Run, qrels: Qrels, measure: str, depth: int | None) -> float:
    ranked = trial.rerank(run if depth is None else run.head(depth))
    if depth is not None and not trial.may_drop:
        ranked = _with_rest(ranked, run, depth)
    return float(evaluate(ranked, qrels, measure).mean[measure])


def _with_rest(ranked: Run, run: Run, depth: int) -> Run:
    """The re-ranked beginnings, and below them the rest of each list as it was."""
    lists = {}
    rest = run.to_dict()
    for query, beginning in ranked.to_dict().items():
        documents = [*beginning, *list(rest[query])[depth:]]
        lists[query] = {document: -float(rank) for rank, document in enumerate(documents)}
    return Run.from_dict(lists, name=run.name)


def _relevance(run: Run, qrels: Qrels) -> dict[str, dict[str, float]]:
    """Grades by the text of the query; those below 0 are 0."""
    if run.queries is None:
        raise DataError(
            "a run without its queries", expected="their texts", remedy="run.replace(queries=...)"
        )
    judged = qrels.to_dict()
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for name in run.query_names:
        grades = {d: max(0.0, float(grade)) for d, grade in judged.get(name, {}).items()}
        found[run.queries.text(name)].update(grades)
    return dict(found)


def _named(strategies: Sequence[StrategyReranker]) -> dict[str, StrategyReranker]:
    named = {repr(strategy): strategy for strategy in strategies}
    if len(named) < len(strategies):
        raise ConfigurationError("two strategies that are described alike; give them names.")
    return named


def _by_errors(
    rows: Sequence[SimulationRow],
) -> dict[tuple[float, float, float], list[SimulationRow]]:
    groups: dict[tuple[float, float, float], list[SimulationRow]] = defaultdict(list)
    for row in rows:
        groups[row.noise, row.order_bias, row.malformed].append(row)
    return groups
