"""Which documents a clause matches, and by which terms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.syntax.parsing import Clause
from plackett.retrievers.syntax.spelling import Spelling

__all__ = ["Matcher", "Matches"]

Codes = npt.NDArray[np.int32]
MANY_DOCUMENTS = 8  # one in so many


@dataclass(frozen=True)
class Matches:
    """What a clause matches.

    Parameters
    ----------
    clause : the clause.
    terms, weights : `int32[t]`, `float32[t]`: any of these terms, weighted; a phrase's terms in
        their order, of weight 0, for it is scored as one.
    documents : `int32[n]`, ascending: the documents that match.
    frequencies : `int64[n]`, of a phrase: how often each has it.
    """

    clause: Clause
    terms: Codes
    weights: npt.NDArray[np.float32]
    documents: Codes
    frequencies: npt.NDArray[np.int64] | None = None


class Matcher:
    """Finds the documents of clauses in an index.

    Parameters
    ----------
    most_terms : how many terms a prefix or a fuzzy clause stands for at most, the most frequent
        and the nearest.
    """

    def __init__(self, index: InvertedIndex, most_terms: int) -> None:
        self.index, self.most_terms = index, most_terms
        self._spelling: Spelling | None = None
        self._sorted: tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]] | None = None

    def match(self, clause: Clause) -> Matches | None:
        """What a clause matches; None where the analyzer leaves nothing of it (stop words)."""
        if clause.kind == "prefix":
            return self._any_of(clause, self._with_prefix(clause.text))
        words = self.index.analyzer(clause.text)
        if not words:
            return None
        if clause.kind == "fuzzy":
            return self._near(clause, words[0])
        known = [self.index.term_code(word) for word in words]
        if clause.kind == "phrase" and len(words) > 1:
            return self._phrase(clause, known)
        codes = np.array([code for code in known if code >= 0], dtype=np.int32)
        return self._any_of(clause, codes)

    def _any_of(
        self, clause: Clause, terms: Codes, weights: npt.NDArray[np.float32] | None = None
    ) -> Matches:
        found = [np.zeros(0, np.int32), *(self._documents(term) for term in terms)]
        if weights is None:
            weights = np.ones(len(terms), np.float32)
        scaled = weights * np.float32(clause.weight)
        return Matches(clause, terms, scaled, np.unique(np.concatenate(found)))

    def _documents(self, term: int) -> Codes:
        return self.index.postings_of(int(term))[0]

    def _phrase(self, clause: Clause, codes: list[int]) -> Matches:
        from plackett.retrievers.syntax.phrase_kernels import count_phrases

        terms = np.array(codes, dtype=np.int32)
        nothing = np.zeros(0, np.int32)
        if (terms < 0).any():
            return Matches(clause, nothing, np.zeros(0, np.float32), nothing, np.zeros(0, np.int64))
        lists = sorted((self._documents(term) for term in np.unique(terms)), key=len)
        both = reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), lists)
        counts = np.zeros(len(both), dtype=np.int64)
        count_phrases(terms, *self._texts_of(both), len(self.index.fields), counts)
        has = counts > 0
        return Matches(clause, terms, np.zeros(len(terms), np.float32), both[has], counts[has])

    def _texts_of(
        self, documents: Codes
    ) -> tuple[npt.NDArray[np.int64], Codes, npt.NDArray[np.int64]]:
        """Documents' numbers in tokens, the tokens, and where each of their fields begins.

        Only the tokens of the documents are read, unless they are many.
        """
        if MANY_DOCUMENTS * len(documents) > self.index.n_documents:
            return documents.astype(np.int64), self.index.tokens, self.index.token_offsets
        tokens, _ = self.index.tokens_of(documents)
        tokens.flags.writeable = False
        lengths = self.index.field_lengths[documents].reshape(-1)
        return np.arange(len(documents)), tokens, lengths_to_offsets(lengths)

    def _near(self, clause: Clause, word: str) -> Matches:
        """Terms nearly spelt so; each edit takes its share of the word's length off the weight."""
        if self._spelling is None:
            self._spelling = Spelling(self.index)
        codes, distances = self._spelling.near(word, clause.distance)
        codes, distances = codes[: self.most_terms], distances[: self.most_terms]
        weights = np.maximum(1.0 - distances / max(len(word), 1), 0.0).astype(np.float32)
        return self._any_of(clause, codes.astype(np.int32), weights)

    def _with_prefix(self, prefix: str) -> Codes:
        """The most frequent terms that begin so, in lower case where the analyzer writes it."""
        lower = getattr(self.index.analyzer, "lower", True)
        wanted = prefix.lower() if lower else prefix
        if self._sorted is None:
            names = np.array(self.index.terms.values.to_pylist(), dtype=object)
            order = np.argsort(names, kind="stable")
            self._sorted = names[order], order
        names, order = self._sorted
        first = int(np.searchsorted(names, wanted))
        last = int(np.searchsorted(names, wanted + chr(0x10FFFF)))
        codes = order[first:last]
        best = np.lexsort((codes, -self.index.document_frequency[codes]))[: self.most_terms]
        return codes[best].astype(np.int32)
