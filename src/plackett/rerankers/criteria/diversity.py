"""Lists that do not say the same thing twice: MMR, xQuAD and determinantal point processes.

All three build a list greedily from the relevance scores of the first stage and from how similar
documents are. Relevance is scaled per query to 0 to 1; without scores it is 1 - (rank - 1) / n.
"""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.criteria.diversity_orders import dpp_order, mmr_order, xquad_order
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register

__all__ = [
    "DPP",
    "MMR",
    "Aspects",
    "Similarity",
    "VectorSimilarity",
    "XQuAD",
    "word_similarity",
]

Floats = npt.NDArray[np.float64]
Similarity: TypeAlias = Callable[[Candidates], npt.ArrayLike]
"""How similar the candidates of a query are to each other: `float[n, n]`, symmetric."""

Aspects: TypeAlias = (
    Mapping[str, Mapping[str, float] | Sequence[str]]
    | Callable[[str], Mapping[str, float] | Sequence[str]]
)
"""The aspects of each query by its text or its id, with their probabilities or, as a list of
sub-questions, equally probable; or a function of the query's text."""

_WORD = re.compile(r"\w+")


def word_similarity(candidates: Candidates) -> Floats:
    """The cosine of the candidates' word counts, in lower case: `float64[n, n]`.

    Texts without words resemble nothing but themselves.

    >>> word_similarity(Candidates(("a", "b"), ("red wine", "red bread"))).round(2)
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    counts = [Counter(_WORD.findall(text.lower())) for text in candidates.texts]
    column_of = {word: i for i, word in enumerate(dict.fromkeys(w for c in counts for w in c))}
    table = np.zeros((len(counts), len(column_of)))
    for row, own in enumerate(counts):
        for word, count in own.items():
            table[row, column_of[word]] = count
    return _cosines(table)


class VectorSimilarity:
    """The cosine of vectors that are known by document id.

    Parameters
    ----------
    vectors : `float[d]` of every document.

    >>> similar = VectorSimilarity({"a": [1.0, 0.0], "b": [0.0, 2.0]})
    >>> similar(Candidates(("a", "b"), ("", "")))
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, vectors: Mapping[str, npt.ArrayLike]) -> None:
        self.vectors = vectors

    def __call__(self, candidates: Candidates) -> Floats:
        """The cosines of the candidates: `float64[n, n]`.

        Raises
        ------
        DataError : a document without a vector.
        """
        lost = [name for name in candidates.ids if name not in self.vectors]
        if lost:
            raise DataError(f"document {lost[0]!r} without a vector", expected="one a document")
        rows = [np.asarray(self.vectors[name], dtype=np.float64) for name in candidates.ids]
        return _cosines(np.stack(rows))


def _cosines(table: Floats) -> Floats:
    length = np.sqrt((table**2).sum(axis=1, keepdims=True))
    unit = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    cosines: Floats = np.clip(unit @ unit.T, -1.0, 1.0)
    np.fill_diagonal(cosines, 1.0)
    return cosines


def scaled_relevance(candidates: Candidates) -> Floats:
    """First-stage scores scaled to 0 to 1: `float64[n]`; by rank where there are none.

    >>> scaled_relevance(Candidates(("a", "b"), ("", "")))
    array([1. , 0.5])
    """
    n = len(candidates)
    if candidates.scores is None:
        return 1.0 - np.arange(n) / max(n, 1)
    scores = np.asarray(candidates.scores, dtype=np.float64)
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return np.zeros(n)
    bounded = np.clip(np.where(np.isnan(scores), finite.min(), scores), finite.min(), finite.max())
    bounded = bounded / (np.abs(bounded).max() or 1.0)  # the spread of huge scores stays finite
    spread = np.ptp(bounded)
    return np.asarray((bounded - bounded.min()) / spread) if spread > 0 else np.ones(n)


class _Diverse(TextReranker):
    """A greedy list; its values are of the moment of choice, so the order alone is handed on."""

    @abstractmethod
    def _order(self, query: str, candidates: Candidates) -> list[int]:
        """The order of one query's candidates."""

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        outcomes = []
        for query, given in zip(queries, candidates, strict=True):
            order = await asyncio.to_thread(self._order, query, given)
            outcomes.append(Outcome(Ordering(tuple(order))))
            self._tell(outcomes[-1])
        return outcomes

    def __repr__(self) -> str:
        return describe(self)


def _check_parameters(name: str, value: float, k: int | None, *, most: float = 1.0) -> None:
    if not 0.0 <= value <= most:
        raise ConfigurationError(f"{name}={value}; expected 0 to {most:g}.")
    if k is not None and k < 1:
        raise ConfigurationError(f"k={k}; expected 1 or more, or None for all.")


@register("mmr")
class MMR(_Diverse):
    """Maximal marginal relevance: see `mmr_order`.

    Parameters
    ----------
    weight : of relevance against novelty (the paper's lambda).
    k : how many places to fill greedily; what stands below keeps the first stage's order.
    similarity : "words" (`word_similarity`), or a function of the candidates such as
        `VectorSimilarity`; with a function the `repr` cannot be read back.

    >>> documents = {"a": "red wine", "b": "red wine", "c": "bread"}
    >>> MMR().rank("wine", documents).ids
    ['a', 'c', 'b']
    """

    def __init__(
        self,
        *,
        weight: float = 0.5,
        k: int | None = None,
        similarity: Similarity | Literal["words"] = "words",
    ) -> None:
        _check_parameters("weight", weight, k)
        self.weight, self.k, self.similarity = weight, k, similarity

    def _order(self, query: str, candidates: Candidates) -> list[int]:
        alike = _function(self.similarity)(candidates)
        return mmr_order(scaled_relevance(candidates), alike, weight=self.weight, k=self.k)


@register("dpp")
class DPP(_Diverse):
    """A determinantal point process, its likeliest set searched greedily: see `dpp_order`.

    Parameters
    ----------
    sharpness : how much relevance counts against similarity; 0 is diversity alone.
    k, similarity : as for `MMR`; the similarity must be positive semidefinite, as cosines are.

    >>> DPP().rank("wine", {"a": "red wine", "b": "red wine", "c": "bread"}).ids
    ['a', 'c', 'b']
    """

    def __init__(
        self,
        *,
        sharpness: float = 1.0,
        k: int | None = None,
        similarity: Similarity | Literal["words"] = "words",
    ) -> None:
        _check_parameters("sharpness", sharpness, k, most=100.0)
        self.sharpness, self.k, self.similarity = sharpness, k, similarity

    def _order(self, query: str, candidates: Candidates) -> list[int]:
        alike = _function(self.similarity)(candidates)
        return dpp_order(scaled_relevance(candidates), alike, sharpness=self.sharpness, k=self.k)


@register("xquad")
class XQuAD(_Diverse):
    """Explicit diversification over the aspects of a query: see `xquad_order`.

    Parameters
    ----------
    aspects : see `Aspects`; a query without any keeps its order.
    weight : of the aspects against relevance (the paper's lambda).
    k : as for `MMR`.
    coverage : how well the candidates serve an aspect, `float[n]` of 0 to 1, a function of its text
        and the candidates; by default the share of the aspect's words that they have.

    >>> documents = {"a": "jaguar car", "b": "jaguar car", "c": "jaguar cat"}
    >>> XQuAD({"jaguar": ["car", "cat"]}, weight=0.9).rank("jaguar", documents).ids
    ['a', 'c', 'b']
    """

    def __init__(
        self,
        aspects: Aspects,
        *,
        weight: float = 0.5,
        k: int | None = None,
        coverage: Callable[[str, Candidates], npt.ArrayLike] | None = None,
    ) -> None:
        _check_parameters("weight", weight, k)
        self.aspects, self.weight, self.k, self.coverage = aspects, weight, k, coverage

    def _order(self, query: str, candidates: Candidates) -> list[int]:
        known = self._aspects_of(query, candidates.query_id)
        total = sum(known.values())
        if not known or total <= 0:
            return list(range(len(candidates)))
        cover = self.coverage or _word_coverage
        covered = np.stack(
            [np.asarray(cover(aspect, candidates), dtype=np.float64) for aspect in known], axis=1
        )
        return xquad_order(
            scaled_relevance(candidates),
            covered,
            [value / total for value in known.values()],
            weight=self.weight,
            k=self.k,
        )

    def _aspects_of(self, query: str, query_id: str | None) -> Mapping[str, float]:
        if callable(self.aspects):
            found = self.aspects(query)
        else:
            found = self.aspects.get(query, self.aspects.get(query_id or "", ()))
        return found if isinstance(found, Mapping) else dict.fromkeys(found, 1.0)


def _function(similarity: Similarity | str) -> Similarity:
    if callable(similarity):
        return similarity
    if similarity != "words":
        raise ConfigurationError(f'similarity={similarity!r}; expected "words" or a function.')
    return word_similarity


def _word_coverage(aspect: str, candidates: Candidates) -> Floats:
    wanted = set(_WORD.findall(aspect.lower()))
    shares = [
        len(wanted & set(_WORD.findall(text.lower()))) / len(wanted) if wanted else 0.0
        for text in candidates.texts
    ]
    return np.array(shares)
