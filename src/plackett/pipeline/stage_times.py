"""How long each stage of a pipeline takes, query by query, at several cutoffs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.pipeline.applying import timed_search
from plackett.pipeline.base import Reranker, Retriever
from plackett.pipeline.cutoffs import loads_of, with_cutoffs

__all__ = ["Clock", "StageTimes", "measure_stages", "rising", "time_queries"]

Clock = Callable[[], float]
Floats = npt.NDArray[np.float64]
REST = "the rest"


@dataclass(frozen=True, eq=False)
class StageTimes:
    """What one stage took.

    Attributes
    ----------
    stage : described; "the rest" is what joins, cuts and checks between the stages.
    documents : `int64[l]`, the loads it was measured at, ascending and distinct.
    seconds : `float64[l, q]`, for each load and query the median of the repeats. It never falls
        with the load: where measurements did, noise made it, and they are levelled (`rising`).
    """

    stage: str
    documents: npt.NDArray[np.int64]
    seconds: Floats

    def at(self, documents: npt.ArrayLike) -> Floats:
        """Seconds for each of some loads and each query, `float64[n, q]`.

        Between two loads that were measured it is the straight line; beyond them, the nearest.

        >>> times = StageTimes("a", np.array([10, 20]), np.array([[1.0], [2.0]]))
        >>> times.at([5, 15, 20]).ravel().tolist()
        [1.0, 1.5, 2.0]
        """
        wanted = np.asarray(documents, dtype=np.float64)
        high = np.searchsorted(self.documents, wanted).clip(0, len(self.documents) - 1)
        low = np.maximum(high - 1, 0)
        width = np.maximum(self.documents[high] - self.documents[low], 1)
        share = ((wanted - self.documents[low]) / width).clip(0, 1)[:, None]
        between: Floats = self.seconds[low] * (1 - share) + self.seconds[high] * share
        return between


class _TimedRetriever(Retriever):
    """Notes what a retriever takes; nothing else about it changes."""

    def __init__(self, inner: Retriever, number: int, clock: Clock, seconds: Floats) -> None:
        self.inner, self.number, self.clock, self.seconds = inner, number, clock, seconds

    def search(self, queries: Queries, k: int | None = None) -> Run:
        started = self.clock()
        run = timed_search(self.inner, queries, k)
        self.seconds[self.number] += self.clock() - started
        return run

    def __repr__(self) -> str:
        return repr(self.inner)


class _TimedReranker(Reranker):
    """Notes what a re-ranker takes; nothing else about it changes."""

    def __init__(self, inner: Reranker, number: int, clock: Clock, seconds: Floats) -> None:
        self.inner, self.number, self.clock, self.seconds = inner, number, clock, seconds
        self.may_drop = inner.may_drop

    def rerank(self, run: Run) -> Run:
        started = self.clock()
        ranked = self.inner.rerank(run)
        self.seconds[self.number] += self.clock() - started
        return ranked

    def __repr__(self) -> str:
        return repr(self.inner)


def measure_stages(
    pipeline: Retriever,
    settings: Sequence[Sequence[int]],
    queries: Queries,
    *,
    repeats: int,
    clock: Clock,
    progress: Callable[[int, int], None] | None = None,
) -> list[StageTimes]:
    """Run the pipeline at each setting for one query at a time, and note what each stage took.

    A first pass, which warms up, is not counted. The settings take turns, query by query, so that a
    busy moment of the machine hits all of them.

    Parameters
    ----------
    settings : values for all cutoffs of the pipeline, in their order.
    progress : called as `progress(searches done, searches in total)`.

    Returns
    -------
    One for each stage, and the last for what lies between them.
    """
    loads = [loads_of(pipeline, setting) for setting in settings]
    stages = loads[0].stages
    single = [queries.select([name]) for name in queries.ids]
    taken = np.zeros((len(settings), len(single), repeats, len(stages) + 1))
    _once(pipeline, settings[0], single[0], len(stages), clock)
    done, total = 0, len(settings) * len(single) * repeats
    for repeat in range(repeats):
        for q, query in enumerate(single):
            for s, setting in enumerate(settings):
                taken[s, q, repeat] = _once(pipeline, setting, query, len(stages), clock)
                done += 1
                if progress is not None:
                    progress(done, total)
    medians = np.median(taken, axis=2)
    found = []
    for number, stage in enumerate((*stages, REST)):
        each = [sum(load.documents) if stage is REST else load.documents[number] for load in loads]
        found.append(_by_load(stage, np.array(each, dtype=np.int64), medians[:, :, number]))
    return found


def _once(
    pipeline: Retriever, setting: Sequence[int], query: Queries, stages: int, clock: Clock
) -> Floats:
    """Seconds of each stage, and of the rest."""
    seconds = np.zeros(stages + 1)
    timed = with_cutoffs(
        pipeline,
        setting,
        retriever=lambda number, stage: _TimedRetriever(stage, number, clock, seconds),
        reranker=lambda number, stage: _TimedReranker(stage, number, clock, seconds),
    )
    started = clock()
    timed.search(query)
    whole = clock() - started
    seconds[-1] = max(0.0, whole - seconds[:-1].sum())
    return seconds


def _by_load(stage: str, loads: npt.NDArray[np.int64], seconds: Floats) -> StageTimes:
    """One row a load, the mean where settings share it."""
    distinct, place = np.unique(loads, return_inverse=True)
    summed = np.zeros((len(distinct), seconds.shape[1]))
    np.add.at(summed, place, seconds)
    mean = summed / np.bincount(place)[:, None]
    return StageTimes(stage, distinct, rising(mean))


def rising(values: Floats) -> Floats:
    """Each column's nearest column, by least squares, that never falls: `float64[l, q]`.

    `g_i = max over j <= i of min over k >= i of mean(y_j, ..., y_k)`.

    Barlow, R. et al., 1972. Statistical inference under order restrictions. Wiley.

    >>> rising(np.array([[1.0], [3.0], [2.0], [4.0]])).ravel().tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    n = len(values)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    levelled = np.full_like(values, -np.inf)
    for j in range(n):
        means = (sums[j + 1 :] - sums[j]) / np.arange(1, n - j + 1)[:, None]
        least = np.minimum.accumulate(means[::-1], axis=0)[::-1]
        levelled[j:] = np.maximum(levelled[j:], least)
    return levelled


def time_queries(
    pipeline: Retriever, queries: Queries, *, repeats: int, clock: Clock
) -> npt.NDArray[np.float64]:
    """Seconds of the whole pipeline for one query at a time, `float64[q]`: medians of repeats."""
    single = [queries.select([name]) for name in queries.ids]
    taken = np.zeros((repeats, len(single)))
    pipeline.search(single[0])
    for repeat in range(repeats):
        for q, query in enumerate(single):
            started = clock()
            pipeline.search(query)
            taken[repeat, q] = clock() - started
    medians: Floats = np.median(taken, axis=0)
    return medians
