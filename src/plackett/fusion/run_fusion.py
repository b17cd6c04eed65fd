"""One run from several: by ranks, by scores, or by majorities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plackett.data.run import Run
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.fusion.joined_runs import JoinedRuns
from plackett.fusion.preferences import Floats
from plackett.fusion.run_blocks import blocks_of, end_to_end
from plackett.fusion.run_methods import (
    ORDER_METHODS,
    RANK_METHODS,
    SCORE_METHODS,
    UNWEIGHTED,
    RankConstants,
)
from plackett.fusion.run_normalisation import Normalisation, Ties

__all__ = ["Fusion", "fuse", "fusion_methods"]

Absent = Literal["minimum", "nothing"]

ROWS = 1 << 19
"""About so many rows of all runs are fused at a time: what the caches of a processor hold."""

_FROM_ZERO = ("comb_mnz", "gmnz")
_BELOW_ZERO = ("none", "z_score", "logit")
_SUMS = ("comb_sum", *_FROM_ZERO)


def fusion_methods() -> tuple[str, ...]:
    """The names of all methods that `fuse` knows.

    >>> fusion_methods()[:4]
    ('borda', 'comb_anz', 'comb_max', 'comb_med')
    """
    return tuple(sorted([*RANK_METHODS, *SCORE_METHODS, *ORDER_METHODS]))


@dataclass(frozen=True)
class Fusion:
    """How runs are fused: `Fusion(...)(runs)` is `fuse(runs, ...)`; see there.

    >>> a, b = Run.from_dict({"q": {"x": 2.0, "y": 1.0}}), Run.from_dict({"q": {"y": 9.0}})
    >>> Fusion("comb_sum")([a, b]).to_dict()
    {'q': {'x': 1.0, 'y': 0.5}}
    """

    method: str = "rrf"
    normalise: Normalisation | Literal["depth"] | None = None
    weights: tuple[float, ...] | None = None
    k: float = 60.0
    gamma: float = 1.0
    depth: int | None = None
    absent: Absent | None = None
    ties: Ties = "average"
    sigma: float = 0.01
    persistence: float = 0.8

    def __post_init__(self) -> None:
        if self.method not in fusion_methods():
            raise UnknownNameError("fusion", self.method, fusion_methods())
        by_score = self.method in SCORE_METHODS
        if self.normalise is not None and not by_score:
            if (self.method, self.normalise) != ("rrf", "depth"):
                raise ConfigurationError(
                    f"method {self.method!r} looks at ranks only: normalise={self.normalise!r} "
                    'does nothing ("rrf" takes "depth").'
                )
        elif self.normalise == "depth" and by_score:
            raise ConfigurationError('normalise="depth" is for method "rrf".')
        if self.absent not in (None, "minimum", "nothing"):
            raise ConfigurationError(f'absent={self.absent!r}; expected "minimum" or "nothing".')
        if self.absent == "minimum" and self.method not in _SUMS:
            raise ConfigurationError(f'absent="minimum" is for {", ".join(_SUMS)}.')
        if self.k < 0 or not np.isfinite([self.k, self.gamma]).all():
            raise ConfigurationError(f"k={self.k}, gamma={self.gamma}; expected k from 0 up.")
        if not (0 <= self.sigma < np.inf and 0 < self.persistence < 1):
            raise ConfigurationError(
                f"sigma={self.sigma}, persistence={self.persistence}; expected sigma from 0 up, "
                "persistence between 0 and 1."
            )
        if self.depth is not None and self.depth < 1:
            raise ConfigurationError(f"depth={self.depth}; expected a positive integer, or None.")
        if self.weights is not None:
            values = np.asarray(self.weights, dtype=np.float64)
            if not np.isfinite(values).all() or (values < 0).any() or not values.any():
                raise ConfigurationError(
                    f"weights={self.weights}; expected numbers from 0 up, one of them above 0."
                )
            if self.method in UNWEIGHTED:
                raise ConfigurationError(f"method {self.method!r} takes no weights.")

    def __call__(self, runs: Sequence[Run]) -> Run:
        """The fused run."""
        if len(runs) == 0:
            raise DataError("no runs", expected="at least one")
        if self.weights is not None and len(self.weights) != len(runs):
            raise ConfigurationError(f"{len(self.weights)} weights for {len(runs)} runs.")
        cut = [run if self.depth is None else run.head(self.depth) for run in runs]
        names = ", ".join(run.name for run in runs)
        fused = []
        for block in blocks_of(cut, ROWS):
            joined = JoinedRuns.of(block)
            fused.append(joined.run(self._scores(joined), name=f"{self.method}({names})"))
        return end_to_end(fused)

    def _scores(self, joined: JoinedRuns) -> Floats:
        """`float64[pairs]`, one for each document of each query."""
        weights = np.ones(joined.runs) if self.weights is None else np.array(self.weights)
        if self.method in RANK_METHODS:
            ranks = joined.ranks(self.ties)
            if self.normalise == "depth":
                ranks = ranks * joined.stretch()
            constants = RankConstants(self.k, self.sigma, self.persistence)
            return RANK_METHODS[self.method](ranks, weights, constants)
        if self.method in ORDER_METHODS:
            points = np.zeros(joined.pairs)
            ranks = joined.ranks(self.ties)
            for rows in joined.lists():
                points[rows] = ORDER_METHODS[self.method](-ranks[:, rows], weights)
            return points
        scale: Normalisation = "min_max"
        if self.normalise is not None and self.normalise != "depth":
            scale = self.normalise
        values = joined.normalised(scale, self.ties)
        if self.method in _FROM_ZERO and np.nanmin(values, initial=0.0) < 0:
            raise DataError(
                f"scores below 0 under normalise={scale!r}",
                expected=f"scores from 0 up for {self.method!r}, which multiplies by appearances",
                remedy='use normalise="min_max"',
            )
        fills = self.absent or ("minimum" if scale in _BELOW_ZERO else "nothing")
        counts = (~np.isnan(values)).sum(axis=0).astype(np.float64)
        if self.method in _SUMS and fills == "minimum":
            values = joined.filled_with_minimum(values)
        return SCORE_METHODS[self.method](values, weights, counts, self.gamma)


def fuse(
    runs: Sequence[Run],
    method: str = "rrf",
    *,
    normalise: Normalisation | Literal["depth"] | None = None,
    weights: Sequence[float] | None = None,
    k: float = 60.0,
    gamma: float = 1.0,
    depth: int | None = None,
    absent: Absent | None = None,
    ties: Ties = "average",
    sigma: float = 0.01,
    persistence: float = 0.8,
) -> Run:
    """One run from several, over all documents that any of them found.

    r is a document's rank in a run, from 1; s its normalised score; h in how many runs it is. Sums
    go over the runs that have it.

    | method | score |
    |---|---|
    | rrf | sum w / (k + r) |
    | isr, log_isr | h sum w / r^2, log(h + sigma) sum w / r^2 |
    | rbc | sum w (1 - p) p^(r - 1), p the persistence |
    | borda | sum w (N - r + 1), N candidates; those left out share the points that are left |
    | comb_sum, comb_mnz, gmnz | sum w s, h sum w s, h^gamma sum w s |
    | comb_anz, comb_min, comb_max, comb_med | weighted mean, least, greatest, median s |
    | condorcet, copeland, schulze, kemeny | by majorities, a missing document below those found |
    | mc1, mc2, mc3, mc4 | time that a chain towards better documents spends on it |

    Parameters
    ----------
    runs : at least one. Queries of any of them are answered.
    method : see the table and `fusion_methods()`.
    normalise : for methods that begin with "comb" and gmnz, see `normalised`; "min_max" by default,
        and "borda", (N - r + 1) / N. For rrf "depth": the ranks of each list are stretched as if
        all were as long as the longest.
    weights : one a run, from 0 up.
    k : of rrf.
    gamma : of gmnz.
    depth : cut every run to its best `depth` documents first. Runs of different depths are only
        compared fairly so.
    absent : what the sums add for a run that has the query but not the document: "nothing", or the
        least score that the run has for the query. By default the least where scores can be
        negative (none, z_score, logit): nothing would then be a reward.
    ties : "average": equal scores of a run share the mean of their ranks; "order": ranks follow
        the run's order.
    sigma : of log_isr; with 0 what only one run found gets nothing.
    persistence : of rbc, how likely a reader is to go on from one document to the next.

    Returns
    -------
    A run with the texts and the costs of all. Equal fused scores stand by document id, as always.

    Raises
    ------
    DataError : no runs, or scores that the normalisation cannot use.
    ConfigurationError : parameters that do not go together. UnknownNameError : no such method.

    Cormack, Clarke & Buettcher, "Reciprocal rank fusion", SIGIR 2009; Fox & Shaw, "Combination of
    multiple searches", TREC-2 1993; Mourao, Martins & Magalhaes, "Inverse square rank fusion",
    2014; Bailey, Moffat, Scholer & Thomas, "Retrieval consistency in the presence of query
    variations", SIGIR 2017.

    >>> a = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> b = Run.from_dict({"q": {"b": 9.0, "d": 5.0}})
    >>> [(document, round(score, 6)) for document, score in fuse([a, b])["q"]]
    [('b', 0.032522), ('a', 0.016393), ('d', 0.016129), ('c', 0.015873)]
    """
    given = None if weights is None else tuple(float(weight) for weight in weights)
    fusion = Fusion(method, normalise, given, k, gamma, depth, absent, ties, sigma, persistence)
    return fusion(runs)
