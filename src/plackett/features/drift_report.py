"""What a comparison of features found: a row a feature, and a table of them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureDrift", "FeatureShift"]


@dataclass(frozen=True)
class FeatureShift:
    """How one feature changed.

    Attributes
    ----------
    feature : its name.
    psi : population stability index, the sum over bins of (q - p) ln(q / p), p and q the shares of
        rows before and after. The bins are quantiles of the values before; a value that fills a
        whole bin has one of its own, and so have missing values. Half a row is added to each bin.
    ks, p_value : the largest distance between the two distribution functions of the values that
        are not missing, and the chance of such a distance without drift.
    mean_before, mean_after, std_before, std_after : of the values that are not missing; NaN where
        there is none.
    shift : (mean_after - mean_before) / sqrt((std_before^2 + std_after^2) / 2).
    missing_before, missing_after : the share of rows without a value.
    constant_before, constant_after : the share of the queries with two rows or more whose rows all
        have one value, which then says nothing about their order.
    outside : the share of the values after that lie outside the range of before.
    reasons : why the feature is flagged, of "psi", "ks", "missing" and "constant"; none if it is
        not.
    """

    feature: str
    psi: float
    ks: float
    p_value: float
    mean_before: float
    mean_after: float
    std_before: float
    std_after: float
    shift: float
    missing_before: float
    missing_after: float
    constant_before: float
    constant_after: float
    outside: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class FeatureDrift:
    """What `feature_drift` found.

    Attributes
    ----------
    shifts : one a feature, the flagged ones first, then by `psi`, the largest first.
    rows, queries : how many each dataset has, before and after.
    added, removed : features that only the second, or only the first dataset has.
    """

    shifts: tuple[FeatureShift, ...]
    rows: tuple[int, int]
    queries: tuple[int, int]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the flagged features."""
        return tuple(shift.feature for shift in self.shifts if shift.reasons)

    @property
    def verdict(self) -> str:
        """The outcome in one sentence."""
        flagged = len(self.drifted)
        counts = f"{flagged} of {len(self.shifts)} features drifted" if flagged else "No drift"
        return (
            f"{counts}: {self.rows[0]:,} rows of {self.queries[0]:,} queries before, "
            f"{self.rows[1]:,} rows of {self.queries[1]:,} queries after."
        )

    def to_table(self) -> list[dict[str, Any]]:
        """One dictionary a feature, in the order of `shifts`."""
        return [asdict(shift) for shift in self.shifts]

    def to_frame(self) -> pd.DataFrame:
        """`to_table` as a pandas frame (extra: notebook)."""
        from plackett._optional import require

        pandas = require("pandas", extra="notebook", purpose="make a data frame")
        frame: pd.DataFrame = pandas.DataFrame(self.to_table())
        return frame

    def to_json(self) -> str:
        """Everything as JSON; None where there is no finite number."""
        content = asdict(self) | {"drifted": self.drifted, "verdict": self.verdict}
        content["shifts"] = [
            {key: _finite(value) for key, value in row.items()} for row in self.to_table()
        ]
        return json.dumps(content, ensure_ascii=False)

    def __str__(self) -> str:
        header = ("feature", "PSI", "KS", "p", "mean before", "after", "shift")
        rows = [(*header, "missing", "constant", "flags")]
        for one in self.shifts:
            numbers = (f"{one.psi:.3f}", f"{one.ks:.3f}", f"{one.p_value:.3g}")
            means = (f"{one.mean_before:.4g}", f"{one.mean_after:.4g}", f"{one.shift:+.2f}")
            shares = (
                f"{one.missing_before:.1%} -> {one.missing_after:.1%}",
                f"{one.constant_before:.1%} -> {one.constant_after:.1%}",
            )
            rows.append((one.feature, *numbers, *means, *shares, " ".join(one.reasons)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        last = len(widths) - 1
        lines = [
            "  ".join(
                cell.ljust(width) if place in (0, last) else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        for word, names in (("only after", self.added), ("only before", self.removed)):
            if names:
                lines.append(f"{word}: {', '.join(names)}")
        return "\n".join([*lines, self.verdict])


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
