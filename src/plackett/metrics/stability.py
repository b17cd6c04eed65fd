"""How much do ranked lists change? Rank-biased overlap and Jaccard of two runs' lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError
from plackett.metrics.rank_correlation import run_correlation

__all__ = ["Stability", "run_jaccard", "stability"]


@dataclass(frozen=True, eq=False)
class Stability:
    """How alike two runs are, query by query; 1 is the same, 0 nothing in common.

    Attributes
    ----------
    query_ids : the queries that both runs hold, in the first run's order.
    rbo, jaccard : `float64[queries]`, rank-biased overlap of the lists, and |A and B| / |A or B| of
        their first `cutoff` documents.
    cutoff, p : as they were chosen.
    """

    query_ids: tuple[str, ...]
    rbo: npt.NDArray[np.float64]
    jaccard: npt.NDArray[np.float64]
    cutoff: int
    p: float

    @property
    def mean_rbo(self) -> float:
        """The mean rank-biased overlap over queries."""
        return float(self.rbo.mean())

    @property
    def mean_jaccard(self) -> float:
        """The mean Jaccard coefficient over queries."""
        return float(self.jaccard.mean())

    def __str__(self) -> str:
        return (
            f"{len(self.query_ids)} queries: RBO(p={self.p:g}) {self.mean_rbo:.4f}, "
            f"Jaccard@{self.cutoff} {self.mean_jaccard:.4f}"
        )


def run_jaccard(run: Run, other: Run, *, cutoff: int = 10) -> dict[str, float]:
    """The share of common documents in the first `cutoff` of both, of those in either.

    |A and B| / |A or B| for each query that both runs hold; 1 for two empty lists.

    Raises
    ------
    ConfigurationError : a cutoff below 1.

    Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 1912.

    >>> a = Run.from_dict({"q1": {"x": 2.0, "y": 1.0}})
    >>> b = Run.from_dict({"q1": {"x": 2.0, "z": 1.0}})
    >>> round(run_jaccard(a, b)["q1"], 4)
    0.3333
    """
    if cutoff < 1:
        raise ConfigurationError(f"cutoff={cutoff} is below 1.")
    run, other = run.head(cutoff), other.head(cutoff)
    theirs = set(other.query_names)
    values: dict[str, float] = {}
    for query in run.query_names:
        if query in theirs:
            a = {document for document, _ in run[query]}
            b = {document for document, _ in other[query]}
            values[query] = len(a & b) / len(a | b) if a or b else 1.0
    return values


def stability(
    run: Run, other: Run, *, cutoff: int = 10, p: float = 0.9, depth: int | None = None
) -> Stability:
    """Compare the lists of two runs, for example before and after a change of the training data.

    Parameters
    ----------
    cutoff : how many documents of each list Jaccard reads.
    p : the persistence of rank-biased overlap.
    depth : read only so many documents of each list for rank-biased overlap; default: all.

    Raises
    ------
    DataError : the runs share no query.
    ConfigurationError : a cutoff below 1, or p out of its range.

    Oh, Ustun, McAuley & Kumar, "Rank list sensitivity of recommender systems to interaction
    perturbations", CIKM 2022; Webber, Moffat & Zobel, "A similarity measure for indefinite
    rankings", TOIS 2010.

    >>> a = Run.from_dict({"q1": {"w": 4.0, "x": 3.0, "y": 2.0, "z": 1.0}})
    >>> b = Run.from_dict({"q1": {"w": 3.0, "x": 4.0, "y": 2.0, "z": 1.0}})
    >>> print(stability(a, b))
    1 queries: RBO(p=0.9) 0.9000, Jaccard@10 1.0000
    """
    jaccard = run_jaccard(run, other, cutoff=cutoff)
    if not jaccard:
        raise DataError("two runs without a common query", expected="runs of the same queries")
    rbo = run_correlation(run, other, "rbo", p=p, depth=depth)
    queries = tuple(jaccard)
    return Stability(
        queries,
        np.array([rbo[query] for query in queries]),
        np.array([jaccard[query] for query in queries]),
        cutoff,
        p,
    )
