"""Queries whose documents are being scored: what is known of them, and what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import PairScorer
from plackett.retrievers.cross_encoder.anchors import PAIRS, Anchors, checked_scores
from plackett.retrievers.cross_encoder.documents import ScoredDocuments
from plackett.retrievers.segments.metadata import Where

__all__ = ["Asked", "CurrentAnchors", "Pool"]

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CurrentAnchors:
    """The anchors of an index as it is now.

    Parameters
    ----------
    anchors : as they were when the index was built.
    codes : `int32[a]`, which documents they are; -1 for one that was deleted or replaced since. Its
        old text still serves as an anchor, and is no result.
    """

    anchors: Anchors
    codes: Codes

    @classmethod
    def of(cls, anchors: Anchors, documents: ScoredDocuments) -> CurrentAnchors:
        """Find the anchors among the documents."""
        codes = documents.document_ids.codes(list(anchors.ids)).copy()
        there = np.flatnonzero(codes >= 0)
        for place, text in zip(there, documents.texts(codes[there]), strict=True):
            if text != anchors.documents[place]:
                codes[place] = -1
        return cls(anchors, codes)


@dataclass(frozen=True, eq=False)
class Pool:
    """The documents that may be results, and how candidates are found among them.

    Parameters
    ----------
    documents : all, with their scores for the anchor queries.
    where, allowed : the filter, and the codes of the documents that it lets through, ascending.
    threads : how many a search may use.
    """

    documents: ScoredDocuments
    where: Where | None
    allowed: Codes
    threads: int = 1

    def nearest(
        self, weights: npt.NDArray[np.float64], n: int, known: Sequence[Codes]
    ) -> list[tuple[Codes, Floats]]:
        """For each query the `n` documents with the best guessed scores that are not known yet.

        Parameters
        ----------
        weights : `[q, m]`, how each query mixes the anchor queries.
        n : 1 or more.
        known : documents of each query that are left out.

        Returns
        -------
        Codes and guessed scores of each query, best first. The guesses lack the queries' offsets.
        """
        deepest = min(n + max(map(len, known), default=0), len(self.allowed))
        found = self.documents.search_vectors(
            weights.astype(np.float32), deepest, where=self.where, threads=self.threads
        )
        best = []
        for i, left_out in enumerate(known):
            part = slice(found.offsets[i], found.offsets[i + 1])
            codes, guesses = found.documents[part], found.scores[part]
            kept = np.flatnonzero(~np.isin(codes, left_out))[:n]
            best.append((codes[kept], guesses[kept]))
        return best


@dataclass(eq=False)
class Asked:
    """The exact scores of some queries so far.

    Attributes
    ----------
    codes, scores : documents scored for each query, and their scores.
    calls, tokens : pairs that the cross-encoder read, and their tokens.
    """

    queries: list[str]
    pool: Pool
    scorer: PairScorer
    codes: list[Codes] = field(init=False)
    scores: list[Floats] = field(init=False)
    calls: int = field(init=False, default=0)
    tokens: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self.codes = [np.zeros(0, np.int32) for _ in self.queries]
        self.scores = [np.zeros(0, np.float32) for _ in self.queries]

    def score(self, wanted: Sequence[Codes]) -> None:
        """Score documents of each query; those that are scored already are not scored again."""
        new = [codes[~np.isin(codes, done)] for codes, done in zip(wanted, self.codes, strict=True)]
        distinct, place = np.unique(np.concatenate(new), return_inverse=True)
        texts = self.pool.documents.texts(distinct.astype(np.int32))
        lengths = [len(codes) for codes in new]
        asking = [text for text, n in zip(self.queries, lengths, strict=True) for _ in range(n)]
        found = self._read(asking, [texts[i] for i in place.tolist()])
        parts = np.split(found, np.cumsum(lengths)[:-1])
        self.note(list(zip(new, parts, strict=True)))

    def score_texts(self, documents: Sequence[str]) -> Floats:
        """Score the same texts for every query: `float32[q, n]`; nothing is noted."""
        asking = [text for text in self.queries for _ in documents]
        found = self._read(asking, list(documents) * len(self.queries))
        return found.reshape(len(self.queries), len(documents))

    def note(self, scored: Sequence[tuple[Codes, Floats]]) -> None:
        """Add documents of each query with their exact scores."""
        self.codes = [np.append(a, b[0]) for a, b in zip(self.codes, scored, strict=True)]
        self.scores = [np.append(a, b[1]) for a, b in zip(self.scores, scored, strict=True)]

    def _read(self, queries: list[str], documents: list[str]) -> Floats:
        if not queries:
            return np.zeros(0, dtype=np.float32)
        parts = []
        for start in range(0, len(queries), PAIRS):
            part = slice(start, start + PAIRS)
            read = checked_scores(self.scorer, queries[part], documents[part])
            self.calls += len(read.values)
            self.tokens += int(read.tokens.sum())
            parts.append(read.values)
        return np.concatenate(parts)
