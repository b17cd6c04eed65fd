"""What the first documents of a ranking say: how often each of their terms occurs in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.inverted.index import InvertedIndex

__all__ = ["Feedback", "heaviest", "read_feedback", "sums_of_places"]


def sums_of_places(
    places: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """The sum of the weights of each place: `float64[count]`."""
    return np.bincount(places, weights=weights, minlength=count).astype(np.float64)


@dataclass(frozen=True)
class Feedback:
    """The terms of the documents that a query found first.

    Parameters
    ----------
    scores : `float64[n]`, of the documents, best first.
    document : `int64[e]`, from 0 to n - 1, ascending.
    term : `int32[e]`, ascending inside a document, each once.
    frequency : `float64[e]`, how often the document has the term.
    """

    scores: npt.NDArray[np.float64]
    document: npt.NDArray[np.int64]
    term: npt.NDArray[np.int32]
    frequency: npt.NDArray[np.float64]


def read_feedback(
    index: InvertedIndex, documents: npt.NDArray[np.int32], scores: npt.NDArray[np.float32]
) -> Feedback:
    """The terms of documents, from the index's tokens: no text is analysed again.

    Raises
    ------
    ConfigurationError : the index was built with `forward=False`.
    """
    tokens, lengths = index.tokens_of(documents)
    owner = np.repeat(np.arange(len(documents)), lengths)
    pairs, counts = np.unique(owner * max(index.n_terms, 1) + tokens, return_counts=True)
    document, term = np.divmod(pairs, max(index.n_terms, 1))
    return Feedback(
        scores.astype(np.float64), document, term.astype(np.int32), counts.astype(np.float64)
    )


def heaviest(
    index: InvertedIndex,
    terms: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    count: int,
) -> npt.NDArray[np.int64]:
    """The places of the `count` greatest weights; of equal ones the first by the alphabet."""
    if len(terms) > count:
        least = np.partition(weights, len(weights) - count)[len(weights) - count]
        places = np.flatnonzero(weights >= least)
    else:
        places = np.arange(len(terms))
    names = index.terms.strings(terms[places]).to_pylist()
    order = sorted(range(len(places)), key=lambda i: (-weights[places[i]], names[i]))
    return places[order[:count]]
