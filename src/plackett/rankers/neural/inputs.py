"""From the columns of a dataset to what a network reads; learned once and saved with the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import segment_of_rows
from plackett.errors import ConfigurationError, DataError, UnknownNameError

__all__ = ["TRANSFORMS", "InputTransform", "Transform", "fit_inputs"]

Transform = Literal["standard", "log1p", "quantile", "query", "none"]
TRANSFORMS = ("standard", "log1p", "quantile", "query", "none")

QUANTILES = 129
ROWS_AT_ONCE = 1 << 16
ROWS_FOR_QUANTILES = 200_000
FARTHEST = 10.0  # standard deviations; an outlier beyond would drown its list

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InputTransform:
    """How columns become inputs: `[numbers | missing indicators | category codes]`.

    - "standard": `(x - mean) / deviation`, cut at 10 deviations;
    - "log1p": the same of `sign(x) log(1 + |x|)`, for counts and other long-tailed features;
    - "quantile": the share of training values below x, from -1 to 1;
    - "query": `(x - mean) / deviation` over the documents of the query; of features that are equal
      within a query ("query features") over the training data;
    - "none": x.

    A missing number becomes 0, which is the mean under "standard" and "log1p"; with indicators, an
    input of 1 says so. A constant feature becomes 0.

    Attributes
    ----------
    kind : one of the above.
    numbers, categories : the columns of either sort; `int64`.
    query_level : `bool[len(numbers)]`, which numbers belong to the query.
    indicators : positions in `numbers` that get an indicator.
    centre, width : `float64[len(numbers)]`.
    quantiles : `float64[129, len(numbers)]`, empty but for "quantile".
    values : of each categorical column its sorted values; the code of `values[j][i]` is i + 1, and
        0 stands for a value that training did not have, or a missing one.
    """

    kind: Transform
    numbers: npt.NDArray[np.int64]
    categories: npt.NDArray[np.int64]
    query_level: npt.NDArray[np.bool_]
    indicators: npt.NDArray[np.int64]
    centre: Floats
    width: Floats
    quantiles: Floats
    values: tuple[Floats, ...]

    @property
    def n_numeric(self) -> int:
        """How many inputs are numbers, indicators included."""
        return len(self.numbers) + len(self.indicators)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each categorical column has."""
        return tuple(len(values) + 1 for values in self.values)

    @property
    def n_inputs(self) -> int:
        """How many columns `apply` gives."""
        return self.n_numeric + len(self.categories)

    def apply(
        self, X: npt.NDArray[np.float32], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """The inputs of rows that are whole lists next to one another: `float32[rows, n_inputs]`.

        Parameters
        ----------
        X : `float32[rows, features]`.
        lengths : of the lists; they sum to the number of rows.
        """
        inputs = np.empty((len(X), self.n_inputs), dtype=np.float32)
        numbers = X[:, self.numbers].astype(np.float64)
        missing = np.isnan(numbers)
        scaled = self._scaled(numbers, lengths)
        scaled[missing] = 0.0
        stop = len(self.numbers)
        inputs[:, :stop] = scaled
        inputs[:, stop : self.n_numeric] = missing[:, self.indicators]
        for j, (column, values) in enumerate(zip(self.categories, self.values, strict=True)):
            inputs[:, self.n_numeric + j] = _codes(X[:, column].astype(np.float64), values)
        return inputs

    def _scaled(self, numbers: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
        if self.kind == "none":
            return np.array(numbers)
        if self.kind == "quantile":
            return self._quantiles_of(numbers)
        if self.kind == "log1p":
            numbers = np.sign(numbers) * np.log1p(np.abs(numbers))
        scaled = _divided(numbers - self.centre, self.width)
        if self.kind == "query":
            own = ~self.query_level
            scaled[:, own] = _within_lists(numbers[:, own], lengths)
        clipped: Floats = np.clip(scaled, -FARTHEST, FARTHEST)
        return clipped

    def _quantiles_of(self, numbers: Floats) -> Floats:
        levels = np.linspace(-1.0, 1.0, QUANTILES)
        scaled = np.zeros_like(numbers)
        for f in range(numbers.shape[1]):
            marks = self.quantiles[:, f]
            # The middle of the two ends, so that a value that training repeats has one image.
            low = np.interp(numbers[:, f], marks, levels)
            high = -np.interp(-numbers[:, f], -marks[::-1], levels)
            if marks[0] < marks[-1]:
                scaled[:, f] = (low + high) / 2
        return scaled

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Its arrays by name, for saving; `kind` is saved beside them."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "numbers": self.numbers,
            "categories": self.categories,
            "query_level": self.query_level,
            "indicators": self.indicators,
            "centre": self.centre,
            "width": self.width,
            "quantiles": self.quantiles,
        }
        return arrays | {f"values.{j}": values for j, values in enumerate(self.values)}

    @classmethod
    def from_state(cls, kind: Transform, state: Mapping[str, npt.NDArray[Any]]) -> InputTransform:
        """The transform whose `state` this was."""
        plain = {name: array for name, array in state.items() if not name.startswith("values.")}
        values = tuple(state[f"values.{j}"] for j in range(len(plain["categories"])))
        return cls(kind=kind, values=values, **plain)


def fit_inputs(
    X: npt.NDArray[np.float32],
    feature_names: Sequence[str],
    *,
    kind: Transform,
    categorical: Sequence[str] = (),
    query_features: Sequence[str] = (),
    missing_indicators: bool = False,
) -> InputTransform:
    """Learn the transform from training rows, which are read in pieces and never copied whole.

    Raises
    ------
    UnknownNameError : no feature, or no kind, has the name.
    ConfigurationError : a feature is both categorical and a query's number.
    """
    if kind not in TRANSFORMS:
        raise UnknownNameError("transform", kind, TRANSFORMS)
    position = {name: f for f, name in enumerate(feature_names)}
    for name in (*categorical, *query_features):
        if name not in position:
            raise UnknownNameError("feature", name, position)
    both = set(categorical) & set(query_features)
    if both:
        raise ConfigurationError(f"{sorted(both)} are both categorical and query features.")
    categories = np.array(sorted(position[name] for name in categorical), dtype=np.int64)
    numbers = np.setdiff1d(np.arange(len(feature_names)), categories)
    owned = {position[name] for name in query_features}
    centre, width, absent = _moments(X, numbers, logarithmic=kind == "log1p")
    return InputTransform(
        kind=kind,
        numbers=numbers,
        categories=categories,
        query_level=np.array([int(f) in owned for f in numbers], dtype=np.bool_),
        indicators=np.flatnonzero(absent) if missing_indicators else np.zeros(0, dtype=np.int64),
        centre=centre,
        width=width,
        quantiles=_quantiles(X, numbers) if kind == "quantile" else np.zeros((0, len(numbers))),
        values=tuple(_distinct(X[:, f]) for f in categories),
    )


def _moments(
    X: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64], *, logarithmic: bool
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Mean and deviation of each column without its missing values, and which columns have some.

    Two passes over pieces: the deviation is taken about the mean, as one pass could not do exactly.
    """

    def pieces() -> Any:
        for start in range(0, len(X), ROWS_AT_ONCE):
            piece = X[start : start + ROWS_AT_ONCE][:, numbers].astype(np.float64)
            yield np.sign(piece) * np.log1p(np.abs(piece)) if logarithmic else piece

    count, total = np.zeros(len(numbers)), np.zeros(len(numbers))
    for piece in pieces():
        count += (~np.isnan(piece)).sum(axis=0)
        total += np.nansum(piece, axis=0)
    centre = total / np.maximum(count, 1)
    squares = np.zeros(len(numbers))
    for piece in pieces():
        squares += np.nansum((piece - centre) ** 2, axis=0)
    width = np.sqrt(squares / np.maximum(count, 1))
    # What is left of a constant column is rounding.
    width[width <= 1e-7 * np.abs(centre)] = 0.0
    return centre, width, count < len(X)


def _quantiles(X: npt.NDArray[np.float32], numbers: npt.NDArray[np.int64]) -> Floats:
    step = max(1, len(X) // ROWS_FOR_QUANTILES)
    marks = np.zeros((QUANTILES, len(numbers)))
    for j, f in enumerate(numbers):
        column = X[::step, f].astype(np.float64)
        column = column[~np.isnan(column)]
        if len(column):
            marks[:, j] = np.quantile(column, np.linspace(0.0, 1.0, QUANTILES))
    return marks


def _distinct(column: npt.NDArray[np.float32]) -> Floats:
    values = np.unique(column[~np.isnan(column)]).astype(np.float64)
    if len(values) > 1 << 20:
        raise DataError(
            f"{len(values)} distinct values in a categorical feature",
            expected="at most a million",
            remedy="leave it out of `categorical`",
        )
    return values


def _codes(column: Floats, values: Floats) -> npt.NDArray[np.float32]:
    if not len(values):
        return np.zeros(len(column), dtype=np.float32)
    found = np.minimum(np.searchsorted(values, column), len(values) - 1)
    return np.where(values[found] == column, found + 1, 0).astype(np.float32)


def _divided(values: Floats, widths: Floats) -> Floats:
    widths = np.broadcast_to(widths, values.shape)
    return np.divide(values, widths, out=np.zeros_like(values), where=widths > 0)


def _within_lists(numbers: Floats, lengths: npt.NDArray[np.int64]) -> Floats:
    """Standard scores within each list; where a list has one value, 0."""
    segment = segment_of_rows(np.concatenate(([0], np.cumsum(lengths))))
    known = ~np.isnan(numbers)
    count = np.zeros((len(lengths), numbers.shape[1]))
    total, squares = count.copy(), count.copy()
    np.add.at(count, segment, known)
    np.add.at(total, segment, np.where(known, numbers, 0.0))
    centred = np.where(known, numbers - (total / np.maximum(count, 1))[segment], 0.0)
    np.add.at(squares, segment, centred**2)
    width = np.sqrt(squares / np.maximum(count, 1))
    largest = np.zeros_like(width)
    np.maximum.at(largest, segment, np.where(known, np.abs(numbers), 0.0))
    width[width <= 1e-7 * largest] = 0.0
    return _divided(centred, width[segment])
