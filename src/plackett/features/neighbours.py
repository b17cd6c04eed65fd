"""Features of the other candidates: what is like the best of them, and what they would ask for.

As for `feedback`, the run's own list is read, never a judgment, and its order decides what the best
are. cos is the cosine of vectors of BM25 weights idf tf / (tf + k1 (1 - b + b dl/avgdl)); a
document's cosine to itself is left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import EXPANSION_LIMIT, Candidates
from plackett.features.feedback import ORIGINAL_WEIGHT
from plackett.features.registry import feature

__all__ = ["EXPANSIONS", "SIZES"]

Floats = npt.NDArray[np.float64]

NEEDS = ("frequencies", "feedback")
SIZES = (5, 30, 10, 5)
"""The few best, the many best, the nearest that a score flows from, and how often it flows."""
EXPANSIONS = (20, 50, 5, 30)
"""Documents and terms of the relevance model, then of the Bose-Einstein model."""
COLUMNS = 9


def _scores(candidates: Candidates) -> Floats:
    """`float64[n, 9]`, the columns of `neighbour_scores`."""

    def compute() -> Floats:
        from plackett.features.neighbour_kernels import neighbour_scores

        out = np.zeros((candidates.n_rows, COLUMNS))
        stats, saturation = candidates.statistics, candidates.saturation()
        share = stats.collection_frequency / max(stats.n_documents, 1.0)
        expands = stats.document_frequency <= EXPANSION_LIMIT * stats.n_documents

        def work(first: int, last: int) -> None:
            neighbour_scores(
                first,
                last,
                candidates.run.offsets,
                candidates.document,
                candidates.bm25,
                saturation,
                stats.idf,
                share,
                expands,
                candidates.index.tokens,
                candidates.index.token_offsets,
                len(candidates.index.fields),
                SIZES,
                EXPANSIONS,
                out,
            )

        candidates.over_queries(work)
        return out

    found: Floats = candidates.shared("neighbours", compute)
    return found


def _similarity(place: int, which: str) -> None:
    """The cosine to the candidate at some place of the run."""

    @feature(
        f"similarity_{place}",
        description=f"cosine to the {which} candidate; 0 for itself",
        formula=f"cos(d, e), e of rank {place}",
        low=0.0,
        high=1.0,
        needs=NEEDS,
    )
    def similarity(candidates: Candidates, field: str | None) -> Floats:
        return np.minimum(_scores(candidates)[:, place - 1], 1.0)


for _place, _which in ((1, "first"), (2, "second"), (3, "third")):
    _similarity(_place, _which)


@feature(
    "nearest_of_5",
    description="greatest cosine to one of the top 5",
    formula="max of cos(d, e) over the top 5",
    low=0.0,
    high=1.0,
    needs=NEEDS,
)
def nearest_of_5(candidates: Candidates, field: str | None) -> Floats:
    return np.minimum(_scores(candidates)[:, 3], 1.0)


@feature(
    "similarity_30",
    description="BM25-weighted mean cosine to the top 30",
    formula="sum of BM25(e) cos(d, e) / sum of BM25(e) over the top 30 without d",
    low=0.0,
    high=1.0,
    needs=NEEDS,
)
def similarity_30(candidates: Candidates, field: str | None) -> Floats:
    return np.minimum(_scores(candidates)[:, 4], 1.0)


@feature(
    "mean_similarity",
    description="mean cosine to the other candidates: how central the document is",
    formula="mean of cos(d, e) over the other candidates",
    low=0.0,
    high=1.0,
    needs=NEEDS,
)
def mean_similarity(candidates: Candidates, field: str | None) -> Floats:
    return np.minimum(_scores(candidates)[:, 5], 1.0)


@feature(
    "diffused_bm25",
    description="BM25 after it has flowed 5 times between the 10 nearest candidates (score "
    "regularisation; Diaz 2005)",
    formula="f = BM25; 5 times f(d) = 0.5 BM25(d) + 0.5 sum of cos(d, e) f(e) / sum of cos(d, e) "
    "over the 10 nearest e",
    low=0.0,
    needs=NEEDS,
)
def diffused_bm25(candidates: Candidates, field: str | None) -> Floats:
    diffused: Floats = _scores(candidates)[:, 6]
    return diffused


@feature(
    "rm3_wide",
    description="BM25 under the query expanded by 50 terms of the top 20 (RM3; Abdul-Jaleel et al. "
    "2004)",
    formula="as rm3; RM1 of the top 20, its 50 heaviest terms kept",
    low=0.0,
    needs=NEEDS,
)
def rm3_wide(candidates: Candidates, field: str | None) -> Floats:
    tokens = np.diff(candidates.query_terms.sequence_offsets)[candidates.rows_query]
    original = candidates.bm25 / np.maximum(tokens, 1)
    mixed: Floats = ORIGINAL_WEIGHT * original + (1 - ORIGINAL_WEIGHT) * _scores(candidates)[:, 7]
    return mixed


@feature(
    "bo1",
    description="BM25 under the query expanded by 30 terms of the top 5 (Bo1; Amati 2003)",
    formula="sum of (qtf / max qtf + w(t) / max w) idf tf / (tf + k1 (1 - b + b dl/avgdl)); "
    "w(t) = f log2((1 + p) / p) + log2(1 + p), p = cf/N, f occurrences in the top 5, of which 2 "
    "have t",
    low=0.0,
    needs=NEEDS,
)
def bo1(candidates: Candidates, field: str | None) -> Floats:
    terms = candidates.query_terms
    most = np.zeros(len(terms.offsets) - 1)
    np.maximum.at(most, np.repeat(np.arange(len(most)), np.diff(terms.offsets)), terms.count)
    original = candidates.bm25 / np.maximum(most, 1.0)[candidates.rows_query]
    expanded: Floats = original + _scores(candidates)[:, 8]
    return expanded
