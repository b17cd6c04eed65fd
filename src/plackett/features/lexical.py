"""Features of term frequencies: ranking functions and the statistics they are made of.

Symbols: tf, occurrences of the term in the document (or field); qtf, in the query; dl, tokens of
the document (or field); avgdl, their mean; N, documents; df, documents with the term; cf,
occurrences in the collection; |C|, tokens of the collection; p = cf / |C|;
idf = ln(1 + (N - df + 0.5)/(df + 0.5)). Sums run over the distinct query terms that the index
knows. On a field, tf, dl and avgdl are the field's; df, cf, N and |C| remain the collection's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.features.candidates import Candidates
from plackett.features.registry import feature
from plackett.features.term_statistics import mean_of_terms, shares

__all__ = ["DIRICHLET_MU", "JELINEK_MERCER_LAMBDA"]

Floats = npt.NDArray[np.float64]

DIRICHLET_MU = 1000.0
JELINEK_MERCER_LAMBDA = 0.4
# The share of a document that one term may fill in DPH, whose formula ends at 1.
LARGEST_SHARE = 0.99999


def background(candidates: Candidates) -> Floats:
    """p = cf / |C| of every entry."""

    def compute() -> Floats:
        stats = candidates.statistics
        frequency = stats.collection_frequency[candidates.entry_term]
        share: Floats = frequency / max(stats.n_tokens, 1.0)
        return share

    found: Floats = candidates.shared("background", compute)
    return found


@feature(
    "bm25",
    description="BM25 (Robertson et al. 1994), k1 1.2, b 0.75",
    formula="sum of qtf idf tf / (tf + k1 (1 - b + b dl/avgdl))",
    low=0.0,
    by_field=True,
)
def bm25(candidates: Candidates, field: str | None) -> Floats:
    if field is None:
        return candidates.bm25
    return candidates.sum_by_row(candidates.entry_count * candidates.bm25_weights(field))


@feature(
    "ql_dirichlet",
    description="query likelihood, Dirichlet smoothing (Zhai and Lafferty 2004), mu 1000",
    formula="sum of qtf (ln(1 + tf / (mu p)) + ln(mu / (dl + mu)))",
    by_field=True,
)
def ql_dirichlet(candidates: Candidates, field: str | None) -> Floats:
    tf, mu = candidates.frequency(field), DIRICHLET_MU
    matched = np.log1p(tf / (mu * background(candidates)))
    discount = np.log(mu / (candidates.length(field) + mu))[candidates.entry_row]
    return candidates.sum_by_row(candidates.entry_count * (matched + discount))


@feature(
    "ql_jelinek_mercer",
    description="query likelihood, Jelinek-Mercer smoothing (Zhai and Lafferty 2004), lambda 0.4",
    formula="sum of qtf ln(1 + (1 - lambda) (tf / dl) / (lambda p))",
    low=0.0,
    by_field=True,
)
def ql_jelinek_mercer(candidates: Candidates, field: str | None) -> Floats:
    _, share = shares(candidates, field)
    weight = (1.0 - JELINEK_MERCER_LAMBDA) / JELINEK_MERCER_LAMBDA
    return candidates.sum_by_row(
        candidates.entry_count * np.log1p(weight * share / background(candidates))
    )


@feature(
    "dph",
    description="divergence from randomness DPH (Amati et al. 2007), parameter-free",
    formula="sum over matched terms of qtf (1 - r)^2 / (tf + 1) * "
    "(tf log2(tf (avgdl/dl) (N/cf)) + 0.5 log2(2 pi tf (1 - r))), r = min(tf/dl, 0.99999)",
    by_field=True,
)
def dph(candidates: Candidates, field: str | None) -> Floats:
    tf, share = shares(candidates, field)
    stats, hit = candidates.statistics, tf > 0
    r = np.minimum(share, LARGEST_SHARE)
    some = np.where(hit, tf, 1.0)
    share = np.where(hit, share, 1.0)
    mean = max(candidates.mean_length(field), 1e-12)
    rarity = stats.n_documents / stats.collection_frequency[candidates.entry_term]
    information = some * np.log2(share * mean * rarity)
    information += 0.5 * np.log2(2.0 * np.pi * some * (1.0 - r))
    values = np.where(hit, (1.0 - r) ** 2 / (some + 1.0) * information, 0.0)
    return candidates.sum_by_row(candidates.entry_count * values)


def _normalised_frequency(candidates: Candidates, field: str | None) -> Floats:
    """tfn = tf log2(1 + avgdl / dl), the second normalisation with c = 1."""
    length = np.maximum(candidates.length(field), 1.0)[candidates.entry_row]
    tfn: Floats = candidates.frequency(field) * np.log2(
        1.0 + candidates.mean_length(field) / length
    )
    return tfn


@feature(
    "pl2",
    description="divergence from randomness PL2 (Amati and van Rijsbergen 2002), c 1",
    formula="sum over matched terms of qtf / (tfn + 1) * (tfn log2(1/f) + f log2(e) + "
    "0.5 log2(2 pi tfn) + tfn (log2(tfn) - log2(e))), f = cf/N, tfn = tf log2(1 + avgdl/dl)",
    by_field=True,
)
def pl2(candidates: Candidates, field: str | None) -> Floats:
    tfn = _normalised_frequency(candidates, field)
    hit, stats = tfn > 0, candidates.statistics
    some = np.where(hit, tfn, 1.0)
    f = stats.collection_frequency[candidates.entry_term] / stats.n_documents
    information = some * (np.log2(some / f) - np.log2(np.e)) + f * np.log2(np.e)
    information += 0.5 * np.log2(2.0 * np.pi * some)
    return candidates.sum_by_row(
        candidates.entry_count * np.where(hit, information / (some + 1.0), 0.0)
    )


@feature(
    "inl2",
    description="divergence from randomness InL2 (Amati and van Rijsbergen 2002), c 1",
    formula="sum of qtf tfn / (tfn + 1) * log2((N + 1) / (df + 0.5)), tfn = tf log2(1 + avgdl/dl)",
    low=0.0,
    by_field=True,
)
def inl2(candidates: Candidates, field: str | None) -> Floats:
    tfn, stats = _normalised_frequency(candidates, field), candidates.statistics
    df = stats.document_frequency[candidates.entry_term]
    rarity = np.log2((stats.n_documents + 1.0) / (df + 0.5))
    return candidates.sum_by_row(candidates.entry_count * tfn / (tfn + 1.0) * rarity)


@feature(
    "cosine",
    description="vector space cosine lnc.ltc (SMART; Buckley 1985)",
    formula="sum of (1 + ln tf)(1 + ln qtf) ln(N/df) / (|document| |query|), document without idf",
    low=0.0,
    high=1.0,
)
def cosine(candidates: Candidates, field: str | None) -> Floats:
    tf, stats, terms = candidates.frequency(field), candidates.statistics, candidates.query_terms
    weight = (1.0 + np.log(terms.count)) * stats.log_idf[terms.terms]
    length = np.sqrt(candidates.sum_by_query(weight**2)) * _document_norms(candidates)
    damped = np.where(tf > 0, 1.0 + np.log(np.maximum(tf, 1.0)), 0.0)
    product = candidates.sum_by_row(damped * weight[candidates.entry_place])
    return np.divide(product, length, out=np.zeros_like(product), where=length > 0)


def _document_norms(candidates: Candidates) -> Floats:
    """The length of each row's document as a vector of 1 + ln tf."""
    from plackett.features.norm_kernels import document_norms

    index = candidates.index
    documents, row_document = np.unique(candidates.document, return_inverse=True)
    norms = np.empty(len(documents))
    document_norms(
        documents,
        np.asarray(index.tokens),
        np.asarray(index.token_offsets),
        len(index.fields),
        index.n_terms,
        norms,
    )
    found: Floats = norms[row_document.reshape(-1)]
    return found


@feature(
    "coverage",
    description="share of the distinct query terms that occur",
    formula="|{t: tf > 0}| / |query terms|",
    low=0.0,
    high=1.0,
    by_field=True,
)
def coverage(candidates: Candidates, field: str | None) -> Floats:
    return mean_of_terms(candidates, (candidates.frequency(field) > 0).astype(np.float64))


@feature(
    "idf_coverage",
    description="share of the query's idf mass that occurs",
    formula="sum of idf over terms with tf > 0 / sum of idf",
    low=0.0,
    high=1.0,
    by_field=True,
)
def idf_coverage(candidates: Candidates, field: str | None) -> Floats:
    idf = candidates.statistics.idf
    matched = candidates.sum_by_row(idf[candidates.entry_term] * (candidates.frequency(field) > 0))
    mass = candidates.sum_by_query(idf[candidates.query_terms.terms])
    return np.divide(matched, mass, out=np.zeros_like(matched), where=mass > 0)


@feature(
    "log_length",
    description="logarithm of the length in tokens",
    formula="ln(1 + dl)",
    low=0.0,
    by_field=True,
)
def log_length(candidates: Candidates, field: str | None) -> Floats:
    return np.log1p(candidates.length(field))
