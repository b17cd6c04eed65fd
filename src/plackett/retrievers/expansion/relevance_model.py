"""RM3: the query mixed with a model of what its first documents say."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.expansion.base import Expansion, WeightedTerms, register_expansion
from plackett.retrievers.expansion.feedback import Feedback, heaviest, sums_of_places
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.parameters import check_count, check_number

__all__ = ["RM3"]

_PLAIN = re.compile(r"[a-z0-9]+")


@register_expansion
@dataclass(frozen=True)
class RM3(Expansion):
    """A relevance model of the first documents, interpolated with the query.

        w(t) = sum over documents d of score(d) tf(t, d) / sum over kept t' of tf(t', d)
        q'(t) = original q(t) / |q| + (1 - original) w(t) / sum over kept t' of w(t')

    Kept of each document are its `terms` most frequent terms that may be added, and of the sum the
    `terms` heaviest.

    Parameters
    ----------
    documents : how many are read.
    terms : how many are kept.
    original : from 0 to 1, the weight of the query as it was.
    common : terms in more than this share of all documents are not added.
    shortest, longest : nor are those of fewer or more letters.
    plain : nor are those that have anything but the letters a to z and digits. False for other
        alphabets.

    The defaults are those of Anserini.

    Lavrenko, V. and Croft, W. B., 2001. Relevance-based language models. SIGIR. Abdul-Jaleel, N.
    et al., 2004. UMass at TREC 2004: novelty and HARD. TREC.
    """

    documents: int = 10
    terms: int = 10
    original: float = 0.5
    common: float = 0.1
    shortest: int = 2
    longest: int = 20
    plain: bool = True

    def __post_init__(self) -> None:
        for name in ("documents", "terms", "shortest", "longest"):
            check_count(name, getattr(self, name))
        for name in ("original", "common"):
            check_number(name, getattr(self, name), 0.0, 1.0)

    def expand(
        self, index: InvertedIndex, query: WeightedTerms, feedback: Feedback
    ) -> WeightedTerms:
        """The query, its weights of sum 1, mixed with the relevance model."""
        total = query.weights.sum()
        own = query.weights / total if total else query.weights
        terms, weights = self._model(index, feedback)
        if not len(terms):
            return WeightedTerms(query.terms, own)
        both = np.concatenate([query.terms, terms])
        mixed = np.concatenate([self.original * own, (1 - self.original) * weights])
        distinct, place = np.unique(both, return_inverse=True)
        summed = sums_of_places(place, mixed, len(distinct))
        return WeightedTerms(distinct[summed > 0], summed[summed > 0])

    def _model(
        self, index: InvertedIndex, feedback: Feedback
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
        """The terms of the relevance model, and their weights, of sum 1."""
        allowed = self._allowed(index, feedback.term)
        found_terms, found_weights = [np.zeros(0, np.int32)], [np.zeros(0)]
        for place, score in enumerate(feedback.scores):
            rows = np.flatnonzero((feedback.document == place) & allowed)
            rows = rows[heaviest(index, feedback.term[rows], feedback.frequency[rows], self.terms)]
            share = feedback.frequency[rows] / max(1.0, feedback.frequency[rows].sum())
            found_terms.append(feedback.term[rows])
            found_weights.append(score * share)
        terms, place_of = np.unique(np.concatenate(found_terms), return_inverse=True)
        weights = sums_of_places(place_of, np.concatenate(found_weights), len(terms))
        kept = heaviest(index, terms, weights, self.terms)
        total = weights[kept].sum()
        if not total > 0:
            return terms[:0], weights[:0]
        return terms[kept], weights[kept] / total

    def _allowed(self, index: InvertedIndex, terms: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which terms may be added."""
        distinct, place = np.unique(terms, return_inverse=True)
        rare = index.document_frequency[distinct] <= self.common * index.n_documents
        fit = [
            self.shortest <= len(name) <= self.longest
            and (not self.plain or _PLAIN.fullmatch(name) is not None)
            for name in index.terms.strings(distinct).to_pylist()
        ]
        return (rare & np.array(fit, dtype=np.bool_))[place]
