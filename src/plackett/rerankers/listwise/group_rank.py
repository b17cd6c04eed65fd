"""GroupRank: documents are graded in groups, beside each other, and sorted by their grades."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.llm import LanguageModel
from plackett.rerankers.listwise.list_questions import GradeQuestion
from plackett.rerankers.listwise.rounds import Group, Plan, asked, one_round
from plackett.rerankers.listwise.showing import Showing, check_count, load_template
from plackett.rerankers.ranked import Candidates, Ordering, ScoreKind
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["GroupRank", "mean_grades", "random_partition", "standardised"]

Floats = npt.NDArray[np.float64]


@register("group-rank")
class GroupRank(StrategyReranker):
    """Groupwise re-ranking: every document of a group gets a grade from 0 to 10; all are sorted.

    The groups are drawn by `seed`: ceil(n / group) of them, of equal size or one apart, and one
    call each; all calls of all partitions are one round. A document's score is the mean of its
    grades over the partitions; one without a grade comes last.

    Grades of different groups compare as far as the model keeps to the scale that its prompt
    states; where it grades on a curve, `standardise` may help, and more partitions do.

    Parameters
    ----------
    model : a model that can "generate", or its description.
    group : at most so many documents a group.
    partitions : into groups, each drawn anew.
    standardise : whether grades are standardised inside each group: (g - mean) / deviation, and 0
        where all are equal. Scores then compare inside one list only.
    thinking : tokens for thinking before the answer; 0 asks for none.
    temperature : of the sampling; 0 for the likeliest answer.
    prompt : a template whose grammar is "grades", by name or as a `.toml` file.
    max_words : a document is cut after so many words; None for the context's limit only.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Sun et al., "GroupRank: A Groupwise Reranking Paradigm Driven by Reinforcement Learning", 2025.

    >>> from plackett.llm.oracle.model import Oracle
    >>> relevance = {"wine": {"a": 0, "b": 3, "c": 1}}
    >>> ranked = GroupRank(Oracle(relevance)).rank("wine", {"a": "-", "b": "-", "c": "-"})
    >>> ranked.ids, ranked.score_kind, ranked.calls
    (['b', 'c', 'a'], 'grade', 1)
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        group: int = 20,
        partitions: int = 1,
        standardise: bool = False,
        thinking: int = 2048,
        temperature: float = 0.0,
        prompt: str = "group-rank",
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        check_count("group", group, least=2 if standardise else 1)
        check_count("partitions", partitions)
        self.group, self.partitions, self.standardise = group, partitions, standardise
        self.thinking, self.temperature = thinking, temperature
        self.prompt, self.max_words = prompt, max_words
        self._showing = Showing(
            load_template(prompt, ("grades",), most=group),
            max_words=max_words,
            thinking=thinking,
            temperature=temperature,
        )

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """All groups of all partitions in one round."""
        n = len(candidates)
        groups = [
            group
            for partition in range(self.partitions)
            for group in random_partition(n, self.group, seed=f"{asking.seed} {partition}")
        ]
        question = GradeQuestion(self._showing, query, candidates, asking)
        plan: Plan[Group, Floats, list[Floats]] = one_round(groups)
        grades = yield from asked(plan, question)
        if self.standardise:
            grades = [standardised(part) for part in grades]
        kind: ScoreKind = "standard" if self.standardise else "grade"
        return Ordering.by_scores(mean_grades(groups, grades, n), kind)

    def __repr__(self) -> str:
        return describe(self)


def random_partition(n: int, size: int, *, seed: str) -> list[Group]:
    """0 to n - 1 in ceil(n / size) disjoint groups of equal size, or one apart, at random.

    >>> [len(group) for group in random_partition(41, 20, seed="0")]
    [14, 14, 13]
    """
    shuffled = random.Random(f"partition {seed}").sample(range(n), n)
    count = -(-n // size)
    return [tuple(shuffled[i::count]) for i in range(count)]


def standardised(grades: npt.ArrayLike) -> Floats:
    """(g - mean) / deviation of the grades that are there; 0 for each where all are equal.

    >>> standardised([2.0, 4.0, float("nan"), 3.0]).round(3)
    array([-1.225,  1.225,    nan,  0.   ])
    """
    values = np.array(grades, dtype=np.float64)
    there = values[~np.isnan(values)]
    if len(there) == 0:
        return values
    if there.min() == there.max():
        return np.where(np.isnan(values), np.nan, 0.0)
    return np.asarray((values - there.mean()) / there.std())


def mean_grades(groups: Sequence[Group], grades: Sequence[Floats], n: int) -> Floats:
    """The mean of each document's grades over the groups that it is in, `float64[n]`; NaN: none.

    >>> mean_grades([(0, 1), (1, 0)], [np.array([1.0, 2.0]), np.array([np.nan, 3.0])], 3)
    array([ 2.,  2., nan])
    """
    total, count = np.zeros(n), np.zeros(n)
    for group, part in zip(groups, grades, strict=True):
        there = ~np.isnan(part)
        members = np.array(group, dtype=np.int64)[there]
        total[members] += part[there]
        count[members] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
