"""The candidates of a query compared with each other, and longer queries made of the best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from plackett.features.row_kernels import entries_by_term, local_rows

__all__ = ["neighbour_scores"]


@njit(cache=True, nogil=True)
def neighbour_scores(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    score: npt.NDArray[np.float64],
    saturation: npt.NDArray[np.float64],
    idf: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    expands: npt.NDArray[np.bool_],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    n_fields: int,
    sizes: tuple[int, int, int, int],
    expansions: tuple[int, int, int, int],
    out: npt.NDArray[np.float64],
) -> None:
    """Fill `out` `[rows, 9]`.

    Columns: cosine to the first, second and third; greatest to the few best; mean to the many
    best, weighted by `score`; mean to all; diffused score; relevance model; Bose-Einstein model.

    `share` is cf / N of a term, `sizes` few, many, neighbours and steps, `expansions` documents
    and terms of the two models. The rest is as for `feedback_scores`.
    """
    local_of_term = np.full(len(idf), -1, np.int32)
    for q in range(first_query, last_query):
        begin, end = row_offsets[q], row_offsets[q + 1]
        if begin == end:
            continue
        starts, column, frequency, vocabulary = local_rows(
            documents[begin:end], tokens, token_offsets, n_fields, local_of_term
        )
        size, n = len(vocabulary), end - begin
        if size == 0:
            continue
        impact = np.empty(len(column))
        for i in range(n):
            for e in range(starts[i], starts[i + 1]):
                tf = frequency[e]
                impact[e] = idf[vocabulary[column[e]]] * tf / (tf + saturation[begin + i])
        _compare(starts, column, impact, size, score[begin:end], sizes, out[begin:end])
        of_query = score[begin:end]
        model = _relevance_model(
            starts[: expansions[0] + 1], column, frequency, expands[vocabulary], of_query
        )
        _keep_heaviest(model, expansions[1])
        _add_up(starts, column, impact, model / max(model.sum(), 1e-300), out[begin:end, 7])
        model = _bose_einstein(starts[: expansions[2] + 1], column, frequency, share[vocabulary])
        _keep_heaviest(model, expansions[3])
        _add_up(starts, column, impact, model / max(model.max(), 1e-300), out[begin:end, 8])


@njit(cache=True, nogil=True)
def _compare(  # pragma: no cover
    starts: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    impact: npt.NDArray[np.float64],
    size: int,
    score: npt.NDArray[np.float64],
    sizes: tuple[int, int, int, int],
    out: npt.NDArray[np.float64],
) -> None:
    """Columns 0 to 6: what the cosines to the other candidates say."""
    few, many, neighbours, steps = sizes
    n = len(starts) - 1
    direction = np.zeros(len(column))
    for i in range(n):
        norm = np.sqrt((impact[starts[i] : starts[i + 1]] ** 2).sum())
        if norm > 0:
            direction[starts[i] : starts[i + 1]] = impact[starts[i] : starts[i + 1]] / norm
    postings, holder, value = entries_by_term(starts, column, direction, size)
    weight = score[:many].copy()
    if weight.sum() <= 0:
        weight[:] = 1.0
    total = weight.sum()
    nearest = np.full((n, neighbours), -1, np.int64)
    nearness = np.zeros((n, neighbours))
    similarity = np.empty(n)
    for i in range(n):
        similarity[:] = 0.0
        for e in range(starts[i], starts[i + 1]):
            for at in range(postings[column[e]], postings[column[e] + 1]):
                similarity[holder[at]] += direction[e] * value[at]
        similarity[i] = 0.0
        for j in range(min(3, n)):
            out[i, j] = similarity[j]
        out[i, 3] = similarity[:few].max()
        others = total - (weight[i] if i < len(weight) else 0.0)
        if others > 1e-9:
            out[i, 4] = (similarity[: len(weight)] * weight).sum() / others
        if n > 1:
            out[i, 5] = similarity.sum() / (n - 1)
        for j in range(min(neighbours, n - 1)):
            best = np.argmax(similarity)
            if similarity[best] <= 0:
                break
            nearest[i, j], nearness[i, j] = best, similarity[best]
            similarity[best] = 0.0
    out[:, 6] = _diffused(nearest, nearness, score, steps)


@njit(cache=True, nogil=True)
def _diffused(  # pragma: no cover
    nearest: npt.NDArray[np.int64],
    nearness: npt.NDArray[np.float64],
    score: npt.NDArray[np.float64],
    steps: int,
) -> npt.NDArray[np.float64]:
    """Scores after some steps of: half the own score, half the mean of the nearest's."""
    now: npt.NDArray[np.float64] = score.copy()
    for _ in range(steps):
        before = now.copy()
        for i in range(len(score)):
            total, mass = 0.0, 0.0
            for j in range(nearest.shape[1]):
                if nearest[i, j] < 0:
                    break
                total += nearness[i, j] * before[nearest[i, j]]
                mass += nearness[i, j]
            now[i] = 0.5 * score[i] + (0.5 * total / mass if mass > 0 else 0.0)
    return now


@njit(cache=True, nogil=True)
def _relevance_model(  # pragma: no cover
    starts: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    frequency: npt.NDArray[np.int32],
    expands: npt.NDArray[np.bool_],
    score: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """RM1 of the documents: the sum of score tf / (tokens that may be added), by column."""
    model = np.zeros(len(expands))
    documents = len(starts) - 1
    scored = score[:documents].sum() > 0
    for i in range(documents):
        kept = 0
        for e in range(starts[i], starts[i + 1]):
            if expands[column[e]]:
                kept += frequency[e]
        for e in range(starts[i], starts[i + 1]):
            if expands[column[e]]:
                model[column[e]] += (score[i] if scored else 1.0) * frequency[e] / kept
    return model


@njit(cache=True, nogil=True)
def _bose_einstein(  # pragma: no cover
    starts: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    frequency: npt.NDArray[np.int32],
    share: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Bo1 of the documents, by column; a term counts that at least two have, or the only one."""
    within = np.zeros(len(share))
    holders = np.zeros(len(share), np.int64)
    for e in range(starts[-1]):
        within[column[e]] += frequency[e]
        holders[column[e]] += 1
    least = min(2, len(starts) - 1)
    weights = np.zeros(len(share))
    for t in range(len(share)):
        if holders[t] >= least:
            weights[t] = within[t] * np.log2((1.0 + share[t]) / share[t]) + np.log2(1.0 + share[t])
    return weights


@njit(cache=True, nogil=True)
def _keep_heaviest(model: npt.NDArray[np.float64], count: int) -> None:  # pragma: no cover
    """Set all but the `count` greatest weights, and those that equal the last of them, to 0."""
    if len(model) > count:
        least = np.partition(model, len(model) - count)[len(model) - count]
        for t in range(len(model)):
            if model[t] < least:
                model[t] = 0.0


@njit(cache=True, nogil=True)
def _add_up(  # pragma: no cover
    starts: npt.NDArray[np.int64],
    column: npt.NDArray[np.int32],
    impact: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    out: npt.NDArray[np.float64],
) -> None:
    """out[i] = the sum of weight x impact over the terms of document i."""
    for i in range(len(starts) - 1):
        total = 0.0
        for e in range(starts[i], starts[i + 1]):
            total += weights[column[e]] * impact[e]
        out[i] = total
