"""Which documents of a query the cross-encoder reads."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from plackett._registry import Registry
from plackett.errors import ConfigurationError
from plackett.retrievers.cross_encoder.asking import Asked, CurrentAnchors
from plackett.retrievers.cross_encoder.mixture import check_ridge, mixture

__all__ = [
    "AdaptiveRounds",
    "CallPlan",
    "EveryDocument",
    "FixedAnchors",
    "parse_plan",
    "register_plan",
]

Codes = npt.NDArray[np.int32]


class CallPlan(ABC):
    """A way to spend the calls of a query. It is a value: `parse_plan` reads its `repr` back.

    Class attributes
    ----------------
    exact : whether it scores every document.
    """

    exact: ClassVar[bool] = False

    @abstractmethod
    def spend(self, asked: Asked, anchors: CurrentAnchors, first: Sequence[Codes] | None) -> None:
        """Score documents of the queries.

        Parameters
        ----------
        asked : the queries; holds the scores when this returns.
        anchors : of the index.
        first : for each query what another retriever put first, best first, where there is one.

        Raises
        ------
        ConfigurationError : the calls do not suffice for the anchors.
        """


_PLANS: Registry[type[CallPlan]] = Registry("plan", "plackett.cross_encoder_plans")
PlanClass = TypeVar("PlanClass", bound="type[CallPlan]")


def register_plan(plan: PlanClass) -> PlanClass:
    """Class decorator: make a plan known under the name of its class."""
    _PLANS.enter(plan.__name__, plan)
    return plan


def parse_plan(text: str) -> CallPlan:
    """The plan that a text describes, as its `repr` does.

    Raises
    ------
    ConfigurationError : the text is no such description, or an argument does not fit.
    UnknownNameError : no plan has the name.

    >>> parse_plan("FixedAnchors(calls=50)")
    FixedAnchors(calls=50, ridge=0.01)
    """
    made: CallPlan = _PLANS.make(text, example="AdaptiveRounds(calls=100)")
    return made


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name}={value!r}; expected a whole number of 1 or more.")


@register_plan
@dataclass(frozen=True)
class EveryDocument(CallPlan):
    """The exact answer: every document is read with every query. The oracle of the other plans."""

    exact: ClassVar[bool] = True

    def spend(self, asked: Asked, anchors: CurrentAnchors, first: Sequence[Codes] | None) -> None:
        """Score all."""
        asked.score([asked.pool.allowed] * len(asked.queries))


@register_plan
@dataclass(frozen=True)
class FixedAnchors(CallPlan):
    """ANNCUR: every query is scored for the same anchor documents, which say where to look.

    1. c = the query's scores for the index's a anchor documents: a calls.
    2. u, with u R[:, anchors] near c: the query as a mixture of the anchor queries (`mixture`).
       `ridge=0` is the paper's pseudo-inverse.
    3. The documents with the largest u R that are no anchors are scored: the remaining calls.

    Only exact scores are returned. Where the calls suffice for all documents, all are scored.

    Parameters
    ----------
    calls : pairs a query that the cross-encoder may read; more than the index has anchors.
    ridge : see `mixture`.

    Yadav, N. et al., 2022. Efficient nearest neighbor search for cross-encoder models using matrix
    factorization. EMNLP.
    """

    calls: int = 200
    ridge: float = 1e-2

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_count("calls", self.calls)
        check_ridge(self.ridge)

    def spend(self, asked: Asked, anchors: CurrentAnchors, first: Sequence[Codes] | None) -> None:
        """Score the anchors, then what they point to."""
        pool = asked.pool
        if self.calls >= len(pool.allowed):
            asked.score([pool.allowed] * len(asked.queries))
            return
        held = anchors.anchors
        if self.calls <= len(held.documents):
            raise ConfigurationError(
                f"calls={self.calls}, and the index has {len(held.documents)} anchor documents; "
                "expected more calls, or an index with fewer anchors."
            )
        scores = asked.score_texts(held.documents)
        usable = np.flatnonzero(np.isin(anchors.codes, pool.allowed))
        asked.note([(anchors.codes[usable], row[usable]) for row in scores])
        weights = mixture(held.scores, scores, self.ridge).weights
        found = pool.nearest(weights, self.calls - len(held.documents), asked.codes)
        asked.score([codes for codes, _ in found])


@register_plan
@dataclass(frozen=True)
class AdaptiveRounds(CallPlan):
    """Adaptive CUR: each round scores the documents that the scores so far point to.

    The first round scores documents at random, the same for all queries, or what another retriever
    put first. Each later round writes the query as a mixture of the anchor queries that agrees with
    all its exact scores so far (`mixture`), guesses all others by it, and scores the best of them.
    Only exact scores are returned. Where the calls suffice for all documents, all are scored.

    Parameters
    ----------
    calls : pairs a query that the cross-encoder may read.
    rounds : into how many rounds they are split, evenly.
    temperature : 0 takes the best guesses; above it documents are drawn without replacement, by the
        softmax of guess / temperature.
    ridge : see `mixture`.
    seed : of the first round and of what is drawn.

    Yadav, N. et al., 2023. Efficient k-NN search with cross-encoders using adaptive multi-round CUR
    decomposition. Findings of EMNLP.
    """

    calls: int = 200
    rounds: int = 5
    temperature: float = 0.0
    ridge: float = 1e-2
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the parameters."""
        _check_count("calls", self.calls)
        _check_count("rounds", self.rounds)
        check_ridge(self.ridge)
        if not 0 <= self.temperature < np.inf:
            raise ConfigurationError(f"temperature={self.temperature}; expected 0 or more.")
        if self.rounds > self.calls:
            raise ConfigurationError(
                f"rounds={self.rounds} of calls={self.calls}; expected a call a round or more."
            )

    def spend(self, asked: Asked, anchors: CurrentAnchors, first: Sequence[Codes] | None) -> None:
        """Score round by round."""
        pool = asked.pool
        if self.calls >= len(pool.allowed):
            asked.score([pool.allowed] * len(asked.queries))
            return
        sizes = [len(part) for part in np.array_split(np.arange(self.calls), self.rounds)]
        asked.score(self._opening(asked, sizes[0], first))
        for number, size in enumerate(sizes[1:], start=1):
            weights = [
                mixture(pool.documents.scores(codes).T, scores[None], self.ridge).weights
                for codes, scores in zip(asked.codes, asked.scores, strict=True)
            ]
            asked.score(self._chosen(asked, np.concatenate(weights), size, number))

    def _opening(self, asked: Asked, size: int, first: Sequence[Codes] | None) -> list[Codes]:
        """What the first round scores: the other retriever's best, the rest at random."""
        drawn = np.random.default_rng(self.seed).permutation(asked.pool.allowed)
        if first is None:
            return [drawn[:size]] * len(asked.queries)
        chosen = []
        for given in first:
            best = given[np.isin(given, drawn)][:size]
            rest = drawn[~np.isin(drawn, best)][: size - len(best)]
            chosen.append(np.concatenate([best, rest]))
        return chosen

    def _chosen(
        self, asked: Asked, weights: npt.NDArray[np.float64], size: int, number: int
    ) -> list[Codes]:
        """What a later round scores."""
        if self.temperature == 0:
            return [codes for codes, _ in asked.pool.nearest(weights, size, asked.codes)]
        chosen = []
        everything = asked.pool.nearest(weights, len(asked.pool.allowed), asked.codes)
        for query, (codes, guesses) in zip(asked.queries, everything, strict=True):
            # A query draws the same whichever queries are asked beside it.
            words = zlib.crc32(query.encode("utf-8", "surrogatepass"))
            noise = np.random.default_rng([self.seed, words, number]).gumbel(size=len(codes))
            order = np.argsort(-(guesses / self.temperature + noise), kind="stable")
            chosen.append(codes[order[:size]])
        return chosen


def chosen_plan(plan: Any) -> CallPlan:
    """A plan, or the one that a text describes.

    Raises
    ------
    ConfigurationError : it is neither.
    """
    chosen = parse_plan(plan) if isinstance(plan, str) else plan
    if not isinstance(chosen, CallPlan):
        raise ConfigurationError(f"plan={plan!r}; expected a plan, such as AdaptiveRounds().")
    return chosen
