"""Features of pseudo-relevance feedback: how a document stands to the other candidates.

They look at the documents of the run's own list (never at judgments) and at its order, which
decides what its top documents are. Feedback documents are weighted by their BM25 score, equally
where all of them have none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__ = ["ORIGINAL_WEIGHT"]

Floats = npt.NDArray[np.float64]

FEEDBACK = ("frequencies", "feedback")
ORIGINAL_WEIGHT = 0.5


@feature(
    "rm3",
    description="BM25 under the query expanded by a relevance model of the top 10 (RM3; "
    "Abdul-Jaleel et al. 2004)",
    formula="sum of (0.5 qtf/|q| + 0.5 RM1(t)) idf tf / (tf + k1 (1 - b + b dl/avgdl)); RM1(t) in "
    "proportion to the sum over top documents of BM25 tf/dl, without terms of df > N/10",
    low=0.0,
    needs=FEEDBACK,
)
def rm3(candidates: Candidates, field: str | None) -> Floats:
    tokens = np.diff(candidates.query_terms.sequence_offsets)[candidates.rows_query]
    original = candidates.bm25 / np.maximum(tokens, 1)
    mixed: Floats = ORIGINAL_WEIGHT * original + (1 - ORIGINAL_WEIGHT) * candidates.feedback[:, 0]
    return mixed


@feature(
    "centroid_5",
    description="cosine to the BM25-weighted centroid of the top 5 (Rocchio 1971)",
    formula="cos(d, sum of BM25(e) e over the top 5), vectors (1 + ln tf) ln(N/df) of length 1",
    low=0.0,
    high=1.0,
    needs=FEEDBACK,
)
def centroid_5(candidates: Candidates, field: str | None) -> Floats:
    return np.minimum(candidates.feedback[:, 1], 1.0)


@feature(
    "centroid_10",
    description="cosine to the BM25-weighted centroid of the top 10 (Rocchio 1971)",
    formula="cos(d, sum of BM25(e) e over the top 10), vectors (1 + ln tf) ln(N/df) of length 1",
    low=0.0,
    high=1.0,
    needs=FEEDBACK,
)
def centroid_10(candidates: Candidates, field: str | None) -> Floats:
    return np.minimum(candidates.feedback[:, 2], 1.0)


@feature(
    "top_similarity",
    description="BM25-weighted mean cosine to the top 5, the document itself left out",
    formula="sum of BM25(e) cos(d, e) / sum of BM25(e) over the top 5 without d",
    low=0.0,
    high=1.0,
    needs=FEEDBACK,
)
def top_similarity(candidates: Candidates, field: str | None) -> Floats:
    return np.clip(candidates.feedback[:, 3], 0.0, 1.0)


@feature(
    "neighbour_bm25",
    description="mean BM25 of the 10 nearest candidates, weighted by nearness (score "
    "regularisation; Diaz 2005)",
    formula="sum of cos(d, e) BM25(e) / sum of cos(d, e) over the 10 nearest e, vectors of BM25 "
    "weights",
    low=0.0,
    needs=FEEDBACK,
)
def neighbour_bm25(candidates: Candidates, field: str | None) -> Floats:
    nearest: Floats = candidates.feedback[:, 4]
    return nearest
