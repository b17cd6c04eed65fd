"""What a re-ranker returns: an order, what its scores mean, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["Candidates", "Ordering", "Ranked", "RankedDocument", "ScoreKind", "run_scores"]

Floats = npt.NDArray[np.float64]
ScoreKind = Literal[
    "logit",
    "probability",
    "log_probability",
    "cosine",
    "dot_product",
    "grade",
    "wins",
    "attention",
    "standard",
    "relative",
    "rank",
]
"""What a score is. "rank": nothing but the place in the order, n for the first to 1 for the last;
"logit": any number, comparable between queries; "probability": 0 to 1; "log_probability": at most
0; "cosine": -1 to 1; "dot_product": any number; "grade": on the scale that the prompt states;
"wins": points of comparisons inside one list; "attention": comparable inside one list only;
"standard": a mixture of standard scores, 0 for the list's mean; comparable inside one list only;
"relative": any other number that is comparable inside one list only."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The documents of one query, in first-stage order.

    Parameters
    ----------
    ids : what the documents are called, each once.
    texts : their texts, in the same order.
    scores : `float64[n]` first-stage scores, or None.
    query_id : the query's id, where it has one.

    Raises
    ------
    DataError : unequal lengths, or an id twice.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    scores: Floats | None = None
    query_id: str | None = None

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.texts)}
        if self.scores is not None:
            lengths.add(len(self.scores))
        if len(lengths) > 1:
            raise DataError(
                f"{len(self.ids)} ids, {len(self.texts)} texts and "
                f"{'no' if self.scores is None else len(self.scores)} scores",
                expected="one id, one text and, if any, one score a document",
            )
        if len(set(self.ids)) < len(self.ids):
            again = next(name for i, name in enumerate(self.ids) if name in self.ids[:i])
            raise DataError(f"document {again!r} twice", expected="a document once")

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Ordering:
    """How a strategy orders the candidates of one query.

    Parameters
    ----------
    order : positions in the candidates, best first; all of them, unless the strategy selects.
    scores : `float64[n]`, one a candidate in the candidates' order (NaN: none); None where the
        strategy knows the order only.
    score_kind : what the scores are; "rank" where there are none.
    """

    order: tuple[int, ...]
    scores: Floats | None = None
    score_kind: ScoreKind = "rank"

    @classmethod
    def by_scores(cls, scores: npt.ArrayLike, score_kind: ScoreKind) -> Ordering:
        """Best score first; equal scores, and those that are NaN at the end, in first-stage order.

        >>> Ordering.by_scores([1.0, float("nan"), 2.0, 1.0], "logit").order
        (2, 0, 3, 1)
        """
        values = np.asarray(scores, dtype=np.float64)
        keys = np.where(np.isnan(values), np.inf, -values)
        # A score of minus infinity is a score: it stands before those that are missing.
        order = np.lexsort((np.arange(len(values)), keys, np.isnan(values)))
        return cls(tuple(int(i) for i in order), values, score_kind)


@dataclass(frozen=True)
class RankedDocument:
    """One document of a result; `position` is its place (from 0) in what was given."""

    id: str
    text: str
    score: float
    rank: int
    position: int


@dataclass(frozen=True, eq=False)
class Ranked(Sequence[RankedDocument]):
    """The documents of one query, best first.

    Parameters
    ----------
    query : the query's text.
    documents : best first; `rank` counts from 1.
    score_kind : what a score is; "rank" where only the order means anything.
    calls, cached_calls : calls that reached the model, and those that the cache answered.
    tokens : tokens the model read and wrote for this query.
    truncated : how many documents were shown shortened.
    answers : how many answers of the model were ok, repaired, wrong_format, missing or refused.
    seconds : from the first question to the order; waiting for other queries included.

    >>> document = RankedDocument("d1", "a text", 0.5, 1, 0)
    >>> ranked = Ranked("a query", (document,), "probability")
    >>> ranked[0].id, ranked.score_kind, len(ranked), ranked.ids
    ('d1', 'probability', 1, ['d1'])
    """

    query: str
    documents: tuple[RankedDocument, ...]
    score_kind: ScoreKind = "rank"
    calls: int = 0
    cached_calls: int = 0
    tokens: int = 0
    truncated: int = 0
    answers: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def ids(self) -> list[str]:
        """The ids, best first."""
        return [document.id for document in self.documents]

    @property
    def scores(self) -> Floats:
        """The scores, best first: `float64[n]`."""
        return np.array([document.score for document in self.documents], dtype=np.float64)

    @overload
    def __getitem__(self, index: int) -> RankedDocument: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[RankedDocument, ...]: ...

    def __getitem__(self, index: int | slice) -> RankedDocument | tuple[RankedDocument, ...]:
        return self.documents[index]

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[RankedDocument]:
        return iter(self.documents)


def run_scores(ordering: Ordering, n: int) -> npt.NDArray[np.float32]:
    """Scores that make a Run keep this order: the strategy's own wherever they can.

    A Run orders equal scores by document id, a re-ranker by the first stage; so equal scores are
    set apart by the least step of float32, and missing ones continue below the last.

    Parameters
    ----------
    ordering : of n candidates.

    Returns
    -------
    `float32[len(order)]`, strictly decreasing, in the order of `ordering.order`.

    >>> run_scores(Ordering((1, 0)), 2)
    array([2., 1.], dtype=float32)
    """
    count = len(ordering.order)
    if ordering.scores is None:
        return np.arange(n, n - count, -1, dtype=np.float32)
    largest = np.finfo(np.float32).max
    wanted = ordering.scores[list(ordering.order)]
    values = np.clip(wanted, -largest, largest).astype(np.float32)
    missing = np.isnan(wanted) | np.isneginf(wanted)
    # Down to the least number, each score leaves room for those behind it.
    least = (-largest).view(np.int32) - np.arange(count - 1, -1, -1, dtype=np.int32)
    floors = least.view(np.float32)
    in_order = (values[1:] < values[:-1]).all() and (values >= floors).all()
    if in_order and not missing.any():
        return values
    above = np.float32(np.inf)
    for i in range(count):
        if missing[i] and np.isfinite(above):
            values[i] = max(above, floors[i] + np.float32(1.0)) - np.float32(1.0)
        elif missing[i]:
            values[i] = 0.0
        if not values[i] < above:
            values[i] = np.nextafter(above, np.float32(-np.inf))
        values[i] = max(values[i], floors[i])
        above = values[i]
    return values
