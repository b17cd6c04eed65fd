"""Pseudo-relevance feedback among the candidates of a query."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from plackett.features.row_kernels import entries_by_term, local_rows

__all__ = ["feedback_scores"]


@njit(cache=True, nogil=True)
def feedback_scores(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    score: npt.NDArray[np.float64],
    saturation: npt.NDArray[np.float64],
    bm25_idf: npt.NDArray[np.float64],
    log_idf: npt.NDArray[np.float64],
    expands: npt.NDArray[np.bool_],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    few: int,
    many: int,
    neighbours: int,
    out: npt.NDArray[np.float64],
) -> None:
    """Fill `out` `[rows, 5]`.

    Columns: relevance model, centroids of few and of many, cosine to few, neighbours.

    `score` are non-negative BM25 scores of the rows, `saturation` `k1 (1 - b + b dl / avgdl)` of
    their documents, `expands` marks the terms that a relevance model may hold.
    """
    local_of_term = np.full(len(bm25_idf), -1, np.int32)
    for q in range(first_query, last_query):
        begin = row_offsets[q]
        n = row_offsets[q + 1] - begin
        if n == 0:
            continue
        starts, column, frequency, vocabulary = local_rows(
            documents[begin : begin + n], tokens, token_offsets, n_fields, local_of_term
        )
        size, used = len(vocabulary), len(column)
        cosine = np.empty(used)
        impact = np.empty(used)
        direction = np.empty(used)
        for i in range(n):
            norm_cosine, norm_impact = 0.0, 0.0
            for e in range(starts[i], starts[i + 1]):
                term, tf = vocabulary[column[e]], frequency[e]
                cosine[e] = (1.0 + np.log(tf)) * log_idf[term]
                impact[e] = bm25_idf[term] * tf / (tf + saturation[begin + i])
                norm_cosine += cosine[e] ** 2
                norm_impact += impact[e] ** 2
            for e in range(starts[i], starts[i + 1]):
                cosine[e] = cosine[e] / np.sqrt(norm_cosine) if norm_cosine > 0 else 0.0
                direction[e] = impact[e] / np.sqrt(norm_impact) if norm_impact > 0 else 0.0
        weight = score[begin : begin + n].copy()
        if weight[:many].sum() <= 0.0:
            weight[:many] = 1.0
        # Sums over the feedback documents, term by term.
        model = np.zeros(size)
        near, far = np.zeros(size), np.zeros(size)
        few_weights = weight[:few].sum()
        for i in range(min(many, n)):
            kept = 0
            for e in range(starts[i], starts[i + 1]):
                if expands[vocabulary[column[e]]]:
                    kept += frequency[e]
            for e in range(starts[i], starts[i + 1]):
                if kept > 0 and expands[vocabulary[column[e]]]:
                    model[column[e]] += weight[i] * frequency[e] / kept
                far[column[e]] += weight[i] * cosine[e]
                if i < few:
                    near[column[e]] += weight[i] * cosine[e]
        norm_near, norm_far, mass = 0.0, 0.0, 0.0
        for t in range(size):
            norm_near += near[t] ** 2
            norm_far += far[t] ** 2
            mass += model[t]
        # The same entries by term, for document-to-document products.
        postings, holder, value = entries_by_term(starts, column, direction, size)
        similarity = np.empty(n)
        for i in range(n):
            relevance, to_near, to_far, own = 0.0, 0.0, 0.0, 0.0
            similarity[:] = 0.0
            for e in range(starts[i], starts[i + 1]):
                t = column[e]
                relevance += model[t] * impact[e]
                to_near += near[t] * cosine[e]
                to_far += far[t] * cosine[e]
                own += cosine[e] ** 2
                for at in range(postings[t], postings[t + 1]):
                    similarity[holder[at]] += direction[e] * value[at]
            out[begin + i, 0] = relevance / mass if mass > 0 else 0.0
            out[begin + i, 1] = to_near / np.sqrt(norm_near) if norm_near > 0 else 0.0
            out[begin + i, 2] = to_far / np.sqrt(norm_far) if norm_far > 0 else 0.0
            share = weight[i] if i < few else 0.0
            others = few_weights - share
            out[begin + i, 3] = (to_near - share * own) / others if others > 1e-9 else 0.0
            similarity[i] = 0.0
            products, weights = 0.0, 0.0
            for _ in range(min(neighbours, n - 1)):
                nearest = np.argmax(similarity)
                if similarity[nearest] <= 0.0:
                    break
                products += similarity[nearest] * score[begin + nearest]
                weights += similarity[nearest]
                similarity[nearest] = 0.0
            out[begin + i, 4] = products / weights if weights > 0 else 0.0
