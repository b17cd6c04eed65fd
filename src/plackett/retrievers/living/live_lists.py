"""The lists of all segments of a living index, searched as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.ids import Ids
from plackett.retrievers.explanation import TermContribution
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.living.live_impacts import LiveImpacts
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.living.tied import in_order_of_ids
from plackett.retrievers.segments.joining import codes_of_rows, joined
from plackett.retrievers.weighting import Weighting

__all__ = ["CodedLists", "KnownTerm", "LiveLists"]

Mask = npt.NDArray[np.bool_]
MOST_REMEMBERED = 100_000


class KnownTerm(NamedTuple):
    """A term whose impacts are computed.

    Attributes
    ----------
    codes : its code in every segment, -1 where the segment lacks it.
    documents : how many documents that are not deleted have it.
    """

    codes: tuple[int, ...]
    documents: int


class LiveLists:
    """The exact search over segments, as if they were one index.

    Parameters
    ----------
    segments : in the order of the index.
    weighting : BM25's variant and parameters.
    document_ids : of the documents that are not deleted, segment after segment.
    """

    def __init__(
        self, segments: Sequence[LiveSegment], weighting: Weighting, document_ids: Ids
    ) -> None:
        self.segments, self.weighting, self.document_ids = segments, weighting, document_ids
        rows = [segment.live_rows for segment in segments]
        self.codes = codes_of_rows(rows, [segment.entry.documents for segment in segments])
        tokens = sum(segment.n_tokens for segment in segments)
        mean = tokens / len(document_ids) if len(document_ids) else 0.0
        self.impacts = tuple(
            LiveImpacts(segment.index, weighting, mean, segment.live) for segment in segments
        )
        self._known: dict[str, KnownTerm] = {}

    def known(self, term: str) -> KnownTerm:
        """A term, as the analyzer writes it, with its impacts computed in all segments."""
        found = self._known.get(term)
        if found is None:
            codes = tuple(segment.index.term_code(term) for segment in self.segments)
            found = self._asked(term, codes)
            if len(self._known) < MOST_REMEMBERED:
                self._known[term] = found
        return found

    def _asked(self, term: str, codes: tuple[int, ...]) -> KnownTerm:
        have = [(i, code) for i, code in enumerate(codes) if code >= 0]
        df = sum(self.segments[i].document_frequency(code) for i, code in have)
        idf = float(self.weighting.idf(len(self.document_ids), [df])[0])
        greatest = max((self.impacts[i].ask(code, idf) for i, code in have), default=0.0)
        for i, code in have:
            self.impacts[i].bound(code, greatest)
        return KnownTerm(codes, df)

    def search(
        self,
        query_offsets: npt.NDArray[np.int64],
        terms: Sequence[str],
        weights: npt.NDArray[np.float32] | None = None,
        *,
        k: int,
        threads: int = 1,
        allowed: Sequence[Mask | None],
    ) -> Ranking:
        """The `k` best documents of every query; their codes are those of `document_ids`.

        Parameters
        ----------
        query_offsets, weights, k, threads : as for `ImpactLists.search`.
        terms : of all queries, as the analyzer writes them.
        allowed : for each segment which of its rows may be results; None for all.
        """
        asked = {term: self.known(term).codes for term in dict.fromkeys(terms)}
        if weights is None:
            weights = np.ones(len(terms), dtype=np.float32)
        found = []
        for place, (impacts, mask) in enumerate(zip(self.impacts, allowed, strict=True)):
            codes = np.array([asked[term][place] for term in terms], dtype=np.int32)
            held = codes >= 0
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(held)])
            found.append(
                impacts.lists.search(
                    before[query_offsets],
                    codes[held],
                    weights[held],
                    k=k,
                    threads=threads,
                    allowed=mask,
                )
            )
        best = joined(found, self.codes, len(query_offsets) - 1, k)
        return in_order_of_ids(best, self.document_ids)

    def contributions(
        self, counts: Iterable[tuple[str, int]], segment: int, row: int
    ) -> list[TermContribution]:
        """What terms of a query add to a document's score, in the order in which they are added.

        Parameters
        ----------
        counts : the terms, and how often the query holds each.
        segment, row : where the document is.
        """
        entries = [self._contribution(term, count, segment, row) for term, count in counts]
        return [entry for _, entry in sorted(entries, key=lambda pair: pair[0])]

    def _contribution(
        self, term: str, occurrences: int, segment: int, row: int
    ) -> tuple[float, TermContribution]:
        """One term's part, behind the key that orders terms as the search adds them."""
        index, lists = self.segments[segment].index, self.impacts[segment].lists
        known = self.known(term)
        code = known.codes[segment]
        if code < 0:
            entry = TermContribution(term, occurrences, 0, known.documents, 0.0)
            return 0.0, entry
        documents, frequencies = index.postings_of(code)
        place = int(np.searchsorted(documents, row))
        weight, frequency, impact = np.float32(occurrences), 0, np.float32(0.0)
        if place < len(documents) and documents[place] == row:
            frequency = int(frequencies[place])
            impact = lists.impacts[int(lists.offsets[code]) + place]
        added = float(weight * impact)
        entry = TermContribution(term, occurrences, frequency, known.documents, added)
        return -float(weight * lists.upper[code]), entry


class CodedLists:
    """The lists of a living index for what asks by the codes of its `index`.

    Parameters
    ----------
    index : the segments as one index.
    lists : the lists of the segments.
    """

    def __init__(self, index: InvertedIndex, lists: LiveLists) -> None:
        self.index, self.lists = index, lists

    def search(
        self,
        query_offsets: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32] | None = None,
        *,
        k: int,
        threads: int = 1,
        allowed: Mask | None = None,
    ) -> Ranking:
        """The `k` best documents of every query, exactly; see `ImpactLists.search`."""
        names = self.index.terms.strings(terms).to_pylist()
        masks: list[Mask | None] = [segment.live for segment in self.lists.segments]
        if allowed is not None:
            # A deleted document, of code -1, finds the False behind those of all others.
            padded = np.append(np.asarray(allowed, dtype=np.bool_), False)
            masks = [padded[codes] for codes in self.lists.codes]
        return self.lists.search(query_offsets, names, weights, k=k, threads=threads, allowed=masks)
