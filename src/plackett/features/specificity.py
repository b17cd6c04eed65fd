"""Features of what is matched: the rare terms, the best passage, the part of the document.

Symbols are those of `lexical`. Rarest is the term of greatest idf.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import segment_of_rows
from plackett.features.candidates import Candidates
from plackett.features.registry import feature

__all__ = ["BM25_VARIANTS", "PASSAGES"]

Floats = npt.NDArray[np.float64]

PASSAGES = (30, 50, 100)
HALF = 0.6  # occurrences in a passage that give half of a term's weight: k1 of about that length
BM25_VARIANTS = {"k04_b03": (0.4, 0.3), "k09_b04": (0.9, 0.4), "k25_b08": (2.5, 0.8)}


def _bm25_variant(name: str, k1: float, b: float) -> None:
    """BM25 with other parameters than `bm25`."""

    @feature(
        f"bm25_{name}",
        description=f"BM25 (Robertson et al. 1994), k1 {k1}, b {b}",
        formula="sum of qtf idf tf / (tf + k1 (1 - b + b dl/avgdl))",
        low=0.0,
    )
    def bm25_variant(candidates: Candidates, field: str | None) -> Floats:
        tf, mean = candidates.frequency(), max(candidates.mean_length(), 1e-12)
        saturation = k1 * (1.0 - b + b * candidates.length() / mean)
        idf = candidates.statistics.idf[candidates.entry_term]
        return candidates.sum_by_row(
            candidates.entry_count * idf * tf / (tf + saturation[candidates.entry_row])
        )


for _name, (_k1, _b) in BM25_VARIANTS.items():
    _bm25_variant(_name, _k1, _b)


def _idf_and_hit(candidates: Candidates) -> tuple[Floats, Floats]:
    """idf of every entry, and 1 where the term occurs."""
    idf: Floats = candidates.statistics.idf[candidates.entry_term]
    return idf, (candidates.frequency() > 0).astype(np.float64)


def _largest(candidates: Candidates, values: Floats) -> Floats:
    """The largest value of each row's entries; 0 without known terms."""
    largest = np.zeros(candidates.n_rows)
    filled = np.flatnonzero(np.diff(candidates.entry_offsets))
    if len(filled):
        largest[filled] = np.maximum.reduceat(values, candidates.entry_offsets[filled])
    return largest


@feature(
    "missing_idf",
    description="idf of the rarest query term that does not occur",
    formula="max of idf over terms with tf = 0; 0 where all occur",
    low=0.0,
)
def missing_idf(candidates: Candidates, field: str | None) -> Floats:
    idf, hit = _idf_and_hit(candidates)
    return _largest(candidates, idf * (1.0 - hit))


@feature(
    "matched_idf",
    description="idf of the rarest query term that occurs",
    formula="max of idf over terms with tf > 0; 0 where none does",
    low=0.0,
)
def matched_idf(candidates: Candidates, field: str | None) -> Floats:
    idf, hit = _idf_and_hit(candidates)
    return _largest(candidates, idf * hit)


@feature(
    "idf_squared_coverage",
    description="share of the query's squared idf mass that occurs",
    formula="sum of idf^2 over terms with tf > 0 / sum of idf^2",
    low=0.0,
    high=1.0,
)
def idf_squared_coverage(candidates: Candidates, field: str | None) -> Floats:
    idf, hit = _idf_and_hit(candidates)
    mass = candidates.sum_by_row(idf**2)
    matched = candidates.sum_by_row(idf**2 * hit)
    return np.divide(matched, mass, out=np.zeros_like(matched), where=mass > 0)


def _rarest(count: int) -> None:
    """The share of the rarest terms that occur."""

    @feature(
        f"rarest_{count}",
        description=f"share of the query's {count} rarest terms that occur"
        if count > 1
        else "whether the query's rarest term occurs",
        formula=f"|{{t: tf > 0, idf >= i}}| / |{{t: idf >= i}}|, i the idf of rank {count}, or the "
        "least",
        low=0.0,
        high=1.0,
    )
    def rarest(candidates: Candidates, field: str | None) -> Floats:
        terms = candidates.query_terms
        idf, number = candidates.statistics.idf[terms.terms], np.diff(terms.offsets)
        descending = idf[np.lexsort((-idf, segment_of_rows(terms.offsets)))]
        last = np.maximum(terms.offsets[:-1] + np.minimum(number, count) - 1, 0)
        least = np.where(number > 0, np.append(descending, np.inf)[last], np.inf)
        rare = (idf >= least[segment_of_rows(terms.offsets)]).astype(np.float64)
        found = rare[candidates.entry_place] * (candidates.frequency() > 0)
        matched, all_rare = candidates.sum_by_row(found), candidates.sum_by_query(rare)
        return np.divide(matched, all_rare, out=np.zeros_like(matched), where=all_rare > 0)


for _count in (1, 2, 3):
    _rarest(_count)


@feature(
    "query_share",
    description="share of the document's idf mass that the query asks for",
    formula="sum of idf over query terms with tf > 0 / sum of idf over the document's distinct "
    "terms",
    low=0.0,
    high=1.0,
    by_field=True,
)
def query_share(candidates: Candidates, field: str | None) -> Floats:
    fields = candidates.index.fields
    whole = _distinct_mass(candidates)[len(fields) if field is None else fields.index(field)]
    idf = candidates.statistics.idf[candidates.entry_term]
    matched = candidates.sum_by_row(idf * (candidates.frequency(field) > 0))
    share: Floats = np.divide(matched, whole, out=np.zeros_like(matched), where=whole > 0)
    return np.minimum(share, 1.0)


def _distinct_mass(candidates: Candidates) -> Floats:
    """`float64[F + 1, n]`, the idf sums of the distinct terms of each field and of all."""

    def compute() -> Floats:
        from plackett.features.passage_kernels import distinct_mass

        index = candidates.index
        documents, row_document = np.unique(candidates.document, return_inverse=True)
        mass = np.empty((len(index.fields) + 1, len(documents)))
        distinct_mass(
            documents,
            candidates.statistics.idf,
            index.tokens,
            index.token_offsets,
            len(index.fields),
            mass,
        )
        return mass[:, row_document.reshape(-1)]

    found: Floats = candidates.shared("distinct mass", compute)
    return found


def _passages(candidates: Candidates) -> Floats:
    """`float64[n, 3]`, the scores of the best passages."""

    def compute() -> Floats:
        from plackett.features.passage_kernels import best_passages

        index, terms = candidates.index, candidates.query_terms
        out = np.zeros((candidates.n_rows, len(PASSAGES)))

        def work(first: int, last: int) -> None:
            best_passages(
                first,
                last,
                candidates.run.offsets,
                candidates.document,
                terms.offsets,
                terms.terms,
                candidates.statistics.idf,
                index.tokens,
                index.token_offsets,
                len(index.fields),
                PASSAGES,
                HALF,
                out,
            )

        candidates.over_queries(work)
        return out

    found: Floats = candidates.shared("passages", compute)
    return found


def _passage(place: int, length: int) -> None:
    """The best passage of one length."""

    @feature(
        f"passage_{length}",
        description=f"the best passage of {length} tokens inside a field",
        formula="max over passages of sum of idf c / (c + 0.6), c occurrences in the passage",
        low=0.0,
        needs=("positions",),
    )
    def passage(candidates: Candidates, field: str | None) -> Floats:
        return _passages(candidates)[:, place]


for _place, _length in enumerate(PASSAGES):
    _passage(_place, _length)
