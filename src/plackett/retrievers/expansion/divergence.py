"""Expansion by how far the first documents' use of a term is from that of the collection."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.retrievers.expansion.base import Expansion, WeightedTerms, register_expansion
from plackett.retrievers.expansion.feedback import Feedback, heaviest, sums_of_places
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.parameters import check_count, check_number

__all__ = ["KL", "Bo1"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Divergence(Expansion):
    """What the two share: the first documents are read as one; see the subclasses.

    Parameters
    ----------
    documents : how many are read.
    terms : how many are taken, those of the query among them; 0 adds none, but weighs those of the
        query anew.
    beta : the greatest weight that is added to a term; None for the parameter-free form, which
        divides by the weight that a term would have that is as frequent as the heaviest one and
        occurs nowhere else.
    least : in how many of the documents a term must occur that the query has not.
    """

    documents: int = 3
    terms: int = 10
    beta: float | None = None
    least: int = 2

    def __post_init__(self) -> None:
        check_count("documents", self.documents)
        check_count("terms", self.terms, 0)
        check_count("least", self.least)
        if self.beta is not None:
            check_number("beta", self.beta, above=True)

    @abstractmethod
    def weigh(
        self, within: Floats, everywhere: Floats, tokens: float, index: InvertedIndex
    ) -> Floats:
        """What terms weigh that occur so often in the `tokens` of the documents, and in all."""

    def expand(
        self, index: InvertedIndex, query: WeightedTerms, feedback: Feedback
    ) -> WeightedTerms:
        """The query, its greatest weight 1, with what the divergence adds."""
        own = query.weights / max(query.weights.max(initial=0.0), 1e-300)
        terms, place = np.unique(feedback.term, return_inverse=True)
        within = sums_of_places(place, feedback.frequency, len(terms))
        in_query = np.isin(terms, query.terms)
        often = np.bincount(place, minlength=len(terms)) >= min(self.least, len(feedback.scores))
        fit = in_query if self.terms == 0 else in_query | often
        terms, within = terms[fit], within[fit]
        everywhere = index.collection_frequency[terms].astype(np.float64)
        tokens = float(feedback.frequency.sum())
        weights = self.weigh(within, everywhere, tokens, index)
        kept = heaviest(index, terms, weights, self.terms or len(terms))
        kept = kept[weights[kept] > 0]
        if not len(kept):
            return WeightedTerms(query.terms, own)
        most = within[kept[:1]]
        if self.beta is None:
            added = weights[kept] / self.weigh(most, most, tokens, index)
        else:
            added = self.beta * weights[kept] / weights[kept[0]]
        distinct, place = np.unique(np.concatenate([query.terms, terms[kept]]), return_inverse=True)
        summed = sums_of_places(place, np.concatenate([own, added]), len(distinct))
        return WeightedTerms(distinct, summed)


@register_expansion
@dataclass(frozen=True)
class Bo1(_Divergence):
    """Bose-Einstein weights of the terms of the first documents, read as one.

        w(t) = f log2((1 + p) / p) + log2(1 + p),  p = F / N
        q'(t) = q(t) / max q + w(t) / w0

    f: occurrences of the term in the first documents, F in all, N documents; w0 is w of a term
    with f = F = that of the heaviest term. With `beta`, the added weight is beta w(t) / max w.

    Parameters
    ----------
    documents, terms, beta, least : how many documents are read; how many terms are taken, 0 for
        those of the query only; the greatest weight added, None for the parameter-free form; in
        how many of the documents a new term must occur.

    The defaults are Terrier's. Amati, G., 2003. Probability models for information retrieval based
    on divergence from randomness. PhD thesis, University of Glasgow.
    """

    def weigh(
        self, within: Floats, everywhere: Floats, tokens: float, index: InvertedIndex
    ) -> Floats:
        """The Bose-Einstein weight."""
        p = everywhere / max(index.n_documents, 1)
        weights: Floats = within * np.log2((1 + p) / p) + np.log2(1 + p)
        return weights


@register_expansion
@dataclass(frozen=True)
class KL(_Divergence):
    """Terms by their part in the divergence of the first documents, read as one, from all.

        w(t) = p log2(p / c) where p > c, else 0;  p = f / l,  c = F / |C|
        q'(t) = q(t) / max q + w(t) / w0

    f: occurrences of the term in the l tokens of the first documents, F in the |C| of all; w0 is w
    of a term with f = F = that of the heaviest term. With `beta`, the added weight is
    beta w(t) / max w.

    Parameters
    ----------
    documents, terms, beta, least : as for `Bo1`.

    Amati, G., 2003. Probability models for information retrieval based on divergence from
    randomness. PhD thesis, University of Glasgow.
    """

    def weigh(
        self, within: Floats, everywhere: Floats, tokens: float, index: InvertedIndex
    ) -> Floats:
        """The term's part in the Kullback-Leibler divergence."""
        p, c = within / max(tokens, 1.0), everywhere / max(index.n_tokens, 1)
        weights: Floats = np.where(p > c, p * np.log2(p / c), 0.0)
        return weights
