"""Features of the query alone, and of the run alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__: list[str] = []

Floats = npt.NDArray[np.float64]


@feature(
    "query_length",
    description="tokens of the query that the index knows",
    formula="sum of qtf",
    low=0.0,
    level="query",
)
def query_length(candidates: Candidates, field: str | None) -> Floats:
    return candidates.sum_by_query(candidates.query_terms.count.astype(np.float64))


@feature(
    "query_idf",
    description="mean idf of the distinct query terms",
    formula="mean of ln(1 + (N - df + 0.5)/(df + 0.5))",
    low=0.0,
    level="query",
)
def query_idf(candidates: Candidates, field: str | None) -> Floats:
    terms = candidates.query_terms
    total = candidates.sum_by_query(candidates.statistics.idf[terms.terms])
    mean: Floats = total / np.maximum(np.diff(terms.offsets)[candidates.rows_query], 1)
    return mean


@feature(
    "run_score",
    description="the run's own score",
    formula="score",
    kind="run",
    needs=("run",),
)
def run_score(candidates: Candidates, field: str | None) -> Floats:
    return candidates.run.score.astype(np.float64)


@feature(
    "run_reciprocal_rank",
    description="1 / rank in the run",
    formula="1 / rank",
    low=0.0,
    high=1.0,
    kind="run",
    needs=("run",),
)
def run_reciprocal_rank(candidates: Candidates, field: str | None) -> Floats:
    return 1.0 / candidates.rank
