"""Features of positions: how near the query's terms stand to each other.

Positions count the tokens that the analyzer keeps. No pair, window or phrase crosses from one field
into another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import concatenate_ranges, segment_of_rows
from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__: list[str] = []

Floats = npt.NDArray[np.float64]

POSITIONS = ("positions",)


def _sum_over_pairs(candidates: Candidates, counts: npt.NDArray[np.int32]) -> Floats:
    """Sum of min(idf) ln(1 + count) over the pairs of each row."""
    terms, offsets = candidates.query_terms, candidates.pair_entry_offsets
    query_of_pair = segment_of_rows(terms.pair_offsets)
    idf = candidates.statistics.idf[terms.terms]
    weight = idf[terms.offsets[query_of_pair][:, None] + terms.pairs].min(axis=1, initial=np.inf)
    places = concatenate_ranges(terms.pair_offsets[candidates.rows_query], np.diff(offsets))
    sums = np.bincount(
        segment_of_rows(offsets),
        weights=weight[places] * np.log1p(counts),
        minlength=candidates.n_rows,
    )
    return sums.astype(np.float64, copy=False)


@feature(
    "ordered_pairs",
    description="adjacent query terms side by side in their order (SDM's #1; Metzler, Croft 2005)",
    formula="sum over distinct adjacent pairs of min(idf) ln(1 + occurrences)",
    low=0.0,
    needs=POSITIONS,
)
def ordered_pairs(candidates: Candidates, field: str | None) -> Floats:
    return _sum_over_pairs(candidates, candidates.matches.ordered)


@feature(
    "unordered_pairs",
    description="adjacent query terms within 8 tokens, any order (SDM's #uw8; Metzler, Croft 2005)",
    formula="sum over distinct adjacent pairs of min(idf) ln(1 + occurrences without overlap)",
    low=0.0,
    needs=POSITIONS,
)
def unordered_pairs(candidates: Candidates, field: str | None) -> Floats:
    return _sum_over_pairs(candidates, candidates.matches.unordered)


@feature(
    "term_proximity",
    description="BM25 of term proximity (Buettcher, Clarke and Lushman 2006)",
    formula="sum of min(1, idf) acc / (acc + k1 (1 - b + b dl/avgdl)); neighbouring occurrences of "
    "different terms t, u at distance x add idf(u)/x^2 to acc(t), idf(t)/x^2 to acc(u)",
    low=0.0,
    needs=POSITIONS,
)
def term_proximity(candidates: Candidates, field: str | None) -> Floats:
    acc = candidates.matches.attraction
    idf = np.minimum(1.0, candidates.statistics.idf[candidates.entry_term])
    return candidates.sum_by_row(idf * acc / (acc + candidates.saturation()[candidates.entry_row]))


@feature(
    "window_coverage",
    description="share of the query's idf mass in the best window of 20 tokens",
    formula="max over windows of the sum of idf of the distinct terms inside / sum of idf",
    low=0.0,
    high=1.0,
    needs=POSITIONS,
)
def window_coverage(candidates: Candidates, field: str | None) -> Floats:
    mass = candidates.sum_by_query(candidates.statistics.idf[candidates.query_terms.terms])
    best = candidates.matches.best_window
    return np.divide(best, mass, out=np.zeros_like(best), where=mass > 0)


@feature(
    "phrase",
    description="longest piece of the query that occurs word by word",
    formula="tokens of the longest common run / known tokens of the query",
    low=0.0,
    high=1.0,
    needs=POSITIONS,
)
def phrase(candidates: Candidates, field: str | None) -> Floats:
    tokens = np.diff(candidates.query_terms.sequence_offsets)[candidates.rows_query]
    shares: Floats = candidates.matches.phrase / np.maximum(tokens, 1.0)
    return shares


@feature(
    "first_position",
    description="how early the first query term occurs; 1 without one",
    formula="tokens before the first query term / dl",
    low=0.0,
    high=1.0,
    needs=POSITIONS,
)
def first_position(candidates: Candidates, field: str | None) -> Floats:
    first = candidates.matches.first
    return np.where(first >= 0, first / np.maximum(candidates.length(), 1.0), 1.0)
