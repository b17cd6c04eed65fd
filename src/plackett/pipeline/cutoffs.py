"""The cutoffs of a pipeline: which there are, what they load each stage with, and other ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

from plackett.errors import ConfigurationError
from plackett.pipeline.base import (
    CutReranker,
    CutRetriever,
    Pipeline,
    Reranker,
    RerankerSequence,
    Retriever,
    Stage,
    UnionRetriever,
)
from plackett.pipeline.query_writing import WrittenRetriever

__all__ = ["Cutoff", "Loads", "cutoffs_of", "loads_of", "with_cutoffs"]

ReplaceRetriever: TypeAlias = Callable[[int, Retriever], Retriever]
ReplaceReranker: TypeAlias = Callable[[int, Reranker], Reranker]
ASKED = 1000
"""What a retriever that has no cutoff is taken to find."""


@dataclass(frozen=True)
class Cutoff:
    """One `% k` of a pipeline.

    Attributes
    ----------
    stage : what it cuts, described.
    k : how many documents it keeps.
    is_output : whether it only cuts what the pipeline returns, so that no stage works on it.
    """

    stage: str
    k: int
    is_output: bool


@dataclass(frozen=True)
class Loads:
    """With how many documents a query each stage has to do, at most, at some cutoffs.

    Attributes
    ----------
    stages : the stages that are no compositions, described, in the order in which they are written.
    documents : how many each retriever is asked for, or each re-ranker is given.
    cuts : whether each cutoff is as low as what reaches it. One that is not changes nothing, so
        that another setting says the same.
    """

    stages: tuple[str, ...]
    documents: tuple[int, ...]
    cuts: tuple[bool, ...]


def cutoffs_of(pipeline: Stage) -> tuple[Cutoff, ...]:
    """All cutoffs of a pipeline, in the order in which they are written.

    >>> from plackett.data.run import Run
    >>> class Some(Retriever):
    ...     def search(self, queries, k=1000):
    ...         return Run.from_dict({})
    ...
    ...     def __repr__(self):
    ...         return "some"
    >>> [(cutoff.stage, cutoff.k, cutoff.is_output) for cutoff in cutoffs_of(Some() % 20)]
    [('some', 20, True)]
    """
    return tuple(_cutoffs(pipeline, last=True))


def _cutoffs(stage: Stage, last: bool) -> Iterator[Cutoff]:
    if isinstance(stage, Pipeline):
        yield from _cutoffs(stage.first, False)
        yield from _cutoffs(stage.stage, last)
    elif isinstance(stage, RerankerSequence):
        yield from _cutoffs(stage.first, False)
        yield from _cutoffs(stage.second, last)
    elif isinstance(stage, UnionRetriever):
        yield from _cutoffs(stage.first, False)
        yield from _cutoffs(stage.second, False)
    elif isinstance(stage, WrittenRetriever):
        yield from _cutoffs(stage.retriever, False)
    elif isinstance(stage, CutRetriever | CutReranker):
        yield from _cutoffs(stage.inner, last)
        yield Cutoff(repr(stage.inner), stage.k, last)


def with_cutoffs(
    pipeline: Retriever,
    cutoffs: Sequence[int],
    *,
    retriever: ReplaceRetriever | None = None,
    reranker: ReplaceReranker | None = None,
) -> Retriever:
    """The same pipeline with other cutoffs, in the order of `cutoffs_of`.

    Parameters
    ----------
    cutoffs : one for each of the pipeline's.
    retriever, reranker : what to put in place of each stage that is no composition, from its
        number and itself.

    Raises
    ------
    ConfigurationError : another number of cutoffs.
    """
    wanted = len(cutoffs_of(pipeline))
    if len(cutoffs) != wanted:
        raise ConfigurationError(f"{len(cutoffs)} cutoffs for a pipeline that has {wanted}.")
    values, numbers = iter(cutoffs), count()

    def finding(stage: Retriever) -> Retriever:
        if isinstance(stage, Pipeline):
            first = finding(stage.first)
            return Pipeline(first, ranking(stage.stage))
        if isinstance(stage, UnionRetriever):
            first = finding(stage.first)
            return UnionRetriever(first, finding(stage.second))
        if isinstance(stage, WrittenRetriever):
            return WrittenRetriever(stage.writer, finding(stage.retriever))
        if isinstance(stage, CutRetriever):
            inner = finding(stage.inner)
            return CutRetriever(inner, next(values))
        return stage if retriever is None else retriever(next(numbers), stage)

    def ranking(stage: Reranker) -> Reranker:
        if isinstance(stage, RerankerSequence):
            first = ranking(stage.first)
            return RerankerSequence(first, ranking(stage.second))
        if isinstance(stage, CutReranker):
            inner = ranking(stage.inner)
            return CutReranker(inner, next(values))
        return stage if reranker is None else reranker(next(numbers), stage)

    return finding(pipeline)


def loads_of(pipeline: Retriever, cutoffs: Sequence[int]) -> Loads:
    """What each stage has to do with at these cutoffs."""
    values = iter(cutoffs)
    stages: list[str] = []
    documents: list[int] = []
    cuts: list[bool] = []
    bounded = True

    def leaf(stage: Stage, given: int) -> int:
        stages.append(repr(stage))
        documents.append(given)
        return given

    def cut(given: int) -> int:
        k = next(values)
        cuts.append(k <= given or not bounded)
        return min(k, given)

    def finding(stage: Retriever) -> int:
        nonlocal bounded
        if isinstance(stage, Pipeline):
            return ranking(stage.stage, finding(stage.first))
        if isinstance(stage, UnionRetriever):
            found = finding(stage.first)
            return found + finding(stage.second)
        if isinstance(stage, WrittenRetriever):
            bounded = bounded and stage.writer.most is not None
            return finding(stage.retriever) * (stage.writer.most or 1)
        if not isinstance(stage, CutRetriever):
            return leaf(stage, ASKED)
        if _composed(stage.inner):
            return cut(finding(stage.inner))
        cuts.append(True)
        return leaf(stage.inner, next(values))

    def ranking(stage: Reranker, given: int) -> int:
        if isinstance(stage, RerankerSequence):
            return ranking(stage.second, ranking(stage.first, given))
        if isinstance(stage, CutReranker):
            return cut(ranking(stage.inner, given))
        return leaf(stage, given)

    finding(pipeline)
    return Loads(tuple(stages), tuple(documents), tuple(cuts))


def _composed(stage: Retriever) -> bool:
    return isinstance(stage, Pipeline | UnionRetriever | WrittenRetriever | CutRetriever)
