"""News for a forecast: relevance times recency, and nothing from after the question was asked."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.requests import Answer, Generate, Generation
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.rerankers.criteria.recency_curve import RecencyCurve, half_life_weight
from plackett.rerankers.pointwise.questions import document_prompts, read_scores
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register
from plackett.rerankers.strategy import Asking, Policy, Steps, StrategyReranker
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache

__all__ = ["AutoCast", "seconds_of"]

DAY = 86_400.0
ANSWER_TOKENS = 8


def seconds_of(when: object) -> float:
    """A date as seconds since 1970, in UTC where it says no zone.

    Parameters
    ----------
    when : ISO 8601 text, a `date` or `datetime`, or seconds.

    Raises
    ------
    DataError : anything else.

    >>> seconds_of("1970-01-02"), seconds_of("1970-01-01T01:00:00+01:00")
    (86400.0, 0.0)
    """
    wrong = DataError(f"date {when!r}", expected='ISO 8601 such as "2024-05-31", or seconds')
    if isinstance(when, str):
        try:
            # Older Pythons do not read the "Z" of ISO 8601.
            when = datetime.fromisoformat(when.strip().replace("Z", "+00:00"))
        except ValueError as error:
            raise wrong from error
    elif isinstance(when, date) and not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    if isinstance(when, datetime):
        aware = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
        return aware.timestamp()
    if isinstance(when, bool) or not isinstance(when, (int, float)) or not math.isfinite(when):
        raise wrong
    return float(when)


@register("autocast")
class AutoCast(StrategyReranker):
    """How much an article helps a forecast, times how much its date is worth.

    score = relevance x recency. Relevance is the mean of several sampled bins of the prompt's
    scale, mapped to [0, 1]; all documents and samples of a query are asked in one round: n x
    samples calls. Recency is 2^(-age / half-life), the age counted back from the cutoff; or the
    weight of a `RecencyCurve` at the article's share of the time from `start` to the cutoff. An
    article dated after the cutoff is never kept, nor asked about.

    Parameters
    ----------
    model : with the power "generate".
    dates : when each document appeared: {document id: date}, or the name of a column of the run's
        corpus. Dates are ISO 8601 texts, `datetime` values or seconds since 1970.
    cutoff : when the question was asked: one date for all, or {query id or text: date}.
    start : when it opened, likewise; needed for a curve.
    half_life : in days.
    curve : `RecencyCurve.fit(...).slopes`; None for the half-life.
    samples : how often each document is asked about.
    temperature : of these samples; 0 gives all of them the same answer.
    undated : "error", or "drop" for documents without a date: nobody knows whether they may be
        seen.
    template : the prompt's name, or the path of a prompt of your own with a grade.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Raises
    ------
    ConfigurationError : a half-life of 0, no sample, or a curve without a start.
    DataError : a date that is none, a query without a cutoff, a document without a date.

    Paper: AutoCast++: Enhancing World Event Prediction with Zero-shot Ranking-based Context
    Retrieval (2024).

    >>> from plackett.llm.oracle.model import Oracle
    >>> oracle = Oracle({"Who wins?": {"new": 1, "old": 1, "late": 1}})
    >>> dates = {"old": "2024-01-01", "new": "2024-05-30", "late": "2024-06-02"}
    >>> reranker = AutoCast(oracle, dates=dates, cutoff="2024-06-01")
    >>> reranker.rank("Who wins?", {"late": "c", "old": "a", "new": "b"}).ids
    ['new', 'old']
    """

    may_drop = True

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        dates: Mapping[str, object] | str,
        cutoff: Mapping[str, object] | str | float | date,
        start: Mapping[str, object] | str | float | date | None = None,
        half_life: float = 30.0,
        curve: Sequence[float] | None = None,
        samples: int = 3,
        temperature: float = 0.7,
        undated: str = "error",
        template: str = "autocast",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        super().__init__(model, cache=cache, budget=budget, on_malformed=on_malformed, seed=seed)
        if not half_life > 0 or samples < 1:
            raise ConfigurationError(
                f"half_life = {half_life!r}, samples = {samples!r}; expected both to be positive."
            )
        if undated not in ("error", "drop"):
            raise ConfigurationError(f"undated = {undated!r}; expected error or drop.")
        if curve is not None and start is None:
            raise ConfigurationError("a curve needs start: it is over a question's life.")
        self.dates, self.cutoff, self.start = dates, cutoff, start
        self.half_life, self.curve = half_life, None if curve is None else tuple(curve)
        self.samples, self.temperature = samples, temperature
        self.undated, self.template = undated, template
        self._recency = None if curve is None else RecencyCurve(tuple(curve))
        self._column: Mapping[str, object] | None = None

    def rerank(self, run: Run) -> Run:
        """A new run of the documents up to the cutoff; see `TextReranker.rerank`."""
        if not isinstance(self.dates, str) or run.corpus is None:
            return super().rerank(run)
        found = run.document_ids.strings(np.unique(run.document)).to_pylist()
        codes = run.corpus.ids.codes(found)
        known = codes >= 0
        values = run.corpus.column(self.dates).take(codes[known]).to_pylist()
        names = [name for name, here in zip(found, known.tolist(), strict=True) if here]
        # A stage is not changed by the run it works on: its copy knows the dates.
        dated = copy.copy(self)
        dated._door = self.door
        dated._column = dict(zip(names, values, strict=True))
        return StrategyReranker.rerank(dated, run)

    def steps(self, query: str, candidates: Candidates, asking: Asking) -> Steps:
        """One round: every document that may be seen, as often as `samples` says."""
        cutoff = _date_of(self.cutoff, query, candidates, "cutoff")
        dates = self._dates(candidates)
        # NaN, the date of what is not dated, is not up to the cutoff.
        seen = [position for position in range(len(candidates)) if dates[position] <= cutoff]
        if not seen:
            return Ordering((), np.full(len(candidates), np.nan), "grade")
        shown = Candidates(
            tuple(candidates.ids[position] for position in seen),
            tuple(candidates.texts[position] for position in seen),
        )
        template = prompt_template(self.template)
        own = Asking(asking.model, asking.policy, asking.seed)
        prompts = document_prompts(template, query, shown, own, reserve=ANSWER_TOKENS)
        asking.truncated.update(seen[position] for position in own.truncated)
        answers = yield [
            Generate(
                prompt,
                max_tokens=ANSWER_TOKENS,
                temperature=self.temperature,
                seed=asking.seed + sample,
            )
            for prompt in prompts
            for sample in range(self.samples)
        ]
        grades = read_scores(answers, asking, lambda answer: _bin(template, answer))
        relevance = _mean_known(np.reshape(grades, (len(seen), self.samples)))
        scores = np.full(len(candidates), np.nan)
        for position, value in zip(seen, relevance.tolist(), strict=True):
            scores[position] = value * self._weight(dates[position], cutoff, query, candidates)
        ordering = Ordering.by_scores(scores, "grade")
        allowed = set(seen)
        kept = tuple(position for position in ordering.order if position in allowed)
        return Ordering(kept, ordering.scores, ordering.score_kind)

    def _dates(self, candidates: Candidates) -> list[float]:
        dates = self.dates if self._column is None else self._column
        if isinstance(dates, str):
            raise DataError(
                f"texts without the column {dates!r} of a corpus",
                expected="a Run whose corpus has it",
                remedy="give dates={document id: date}",
            )
        found = []
        for name in candidates.ids:
            when = dates.get(name)
            if when is None and self.undated == "error":
                raise DataError(
                    f"document {name!r} without a date",
                    expected="the date of every document",
                    remedy='add it, or leave such documents out with undated="drop"',
                )
            found.append(math.nan if when is None else seconds_of(when))
        return found

    def _weight(self, when: float, cutoff: float, query: str, candidates: Candidates) -> float:
        if self._recency is None:
            return half_life_weight((cutoff - when) / DAY, self.half_life)
        start = _date_of(self.start, query, candidates, "start")
        life = cutoff - start
        return self._recency.weight((when - start) / life if life > 0 else 1.0)

    def __repr__(self) -> str:
        return describe(self)


def _date_of(given: object, query: str, candidates: Candidates, name: str) -> float:
    if not isinstance(given, Mapping):
        return seconds_of(given)
    for key in (candidates.query_id, query):
        if key is not None and key in given:
            return seconds_of(given[key])
    raise DataError(
        f"query {candidates.query_id or query!r} without a {name}", expected=f"one in {name}="
    )


def _bin(template: PromptTemplate, answer: Answer) -> tuple[float, str]:
    """The bin of an answer as a share of the prompt's scale, and the answer's status."""
    if not isinstance(answer, Generation):
        return math.nan, "missing"
    parsed = template.parse(answer.text, 1)
    low, high = template.scale
    grade = parsed.scores[0] if parsed.scores else math.nan
    return (grade - low) / (high - low), parsed.status


def _mean_known(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mean of each row's numbers; NaN where it has none."""
    known = ~np.isnan(values)
    sums = np.where(known, values, 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    means = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return np.asarray(means, dtype=np.float64)
