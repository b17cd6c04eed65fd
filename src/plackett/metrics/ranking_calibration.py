"""Are predicted orders as sure as they claim? Ranking calibration of scores with a variance."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.metrics.calibration import ReliabilityCurve

__all__ = ["expected_ranking_calibration_error", "ranking_reliability_curve"]

Floats = npt.NDArray[np.float64]

_AT_ONCE = 2**20  # pairs that are held at the same time


def ranking_reliability_curve(
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    qid: npt.ArrayLike | None = None,
    bins: int = 10,
) -> ReliabilityCurve:
    """How sure the model is of the order of two documents, against how often it is right.

    With independent Gaussian scores, P(s_i > s_j) = Phi((m_i - m_j) / sqrt(v_i + v_j)). Each pair
    of different grades inside a query counts once, by the document that is likelier to score
    higher: its probability, from 0.5 to 1, is predicted, and whether it has the higher grade is
    observed. A pair that the model cannot tell apart counts as half right.

    Parameters
    ----------
    mean, variance, y : `float[n]`; means and variances of the scores, and grades.
    qid : `[n]`, the query of every row, in any order; by default all rows are one query.
    bins : how many intervals of equal width between 0.5 and 1; empty ones are left out.

    Raises
    ------
    DataError : unequal lengths, a value that is not finite, a variance below 0, or no pair of
        different grades.
    ConfigurationError : bins below 1.

    Cohen, Mitra, Lesota, Rekabsaz & Eickhoff, "Not all relevance scores are equal", SIGIR 2021,
    who leave the binning open.

    >>> curve = ranking_reliability_curve([1.0, 0.0], [0.5, 0.5], [1, 0])
    >>> curve.predicted.round(4), curve.observed, curve.count
    (array([0.8413]), array([1.]), array([1]))
    """
    if bins < 1:
        raise ConfigurationError(f"bins={bins} is below 1.")
    m, v, grade, query = _checked(mean, variance, y, qid)
    count, predicted, observed = np.zeros(bins), np.zeros(bins), np.zeros(bins)
    for probability, right in _pairs(m, v, grade, query):
        group = np.minimum(((probability - 0.5) * 2.0 * bins).astype(np.int64), bins - 1)
        count += np.bincount(group, minlength=bins)
        predicted += np.bincount(group, weights=probability, minlength=bins)
        observed += np.bincount(group, weights=right, minlength=bins)
    used = count > 0
    if not used.any():
        raise DataError("no two documents of different grades", expected="at least one such pair")
    counts = count[used]
    return ReliabilityCurve(
        predicted[used] / counts, observed[used] / counts, counts.astype(np.int64)
    )


def expected_ranking_calibration_error(
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    qid: npt.ArrayLike | None = None,
    bins: int = 10,
) -> float:
    """ERCE: the mean over bins, weighed by their pairs, of |share right - mean probability|.

    Parameters and errors as `ranking_reliability_curve`. 0 is perfect; a model without any variance
    is always sure, and its ERCE is its share of wrong pairs.

    >>> round(expected_ranking_calibration_error([1.0, 0.0], [0.5, 0.5], [1, 0]), 4)
    0.1587
    >>> expected_ranking_calibration_error([1.0, 0.0], [0.0, 0.0], [0, 1])
    1.0
    """
    return ranking_reliability_curve(mean, variance, y, qid=qid, bins=bins).error


def _checked(
    mean: npt.ArrayLike, variance: npt.ArrayLike, y: npt.ArrayLike, qid: npt.ArrayLike | None
) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]:
    m, v, grade = (np.asarray(values, dtype=np.float64) for values in (mean, variance, y))
    query = np.zeros(m.shape, dtype=np.int64)
    if qid is not None:
        query = np.unique(np.asarray(qid), return_inverse=True)[1].astype(np.int64)
    if m.ndim != 1 or not m.shape == v.shape == grade.shape == query.shape:
        raise DataError(
            f"means, variances, grades and queries of shapes {m.shape}, {v.shape}, {grade.shape}, "
            f"{query.shape}",
            expected="vectors of one length",
        )
    if not all(np.isfinite(values).all() for values in (m, v, grade)):
        raise DataError("a value that is not finite", expected="finite numbers")
    if (v < 0).any():
        raise DataError("a variance below 0", expected="variances")
    return m, v, grade, query


def _pairs(
    mean: Floats, variance: Floats, grade: Floats, query: npt.NDArray[np.int64]
) -> Iterator[tuple[Floats, Floats]]:
    """The probability of the likelier order of each pair and whether it is right, in blocks."""
    from scipy.special import ndtr

    order = np.argsort(query, kind="stable")
    bounds = np.flatnonzero(np.diff(query[order], prepend=-1, append=-1))
    for start, stop in pairwise(bounds.tolist()):
        rows = order[start:stop]
        step = max(1, _AT_ONCE // len(rows))
        for top in range(0, len(rows), step):
            block = rows[top : top + step]
            # Each pair once: as the pair of its higher and its lower grade.
            first, second = np.nonzero(grade[block, None] > grade[None, rows])
            first, second = block[first], rows[second]
            gap = mean[first] - mean[second]
            spread = np.sqrt(variance[first] + variance[second])
            sure = np.where(gap == 0, 0.0, np.inf)
            z = np.divide(np.abs(gap), spread, out=sure, where=spread > 0)
            yield ndtr(z), np.where(gap == 0, 0.5, (gap > 0).astype(np.float64))
