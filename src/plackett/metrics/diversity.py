"""Measures over judgments by subtopic: alpha-nDCG, ERR-IA, subtopic recall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.metrics.base import Measure, register
from plackett.metrics.binary import divide
from plackett.metrics.judged import JudgedLists, Subtopics

__all__ = ["ERR_IA", "StRecall", "alpha_nDCG"]

Floats = npt.NDArray[np.float64]


def _subtopics(measure: Measure, lists: JudgedLists) -> Subtopics:
    if lists.subtopics is None:
        raise ConfigurationError(
            f"{measure!r} needs judgments by subtopic: read them with "
            "Qrels.read(path, subtopics=True)."
        )
    return lists.subtopics


def _matrix(subtopics: Subtopics, query: int, rel: float) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The relevance of each judged document to each subtopic, 0 or 1, and the documents' ranks."""
    rows = slice(int(subtopics.offsets[query]), int(subtopics.offsets[query + 1]))
    relevant = subtopics.grade[rows] >= rel
    documents, row = np.unique(subtopics.document[rows][relevant], return_inverse=True)
    names, column = np.unique(subtopics.subtopic[rows][relevant], return_inverse=True)
    matrix = np.zeros((len(documents), len(names)))
    matrix[row, column] = 1.0
    ranks = np.zeros(len(documents), dtype=np.int64)
    ranks[row] = subtopics.rank[rows][relevant]
    return matrix, ranks


def _novelty(matrix: Floats, alpha: float) -> Floats:
    """The gain of each document in order: relevant subtopics, each worth (1 - alpha)^times seen."""
    seen = np.cumsum(matrix, axis=0) - matrix
    return np.asarray((matrix * (1.0 - alpha) ** seen).sum(axis=1))


def _greedy(matrix: Floats, alpha: float, cutoff: int) -> Floats:
    """The gains of the greedy order, which stands for the ideal one (finding it is NP-hard)."""
    worth = np.ones(matrix.shape[1])
    left = matrix.copy()
    gains = []
    for _ in range(min(cutoff, len(matrix))):
        total = left @ worth
        best = int(np.argmax(total))
        gains.append(float(total[best]))
        worth = worth * (1.0 - alpha) ** matrix[best]
        left[best] = 0.0
    return np.asarray(gains)


@register
@dataclass(frozen=True, repr=False)
class _AlphaNDCG(Measure):
    """nDCG whose gain counts subtopics, each worth less the more often it was seen above.

    gain(d) = sum over its subtopics of (1 - alpha)^(times seen above). The ideal order is the
    greedy one. Clarke et al., "Novelty and diversity in information retrieval evaluation", SIGIR
    2008.
    """

    name: ClassVar[str] = "alpha_nDCG"
    reference: ClassVar[str] = "Clarke et al. 2008"

    alpha: float = 0.5
    rel: float = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.alpha <= 1.0:
            raise ConfigurationError(f"{self.name} alpha={self.alpha} is not between 0 and 1.")

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        subtopics = _subtopics(self, lists)
        values = np.zeros(len(lists))
        for query in range(len(lists)):
            matrix, rank = _matrix(subtopics, query, self.rel)
            if not len(matrix):
                continue
            cutoff = self.cutoff or max(int(rank.max()), len(matrix))
            best = _greedy(matrix, self.alpha, cutoff)
            ideal = (best / np.log2(np.arange(len(best)) + 2.0)).sum()
            order = np.argsort(rank, kind="stable")
            order = order[(rank[order] > 0) & (rank[order] <= cutoff)]
            gains = _novelty(matrix[order], self.alpha)
            values[query] = (gains / np.log2(rank[order] + 1.0)).sum() / ideal
        return values

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        return (
            f"DCG / greedy ideal DCG with gain = sum over a document's subtopics of "
            f"{1 - self.alpha:g}^(times seen above), discount 1 / log2(rank + 1), "
            f"{'whole list' if self.cutoff is None else f'first {self.cutoff}'}; "
            f"relevant = grade {self.rel:g} or more"
        )


@register
@dataclass(frozen=True, repr=False)
class _ERRIA(Measure):
    """Intent-aware expected reciprocal rank: ERR of each subtopic, averaged over subtopics.

    A relevant document satisfies with probability 1/2 (grade 1 on a scale to 1); subtopics weigh
    alike. Chapelle et al., "Intent-based diversification of web search results", 2011.
    """

    name: ClassVar[str] = "ERR_IA"
    reference: ClassVar[str] = "Chapelle et al. 2011"

    rel: float = 1

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        subtopics = _subtopics(self, lists)
        values = np.zeros(len(lists))
        for query in range(len(lists)):
            matrix, rank = _matrix(subtopics, query, self.rel)
            if not len(matrix):
                continue
            order = np.argsort(rank, kind="stable")
            order = order[rank[order] > 0]
            if self.cutoff is not None:
                order = order[rank[order] <= self.cutoff]
            gains = _novelty(matrix[order], 0.5)
            values[query] = (0.5 * gains / rank[order]).sum() / matrix.shape[1]
        return values

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        within = "the whole list" if self.cutoff is None else f"the first {self.cutoff}"
        return (
            "mean over subtopics of the expected reciprocal rank with stopping probability 1/2 at "
            f"a relevant document, over {within}; relevant = grade {self.rel:g} or more"
        )


@register
@dataclass(frozen=True, repr=False)
class _StRecall(Measure):
    """Subtopic recall: the share of a query's subtopics that the list, or its first k, covers.

    Zhai, Cohen & Lafferty, "Beyond independent relevance", SIGIR 2003.
    """

    name: ClassVar[str] = "StRecall"
    reference: ClassVar[str] = "Zhai et al. 2003"

    rel: float = 1

    def compute(self, lists: JudgedLists) -> Floats:
        """The value of every list, `float64[q]`."""
        subtopics = _subtopics(self, lists)
        relevant = subtopics.grade >= self.rel
        reached = relevant & (subtopics.rank > 0)
        if self.cutoff is not None:
            reached &= subtopics.rank <= self.cutoff
        return divide(_distinct(subtopics, reached), _distinct(subtopics, relevant))

    @property
    def definition(self) -> str:
        """The exact definition in words."""
        within = "the list" if self.cutoff is None else f"the first {self.cutoff}"
        return (
            f"share of the query's subtopics that have a relevant document in {within}; "
            f"relevant = grade {self.rel:g} or more"
        )


def _distinct(subtopics: Subtopics, rows: npt.NDArray[np.bool_]) -> Floats:
    """How many distinct subtopics of each query the marked rows name."""
    n_queries = len(subtopics.offsets) - 1
    segment = np.repeat(np.arange(n_queries), np.diff(subtopics.offsets))[rows]
    width = int(subtopics.subtopic.max(initial=0)) + 1
    pairs = np.unique(segment * width + subtopics.subtopic[rows])
    return np.bincount(pairs // width, minlength=n_queries).astype(np.float64)


ERR_IA, StRecall = _ERRIA(), _StRecall()
alpha_nDCG = _AlphaNDCG()  # noqa: N816 - the field's name
