"""Features that are not in the registry: columns of the corpus and the user's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.errors import DataError
from plackett.features.base import Feature
from plackett.features.candidates import Candidates

__all__ = ["Part", "column_feature", "constant_feature", "function_feature"]

Floats = npt.NDArray[np.float64]

Part = Literal["value", "slashes", "characters"]
"""What of a column is the feature: its number, or how many slashes or characters its text has."""


def column_feature(
    name: str, description: str = "", *, column: str | None = None, part: Part = "value"
) -> Feature:
    """A column of the run's corpus as a feature; NaN where a document has no value.

    Parameters
    ----------
    name, description : of the feature.
    column : of the corpus; by default it is called as the feature.
    part : "value" of numbers or booleans; "slashes" or "characters" of a text such as a url.
    """
    source = name if column is None else column

    def compute(candidates: Candidates, field: str | None) -> Floats:
        corpus = candidates.run.corpus
        if corpus is None:
            raise DataError(
                f"a run without its corpus, for the column {source!r}",
                expected="the corpus that has the column",
                remedy="run.replace(corpus=...)",
            )
        values = corpus.column(source)
        measure = _measure_of(source, values.type, part)
        codes = candidates.run.document_ids.map_to(corpus.ids)[candidates.run.document]
        found = np.full(len(codes), np.nan)
        known = codes >= 0
        numbers = measure(values.take(pa.array(codes[known])).combine_chunks())
        found[known] = pc.fill_null(numbers.cast(pa.float64()), np.nan).to_numpy(
            zero_copy_only=False
        )
        return found

    facts = (("column", source), ("part", part))
    return Feature(
        name,
        description or f"column {source} of the corpus",
        source if part == "value" else f"{part} of {source}",
        compute,
        kind="column",
        needs=("corpus",),
        facts=() if source == name and part == "value" else facts,
    )


def _measure_of(column: str, kind: pa.DataType, part: Part) -> Callable[[pa.Array], pa.Array]:
    """What makes numbers of a column of some type."""
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if part == "value":
        if not number:
            raise DataError(f"column {column!r} of type {kind}", expected="numbers or booleans")
        return lambda values: values
    if not text:
        raise DataError(f"column {column!r} of type {kind}", expected="texts")
    if part == "slashes":
        return lambda values: pc.count_substring(values, "/")
    return lambda values: pc.utf8_length(values)


def constant_feature(name: str, description: str) -> Feature:
    """0 for every row: what a public collection has and this one lacks."""

    def compute(candidates: Candidates, field: str | None) -> Floats:
        return np.zeros(candidates.n_rows)

    return Feature(name, description, "0", compute, low=0.0, high=0.0, kind="constant", needs=())


def function_feature(name: str, function: Callable[[Candidates], Any], description: str) -> Feature:
    """A user's function `candidates -> [rows]` numbers as a feature."""

    def compute(candidates: Candidates, field: str | None) -> Floats:
        values: Floats = np.asarray(function(candidates))
        return values

    return Feature(
        name, description, getattr(function, "__qualname__", "function"), compute, kind="function"
    )
