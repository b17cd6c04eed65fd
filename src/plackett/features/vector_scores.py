"""Scores of vectors as features: every candidate's, whatever stage found it.

A source is an index of vectors, which knows the vector of each document, or an encoder, which makes
them of the corpus's texts. With q the query's vector, d the candidate's, and R the candidates of
the query's list:

| value | formula |
|---|---|
| score | s(q, d): q . d; of token vectors the sum over query tokens of the best document token |
| reciprocal_rank | 1 / rank of d in R by s, equal scores sharing the best of their ranks |
| feedback | c . d, c the mean vector of the 5 best of R by s (Rocchio 1971, as vectors) |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.encoders.base import (
    DenseEncoder,
    Encoder,
    SparseEncoder,
    TokenEncoder,
    TokenVectors,
)
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.features.base import Feature
from plackett.features.candidates import Candidates
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.lookup import DocumentLookup, probe_of, products_with
from plackett.retrievers.segments.vectors import DENSE, SPARSE, TOKENS, VectorKind

__all__ = ["VALUES", "vector_features"]

Floats = npt.NDArray[np.float64]
Blocks = Iterator[tuple[npt.NDArray[np.int64], Any]]

VALUES = ("score", "reciprocal_rank", "feedback")
"""What a source says about a candidate."""

FEEDBACK_DOCUMENTS = 5

_DESCRIPTIONS = {
    "score": ("similarity of query and document", "s(q, d)"),
    "reciprocal_rank": ("1 / rank among the candidates by similarity", "1 / rank by s(q, d)"),
    "feedback": (
        f"product with the mean vector of the {FEEDBACK_DOCUMENTS} most similar candidates",
        f"c . d, c = mean of the {FEEDBACK_DOCUMENTS} best of the list by s(q, d)",
    ),
}


class _Source(ABC):
    """Where the vectors come from.

    Attributes
    ----------
    given : the index or the encoder.
    """

    given: Any
    kind: VectorKind[Any]

    @property
    @abstractmethod
    def identity(self) -> str:
        """What determines the values."""

    @abstractmethod
    def queries(self, texts: Sequence[str]) -> Any:
        """The vectors of queries."""

    @abstractmethod
    def documents(self, run: Run) -> tuple[npt.NDArray[np.int64], Any]:
        """A number for each row, -1 for a document without a vector, and what `blocks` needs."""

    @abstractmethod
    def blocks(self, known: Any, numbers: npt.NDArray[np.int64]) -> Blocks:
        """Some places in `numbers`, and the vectors that belong there."""


class _Index(_Source):
    """The vectors of an index; a document that it lacks has none."""

    def __init__(self, retriever: SegmentedRetriever[Any]) -> None:
        self.given, self.kind = retriever, retriever.vectors

    @property
    def identity(self) -> str:
        identity = self.given.manifest.facts.get("identity")
        if identity is None:
            identity = self.given.needed_encoder().identity
        return f"{self.kind.name} {identity}"

    def queries(self, texts: Sequence[str]) -> Any:
        return self.given.needed_encoder().encode(texts, "query")

    def documents(self, run: Run) -> tuple[npt.NDArray[np.int64], Any]:
        codes = run.document_ids.map_to(self.given.document_ids)[run.document]
        return codes.astype(np.int64), DocumentLookup(self.given)

    def blocks(self, known: DocumentLookup, numbers: npt.NDArray[np.int64]) -> Blocks:
        return known.blocks(numbers)


class _Texts(_Source):
    """Vectors that an encoder makes of the texts of the run's corpus, at each extraction."""

    def __init__(self, encoder: Encoder[Any], kind: VectorKind[Any]) -> None:
        self.given, self.kind = encoder, kind

    @property
    def identity(self) -> str:
        return f"{self.kind.name} {self.given.identity}"

    def queries(self, texts: Sequence[str]) -> Any:
        return self.given.encode(texts, "query")

    def documents(self, run: Run) -> tuple[npt.NDArray[np.int64], Any]:
        if run.corpus is None:
            raise DataError(
                "a run without its corpus, for an encoder to read its documents",
                expected="the corpus whose documents the run ranks",
                remedy="run.replace(corpus=...), or give an index in the encoder's place",
            )
        codes = run.document_ids.map_to(run.corpus.ids)[run.document].astype(np.int64)
        distinct, numbers = np.unique(codes, return_inverse=True)
        missing = int(len(distinct) > 0 and distinct[0] < 0)
        texts = run.corpus.texts(distinct[missing:]) if len(distinct) > missing else []
        return numbers.reshape(-1) - missing, self.given.encode(texts, "document")

    def blocks(self, known: Any, numbers: npt.NDArray[np.int64]) -> Blocks:
        places = np.flatnonzero(numbers >= 0)
        if len(places):
            yield places, self.kind.take(known, numbers[places])


_KINDS: tuple[tuple[type[Any], VectorKind[Any]], ...] = (
    (DenseEncoder, DENSE),
    (SparseEncoder, SPARSE),
    (TokenEncoder, TOKENS),
)


def _source_of(source: Any) -> _Source:
    if isinstance(source, SegmentedRetriever):
        return _Index(source)
    for encoder, kind in _KINDS:
        if isinstance(source, encoder):
            return _Texts(source, kind)
    raise ConfigurationError(
        f"scores from a {type(source).__name__}; expected an index of vectors (Dense, Sparse, "
        "LateInteraction) or an encoder."
    )


def vector_features(name: str, source: Any, values: Iterable[str]) -> list[Feature]:
    """What a source of vectors says about candidates: features named `{name}_{value}`.

    Parameters
    ----------
    name : what the source is called, such as "minilm".
    source : a `Dense`, `Sparse` or `LateInteraction` index with an encoder, or an encoder; the run
        that features are extracted from must then know its corpus.
    values : of `VALUES`; see the module.

    Raises
    ------
    UnknownNameError : no such value.
    ConfigurationError : another source, one without an encoder, or feedback from token vectors.
    """
    if isinstance(values, str):
        raise ConfigurationError(f"values={values!r}; expected a list of values: [{values!r}].")
    wanted, opened = tuple(values), _source_of(source)
    identity = opened.identity
    for value in wanted:
        if value not in VALUES:
            raise UnknownNameError("value of a source of vectors", value, VALUES)
        if value == "feedback" and opened.kind is TOKENS:
            raise ConfigurationError(
                f"feedback from {name!r}, whose documents have a vector a token; it needs one "
                "vector a document."
            )
    return [
        Feature(
            f"{name}_{value}",
            f"{name}: {_DESCRIPTIONS[value][0]}",
            _DESCRIPTIONS[value][1],
            _Column(value, opened),
            low=0.0 if value == "reciprocal_rank" else None,
            high=1.0 if value == "reciprocal_rank" else None,
            kind="vectors",
            needs=("vectors",),
            facts=(("source", name), ("value", value), ("identity", identity)),
        )
        for value in wanted
    ]


class _Column:
    """One value of a source; the columns of a source share its scores."""

    def __init__(self, value: str, source: _Source) -> None:
        self._value, self._source = value, source

    def __call__(self, candidates: Candidates, field: str | None) -> Floats:
        if self._value == "feedback":
            return self._all(candidates)[1]
        scores = self._all(candidates)[0]
        return scores if self._value == "score" else _reciprocal_ranks(candidates, scores)

    def _all(self, candidates: Candidates) -> tuple[Floats, Floats]:
        """Scores and feedback scores of every row, `float64[n]`, NaN without a vector."""
        found: tuple[Floats, Floats] = candidates.shared(
            ("vectors", id(self._source.given)), lambda: _scores(self._source, candidates)
        )
        return found


def _scores(source: _Source, candidates: Candidates) -> tuple[Floats, Floats]:
    scores = np.full(candidates.n_rows, np.nan)
    feedback = np.full(candidates.n_rows, np.nan)
    queries = source.queries(list(candidates.texts))
    numbers, known = source.documents(candidates.run)
    bounds = candidates.run.offsets.tolist()
    for query, (begin, end) in enumerate(pairwise(bounds)):
        blocks = list(source.blocks(known, numbers[begin:end]))
        if not blocks:
            continue
        probe = probe_of(queries, query)
        list_scores = scores[begin:end]  # a view, which is filled
        for places, vectors in blocks:
            list_scores[places] = products_with(probe, vectors)
        if not isinstance(queries, TokenVectors):
            centre = _mean_of_best(list_scores, blocks)
            for places, vectors in blocks:
                feedback[begin:end][places] = products_with(centre, vectors)
    return scores, feedback


def _mean_of_best(
    scores: Floats, blocks: Sequence[tuple[npt.NDArray[np.int64], Any]]
) -> npt.NDArray[np.float32]:
    """The mean vector of the documents with the best scores; the earlier of equal ones."""
    order = np.argsort(-scores, kind="stable")  # NaN last
    best = order[: min(FEEDBACK_DOCUMENTS, int((~np.isnan(scores)).sum()))]
    total: Floats = np.zeros(int(blocks[0][1].shape[1]))
    for places, vectors in blocks:
        chosen = vectors[np.flatnonzero(np.isin(places, best))]
        total = total + np.asarray(chosen.sum(axis=0), dtype=np.float64).reshape(-1)
    mean: npt.NDArray[np.float32] = (total / len(best)).astype(np.float32)
    return mean


def _reciprocal_ranks(candidates: Candidates, scores: Floats) -> Floats:
    """1 / (1 + how many of the list score more); 0 for a row without a score."""
    values = np.zeros(len(scores))
    bounds = candidates.run.offsets.tolist()
    for begin, end in pairwise(bounds):
        known = begin + np.flatnonzero(~np.isnan(scores[begin:end]))
        falling = np.sort(-scores[known])
        values[known] = 1.0 / (1.0 + np.searchsorted(falling, -scores[known], side="left"))
    return values
