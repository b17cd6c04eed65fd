"""A latency limit decides the cutoffs of a pipeline, by what its stages take on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline.base import Retriever
from plackett.pipeline.budget_report import LatencyBudget, MeasuredStage, Trial
from plackett.pipeline.cutoffs import Cutoff, cutoffs_of, loads_of, with_cutoffs
from plackett.pipeline.stage_times import Clock, StageTimes, measure_stages, time_queries

__all__ = ["Effort", "fit_to_latency"]

Effort = Literal["even", "first", "last"]
"""Which cutoffs stay large: all alike, those of the first stages, or those of the last ones."""

Setting = tuple[int, ...]
MOST_SETTINGS = 20_000
MOST_CORRECTIONS = 6


@dataclass(frozen=True)
class _Choice:
    """A setting: cutoffs, at which step of the grid each is, and what it is expected to take."""

    cutoffs: Setting
    steps: tuple[int, ...]
    predicted: float


def fit_to_latency(
    pipeline: Retriever,
    queries: Queries,
    *,
    seconds: float,
    percentile: float = 95.0,
    quality: Callable[[Run], float] | None = None,
    effort: Effort = "even",
    step: float = 0.7,
    least: int | None = None,
    repeats: int = 3,
    trials: int = 12,
    clock: Clock = time.perf_counter,
    progress: Callable[[int, int], None] | None = None,
) -> LatencyBudget:
    """Lower the cutoffs of a pipeline until a query takes no longer than it may.

    Every stage is timed on this machine, for one query at a time, at cutoffs from those that are
    written downwards. From what the stages took, each setting's time is predicted query by query:
    `t(q) = sum over stages of t_stage(q, documents it has to do with)`; its percentile over the
    queries must keep to the limit. Among the settings that do, measured quality decides, or else
    the effort. The pipeline that is chosen is then timed as a whole. Where that exceeds the limit,
    predictions are held to be too low by the same factor, and the next setting is tried.

    Parameters
    ----------
    pipeline : with the largest cutoffs worth having. All are lowered as needed, but for the one
        that only cuts what the pipeline returns.
    queries : a sample like those that will be asked. A percentile p wants 100 / (100 - p) of them
        or more: with fewer it is the slowest query's.
    seconds : the limit.
    percentile : of the queries, how many percent must keep to it.
    quality : of a run over `queries`, higher for better, such as
        `lambda run: evaluate(run, qrels, "nDCG@10").mean["nDCG@10"]`. The settings that no other
        one within the limit exceeds in all cutoffs are measured, at most `trials` of them; of
        equals the faster is chosen.
    effort : without `quality`, which cutoffs stay large.
    step : each cutoff that is tried is so many times the one before.
    least : cutoffs are not lowered beyond this; by default the pipeline's own output, or 1.
    repeats : a time is the median of so many.
    trials : at most so many settings are run for their quality.
    clock : tells the seconds.
    progress : called as `progress(searches done, searches in total)` while stages are timed.

    Returns
    -------
    The pipeline, and a table of all that was measured.

    Raises
    ------
    ConfigurationError : the pipeline has no cutoff to lower, even the lowest ones take too long, or
        an argument is out of its range.
    DataError : no queries, or a quality that is not finite.

    >>> class Numbers(Retriever):
    ...     def search(self, queries, k=1000):
    ...         found = {f"d{i}": -float(i) for i in range(k)}
    ...         return Run.from_dict({q: found for q, _ in queries})
    ...
    ...     def __repr__(self):
    ...         return "Numbers()"
    >>> from plackett.pipeline.base import Reranker
    >>> class Slow(Reranker):
    ...     def rerank(self, run):
    ...         time.sleep(0.001 * len(run.document))
    ...         return run.with_scores(-run.score)
    ...
    ...     def __repr__(self):
    ...         return "Slow()"
    >>> asked = Queries.from_texts({"q": "anything"})
    >>> budget = fit_to_latency(Numbers() % 50 >> Slow() % 3, asked, seconds=0.04, repeats=1)
    >>> budget.cutoffs[0] < 50, budget.measured < 0.04
    (True, True)
    """
    _check(seconds, percentile, step, repeats, trials, effort)
    if len(queries) == 0:
        raise DataError("no queries", expected="a sample of queries to time")
    cutoffs = cutoffs_of(pipeline)
    ladders = _ladders(cutoffs, step, least)
    times = measure_stages(
        pipeline, _diagonal(ladders), queries, repeats=repeats, clock=clock, progress=progress
    )
    choices = _choices(pipeline, cutoffs, ladders, times, percentile)
    fitting = _Fitting(
        pipeline, queries, choices, seconds, percentile, quality, effort, trials, repeats, clock
    )
    chosen = fitting.found()
    if chosen is None:
        raise _impossible(choices, times, seconds, percentile)
    return LatencyBudget(
        pipeline=with_cutoffs(pipeline, chosen.cutoffs),
        seconds=seconds,
        percentile=percentile,
        queries=len(queries),
        repeats=repeats,
        written=tuple(cutoff.k for cutoff in cutoffs),
        cutoffs=chosen.cutoffs,
        predicted=chosen.predicted,
        measured=float(chosen.measured or 0.0),
        stages=_measured(times, percentile),
        trials=fitting.looked_at(chosen),
    )


def _check(
    seconds: float, percentile: float, step: float, repeats: int, trials: int, effort: str
) -> None:
    for name, value, right in (
        ("seconds", seconds, 0 < seconds < math.inf),
        ("percentile", percentile, 0 < percentile <= 100),
        ("step", step, 0 < step < 1),
        ("repeats", repeats, repeats >= 1),
        ("trials", trials, trials >= 1),
        ("effort", effort, effort in ("even", "first", "last")),
    ):
        if not right:
            wanted = {
                "seconds": "a positive number",
                "percentile": "above 0, at most 100",
                "step": "above 0, below 1",
                "effort": "'even', 'first' or 'last'",
            }.get(name, "1 or more")
            raise ConfigurationError(f"{name}={value!r}; expected {wanted}.")


def _ladders(cutoffs: Sequence[Cutoff], step: float, least: int | None) -> list[list[int]]:
    """The values to try for each cutoff, the largest first; one only for what is returned.

    Raises
    ------
    ConfigurationError : no cutoff can be lowered.
    """
    output = next((cutoff.k for cutoff in cutoffs if cutoff.is_output), 1)
    floor = output if least is None else least
    ladders = []
    for cutoff in cutoffs:
        values, value = [cutoff.k], cutoff.k * step
        while not cutoff.is_output and values[-1] > max(1, floor):
            values.append(max(round(value), floor, 1))
            value *= step
        ladders.append(list(dict.fromkeys(values)))
    if max(map(len, ladders), default=1) == 1:
        raise ConfigurationError(
            "the pipeline has no cutoff to lower; write one in front of the stage that takes long, "
            "such as bm25 % 1000 >> reranker % 10."
        )
    while math.prod(map(len, ladders)) > MOST_SETTINGS:
        # Every other value, the last one kept: it says how fast the pipeline can be.
        ladders = [[*ladder[:-1:2], ladder[-1]] for ladder in ladders]
    return ladders


def _diagonal(ladders: Sequence[Sequence[int]]) -> list[Setting]:
    """All cutoffs lowered together, step by step: every value of each occurs."""
    deepest = max(map(len, ladders))
    return [
        tuple(ladder[min(depth, len(ladder) - 1)] for ladder in ladders) for depth in range(deepest)
    ]


def _choices(
    pipeline: Retriever,
    cutoffs: Sequence[Cutoff],
    ladders: Sequence[Sequence[int]],
    times: Sequence[StageTimes],
    percentile: float,
) -> list[_Choice]:
    """Every setting in which each cutoff cuts, and its predicted time."""
    settings, documents = [], []
    # What cut nothing as it was written is not asked to cut now.
    written = loads_of(pipeline, [cutoff.k for cutoff in cutoffs]).cuts
    for steps in product(*(range(len(ladder)) for ladder in ladders)):
        setting = tuple(ladder[at] for ladder, at in zip(ladders, steps, strict=True))
        loads = loads_of(pipeline, setting)
        needed = (
            before and not cutoff.is_output for before, cutoff in zip(written, cutoffs, strict=True)
        )
        if all(cuts or not must for cuts, must in zip(loads.cuts, needed, strict=True)):
            settings.append((setting, steps))
            documents.append([*loads.documents, sum(loads.documents)])
    worked = np.array(documents, dtype=np.int64)
    predicted = _percentile(
        sum((stage.at(worked[:, number]) for number, stage in enumerate(times)), np.zeros(1)),
        percentile,
    )
    return [
        _Choice(setting, steps, float(value))
        for (setting, steps), value in zip(settings, predicted, strict=True)
    ]


def _percentile(seconds: npt.NDArray[np.float64], percentile: float) -> npt.NDArray[np.float64]:
    """Over the queries, the last axis: the time of a query that p percent do not exceed."""
    found: npt.NDArray[np.float64] = np.percentile(
        seconds, percentile, axis=-1, method="inverted_cdf"
    )
    return found


def _effort(choice: _Choice, effort: Effort) -> tuple[int, ...]:
    """A key by which the settings that spend the effort best come first."""
    if effort == "first":
        return choice.steps
    late_first = choice.steps[::-1]
    if effort == "last":
        return late_first
    return (max(choice.steps), sum(choice.steps), *late_first)


@dataclass
class _Fitting:
    """The search for the setting to take; `trials_of` holds those that were looked at."""

    pipeline: Retriever
    queries: Queries
    choices: Sequence[_Choice]
    seconds: float
    percentile: float
    quality: Callable[[Run], float] | None
    effort: Effort
    most: int
    repeats: int
    clock: Clock
    trials_of: dict[Setting, Trial] = field(default_factory=dict)

    def found(self) -> Trial | None:
        """The best setting that keeps to the limit when it is timed as a whole, or None."""
        allowed = self.seconds
        for _ in range(MOST_CORRECTIONS):
            choice = self._best(allowed)
            if choice is None:
                return None
            taken = time_queries(
                with_cutoffs(self.pipeline, choice.cutoffs),
                self.queries,
                repeats=self.repeats,
                clock=self.clock,
            )
            measured = float(_percentile(taken, self.percentile))
            trial = replace(self._trial(choice), measured=measured)
            self.trials_of[choice.cutoffs] = trial
            if measured <= self.seconds:
                return trial
            # Too slow by a factor: the other predictions may be as much too low.
            allowed = min(allowed, choice.predicted) * self.seconds / measured
        return None

    def looked_at(self, chosen: Trial) -> tuple[Trial, ...]:
        """All settings that were run, the chosen one first."""
        others = [trial for trial in self.trials_of.values() if trial.cutoffs != chosen.cutoffs]
        return (chosen, *others)

    def _best(self, allowed: float) -> _Choice | None:
        """The best setting whose predicted time is allowed."""
        within = [choice for choice in self.choices if choice.predicted <= allowed]
        if self.quality is None:
            return min(within, key=lambda choice: _effort(choice, self.effort), default=None)
        largest = sorted(_largest(within), key=lambda choice: _effort(choice, "even"))[: self.most]
        return min(
            largest, key=lambda choice: (-self._quality(choice), choice.predicted), default=None
        )

    def _quality(self, choice: _Choice) -> float:
        trial = self._trial(choice)
        if trial.quality is not None or self.quality is None:
            return trial.quality or 0.0
        value = float(
            self.quality(with_cutoffs(self.pipeline, choice.cutoffs).search(self.queries))
        )
        if not math.isfinite(value):
            raise DataError(f"a quality of {value}", expected="a finite number")
        self.trials_of[choice.cutoffs] = replace(trial, quality=value)
        return value

    def _trial(self, choice: _Choice) -> Trial:
        return self.trials_of.get(choice.cutoffs, Trial(choice.cutoffs, choice.predicted))


def _largest(within: Sequence[_Choice]) -> list[_Choice]:
    """The settings of which no cutoff can be a step larger.

    Times never fall with a load, so that below every setting within the limit lie others, and a
    setting that one exceeds has a neighbour which exceeds it.
    """
    known = {choice.steps for choice in within}

    def larger(steps: tuple[int, ...]) -> list[tuple[int, ...]]:
        return [(*steps[:i], at - 1, *steps[i + 1 :]) for i, at in enumerate(steps)]

    return [choice for choice in within if not known & set(larger(choice.steps))]


def _impossible(
    choices: Sequence[_Choice], times: Sequence[StageTimes], seconds: float, percentile: float
) -> ConfigurationError:
    """What is too slow, and by how much."""
    fastest = min(choices, key=lambda choice: choice.predicted)
    least = [(float(_percentile(stage.seconds[0], percentile)), stage.stage) for stage in times]
    longest, slowest = max(least)
    return ConfigurationError(
        f"no cutoffs keep p{percentile:g} within {1000 * seconds:g} ms: the lowest, "
        f"{' '.join(map(str, fastest.cutoffs))}, take {1000 * fastest.predicted:.1f} ms on this "
        f"machine, {1000 * longest:.1f} ms of them {slowest}. Allow more time, or take a faster "
        "stage."
    )


def _measured(times: Sequence[StageTimes], percentile: float) -> tuple[MeasuredStage, ...]:
    rows = []
    for stage in times:
        high = _percentile(stage.seconds, percentile)
        middle = np.median(stage.seconds, axis=1)
        for documents, median, slow in zip(stage.documents, middle, high, strict=True):
            rows.append(MeasuredStage(stage.stage, int(documents), float(median), float(slow)))
    return tuple(rows)
