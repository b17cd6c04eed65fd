"""All pairs of several systems at once: Tukey's honestly significant differences."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.metrics.significance import ROUNDING

__all__ = ["randomised_tukey_hsd", "tukey_hsd"]

Values = npt.NDArray[np.float64]


def _table(values: npt.ArrayLike) -> Values:
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or not table.shape[1]:
        raise DataError(
            f"values of shape {table.shape}", expected="[systems, queries] of two systems or more"
        )
    if not np.isfinite(table).all():
        raise DataError("a per-query value that is not finite", expected="finite values")
    return table


def _distances(table: Values) -> Values:
    """`|mean_i - mean_j|`, `float64[s, s]`; rounding errors become zero."""
    means = table.mean(axis=1)
    distances = np.abs(means[:, None] - means[None, :])
    return np.where(distances < ROUNDING, 0.0, distances)


def tukey_hsd(values: npt.ArrayLike) -> Values:
    """Tukey's HSD over a two-way layout without interaction, as is usual in retrieval.

    `values` is `float64[s, q]`. With the system and the query effect taken out, the residual mean
    square is `MSE = sum e^2 / ((s - 1)(q - 1))`; the p-value of a pair is the upper tail of the
    studentised range of s means with (s - 1)(q - 1) degrees of freedom at
    `|mean_i - mean_j| / sqrt(MSE / q)`. With two systems it is the paired t test.

    Returns
    -------
    `float64[s, s]`, symmetric with ones on the diagonal; the chance of any false claim among all
    pairs is controlled, so no further correction is due.

    Paper: Carterette, "Multiple testing in statistical analysis of systems-based information
    retrieval experiments", ACM TOIS 2012.

    >>> tukey_hsd([[0.5, 0.7, 0.9], [0.4, 0.5, 0.6]]).round(4)
    array([[1.    , 0.0742],
           [0.0742, 1.    ]])
    """
    from scipy import stats

    table = _table(values)
    systems, queries = table.shape
    distances = _distances(table)
    p_values = np.ones((systems, systems))
    if queries == 1 or not distances.any():
        return p_values
    residuals = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    freedom = (systems - 1) * (queries - 1)
    error = math.sqrt(float((residuals**2).sum()) / freedom / queries)
    for i in range(systems):
        for j in range(i):
            if distances[i, j] == 0:
                continue
            p_value = 0.0
            if error >= ROUNDING * distances[i, j]:
                tail = stats.studentized_range.sf(distances[i, j] / error, systems, freedom)
                p_value = min(1.0, max(0.0, float(tail)))
            p_values[i, j] = p_values[j, i] = p_value
    return p_values


def randomised_tukey_hsd(
    values: npt.ArrayLike, *, permutations: int = 100_000, seed: int = 0
) -> Values:
    """Tukey's HSD by randomisation: no assumption on how the values are distributed.

    Under the hypothesis that all systems are equal their labels are exchangeable on every query. In
    each of m = `permutations` draws the systems' values are shuffled within every query and the
    range of the means is noted; the p-value of a pair is `(b + 1) / (m + 1)`, b the draws whose
    range reaches `|mean_i - mean_j|`. `values` is `float64[s, q]`; returns `float64[s, s]`.

    Paper: Carterette, "Multiple testing in statistical analysis of systems-based information
    retrieval experiments", ACM TOIS 2012.

    >>> p = randomised_tukey_hsd([[3, 4, 5, 9, 7, 8], [1, 1, 1, 1, 1, 1]], permutations=1000)
    >>> bool(0.01 < p[0, 1] < 0.06)
    True
    """
    if permutations < 1:
        raise ConfigurationError(f"permutations is {permutations}; it must be at least 1.")
    table = _table(values)
    systems, queries = table.shape
    # Sorted values and queries: the draw depends on neither the systems' nor the queries' order.
    columns = np.sort(table, axis=0).T
    columns = columns[np.lexsort(columns.T)]
    columns = columns[columns[:, 0] < columns[:, -1]]
    generator = np.random.default_rng(seed)
    sums = np.zeros((permutations, systems))
    for column in columns:
        sums += generator.permuted(np.broadcast_to(column, sums.shape), axis=1)
    ranges = (sums.max(axis=1) - sums.min(axis=1)) / queries
    scale = max(1.0, float(np.abs(table).max()))
    ranges = np.sort(ranges) + ROUNDING * scale
    distances = _distances(table)
    extreme = permutations - np.searchsorted(ranges, distances, side="left")
    p_values: Values = (extreme + 1) / (permutations + 1)
    return p_values
