"""What a feature is: a name, a formula, a range, and the function that computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from plackett.features.candidates import Candidates

__all__ = ["BoundFeature", "Compute", "Feature", "Kind", "Level"]

Compute = Callable[["Candidates", "str | None"], npt.NDArray[np.float64]]
Kind = Literal["index", "run", "column", "function", "vectors", "part", "stream", "constant"]
Level = Literal["document", "query"]

_MISSING = {
    "column": "NaN where the corpus has no value",
    "vectors": "NaN where the source has no such document",
    "part": "NaN where the part did not find the document",
}


@dataclass(frozen=True)
class Feature:
    """The definition of a feature.

    Parameters
    ----------
    name : its name, by which a set and a file refer to it.
    description : one line.
    formula : the formula, in the terms of the documentation's table of symbols.
    compute : `compute(candidates, field) -> float64[rows]`; `field` is None for the whole document.
    low, high : the range of its values; None where unbounded.
    kind : "index" (computed from the index), "run" (from the run alone), "column" (a column of the
        corpus), "function" (the user's), "vectors" (from an index of vectors or an encoder),
        "part" (from a part of a union's run), "stream" (from the index, by streams of fields), or
        "constant" (0, of what a public collection has and this one lacks).
    level : "query" where it is the same for all documents of a query; such a feature is never
        normalised inside a query.
    by_field : whether it can be computed on one field.
    needs : what it reads: "frequencies", "positions", "pairs" (counted in the collection), "spans"
        (a pass of their own), "feedback", "run", "corpus", "vectors".
    version : raised whenever its values change; a saved set of another version is refused.
    facts : names and values by which a saved feature of the other kinds is made again.
    """

    name: str
    description: str
    formula: str
    compute: Compute
    low: float | None = None
    high: float | None = None
    kind: Kind = "index"
    level: Level = "document"
    by_field: bool = False
    needs: tuple[str, ...] = ("frequencies",)
    version: int = 1
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class BoundFeature:
    """A feature on the whole document, or on one field: then it is named `field.name`."""

    definition: Feature
    field: str | None = None

    def __post_init__(self) -> None:
        if self.field is not None and not self.definition.by_field:
            raise ConfigurationError(
                f"feature {self.definition.name!r} cannot be computed on the field {self.field!r} "
                "alone; leave the field out."
            )

    @property
    def name(self) -> str:
        """The column's name."""
        return (
            self.definition.name if self.field is None else f"{self.field}.{self.definition.name}"
        )

    def schema(self) -> dict[str, Any]:
        """The definition as JSON values."""
        d = self.definition
        return {
            "name": self.name,
            "feature": d.name,
            "field": self.field,
            "kind": d.kind,
            "version": d.version,
            "description": d.description,
            "formula": d.formula,
            "range": [d.low, d.high],
            "dtype": "float32",
            "level": d.level,
            "needs": list(d.needs),
            "missing": _MISSING.get(d.kind, "never"),
            **dict(d.facts),
        }

    def values(self, candidates: Candidates) -> npt.NDArray[np.float32]:
        """The column, `float32[rows]`.

        Raises
        ------
        DataError : the function returned another number of values, or an infinite one.
        """
        found = np.asarray(self.definition.compute(candidates, self.field))
        if found.shape != (candidates.n_rows,) or found.dtype.kind not in "fiub":
            raise DataError(
                f"{found.dtype} of shape {found.shape} from feature {self.name!r}",
                expected=f"one number for each of the {candidates.n_rows} rows",
            )
        column: npt.NDArray[np.float32] = found.astype(np.float32)
        if np.isinf(column).any():
            row = int(np.argmax(np.isinf(column)))
            raise DataError(
                f"an infinite value of feature {self.name!r} in row {row}",
                expected="finite values, or NaN for a missing one",
            )
        return column
