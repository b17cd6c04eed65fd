"""A query as a mixture of others: the CUR decomposition of a matrix of scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError

__all__ = ["Mixture", "check_ridge", "mixture"]

Floats = npt.NDArray[np.float64]


class Mixture(NamedTuple):
    """How q queries mix m others: `weights @ scores + offset[:, None]` guesses their scores.

    Attributes
    ----------
    weights : `float64[q, m]`.
    offset : `float64[q]`, by how much all scores of a query lie above what it mixes.
    """

    weights: Floats
    offset: Floats


def check_ridge(ridge: float) -> None:
    """Check how much large weights cost.

    Raises
    ------
    ConfigurationError : it is negative or infinite.
    """
    if not 0 <= ridge < np.inf:
        raise ConfigurationError(f"ridge={ridge}; expected 0 or more.")


def mixture(block: npt.NDArray[Any], scores: npt.NDArray[Any], ridge: float = 1e-2) -> Mixture:
    """How to mix the rows of `block` to get each row of `scores`.

    The weights u and the offset b minimise `|u block + b - scores|^2 + ridge s^2 |u|^2`, where s is
    the largest singular value of the block, the mean of each row taken off. Where R holds the
    scores of m anchor queries for all documents, and `block` its columns for some of them,
    `u R + b` guesses a query's scores for all documents from those for some.

    With `ridge=0` it is the pseudo-inverse of the CUR decomposition, with an offset: of all weights
    that fit best, the shortest. If all rows of scores lie in a space of r dimensions, r + 1 or more
    documents in general position then make the guess right. Real scores are never of low rank, and
    a nearly singular block has a large inverse, which a ridge keeps small.

    Parameters
    ----------
    block : `[m, a]`, the scores of m anchor queries for a documents.
    scores : `[q, a]`, those of other queries for the same documents.

    Raises
    ------
    DataError : shapes that do not fit.
    ConfigurationError : a negative ridge.

    Mahoney, M. & Drineas, P., 2009. CUR matrix decompositions for improved data analysis. PNAS.

    >>> all_scores = np.array([[1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 2.0]])
    >>> found = mixture(all_scores[:, :3], np.array([[3.0, 1.0, 5.0]]), ridge=0)
    >>> (found.weights @ all_scores + found.offset[:, None]).round(6).tolist()
    [[3.0, 1.0, 5.0, 8.0]]
    """
    known, wanted = np.asarray(block, np.float64), np.asarray(scores, np.float64)
    if known.ndim != 2 or wanted.ndim != 2 or known.shape[1] != wanted.shape[1]:
        raise DataError(
            f"scores of shape {wanted.shape} beside a block of shape {known.shape}",
            expected="as many columns",
        )
    check_ridge(ridge)
    if 0 in known.shape:
        return Mixture(np.zeros((len(wanted), len(known))), np.zeros(len(wanted)))
    means, levels = known.mean(axis=1), wanted.mean(axis=1)
    weights = _weights(known - means[:, None], wanted - levels[:, None], ridge)
    return Mixture(weights, levels - weights @ means)


def _weights(block: Floats, scores: Floats, ridge: float) -> Floats:
    """The weights for centred scores."""
    m, a = block.shape
    # The smaller of the two products of the block with itself is solved for.
    gram = block.T @ block if a <= m else block @ block.T
    scale = ridge * float(np.linalg.eigvalsh(gram)[-1])
    if scale <= 0:
        least = float(np.finfo(np.float64).eps) * max(m, a)
        shortest: Floats = np.linalg.lstsq(block.T, scores.T, rcond=least)[0].T
        return shortest
    gram[np.diag_indices_from(gram)] += scale
    weights: Floats = (
        np.linalg.solve(gram, scores.T).T @ block.T
        if a <= m
        else np.linalg.solve(gram, block @ scores.T).T
    )
    return weights
