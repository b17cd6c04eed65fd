"""How alike are two rankings? Kendall's tau, tau-AP and rank-biased overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError

__all__ = ["Statistic", "kendall_tau", "rank_biased_overlap", "run_correlation", "tau_ap"]

Statistic = Literal["rbo", "kendall", "tau_ap"]
Floats = npt.NDArray[np.float64]


def _paired_scores(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise DataError(
            f"scores of shapes {first.shape} and {second.shape}",
            expected="two vectors with one score an item",
        )
    if np.isnan(first).any() or np.isnan(second).any():
        raise DataError("a score that is NaN", expected="a number for every item")
    return first, second


def _tied_pairs(scores: Floats) -> float:
    counts = np.unique(scores, return_counts=True)[1].astype(np.float64)
    return float((counts * (counts - 1.0) / 2.0).sum())


def kendall_tau(x: npt.ArrayLike, y: npt.ArrayLike, *, variant: Literal["a", "b"] = "b") -> float:
    """Kendall's tau between two scorings of the same n items.

    With C concordant and D discordant of the N = n (n - 1) / 2 pairs, tau-a = (C - D) / N; tau-b =
    (C - D) / sqrt((N - Tx) (N - Ty)) takes out the Tx and Ty pairs that are tied in x and in y.

    Parameters
    ----------
    x, y : `float[n]`, scores of the same items in the same order.

    Returns
    -------
    From -1, reversed, to 1, the same order; NaN for fewer than two items, and for tau-b where all
    scores of one side are equal.

    Raises
    ------
    DataError : unequal lengths or a NaN.
    ConfigurationError : an unknown variant.

    Kendall, "A new measure of rank correlation", Biometrika 1938.

    >>> round(kendall_tau([3, 2, 1], [3, 1, 2]), 4)
    0.3333
    """
    if variant not in ("a", "b"):
        raise ConfigurationError(f"variant={variant!r} is not one of a, b.")
    first, second = _paired_scores(x, y)
    pairs = len(first) * (len(first) - 1) / 2.0
    untied = (pairs - _tied_pairs(first)) * (pairs - _tied_pairs(second))
    if pairs == 0:
        return float("nan")
    if untied == 0:
        return float("nan") if variant == "b" else 0.0
    from scipy.stats import kendalltau

    tau_b = float(kendalltau(first, second).statistic)
    return tau_b if variant == "b" else tau_b * float(np.sqrt(untied)) / pairs


def tau_ap(x: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Tau-AP: Kendall's tau with errors at the top weighing more.

    tau_AP = 2 / (n - 1) * sum over ranks i = 2 ... n of C(i) / (i - 1), minus 1, with C(i) the
    items above rank i of `x` that the reference places above the item at rank i, too. It is not
    symmetric.

    Parameters
    ----------
    x, reference : `float[n]`, scores of the same items, the highest first; without ties.

    Returns
    -------
    From -1 to 1; NaN for fewer than two items.

    Raises
    ------
    DataError : unequal lengths, a NaN or equal scores.

    Yilmaz, Aslam & Robertson, "A new rank correlation coefficient for information retrieval",
    SIGIR 2008.

    >>> tau_ap([4, 3, 2, 1], [4, 3, 2, 1]), round(tau_ap([3, 4, 2, 1], [4, 3, 2, 1]), 4)
    (1.0, 0.3333)
    """
    first, second = _paired_scores(x, reference)
    if _tied_pairs(first) or _tied_pairs(second):
        raise DataError(
            "equal scores", expected="distinct scores", remedy="break the ties before tau_ap"
        )
    if len(first) < 2:
        return float("nan")
    above: list[float] = []
    total = 0.0
    for position, score in enumerate((-second[np.argsort(-first)]).tolist()):
        place = bisect_left(above, score)
        if position:
            total += place / position
        above.insert(place, score)
    return 2.0 * total / (len(first) - 1) - 1.0


def rank_biased_overlap(a: Sequence[Hashable], b: Sequence[Hashable], *, p: float = 0.9) -> float:
    """Extrapolated rank-biased overlap (RBO_ext) of two rankings, which may hold different items.

    With X_d items common to both at depth d, l the length of the longer and s of the shorter list:
    (1-p)/p * (sum over d = 1 ... l of X_d p^d / d
    + sum over d = s+1 ... l of X_s (d-s) p^d / (s d)) + ((X_l - X_s) / l + X_s / s) * p^l.

    Parameters
    ----------
    a, b : distinct items, best first.
    p : persistence, between 0 and 1; the higher, the deeper it looks.

    Returns
    -------
    From 0, nothing in common, to 1, identical; 1 for two empty lists, 0 where only one is empty.

    Raises
    ------
    DataError : an item twice in one list. ConfigurationError : p out of its range.

    Webber, Moffat & Zobel, "A similarity measure for indefinite rankings", TOIS 2010, equation 32.

    >>> rank_biased_overlap("abc", "abc"), rank_biased_overlap("abc", "xyz")
    (1.0, 0.0)
    """
    if not 0.0 < p < 1.0:
        raise ConfigurationError(f"p={p} does not lie between 0 and 1.")
    shorter, longer = sorted((list(a), list(b)), key=len)
    depth_of = {item: depth for depth, item in enumerate(shorter, start=1)}
    if len(depth_of) < len(shorter) or len(set(longer)) < len(longer):
        raise DataError("an item twice in a ranking", expected="distinct items")
    if not shorter:
        return 0.0 if longer else 1.0
    s, n = len(shorter), len(longer)
    # A common item counts from the deeper of its two ranks on.
    enters = [max(d, depth_of[item]) for d, item in enumerate(longer, 1) if item in depth_of]
    overlap = np.cumsum(np.bincount(np.asarray(enters, dtype=np.int64), minlength=n + 1))[1:]
    depth = np.arange(1.0, n + 1.0)
    at_s, at_n = float(overlap[s - 1]), float(overlap[n - 1])
    agreement = overlap / depth
    agreement[s:] += at_s * (depth[s:] - s) / (s * depth[s:])
    seen = (1.0 - p) / p * float((agreement * p**depth).sum())
    return float(min(seen + ((at_n - at_s) / n + at_s / s) * p**n, 1.0))


def run_correlation(
    run: Run,
    reference: Run,
    statistic: Statistic = "rbo",
    *,
    p: float = 0.9,
    depth: int | None = None,
) -> dict[str, float]:
    """How alike two runs rank the documents of each query that both hold: `{query: value}`.

    Parameters
    ----------
    statistic : "rbo" compares the lists whole; "kendall" (without ties, as the runs order them) and
        "tau_ap" compare the order of the documents that are in both lists.
    p : the persistence of RBO.
    depth : read only so many results of each list.

    Raises
    ------
    ConfigurationError : an unknown statistic.

    >>> a = Run.from_dict({"q1": {"x": 2.0, "y": 1.0}})
    >>> b = Run.from_dict({"q1": {"x": 1.0, "y": 2.0}})
    >>> run_correlation(a, b, "kendall")
    {'q1': -1.0}
    """
    if statistic not in ("rbo", "kendall", "tau_ap"):
        raise ConfigurationError(f"statistic={statistic!r} is not one of rbo, kendall, tau_ap.")
    if depth is not None:
        run, reference = run.head(depth), reference.head(depth)
    theirs = set(reference.query_names)
    values: dict[str, float] = {}
    for query in run.query_names:
        if query not in theirs:
            continue
        ours = [document for document, _ in run[query]]
        other = [document for document, _ in reference[query]]
        if statistic == "rbo":
            values[query] = rank_biased_overlap(ours, other, p=p)
            continue
        place = {document: -rank for rank, document in enumerate(other)}
        common = [document for document in ours if document in place]
        order = -np.arange(len(common))
        wanted = [place[document] for document in common]
        correlate = kendall_tau if statistic == "kendall" else tau_ap
        values[query] = correlate(order, wanted)
    return values
