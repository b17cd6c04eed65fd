"""Scores that mean something: a calibrator fitted on judgments, and the re-ranker that carries it.

`fit_calibrator` learns how often documents of a score are relevant; `Calibrated` gives that share
as the score; `calibration_report` says, on queries that were not learned from, how far the shares
can be believed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics.calibration import ReliabilityCurve, brier_score, log_loss, reliability_curve
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.calibration.calibrators import Calibrator, check_comparable
from plackett.rerankers.calibration.reading import get_calibrator, parse_calibrator
from plackett.rerankers.ranked import Candidates, Ordering, Ranked, ScoreKind
from plackett.rerankers.registry import parse, register

__all__ = [
    "Calibrated",
    "CalibrationReport",
    "Faithfulness",
    "JudgedScores",
    "calibration_report",
    "fit_calibrator",
    "judged_scores",
]

Floats = npt.NDArray[np.float64]
Scored: TypeAlias = Run | Mapping[str, Ranked]
"""Scores of judged queries: a run, or results by query id."""


@dataclass(frozen=True, eq=False)
class JudgedScores:
    """Scores with labels.

    Parameters
    ----------
    scores : `float64[n]`.
    labels : `float64[n]`, 1 for relevant and 0 for not.
    queries : `int64[n]`, which query each belongs to, from 0.
    score_kind : what the scores are.
    """

    scores: Floats
    labels: Floats
    queries: npt.NDArray[np.int64]
    score_kind: ScoreKind


def judged_scores(
    scored: Scored,
    qrels: Qrels,
    *,
    score_kind: ScoreKind | None = None,
    relevant: float = 1.0,
    unjudged: Literal["skip", "nonrelevant"] = "skip",
) -> JudgedScores:
    """The scores of judged documents with their labels.

    Parameters
    ----------
    scored : a run, or results by query id; scores that are NaN or infinite are left out.
    score_kind : what the scores are; results say it themselves, of a run it has to be said.
    relevant : the lowest grade that counts as relevant.
    unjudged : "skip" leaves documents without a judgment out; "nonrelevant" takes them for not
        relevant, which only fits judgments that name all that is relevant.

    Raises
    ------
    ConfigurationError : no score kind, results of several kinds, or a kind that is not comparable
        between queries.
    DataError : nothing is judged.
    """
    kind = _kind_of(scored, score_kind)
    check_comparable(kind)
    if unjudged not in ("skip", "nonrelevant"):
        raise ConfigurationError(f"unjudged={unjudged!r} is not one of skip, nonrelevant.")
    lists = scored.to_dict() if isinstance(scored, Run) else _of_results(scored)
    judgments = qrels.to_dict()
    scores: list[float] = []
    labels: list[float] = []
    queries: list[int] = []
    for number, (query, documents) in enumerate(lists.items()):
        grades = judgments.get(query)
        if grades is None:
            continue
        for document, score in documents.items():
            if np.isfinite(score) and (document in grades or unjudged == "nonrelevant"):
                scores.append(score)
                labels.append(float(grades.get(document, -np.inf) >= relevant))
                queries.append(number)
    if not scores:
        raise DataError("no scored document that is judged", expected="judgments of these queries")
    return JudgedScores(np.array(scores), np.array(labels), np.array(queries, dtype=np.int64), kind)


def _kind_of(scored: Scored, score_kind: ScoreKind | None) -> ScoreKind:
    if isinstance(scored, Run):
        if score_kind is None:
            raise ConfigurationError(
                "a run does not say what its scores are; pass score_kind, such as "
                'score_kind="logit" for a cross-encoder\'s.'
            )
        return score_kind
    kinds = {ranked.score_kind for ranked in scored.values() if len(ranked)}
    kinds |= set() if score_kind is None else {score_kind}
    if len(kinds) != 1:
        raise ConfigurationError(f"scores of kinds {sorted(kinds)}; expected one kind.")
    return kinds.pop()


def _of_results(scored: Mapping[str, Ranked]) -> dict[str, dict[str, float]]:
    return {query: {d.id: d.score for d in ranked} for query, ranked in scored.items()}


def fit_calibrator(
    name: str,
    scored: Scored,
    qrels: Qrels,
    *,
    score_kind: ScoreKind | None = None,
    relevant: float = 1.0,
    unjudged: Literal["skip", "nonrelevant"] = "skip",
) -> Calibrator:
    """A calibrator fitted on the scores of judged documents.

    Parameters
    ----------
    name : "platt", "isotonic" or "temperature".
    scored, qrels, score_kind, relevant, unjudged : as for `judged_scores`.

    Raises
    ------
    UnknownNameError : no calibrator has the name.
    DataError, ConfigurationError : as `judged_scores` and `Calibrator.fit`.

    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0, "c": 0.0, "d": -1.0}})
    >>> qrels = Qrels.from_dict({"q": {"a": 1, "b": 0, "c": 1, "d": 0}})
    >>> fit_calibrator("isotonic", run, qrels, score_kind="logit").probabilities([3.0, 0.5])
    array([1. , 0.5])
    """
    judged = judged_scores(
        scored, qrels, score_kind=score_kind, relevant=relevant, unjudged=unjudged
    )
    return get_calibrator(name).fit(judged.scores, judged.labels, score_kind=judged.score_kind)


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How far probabilities can be believed.

    Parameters
    ----------
    ece : the expected calibration error over groups of equal size.
    brier, log_loss : the mean squared error, and the mean of -log p of what was observed.
    curve : predicted against observed shares.
    """

    ece: float
    brier: float
    log_loss: float
    curve: ReliabilityCurve

    @classmethod
    def of(cls, probability: Floats, labels: Floats, bins: int) -> Faithfulness:
        """That of some predictions."""
        curve = reliability_curve(probability, labels, bins=bins, binning="count")
        return cls(
            curve.error, brier_score(probability, labels), log_loss(probability, labels), curve
        )


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """Before and after calibration, on queries that were not learned from.

    Parameters
    ----------
    before : of the scores themselves, where they claim to be probabilities (a logit through the
        sigmoid); None for others.
    after : of the calibrated ones.
    base_rate : the share of relevant documents; its Brier score is base_rate (1 - base_rate).
    documents, queries : how many were predicted.
    """

    before: Faithfulness | None
    after: Faithfulness
    base_rate: float
    documents: int
    queries: int

    def svg(self) -> str:
        """The reliability plot as the text of an SVG file."""
        from plackett.rerankers.calibration.reliability_plot import reliability_svg

        return reliability_svg(self)


def calibration_report(
    name: str,
    scored: Scored,
    qrels: Qrels,
    *,
    score_kind: ScoreKind | None = None,
    relevant: float = 1.0,
    unjudged: Literal["skip", "nonrelevant"] = "skip",
    folds: int = 5,
    bins: int = 10,
    seed: int = 0,
) -> CalibrationReport:
    """Calibration error before and after, cross-fitted: no query is predicted by its own judgments.

    Parameters
    ----------
    name, scored, qrels, score_kind, relevant, unjudged : as for `fit_calibrator`.
    folds : into how many parts the queries are dealt.
    bins : groups of the reliability curve, of equal size.
    seed : of the dealing.

    Raises
    ------
    ConfigurationError : fewer than 2 folds, or more than there are judged queries.
    DataError : as `fit_calibrator`, on a part of the queries.

    >>> lists = {f"q{i}": {"a": 1.0, "b": -1.0} for i in range(10)}
    >>> judged = {query: {"a": int(query != "q3"), "b": 0} for query in lists}
    >>> report = calibration_report(
    ...     "platt", Run.from_dict(lists), Qrels.from_dict(judged), score_kind="logit", bins=2
    ... )
    >>> report.documents, report.base_rate, report.after.ece < report.before.ece
    (20, 0.45, True)
    """
    kind = get_calibrator(name)
    judged = judged_scores(
        scored, qrels, score_kind=score_kind, relevant=relevant, unjudged=unjudged
    )
    present, query = np.unique(judged.queries, return_inverse=True)
    if not 2 <= folds <= len(present):
        raise ConfigurationError(
            f"folds={folds}; expected 2 to {len(present)}, the number of judged queries."
        )
    fold = np.random.default_rng(seed).permutation(len(present))[query] % folds
    after = np.zeros(len(judged.scores))
    for number in range(folds):
        held = fold == number
        fitted = kind.fit(judged.scores[~held], judged.labels[~held], score_kind=judged.score_kind)
        after[held] = fitted.probabilities(judged.scores[held])
    claimed = _claimed(judged)
    return CalibrationReport(
        None if claimed is None else Faithfulness.of(claimed, judged.labels, bins),
        Faithfulness.of(after, judged.labels, bins),
        float(judged.labels.mean()),
        len(after),
        len(present),
    )


def _claimed(judged: JudgedScores) -> Floats | None:
    if judged.score_kind == "logit":
        return np.asarray(np.exp(-np.logaddexp(0.0, -judged.scores)))
    if judged.score_kind == "probability":
        return judged.scores
    if judged.score_kind == "log_probability":
        return np.exp(np.minimum(judged.scores, 0.0))
    return None


@register("calibrated")
class Calibrated(TextReranker):
    """Another re-ranker, with probabilities of relevance for scores; its order is unchanged.

    Parameters
    ----------
    reranker : a re-ranker, or its description, such as "cross-encoder(model='path')".
    calibrator : a `Calibrator`, its description, or the path of one that was saved (".json").

    Raises
    ------
    ConfigurationError : at work, the re-ranker's scores are of another kind than the calibrator
        was fitted on.

    >>> from plackett.rerankers.calibration.calibrators import Platt
    >>> calibrated = Calibrated("word-overlap", Platt(4.0, -2.0, "grade"))
    >>> ranked = calibrated.rank("red wine", ["white wine", "water"])
    >>> ranked.score_kind, ranked.scores.round(3)
    ('probability', array([0.5  , 0.119]))
    """

    def __init__(self, reranker: TextReranker | str, calibrator: Calibrator | str) -> None:
        self.reranker, self.calibrator = reranker, calibrator
        # A copy, for one that is handed in goes on being used by others as it is.
        self._inner = parse(reranker) if isinstance(reranker, str) else copy.copy(reranker)
        self._inner.watcher = None
        self._inner.scores_one = True
        self._map = parse_calibrator(calibrator) if isinstance(calibrator, str) else calibrator
        check_comparable(self._map.kind)
        self.may_drop = self._inner.may_drop

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        outcomes = [
            replace(outcome, ordering=self._mapped(outcome.ordering))
            for outcome in await self._inner._order_many(queries, candidates)
        ]
        for outcome in outcomes:
            self._tell(outcome)
        return outcomes

    def _mapped(self, ordering: Ordering) -> Ordering:
        kind = "rank" if ordering.scores is None else ordering.score_kind
        if ordering.scores is None or kind != self._map.kind:
            check_comparable(kind)
            raise ConfigurationError(
                f"{self._inner!r} gives scores of kind {kind!r}; the calibrator was fitted on "
                f"{self._map.kind!r}. Fit one on the scores of this re-ranker."
            )
        probabilities = self._map.probabilities(ordering.scores)
        # The order is the re-ranker's own, so that scores that come out equal keep their places.
        return Ordering(ordering.order, probabilities, "probability")

    def __repr__(self) -> str:
        described = [
            given if isinstance(given, str) else repr(given)
            for given in (self.reranker, self.calibrator)
        ]
        return f"Reranker('calibrated', reranker={described[0]!r}, calibrator={described[1]!r})"
