"""What fitting a pipeline into a budget measured and found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from plackett.pipeline.base import Retriever

__all__ = ["LatencyBudget", "MeasuredStage", "Trial"]


@dataclass(frozen=True)
class MeasuredStage:
    """What a stage took for so many documents.

    Attributes
    ----------
    stage : described; "the rest" is what joins, cuts and checks between the stages.
    documents : how many it had to do with, at most.
    median, high : seconds a query: the median over the queries, and the budget's percentile.
    """

    stage: str
    documents: int
    median: float
    high: float


@dataclass(frozen=True)
class Trial:
    """One setting that was looked at.

    Attributes
    ----------
    cutoffs : all of the pipeline's, in order.
    predicted : seconds a query at the budget's percentile, from what the stages took.
    measured : the same of the whole pipeline, where it was run.
    quality : where it was asked for.
    """

    cutoffs: tuple[int, ...]
    predicted: float
    measured: float | None = None
    quality: float | None = None


@dataclass(frozen=True)
class LatencyBudget:
    """A pipeline that keeps to a limit, and how that was found. `print` shows it as a table.

    Attributes
    ----------
    pipeline : with the cutoffs that were chosen.
    seconds, percentile : the limit: so many percent of the queries take no longer.
    queries, repeats : how many were timed, one at a time, and how often.
    written : the cutoffs of the pipeline that was given.
    cutoffs : those that were chosen.
    predicted, measured : seconds a query at the percentile: from what the stages took, and timed.
    stages : what each stage took at each load that was measured.
    trials : the settings that were looked at, the chosen one first.
    """

    pipeline: Retriever
    seconds: float
    percentile: float
    queries: int
    repeats: int
    written: tuple[int, ...]
    cutoffs: tuple[int, ...]
    predicted: float
    measured: float
    stages: tuple[MeasuredStage, ...]
    trials: tuple[Trial, ...]

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain values; the pipeline as its description."""
        plain = {
            name: getattr(self, name)
            for name in ("seconds", "percentile", "queries", "repeats", "predicted", "measured")
        }
        return {
            "pipeline": repr(self.pipeline),
            **plain,
            "written": list(self.written),
            "cutoffs": list(self.cutoffs),
            "stages": [asdict(stage) for stage in self.stages],
            "trials": [{**asdict(trial), "cutoffs": list(trial.cutoffs)} for trial in self.trials],
        }

    def __str__(self) -> str:
        lines = [
            f"{self.pipeline!r}",
            f"p{self.percentile:g} over {self.queries} queries: {_ms(self.measured)} measured, "
            f"{_ms(self.predicted)} predicted, {_ms(self.seconds)} allowed",
            "",
            f"{'documents':>9}  {'median':>9}  {f'p{self.percentile:g}':>9}  stage",
        ]
        lines += [
            f"{row.documents:>9}  {_ms(row.median):>9}  {_ms(row.high):>9}  {_short(row.stage)}"
            for row in self.stages
        ]
        lines += ["", f"{'predicted':>9}  {'measured':>9}  {'quality':>9}  cutoffs"]
        lines += [
            f"{_ms(trial.predicted):>9}  {_ms(trial.measured):>9}  {_number(trial.quality):>9}  "
            + " ".join(map(str, trial.cutoffs))
            for trial in self.trials
        ]
        return "\n".join(lines)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.1f} ms"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _short(stage: str) -> str:
    return stage if len(stage) <= 60 else f"{stage[:57]}..."
