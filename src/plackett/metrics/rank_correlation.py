"""How alike are two rankings? Kendall's tau, tau-AP and rank-biased overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError

__all__ = ["kendall_tau", "rank_biased_overlap", "run_overlap", "tau_ap"]


def _paired(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], ...]:
    one, two = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if one.ndim != 1 or one.shape != two.shape:
        raise DataError(
            f"scores of shapes {one.shape} and {two.shape}", expected="two lists of equal length"
        )
    if len(one) < 2:
        raise DataError(f"{len(one)} items", expected="at least two to order")
    if not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise DataError("a score that is not finite", expected="finite scores")
    return one, two


def kendall_tau(first: npt.ArrayLike, second: npt.ArrayLike, *, variant: str = "b") -> float:
    """Kendall's tau between two scorings of the same items, `float[n]` each.

    Variant "a" is (concordant - discordant) / (n (n - 1) / 2); "b" corrects the denominator for
    ties, and is 0 where one side is all ties.

    Raises
    ------
    DataError : unequal lengths, fewer than two items, a score that is not finite.

    >>> round(kendall_tau([3, 2, 1], [3, 1, 2]), 4)
    0.3333
    """
    one, two = _paired(first, second)
    if variant not in ("a", "b"):
        raise ConfigurationError(f"tau variant {variant!r} is neither 'a' nor 'b'.")
    upper = np.triu_indices(len(one), 1)
    left = np.sign(one[:, None] - one[None, :])[upper]
    right = np.sign(two[:, None] - two[None, :])[upper]
    agreement = float((left * right).sum())
    if variant == "a":
        return agreement / len(left)
    untied = float(np.count_nonzero(left)) * float(np.count_nonzero(right))
    return agreement / float(np.sqrt(untied)) if untied > 0 else 0.0


def tau_ap(truth: npt.ArrayLike, estimate: npt.ArrayLike) -> float:
    """The AP correlation of an estimated order with the true one; mistakes at the top weigh more.

    tau_AP = 2/(n - 1) * sum over i = 2 ... n of C(i)/(i - 1) - 1, where C(i) counts the items above
    rank i of the estimate that the truth too puts above its item. Scores must have no ties.

    Yilmaz, Aslam & Robertson, "A new rank correlation coefficient for information retrieval",
    SIGIR 2008.

    >>> tau_ap([4, 3, 2, 1], [4, 3, 2, 1]), tau_ap([4, 3, 2, 1], [1, 2, 3, 4])
    (1.0, -1.0)
    """
    true, estimated = _paired(truth, estimate)
    if len(np.unique(true)) < len(true) or len(np.unique(estimated)) < len(estimated):
        raise DataError("tied scores", expected="no ties, for which tau-AP is not defined")
    ordered = true[np.argsort(-estimated)]
    above = np.tril(ordered[None, :] > ordered[:, None], -1).sum(axis=1)
    n = len(ordered)
    return float(2.0 / (n - 1) * (above[1:] / np.arange(1, n)).sum() - 1.0)


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], *, p: float = 0.9) -> float:
    """The extrapolated rank-biased overlap of two ranked lists of ids, best first.

    The mean over depths d, weighed by (1 - p) p^(d - 1), of the share of ids that the first d of
    both have in common, extrapolated from the shorter list as in equation 32 of Webber, Moffat &
    Zobel, "A similarity measure for indefinite rankings", TOIS 2010. 1 for equal lists, 0 for
    disjoint ones; two empty lists are equal.

    Raises
    ------
    ConfigurationError : p is not between 0 and 1.
    DataError : an id occurs twice in a list.

    >>> rank_biased_overlap(["a", "b", "c"], ["a", "b", "c"])
    1.0
    """
    if not 0.0 < p < 1.0:
        raise ConfigurationError(f"p={p} does not lie between 0 and 1.")
    for ids in (first, second):
        if len(set(ids)) < len(ids):
            raise DataError("an id twice in a list", expected="each id once")
    short, long = sorted((list(first), list(second)), key=len)
    if not long:
        return 1.0
    if not short:
        return 0.0
    s, length = len(short), len(long)
    common, seen_short, seen_long, total = 0, set[str](), set[str](), 0.0
    common_at_s = 0
    for depth in range(1, length + 1):
        item = long[depth - 1]
        if depth <= s:
            other = short[depth - 1]
            common += (item == other) or ((item in seen_short) + (other in seen_long))
            seen_short.add(other)
        else:
            common += item in seen_short
        seen_long.add(item)
        if depth == s:
            common_at_s = common
        total += common / depth * p**depth
        if depth > s:
            total += common_at_s * (depth - s) / (s * depth) * p**depth
    end = (common - common_at_s) / length + common_at_s / s
    return (1.0 - p) / p * total + end * p**length


def run_overlap(first: Run, second: Run, *, p: float = 0.9) -> dict[str, float]:
    """The rank-biased overlap of two runs for every query that both have.

    >>> a, b = Run.from_dict({"q": {"x": 1.0}}), Run.from_dict({"q": {"y": 1.0}})
    >>> run_overlap(a, b)
    {'q': 0.0}
    """
    others = set(second.query_names)
    return {
        query: rank_biased_overlap(
            [document for document, _ in first[query]],
            [document for document, _ in second[query]],
            p=p,
        )
        for query in first.query_names
        if query in others
    }
