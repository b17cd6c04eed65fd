"""Whether features mean the same as when a ranker was trained: one dataset against another."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.data.ragged import segment_of_rows
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features.drift_report import FeatureDrift, FeatureShift

__all__ = ["Unit", "feature_drift"]

Floats = npt.NDArray[np.float64]
Unit = Literal["query", "row"]

PSI_LIMIT, KS_LIMIT, LEVEL, SHARE_LIMIT = 0.2, 0.1, 0.01, 0.05


def feature_drift(
    before: RankingDataset,
    after: RankingDataset,
    *,
    names: Iterable[str] | None = None,
    bins: int = 10,
    psi: float = PSI_LIMIT,
    ks: float = KS_LIMIT,
    level: float = LEVEL,
    share: float = SHARE_LIMIT,
    unit: Unit = "query",
) -> FeatureDrift:
    """Compare the distribution of every feature in two datasets.

    A ranker is right only while its features mean what they meant in training. Compare what it was
    trained on with what it ranks today: the extracts of two runs, of two versions of an index, or
    of last month's queries and this month's.

    Parameters
    ----------
    before, after : the datasets; features are matched by name, their order does not matter.
    names : compare only these features.
    bins : of equal numbers of rows before, for the population stability index.
    psi : flag a feature of this stability index or more. By custom 0.1 is small, 0.25 large.
        Without any drift it is about (bins - 1) (1 / rows before + 1 / rows after).
    ks, level : flag a feature whose Kolmogorov-Smirnov statistic is `ks` or more with a p-value
        below `level` divided by the number of features (Bonferroni).
    share : flag a feature whose share of missing rows, or of constant queries, rose by more.
    unit : what the p-value takes for independent: "query", as rows of one query are alike, or
        "row", which calls small differences significant.

    Returns
    -------
    FeatureDrift : printed, it is a table.

    Raises
    ------
    DataError : a dataset has no rows, or they share no feature.
    UnknownNameError : a name that either dataset lacks.
    ConfigurationError : a limit outside its range.

    >>> import numpy as np
    >>> X, query, names = np.arange(200.0).reshape(100, 2), np.arange(100) // 5, ["bm25", "price"]
    >>> before = RankingDataset(X, np.zeros(100), qid=query, feature_names=names)
    >>> after = RankingDataset(X * [1, 2], np.zeros(100), qid=query, feature_names=names)
    >>> report = feature_drift(before, after)
    >>> report.drifted, report.shifts[0].ks
    (('price',), 0.5)
    """
    if bins < 2 or unit not in ("query", "row"):
        raise ConfigurationError(
            f"bins={bins}, unit={unit!r}; expected 2 bins or more, and 'query' or 'row'."
        )
    for limit, value in (("psi", psi), ("ks", ks), ("level", level), ("share", share)):
        if not value >= 0:
            raise ConfigurationError(f"{limit}={value}; expected 0 or more.")
    for data, word in ((before, "first"), (after, "second")):
        if len(data.y) == 0:
            raise DataError(f"no rows in the {word} dataset", expected="rows to compare")
    shared = _shared_names(before.feature_names, after.feature_names, names)
    sides = _Side(before, unit), _Side(after, unit)
    significant = level / len(shared)
    shifts = []
    for name in shared:
        found = _compare(name, sides[0].column(name), sides[1].column(name), bins)
        reasons = {
            "psi": found.psi >= psi,
            "ks": found.ks >= ks and found.p_value < significant,
            "missing": found.missing_after - found.missing_before > share,
            "constant": found.constant_after - found.constant_before > share,
        }
        flagged = tuple(reason for reason, holds in reasons.items() if holds)
        shifts.append(FeatureShift(**{**asdict(found), "reasons": flagged}))
    shifts.sort(key=lambda one: (not one.reasons, -one.psi))
    return FeatureDrift(
        tuple(shifts),
        (len(before.y), len(after.y)),
        (len(before.query_ids), len(after.query_ids)),
        _without(after.feature_names, before.feature_names) if names is None else (),
        _without(before.feature_names, after.feature_names) if names is None else (),
    )


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    known = set(others)
    return tuple(name for name in names if name not in known)


def _shared_names(
    before: Sequence[str], after: Sequence[str], names: Iterable[str] | None
) -> list[str]:
    known = set(after)
    shared = [name for name in before if name in known]
    if names is not None:
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if name not in shared:
                raise UnknownNameError("feature of both datasets", name, shared)
        shared = wanted
    if not shared:
        raise DataError(
            "two datasets without a common feature",
            expected="features of the same names",
            remedy="extract both with the same feature set, or pass feature_names=",
        )
    return shared


@dataclass(frozen=True)
class _Column:
    """A feature of one dataset: values in ascending order, and shares of what lacks or is equal."""

    known: Floats
    rows: int
    missing: float
    constant: float
    independent: int


class _Side:
    """One of the two datasets."""

    def __init__(self, data: RankingDataset, unit: Unit) -> None:
        self._data, self._unit = data, unit
        self._places = {name: place for place, name in enumerate(data.feature_names)}
        self._query = segment_of_rows(data.offsets)
        self._several = np.flatnonzero(np.diff(data.offsets) >= 2)

    def column(self, name: str) -> _Column:
        values = self._data.X[:, self._places[name]].astype(np.float64)
        if self._data.order is not None:
            values = values[self._data.order]
        known = ~np.isnan(values)
        independent = self._query[known] if self._unit == "query" else np.flatnonzero(known)
        return _Column(
            np.sort(values[known]),
            len(values),
            1.0 - float(known.mean()),
            self._constant(values, known),
            len(np.unique(independent)),
        )

    def _constant(self, values: Floats, known: npt.NDArray[np.bool_]) -> float:
        """The share of the queries of several rows whose rows agree, missing ones included."""
        if len(self._several) == 0:
            return 0.0
        same = (values[1:] == values[:-1]) | (~known[1:] & ~known[:-1])
        inside = self._query[1:] == self._query[:-1]
        differs = np.bincount(
            self._query[1:][inside & ~same], minlength=len(self._data.offsets) - 1
        )
        return float((differs[self._several] == 0).mean())


def _compare(name: str, before: _Column, after: _Column, bins: int) -> FeatureShift:
    ks, p_value = _kolmogorov_smirnov(before, after)
    means, deviations = [], []
    for side in (before, after):
        means.append(float(side.known.mean()) if len(side.known) else math.nan)
        deviations.append(float(side.known.std()) if len(side.known) else math.nan)
    outside = 0.0
    if len(before.known) and len(after.known):
        low, high = before.known[0], before.known[-1]
        outside = float(((after.known < low) | (after.known > high)).mean())
    return FeatureShift(
        name,
        _stability(before, after, bins),
        ks,
        p_value,
        means[0],
        means[1],
        deviations[0],
        deviations[1],
        _standardised(means[1] - means[0], deviations),
        before.missing,
        after.missing,
        before.constant,
        after.constant,
        outside,
        (),
    )


def _standardised(difference: float, deviations: Sequence[float]) -> float:
    scale = math.sqrt((deviations[0] ** 2 + deviations[1] ** 2) / 2.0)
    if scale == 0.0 and difference != 0.0:
        return math.copysign(math.inf, difference)
    return difference / scale if scale else 0.0


def _kolmogorov_smirnov(before: _Column, after: _Column) -> tuple[float, float]:
    """The statistic over all values, and its p-value for as many independent ones as there are."""
    from scipy.stats import kstwo

    if len(before.known) == 0 or len(after.known) == 0:
        return (0.0, 1.0) if len(before.known) == len(after.known) else (1.0, 0.0)
    places = np.concatenate([before.known, after.known])
    ours = np.searchsorted(before.known, places, side="right") / len(before.known)
    theirs = np.searchsorted(after.known, places, side="right") / len(after.known)
    distance = float(np.abs(ours - theirs).max())
    n, m = before.independent, after.independent
    return distance, float(np.clip(kstwo.sf(distance, max(round(n * m / (n + m)), 1)), 0.0, 1.0))


def _stability(before: _Column, after: _Column, bins: int) -> float:
    """The population stability index over quantiles of `before`; see `FeatureShift`."""
    edges = np.zeros(0)
    if len(before.known):
        quantiles = np.quantile(before.known, np.arange(1, bins) / bins, method="lower")
        distinct, count = np.unique(quantiles, return_counts=True)
        # A value that two quantiles share fills a bin: it gets an edge on each side.
        ends = before.known[[0, -1]]
        heavy = distinct[(count > 1) | np.isin(distinct, ends)]
        edges = np.unique(np.concatenate([distinct, np.nextafter(heavy, -np.inf)]))
    shares = []
    for side in (before, after):
        counts = np.bincount(np.searchsorted(edges, side.known), minlength=len(edges) + 1)
        counted = np.append(counts, side.rows - len(side.known)) + 0.5
        shares.append(counted / counted.sum())
    p, q = shares
    return float(((q - p) * np.log(q / p)).sum())
