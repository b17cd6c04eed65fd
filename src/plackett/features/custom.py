"""Features that are not in the registry: columns of the corpus and the user's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from plackett.errors import DataError
from plackett.features.base import Feature
from plackett.features.candidates import Candidates

__all__ = ["column_feature", "function_feature"]


def column_feature(name: str, description: str = "") -> Feature:
    """A numeric column of the run's corpus as a feature; NaN where a document has no value."""

    def column(candidates: Candidates, field: str | None) -> npt.NDArray[np.float64]:
        corpus = candidates.run.corpus
        if corpus is None:
            raise DataError(
                f"a run without its corpus, for the column {name!r}",
                expected="the corpus that has the column",
                remedy="run.replace(corpus=...)",
            )
        values = corpus.column(name).combine_chunks()
        kind = values.type
        if not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        ):
            raise DataError(f"column {name!r} of type {kind}", expected="numbers or booleans")
        numbers = pc.fill_null(values.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
        codes = candidates.run.document_ids.map_to(corpus.ids)[candidates.run.document]
        found = np.full(len(codes), np.nan)
        found[codes >= 0] = numbers[codes[codes >= 0]]
        return found

    return Feature(
        name,
        description or f"column {name} of the corpus",
        name,
        column,
        kind="column",
        needs=("corpus",),
    )


def function_feature(name: str, function: Callable[[Candidates], Any], description: str) -> Feature:
    """A user's function `candidates -> [rows]` numbers as a feature."""

    def compute(candidates: Candidates, field: str | None) -> npt.NDArray[np.float64]:
        values: npt.NDArray[np.float64] = np.asarray(function(candidates))
        return values

    return Feature(
        name, description, getattr(function, "__qualname__", "function"), compute, kind="function"
    )
