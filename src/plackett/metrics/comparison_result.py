"""The report of a comparison: what was measured, what was tested, what came out, at what cost."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.formats.atomic import atomic_write
from plackett.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Comparison",
    "ComparisonSettings",
    "Curve",
    "Difference",
    "MeasureDefinition",
    "SystemMean",
    "letter",
]

JSON_VERSION = 1

UNBOUNDED = ("cohens_d", "standardised_difference", "detectable")
"""The numbers of a `Difference` that may be infinite."""


@dataclass(frozen=True)
class MeasureDefinition:
    """A measure as the report states it: its name, what exactly it computes, its direction."""

    name: str
    definition: str
    higher_is_better: bool = True


@dataclass(frozen=True)
class ComparisonSettings:
    """Everything that was chosen, so that the comparison can be repeated to the last digit."""

    test: str
    correction: str
    alpha: float
    confidence: float
    permutations: int
    resamples: int
    seed: int
    power: float
    evaluation: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SystemMean:
    """The mean of one measure for one system, with its bootstrap interval.

    `mark`: with a baseline "▲" or "▼" where the system is significantly better or worse than it;
    without one, the letters of the systems it is significantly better than.
    """

    measure: str
    system: str
    mean: float
    low: float
    high: float
    mark: str


@dataclass(frozen=True)
class Difference:
    """One system less another on one measure: size, interval, p-values, effect, outcome counts.

    `wins` and `losses` count queries on which the system is better and worse, whatever the
    measure's direction. `detectable` is the smallest true difference that a paired t test would
    have seen with the power of the settings, at alpha shared among the comparisons.
    """

    measure: str
    system: str
    reference: str
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    significant: bool
    cohens_d: float
    standardised_difference: float
    wins: int
    ties: int
    losses: int
    detectable: float


@dataclass(frozen=True)
class Curve:
    """A measure at growing cutoffs: `means[system][i]` belongs to `cutoffs[i]`."""

    measure: str
    cutoffs: tuple[int, ...]
    means: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` found. Nothing in it changes; it prints as a table.

    Attributes
    ----------
    systems : the names, in the order given; `baseline` is one of them or None.
    measures : the measures with their definitions.
    query_ids : the queries, the same for all systems.
    values : `float64[measures, systems, queries]`.
    means : one `SystemMean` a measure and system, measures slowest.
    differences : one `Difference` a measure and pair: every system less the baseline, or without a
        baseline every system less each one before it.
    curves : measures at growing cutoffs, where the runs were at hand.
    costs : per system what each stage cost.
    query_texts : the texts of the queries, where the runs are linked to them.
    provenance : versions of the software and SHA-256 of the judgments and of each run.
    """

    systems: tuple[str, ...]
    baseline: str | None
    measures: tuple[MeasureDefinition, ...]
    query_ids: tuple[str, ...]
    values: npt.NDArray[np.float64]
    means: tuple[SystemMean, ...]
    differences: tuple[Difference, ...]
    settings: ComparisonSettings
    curves: tuple[Curve, ...] = ()
    costs: Mapping[str, tuple[Cost, ...]] = field(default_factory=dict)
    query_texts: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def comparisons(self) -> int:
        """How many pairs are tested on each measure: the family that the correction covers."""
        return len(self.differences) // len(self.measures)

    @property
    def letters(self) -> dict[str, str]:
        """The letter of each system in the superscripts: a, b, ... z, aa, ab, ..."""
        return {name: letter(i) for i, name in enumerate(self.systems)}

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row a measure and system; with a baseline, joined with the difference to it."""
        rows: list[dict[str, Any]] = []
        for mean in self.means:
            row = asdict(mean)
            if self.baseline is not None:
                row |= self._against_baseline(mean)
            rows.append(row)
        return rows

    def _against_baseline(self, mean: SystemMean) -> dict[str, Any]:
        found = self.difference(mean.measure, mean.system)
        names = [name for name in Difference.__dataclass_fields__ if name not in asdict(mean)]
        row = {name: None if found is None else getattr(found, name) for name in names}
        bounds = (None, None) if found is None else (found.low, found.high)
        return row | {"difference_low": bounds[0], "difference_high": bounds[1]}

    def mean(self, measure: str, system: str) -> SystemMean:
        """The mean of one measure for one system."""
        for entry in self.means:
            if entry.measure == measure and entry.system == system:
                return entry
        if system in self.systems:
            raise UnknownNameError("measure", measure, [m.name for m in self.measures])
        raise UnknownNameError("system", system, self.systems)

    def difference(
        self, measure: str, system: str, reference: str | None = None
    ) -> Difference | None:
        """`system` less `reference` (the baseline by default); None where it was not tested."""
        reference = self.baseline if reference is None else reference
        for entry in self.differences:
            if (entry.measure, entry.system, entry.reference) == (measure, system, reference):
                return entry
        return None

    def per_query(self, measure: str, system: str) -> npt.NDArray[np.float64]:
        """The values of one measure for one system, `float64[q]` in the order of `query_ids`."""
        self.mean(measure, system)
        row = [m.name for m in self.measures].index(measure)
        values: npt.NDArray[np.float64] = self.values[row, self.systems.index(system)]
        return values

    @property
    def verdict(self) -> str:
        """The outcome on the first measure, in one sentence."""
        from plackett.metrics.report import words

        return words.verdict(self)

    def __str__(self) -> str:
        from plackett.metrics.report import tables

        return tables.plain_text(self)

    def __repr__(self) -> str:
        return (
            f"Comparison({', '.join(self.systems)}; {', '.join(m.name for m in self.measures)}; "
            f"{len(self.query_ids)} queries)"
        )

    def to_markdown(self) -> str:
        """The table as GitHub Markdown, with the footnote."""
        from plackett.metrics.report import tables

        return tables.markdown(self)

    def to_latex(self, *, caption: str = "", label: str = "") -> str:
        """The table as LaTeX; it needs the packages booktabs and amssymb."""
        from plackett.metrics.report import tables

        return tables.latex(self, caption=caption, label=label)

    def to_frame(self, *, pairs: bool = False) -> pd.DataFrame:
        """`table` as a pandas frame, or with `pairs` one row a `Difference` (extra: notebook)."""
        from plackett._optional import require

        pandas = require("pandas", extra="notebook", purpose="make a data frame")
        rows = [asdict(entry) for entry in self.differences] if pairs else self.table
        frame: pd.DataFrame = pandas.DataFrame(rows)
        return frame

    def to_html(self, path: str | Path | None = None, *, title: str = "") -> str:
        """The whole report as one HTML file that needs nothing else; written to `path` if given."""
        from plackett.metrics.report import html

        page = html.render(self, title=title)
        if path is not None:
            with atomic_write(path) as file:
                file.write(page.encode())
        return page

    def to_json(self) -> str:
        """Everything, per-query values included, as JSON that `Comparison.from_json` reads back.

        Numbers that JSON lacks are written as the strings "Infinity" and "-Infinity".
        """
        content = {
            "version": JSON_VERSION,
            "systems": self.systems,
            "baseline": self.baseline,
            "measures": [asdict(measure) for measure in self.measures],
            "query_ids": self.query_ids,
            "values": self.values.tolist(),
            "means": [asdict(mean) for mean in self.means],
            "differences": [asdict(difference) for difference in self.differences],
            "settings": asdict(self.settings),
            "curves": [asdict(curve) for curve in self.curves],
            "costs": {name: [asdict(cost) for cost in costs] for name, costs in self.costs.items()},
            "query_texts": dict(self.query_texts),
            "provenance": dict(self.provenance),
        }
        return json.dumps(_portable(content), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """The comparison that `to_json` wrote.

        Raises
        ------
        DataError : not such a JSON text, or of an unknown version.
        """
        try:
            content = json.loads(text)
            if content["version"] != JSON_VERSION:
                raise DataError(
                    f"a comparison of version {content['version']}",
                    expected=f"version {JSON_VERSION}",
                )
            return cls._from_content(content)
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"JSON that is not a comparison ({error})", expected="what Comparison.to_json wrote"
            ) from error

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> Comparison:
        return cls(
            systems=tuple(content["systems"]),
            baseline=content["baseline"],
            measures=tuple(MeasureDefinition(**row) for row in content["measures"]),
            query_ids=tuple(content["query_ids"]),
            values=np.asarray(content["values"], np.float64),
            means=tuple(SystemMean(**row) for row in content["means"]),
            differences=tuple(
                Difference(**(row | {name: float(row[name]) for name in UNBOUNDED}))
                for row in content["differences"]
            ),
            settings=ComparisonSettings(**content["settings"]),
            curves=tuple(
                Curve(
                    row["measure"],
                    tuple(row["cutoffs"]),
                    {name: tuple(means) for name, means in row["means"].items()},
                )
                for row in content["curves"]
            ),
            costs={
                name: tuple(Cost(**row) for row in rows) for name, rows in content["costs"].items()
            },
            query_texts=content["query_texts"],
            provenance=content["provenance"],
        )


def letter(index: int) -> str:
    """The letter of the system at this position in superscripts.

    >>> letter(0), letter(25), letter(26)
    ('a', 'z', 'aa')
    """
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters


def _portable(value: Any) -> Any:
    """The same with infinities as strings, which JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _portable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(entry) for entry in value]
    return value
