"""Evaluate a run against judgments: the value of every measure for every query."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.base import Measure, known_measures, parse_measure, parse_measures
from plackett.metrics.judged import JudgedLists, Ties, Unjudged

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Empty", "Evaluation", "Missing", "evaluate"]

Missing = Literal["zero", "skip"]
Empty = Literal["zero", "one", "skip"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The value of every measure for every query.

    Attributes
    ----------
    name : the run's name.
    measures : the measures, in the order asked for.
    query_ids : the queries.
    values : `float64[measures, queries]`.
    settings : how ties, unjudged documents, missing and empty queries were treated.

    `evaluation["nDCG@10"]` are the values of one measure, `float64[queries]`.

    >>> run = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}}, name="mine")
    >>> evaluation = evaluate(run, Qrels.from_dict({"q1": {"b": 1}}), "RR AP")
    >>> evaluation.mean
    {'RR': 0.5, 'AP': 0.5}
    >>> print(evaluation)
    measure  mine
    RR       0.5000
    AP       0.5000
    (mean over 1 query)
    """

    name: str
    measures: tuple[Measure, ...]
    query_ids: tuple[str, ...]
    values: npt.NDArray[np.float64]
    settings: Mapping[str, str]

    @cached_property
    def mean(self) -> dict[str, float]:
        """The mean of every measure over the queries; 0 where there is no query."""
        means = self.values.mean(axis=1) if self.query_ids else np.zeros(len(self.measures))
        return dict(zip(map(repr, self.measures), means.tolist(), strict=True))

    @cached_property
    def per_query(self) -> dict[str, dict[str, float]]:
        """`{query: {measure: value}}`."""
        names = [repr(measure) for measure in self.measures]
        rows = self.values.T.tolist()
        return {
            query: dict(zip(names, row, strict=True))
            for query, row in zip(self.query_ids, rows, strict=True)
        }

    @property
    def definitions(self) -> dict[str, str]:
        """The exact definition of every measure, in words."""
        return {repr(measure): measure.definition for measure in self.measures}

    def __getitem__(self, measure: str | Measure) -> npt.NDArray[np.float64]:
        wanted = parse_measure(measure)
        if wanted not in self.measures:
            raise UnknownNameError("measure of this evaluation", repr(wanted), self.mean)
        values: npt.NDArray[np.float64] = self.values[self.measures.index(wanted)]
        return values

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame of one row a query and one column a measure (extra: notebook)."""
        from plackett._optional import require

        frames = require("pandas", extra="notebook", purpose="make a frame")
        columns = [repr(measure) for measure in self.measures]
        frame: pd.DataFrame = frames.DataFrame(
            self.values.T, index=list(self.query_ids), columns=columns
        )
        return frame.rename_axis("query")

    def to_json(self, *, per_query: bool = True) -> str:
        """A JSON object: measures, per_query, name, settings, definitions."""
        content: dict[str, object] = {"name": self.name, "measures": self.mean}
        if per_query:
            content["per_query"] = self.per_query
        content["queries"] = len(self.query_ids)
        content["settings"] = dict(self.settings)
        content["definitions"] = self.definitions
        return json.dumps(content, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        rows = [("measure", self.name), *((m, f"{v:.4f}") for m, v in self.mean.items())]
        width = max(len(first) for first, _ in rows)
        lines = [f"{first:<{width}}  {second}" for first, second in rows]
        n = len(self.query_ids)
        return "\n".join([*lines, f"(mean over {n} {'query' if n == 1 else 'queries'})"])

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value:.4f}" for name, value in self.mean.items())
        return f"Evaluation({self.name!r}, {len(self.query_ids)} queries, {shown})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th scope=row title='{html.escape(self.definitions[name], quote=True)}'>"
            f"{html.escape(name)}</th><td>{value:.4f}</td></tr>"
            for name, value in self.mean.items()
        )
        return f"<table><tr><th>measure</th><th>{html.escape(self.name)}</th></tr>{rows}</table>"


def evaluate(
    run: Run,
    qrels: Qrels,
    measures: str | Measure | Sequence[str | Measure] = "nDCG@10 AP RR@10 R@100",
    *,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    empty: Empty = "zero",
) -> Evaluation:
    """The value of every measure for every judged query.

    Averages are over the queries of the judgments, as `trec_eval -c`; queries of the run that were
    not judged are left out.

    Parameters
    ----------
    measures : as "nDCG@10 AP(rel=2) RR@10", or measures.
    ties : "trec_eval": equal scores are ordered by document id, descending. "error": they are an
        error. "average": the expectation over all orders of equal scores.
    unjudged : "nonrelevant", or "remove" from the lists before ranks are counted (trec_eval's -J).
    missing : a judged query that the run lacks counts "zero", or is left out ("skip"), as in
        trec_eval without -c.
    empty : a query without any grade above 0 counts "zero", "one" (as some learning-to-rank
        libraries have it), or is left out ("skip").

    Raises
    ------
    UnknownNameError : a measure that does not exist.
    ConfigurationError : an option, or a combination, that is not defined.
    DataError : equal scores with ties="error".

    >>> run = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}})
    >>> evaluate(run, Qrels.from_dict({"q1": {"b": 1}, "q2": {"a": 1}}), "AP").mean
    {'AP': 0.25}
    """
    chosen = parse_measures(measures)
    _check_options(chosen, ties, missing, empty)
    lists = JudgedLists.from_run(run, qrels, ties=ties, unjudged=unjudged)
    values = np.vstack([measure.compute(lists) for measure in chosen])
    kept = np.ones(len(lists), dtype=bool)
    if missing == "skip":
        # Not `retrieved > 0` of the lists: condensed ones may have lost all their documents.
        present = np.zeros(len(run.query_ids), dtype=bool)
        present[run.query[np.diff(run.offsets) > 0]] = True
        codes = qrels.query_ids.map_to(run.query_ids)[qrels.query]
        kept &= (codes >= 0) & present[codes] if len(present) else False
    if empty != "zero":
        nothing = lists.relevant_counts(np.nextafter(0.0, 1.0)) == 0
        if empty == "one":
            values[:, nothing] = 1.0
        else:
            kept &= ~nothing
    names = qrels.query_ids.strings(qrels.query[kept]).to_pylist()
    return Evaluation(
        run.name,
        chosen,
        tuple(names),
        values[:, kept],
        {"ties": ties, "unjudged": unjudged, "missing": missing, "empty": empty},
    )


def _check_options(measures: tuple[Measure, ...], ties: str, missing: str, empty: str) -> None:
    for name, value, known in (
        ("missing", missing, ("zero", "skip")),
        ("empty", empty, ("zero", "one", "skip")),
    ):
        if value not in known:
            raise ConfigurationError(f"{name}={value!r} is not one of {', '.join(known)}.")
    if ties == "average":
        wrong = [repr(measure) for measure in measures if not measure.averages_ties]
        if wrong:
            known_ones = [name for name, one in known_measures().items() if one.averages_ties]
            raise ConfigurationError(
                f'ties="average" is not defined for {", ".join(wrong)}, only for '
                f"{', '.join(known_ones)}."
            )
