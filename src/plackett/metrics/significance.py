"""Is the difference between two systems more than chance? Paired tests.

All tests are two-sided and read the per-query values of two systems over the same queries, in the
same order. Differences smaller than 1e-12 count as zero: measures are sums of a few floats, and two
equal rankings must not differ by a rounding error.

`get_test` finds a test by its exact name. When several pairs are tested, the p-values still need a
correction (`corrections`), or a test of all systems at once (`tukey`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError, UnknownNameError

__all__ = [
    "PAIRED_TESTS",
    "PairedTest",
    "TestResult",
    "get_test",
    "paired_differences",
    "paired_test",
    "randomisation_test",
    "t_test",
    "wilcoxon_test",
]

Values = npt.NDArray[np.float64]

ROUNDING = 1e-12
"""Differences below this are rounding errors."""

EXACT_WILCOXON = 100
"""Up to so many non-zero differences the distribution of the rank sum is enumerated."""


@dataclass(frozen=True)
class TestResult:
    """What a paired test found: its statistic and its two-sided p-value."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    statistic: float
    p_value: float


class Procedure(Protocol):
    """`float64[q]` of two systems, the same queries in the same order, in; a result out.

    Tests that do not sample ignore `permutations` and `seed`.
    """

    def __call__(
        self,
        first: npt.ArrayLike,
        second: npt.ArrayLike,
        *,
        permutations: int = 100_000,
        seed: int = 0,
    ) -> TestResult: ...


@dataclass(frozen=True)
class PairedTest:
    """A registered test: the name that finds it, how a report calls it, the function."""

    name: str
    label: str
    function: Procedure


PAIRED_TESTS: dict[str, PairedTest] = {}
"""All paired tests by name, filled by `paired_test` where they are defined."""


def paired_test(name: str, label: str) -> Callable[[Procedure], Procedure]:
    """Register the decorated function as the paired test `name`, called `label` in reports."""

    def register(function: Procedure) -> Procedure:
        PAIRED_TESTS[name] = PairedTest(name, label, function)
        return function

    return register


def get_test(name: str) -> PairedTest:
    """The paired test of this exact name; an unknown name lists the known ones.

    >>> get_test("t").label
    'paired t'
    """
    if name not in PAIRED_TESTS:
        raise UnknownNameError("significance test", name, PAIRED_TESTS)
    return PAIRED_TESTS[name]


def paired_differences(first: npt.ArrayLike, second: npt.ArrayLike) -> Values:
    """`first - second` for every query, `float64[q]`; rounding errors become zero.

    Raises
    ------
    DataError : other shapes than two equal vectors, no query, a value that is not finite.

    >>> paired_differences([0.1 + 0.2, 1.0], [0.3, 0.5])
    array([0. , 0.5])
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise DataError(
            f"values of shapes {one.shape} and {other.shape}",
            expected="two vectors over the same queries",
        )
    if not len(one):
        raise DataError("no query", expected="values of at least one query")
    differences = one - other
    if not np.isfinite(differences).all():
        raise DataError(
            "a per-query value that is not finite",
            expected="finite values",
            remedy="leave out the queries for which the measure is undefined",
        )
    return np.where(np.abs(differences) < ROUNDING, 0.0, differences)


@paired_test("t", "paired t")
def t_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    permutations: int = 100_000,
    seed: int = 0,
) -> TestResult:
    """Student's paired t test: `t = mean(d) sqrt(q) / sd(d)` with q - 1 degrees of freedom.

    All differences zero, or one query only: p = 1. Equal differences other than zero: p = 0.

    Paper: Student, "The probable error of a mean", Biometrika 1908; for retrieval, Smucker, Allan
    and Carterette, "A comparison of statistical significance tests", CIKM 2007.

    >>> round(t_test([0.5, 0.7, 0.9], [0.4, 0.5, 0.6]).p_value, 4)
    0.0742
    """
    from scipy import special

    differences = paired_differences(first, second)
    mean, n = float(differences.mean()), len(differences)
    if not differences.any():
        return TestResult(0.0, 1.0)
    if n == 1:
        return TestResult(math.copysign(0.0, mean), 1.0)
    error = float(differences.std(ddof=1)) / math.sqrt(n)
    if error < ROUNDING * abs(mean):
        return TestResult(math.copysign(math.inf, mean), 0.0)
    statistic = mean / error
    return TestResult(statistic, float(2 * special.stdtr(n - 1, -abs(statistic))))


@paired_test("wilcoxon", "Wilcoxon signed-rank")
def wilcoxon_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    permutations: int = 100_000,
    seed: int = 0,
) -> TestResult:
    """Wilcoxon's signed-rank test; queries without a difference are left out.

    The statistic is the smaller of the sums of the ranks of positive and of negative differences;
    equal magnitudes share their mean rank. Up to 100 differences the p-value is exact, ties
    included (the distribution over all sign patterns, by dynamic programming over doubled ranks);
    beyond, the normal approximation with the variance corrected for ties.

    Paper: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1945.

    >>> wilcoxon_test([3.0, 4.0, 5.0, 9.0], [1.0, 1.0, 1.0, 1.0])
    TestResult(statistic=0.0, p_value=0.125)
    """
    from scipy import special, stats

    differences = paired_differences(first, second)
    differences = differences[differences != 0]
    n = len(differences)
    if not n:
        return TestResult(0.0, 1.0)
    # Magnitudes that differ by a rounding error only are tied.
    ranks = stats.rankdata(np.round(np.abs(differences) / ROUNDING))
    positive = float(ranks[differences > 0].sum())
    statistic = min(positive, float(ranks.sum()) - positive)
    if n <= EXACT_WILCOXON:
        doubled = np.round(2 * ranks).astype(np.int64)
        probability = np.zeros(int(doubled.sum()) + 1)
        probability[0] = 1.0
        for rank in doubled:
            shifted = np.zeros_like(probability)
            shifted[rank:] = probability[:-rank]
            probability = (probability + shifted) / 2
        tail = float(probability[: round(2 * statistic) + 1].sum())
        return TestResult(statistic, min(1.0, 2 * tail))
    z = (statistic - ranks.sum() / 2) / math.sqrt(float((ranks**2).sum()) / 4)
    return TestResult(statistic, min(1.0, float(2 * special.ndtr(z))))


def _random_bytes(groups: int, permutations: int, seed: int) -> Iterator[npt.NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    for _ in range(groups):
        yield generator.integers(0, 256, permutations, dtype=np.uint8)


def _all_bytes(groups: int, n: int) -> Iterator[npt.NDArray[np.uint8]]:
    patterns = np.arange(2**n, dtype=np.int64)
    for group in range(groups):
        yield (patterns >> (8 * group)).astype(np.uint8)


def _flipped_sums(magnitudes: Values, patterns: Iterator[npt.NDArray[np.uint8]]) -> Values:
    """The sum of the differences under each pattern of signs.

    A byte holds the signs of eight queries; one table of 256 sums for each eight replaces the
    matrix product with a look-up, so that no sign is ever unpacked and memory is two vectors.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    signs = 2.0 * bits - 1.0  # [256, 8]
    sums: Values | None = None
    for group, pattern in enumerate(patterns):
        eight = np.zeros(8)
        block = magnitudes[8 * group : 8 * group + 8]
        eight[: len(block)] = block
        part: Values = (signs @ eight)[pattern]
        sums = part if sums is None else np.add(sums, part, out=sums)
    return np.zeros(1) if sums is None else sums


@paired_test("randomisation", "randomisation")
def randomisation_test(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    *,
    permutations: int = 100_000,
    seed: int = 0,
) -> TestResult:
    """Fisher's randomisation test: were the two systems' labels exchangeable on every query?

    The statistic is the mean difference; the p-value is the share of sign patterns of the
    differences whose mean is as extreme. With n non-zero differences and `2^n <= permutations` all
    patterns are counted; otherwise m = `permutations` are drawn and `p = (b + 1) / (m + 1)`, b as
    extreme ones, which never understates p. The order of queries and of systems changes nothing.

    Paper: Smucker, Allan and Carterette, "A comparison of statistical significance tests for
    information retrieval evaluation", CIKM 2007.

    >>> randomisation_test([3.0, 4.0, 5.0, 9.0], [1.0, 1.0, 1.0, 1.0])
    TestResult(statistic=4.25, p_value=0.125)
    """
    if permutations < 1:
        raise ConfigurationError(f"permutations is {permutations}; it must be at least 1.")
    differences = paired_differences(first, second)
    # A zero is the same under both signs. Sorting makes the draw independent of the query order.
    magnitudes = np.sort(np.abs(differences[differences != 0]))
    n = len(magnitudes)
    if not n:
        return TestResult(0.0, 1.0)
    groups = (n + 7) // 8
    exact = n < 63 and 2**n <= permutations
    patterns = _all_bytes(groups, n) if exact else _random_bytes(groups, permutations, seed)
    observed = abs(float(differences.sum())) - ROUNDING * float(magnitudes.sum())
    extreme = int(np.count_nonzero(np.abs(_flipped_sums(magnitudes, patterns)) >= observed))
    p_value = extreme / 2**n if exact else (extreme + 1) / (permutations + 1)
    return TestResult(float(differences.mean()), p_value)
