"""Features of the sequential dependence model: adjacent query terms that stand together.

f(x) = ln(1 + n / (mu p)) + ln(mu / (dl + mu)), n occurrences of x in the document, p = cn / |C| by
the cn in the collection, is Dirichlet's query likelihood of a term, of a pair side by side in its
order, or of a pair within 8 tokens. Occurrences in a window do not overlap; nothing is counted
across fields. How often the collection has a pair is counted when it is first asked for, which
takes a look at all documents that have both terms, and remembered with the set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.features.candidates import PAIR_WINDOW, Candidates
from plackett.features.lexical import background
from plackett.features.registry import feature
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.pairs import PairCounts, pair_likelihoods

__all__ = ["SDM_MU", "SDM_WEIGHTS"]

Floats = npt.NDArray[np.float64]

SDM_MU = 2500.0
SDM_WEIGHTS = (0.85, 0.10, 0.05)
NEEDS = ("positions", "pairs")


def _pair_scores(candidates: Candidates) -> Floats:
    """f summed over adjacent pairs side by side, and within the window: `float64[2, n]`."""
    index = candidates.index
    if not isinstance(index, InvertedIndex):
        raise ConfigurationError(
            f"features of pairs over a {type(index).__name__}; expected an InvertedIndex, whose "
            "postings say which documents have both terms."
        )

    def compute() -> Floats:
        counts: PairCounts = candidates.statistics.shared(
            "pair counts", lambda: PairCounts(index, window=PAIR_WINDOW)
        )
        asked = candidates.query_terms
        starts = np.repeat(asked.offsets[:-1], np.diff(asked.sequence_offsets))
        pairs = counts.of_queries(asked.sequence_offsets, asked.terms[starts + asked.sequence])
        return pair_likelihoods(
            pairs,
            candidates.rows_query,
            np.stack([candidates.matches.ordered, candidates.matches.unordered]),
            candidates.length(),
            tokens=candidates.statistics.n_tokens,
            mu=SDM_MU,
        )

    found: Floats = candidates.shared("pair scores", compute)
    return found


@feature(
    "sdm_ordered",
    description="query likelihood of adjacent pairs side by side (Metzler, Croft 2005), mu 2500",
    formula="sum over adjacent pairs of ln(1 + n / (mu p)) + ln(mu / (dl + mu)), p = cn / |C|",
    needs=NEEDS,
)
def sdm_ordered(candidates: Candidates, field: str | None) -> Floats:
    found: Floats = _pair_scores(candidates)[0]
    return found


@feature(
    "sdm_unordered",
    description="query likelihood of adjacent pairs within 8 tokens (Metzler, Croft 2005), mu 2500",
    formula="sum over adjacent pairs of ln(1 + n / (mu p)) + ln(mu / (dl + mu)), p = cn / |C|",
    needs=NEEDS,
)
def sdm_unordered(candidates: Candidates, field: str | None) -> Floats:
    found: Floats = _pair_scores(candidates)[1]
    return found


@feature(
    "sdm",
    description="the sequential dependence model (Metzler and Croft 2005), mu 2500",
    formula="0.85 sum of qtf (ln(1 + tf / (mu p)) + ln(mu / (dl + mu))) + 0.10 sdm_ordered "
    "+ 0.05 sdm_unordered",
    needs=NEEDS,
)
def sdm(candidates: Candidates, field: str | None) -> Floats:
    matched = np.log1p(candidates.frequency() / (SDM_MU * background(candidates)))
    discount = np.log(SDM_MU / (candidates.length() + SDM_MU))[candidates.entry_row]
    terms = candidates.sum_by_row(candidates.entry_count * (matched + discount))
    of_terms, *of_pairs = SDM_WEIGHTS
    return of_terms * terms + np.array(of_pairs) @ _pair_scores(candidates)
