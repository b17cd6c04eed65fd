"""Why one document stands above another: exact additive parts of the scores.

A tree ensemble's parts are its Shapley values under TreeSHAP (Lundberg et al., "From local
explanations to global understanding with explainable AI for trees", Nature Machine Intelligence,
2020); a linear ranker's are weight times value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Contributions", "Explanation", "FeatureEffect", "explain"]


class Contributions(NamedTuple):
    """Additive parts of scores: the score of row i is `base + values[i].sum()`.

    `values` is `float64[rows, features]`, in the order of the rows.
    """

    values: npt.NDArray[np.float64]
    base: float


@dataclass(frozen=True)
class FeatureEffect:
    """One feature's part in an explanation.

    `effect` is `contribution_above - contribution_below`; where one document is explained alone,
    its contribution. The values are those of the dataset; NaN is a missing value.
    """

    feature: str
    effect: float
    value_above: float
    contribution_above: float
    value_below: float | None = None
    contribution_below: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why `above` has its score, or stands above `below`; prints as a table.

    The effects are sorted by size, and sum to `score_above - score_below`; for one document alone,
    to `score_above - base`.

    Attributes
    ----------
    ranker : the ranker's description.
    query, above, below : ids; a document without an id is called by its row, such as "row 12".
    score_above, score_below, base : scores, `base` being the score before any feature is seen.
    effects : one a feature, the largest first.
    """

    ranker: str
    query: str
    above: str
    below: str | None
    score_above: float
    score_below: float | None
    base: float
    effects: tuple[FeatureEffect, ...]

    @property
    def difference(self) -> float:
        """What the effects sum to."""
        return self.score_above - (self.base if self.score_below is None else self.score_below)

    def to_frame(self) -> pd.DataFrame:
        """One row a feature, as a pandas frame."""
        import pandas as pd

        return pd.DataFrame([asdict(effect) for effect in self.effects])

    def to_json(self) -> str:
        """The whole explanation as JSON; a missing value is null."""
        return json.dumps(_without_nan(asdict(self)), ensure_ascii=False)

    def __str__(self) -> str:
        if self.below is None:
            title = (
                f"query {self.query}: {self.above} scores {self.score_above:.4f} "
                f"(base {self.base:.4f})"
            )
            header: tuple[str, ...] = ("feature", "value", "effect")
        else:
            relation = "above" if self.difference >= 0 else "NOT above"
            title = (
                f"query {self.query}: {self.above} ({self.score_above:.4f}) is {relation} "
                f"{self.below} ({self.score_below:.4f})"
            )
            header = ("feature", self.above, self.below, "effect")
        rows: list[tuple[str, ...]] = [header]
        for effect in self.effects:
            values = [_shown(effect.value_above)]
            if effect.value_below is not None:
                values.append(_shown(effect.value_below))
            rows.append((effect.feature, *values, f"{effect.effect:+.4f}"))
        rows.append(("sum", *[""] * (len(header) - 2), f"{self.difference:+.4f}"))
        return "\n".join([title, *_aligned(rows)])


def explain(
    contributions: Callable[[RankingDataset], Contributions],
    ranker: str,
    dataset: RankingDataset,
    query: str,
    above: str | int | None,
    below: str | int | None,
) -> Explanation:
    """Build an explanation; `Ranker.explain` documents the arguments."""
    rows = dataset.rows_of(query)
    # Some rankers look at a query's whole list, so all of its rows go in.
    parts = contributions(dataset.take_rows(rows))
    scores = [parts.base + math.fsum(row) for row in parts.values]
    first = int(np.argmax(scores)) if above is None else _position(dataset, rows, query, above)
    second = None if below is None else _position(dataset, rows, query, below)
    other = None if second is None else parts.values[second]
    difference = parts.values[first] if other is None else parts.values[first] - other
    values = dataset.X[rows]
    effects = tuple(
        FeatureEffect(
            feature=dataset.feature_names[f],
            effect=float(difference[f]),
            value_above=float(values[first, f]),
            contribution_above=float(parts.values[first, f]),
            value_below=None if second is None else float(values[second, f]),
            contribution_below=None if other is None else float(other[f]),
        )
        for f in np.argsort(-np.abs(difference), kind="stable")
    )
    return Explanation(
        ranker=ranker,
        query=str(query),
        above=_label(dataset, int(rows[first])),
        below=None if second is None else _label(dataset, int(rows[second])),
        score_above=scores[first],
        score_below=None if second is None else scores[second],
        base=parts.base,
        effects=effects,
    )


def _position(
    dataset: RankingDataset, rows: npt.NDArray[np.int64], query: str, document: str | int
) -> int:
    """Where in `rows` the document is, given by its id or its row in the dataset."""
    if isinstance(document, (int, np.integer)) and not isinstance(document, bool):
        found = np.flatnonzero(rows == document)
        what = f"row {document}"
    elif dataset.document is None or dataset.document_ids is None:
        raise DataError(
            f"document {document!r} in a dataset without document ids",
            expected="the number of a row",
            remedy="give RankingDataset the document ids: documents=...",
        )
    else:
        code = int(dataset.document_ids.codes([document])[0])
        found = np.flatnonzero(dataset.document[rows] == code) if code >= 0 else rows[:0]
        what = f"document {document!r}"
    if len(found) == 0:
        raise DataError(what, expected=f"one of the {len(rows)} documents of query {query!r}")
    return int(found[0])


def _label(dataset: RankingDataset, row: int) -> str:
    if dataset.document is None or dataset.document_ids is None:
        return f"row {row}"
    return dataset.document_ids[int(dataset.document[row])]


def _shown(value: float) -> str:
    return "missing" if math.isnan(value) else f"{value:.4g}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Lines with columns of equal width, the first to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return value
