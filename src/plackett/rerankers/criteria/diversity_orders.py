"""Greedy orders that weigh relevance against redundancy, as functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["dpp_order", "mmr_order", "xquad_order"]

Floats = npt.NDArray[np.float64]


def mmr_order(
    relevance: npt.ArrayLike,
    similarity: npt.ArrayLike,
    *,
    weight: float = 0.5,
    k: int | None = None,
) -> list[int]:
    """Greedily the document with the highest `weight rel(d) - (1 - weight) max_s sim(d, s)`.

    The maximum is over the documents chosen so far, and 0 for the first. Equal values keep the
    order given, and so does what stands below the first k. Time O(n k).

    Parameters
    ----------
    relevance, similarity : `float[n]` and `float[n, n]`.
    weight : 1 looks at relevance only, 0 at novelty only.
    k : how many places to fill greedily; all by default.

    Carbonell & Goldstein, "The use of MMR", SIGIR 1998.

    >>> mmr_order([1.0, 0.9, 0.5], [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    [0, 2, 1]
    """
    worth, alike = _square(relevance, similarity)
    nearest = np.zeros(len(worth))
    chosen: list[int] = []
    for place in range(_places(len(worth), k)):
        value = weight * worth - (1.0 - weight) * nearest
        best = _best(value, chosen)
        nearest = alike[best].copy() if place == 0 else np.maximum(nearest, alike[best])
        chosen.append(best)
    return _with_rest(chosen, len(worth))


def xquad_order(
    relevance: npt.ArrayLike,
    coverage: npt.ArrayLike,
    probability: npt.ArrayLike,
    *,
    weight: float = 0.5,
    k: int | None = None,
) -> list[int]:
    """Greedily `(1 - weight) rel(d) + weight sum_a P(a) P(d|a) prod_s (1 - P(s|a))`.

    An aspect that is covered already counts less. Ties and k as for `mmr_order`. Time O(n k a).

    Parameters
    ----------
    relevance : `float[n]`, 0 to 1.
    coverage : `float[n, a]`, how well each document serves each aspect, P(d|a), 0 to 1.
    probability : `float[a]`, of the aspects, P(a).
    weight : 0 looks at relevance only, 1 at aspects only.

    Santos, Macdonald & Ounis, "Exploiting query reformulations for web search result
    diversification" (xQuAD), WWW 2010.

    >>> xquad_order([1.0, 0.9, 0.1], [[1, 0], [1, 0], [0, 1]], [0.5, 0.5], weight=0.9)
    [0, 2, 1]
    """
    worth = np.asarray(relevance, dtype=np.float64)
    covered = np.asarray(coverage, dtype=np.float64)
    aspects = np.asarray(probability, dtype=np.float64)
    if covered.shape != (len(worth), len(aspects)):
        raise DataError(
            f"coverage of shape {covered.shape}",
            expected=f"{len(worth)} documents by {len(aspects)} aspects",
        )
    if not ((covered >= 0) & (covered <= 1)).all() or not (aspects >= 0).all():
        raise DataError("a probability outside 0 to 1", expected="probabilities")
    left = aspects.copy()
    chosen: list[int] = []
    for _ in range(_places(len(worth), k)):
        best = _best((1.0 - weight) * worth + weight * (covered @ left), chosen)
        left = left * (1.0 - covered[best])
        chosen.append(best)
    return _with_rest(chosen, len(worth))


def dpp_order(
    relevance: npt.ArrayLike,
    similarity: npt.ArrayLike,
    *,
    sharpness: float = 1.0,
    k: int | None = None,
) -> list[int]:
    """Greedily the set of the largest determinant of L = diag(q) S diag(q), q = exp(sharpness rel).

    log det grows by 2 sharpness rel(d) of each document and falls with the similarities in the
    set. The greedy search keeps the rows of a Cholesky factor, which takes O(n k^2) in all. What
    adds no volume any more (a copy of a chosen document) follows in the order given.

    Parameters
    ----------
    relevance, similarity : `float[n]`, and `float[n, n]`, positive semidefinite.
    sharpness : how much relevance counts against similarity.
    k : how many places to fill greedily; all by default.

    Chen, Zhang & Zhou, "Fast greedy MAP inference for determinantal point process", NeurIPS 2018.

    >>> dpp_order([1.0, 1.0, 0.5], [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    [0, 2, 1]
    """
    worth, alike = _square(relevance, similarity)
    n = len(worth)
    # A common factor of all q changes no choice; without it exp cannot overflow.
    quality = np.exp(sharpness * (worth - worth.max(initial=0.0)))
    factor = np.zeros((n, 0))
    # Volume gained by each document, relative to its own quality: rounding is judged on this.
    gain = np.diag(alike).copy()
    chosen: list[int] = []
    for _ in range(_places(n, k)):
        with np.errstate(divide="ignore"):
            value = np.where(gain > 1e-9, 2.0 * np.log(quality) + np.log(gain), -np.inf)
        best = _best(value, chosen)
        if not np.isfinite(value[best]):
            break
        row = (alike[best] - factor @ factor[best]) / np.sqrt(gain[best])
        factor = np.hstack([factor, row[:, None]])
        gain = np.maximum(gain - row**2, 0.0)
        chosen.append(best)
    return _with_rest(chosen, n)


def _square(relevance: npt.ArrayLike, similarity: npt.ArrayLike) -> tuple[Floats, Floats]:
    worth = np.asarray(relevance, dtype=np.float64)
    alike = np.asarray(similarity, dtype=np.float64)
    if worth.ndim != 1 or alike.shape != (len(worth), len(worth)):
        raise DataError(
            f"relevance and similarity of shapes {worth.shape} and {alike.shape}",
            expected="n numbers and n rows of n",
        )
    if not np.isfinite(worth).all() or not np.isfinite(alike).all():
        raise DataError("a relevance or similarity that is not finite", expected="finite numbers")
    return worth, alike


def _places(n: int, k: int | None) -> int:
    return n if k is None else min(k, n)


def _best(value: Floats, chosen: Sequence[int]) -> int:
    free = np.asarray(value, dtype=np.float64).copy()
    free[list(chosen)] = -np.inf
    best = int(np.argmax(free))
    if best in chosen:  # all that is free has the value minus infinity
        best = next(i for i in range(len(free)) if i not in set(chosen))
    return best


def _with_rest(chosen: list[int], n: int) -> list[int]:
    seen = set(chosen)
    return [*chosen, *(i for i in range(n) if i not in seen)]
