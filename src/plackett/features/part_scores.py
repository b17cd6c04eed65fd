"""What each retriever of a union said about a candidate: its score and its place in that list."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import positions_within
from plackett.data.run_lookup import rows_in
from plackett.errors import ConfigurationError, DataError
from plackett.features.base import Feature
from plackett.features.candidates import Candidates

__all__ = ["PART_VALUES", "part_feature", "part_features"]

Floats = npt.NDArray[np.float64]

PART_VALUES = ("score", "reciprocal_rank")


def part_features(names: Iterable[str]) -> list[Feature]:
    """The scores and reciprocal ranks of a union's parts: `{name}_score`, `{name}_reciprocal_rank`.

    A document that a part did not find has no score (NaN) and the reciprocal rank 0.

    Parameters
    ----------
    names : one a part, in the order of the union: `("bm25", "dense")` for `bm25 | dense`.

    Raises
    ------
    ConfigurationError : no names, or one string for a list.
    """
    wanted = () if isinstance(names, str) else tuple(names)
    if not wanted:
        raise ConfigurationError(f"names={names!r}; expected a list of names, one a part.")
    return [
        part_feature(name, value, part, len(wanted))
        for part, name in enumerate(wanted)
        for value in PART_VALUES
    ]


def part_feature(name: str, value: str, part: int, count: int) -> Feature:
    """What part `part`, from 0, of a union of `count` parts says: one of `PART_VALUES`."""
    ranked = value == "reciprocal_rank"
    said = "1 / rank" if ranked else "score"
    return Feature(
        f"{name}_{value}",
        f"{name}: {said} in part {part + 1} of {count} of the union",
        f"{said} in the part",
        _ReciprocalRank(name, part, count) if ranked else _Score(name, part, count),
        low=0.0 if ranked else None,
        high=1.0 if ranked else None,
        kind="part",
        needs=("run",),
        facts=(("source", name), ("value", value), ("part", str(part)), ("parts", str(count))),
    )


class _Part:
    """One part of the run of a union."""

    def __init__(self, name: str, part: int, count: int) -> None:
        self._name, self._part, self._count = name, part, count

    def _rows(self, candidates: Candidates) -> npt.NDArray[np.int64]:
        """The row of each candidate in the part, -1 where it lacks it."""
        parts = candidates.run.parts
        if len(parts) != self._count:
            raise DataError(
                f"run {candidates.run.name!r} of {len(parts)} parts",
                expected=f"{self._count} parts, part {self._part + 1} being {self._name!r}",
                remedy="extract from the run of a | b, or of a stage that keeps its parts",
            )
        rows: npt.NDArray[np.int64] = candidates.shared(
            ("part", self._part), lambda: rows_in(parts[self._part], candidates.run)
        )
        return rows


class _Score(_Part):
    def __call__(self, candidates: Candidates, field: str | None) -> Floats:
        rows = self._rows(candidates)
        scores = np.append(candidates.run.parts[self._part].score.astype(np.float64), np.nan)
        return scores[rows]


class _ReciprocalRank(_Part):
    def __call__(self, candidates: Candidates, field: str | None) -> Floats:
        rows = self._rows(candidates)
        places = positions_within(candidates.run.parts[self._part].offsets)
        values: Floats = np.append(1.0 / (places + 1.0), 0.0)[rows]
        return values
