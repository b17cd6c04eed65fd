"""The impacts of a segment's postings, computed when a query first asks for their term.

What a posting adds to a score depends on all documents: on how many there are, how many have the
term, and how long they are in the mean. So every change of the index changes every impact, and they
are not kept on disk. A term's are computed when it is first asked for, and kept until the index
changes; room for the others is reserved but not used.
"""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt

from plackett.retrievers.inverted.filled import fill_lists
from plackett.retrievers.inverted.impacts import ImpactLists
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.weighting import Weighting

__all__ = ["LiveImpacts"]


class LiveImpacts:
    """The lists of one segment under statistics of the whole index.

    Parameters
    ----------
    index : the segment.
    weighting : BM25's variant and parameters.
    mean_length : mean tokens of a document of the whole index.
    live : `bool[n]`, the documents that are not deleted; None where all are live.
    """

    def __init__(
        self,
        index: InvertedIndex,
        weighting: Weighting,
        mean_length: float,
        live: npt.NDArray[np.bool_] | None,
    ) -> None:
        self.index, self.live = index, live
        self._saturation = weighting.saturation(index.document_lengths, mean_length)
        self._known = np.zeros(index.n_terms, dtype=np.bool_)
        self._own = np.zeros(index.n_terms, dtype=np.float32)
        self._lock = Lock()
        # Pages of an array that nobody has written to take no memory.
        self.lists = ImpactLists(
            offsets=index.posting_offsets,
            documents=np.empty(index.n_postings, dtype=np.int32),
            impacts=np.empty(index.n_postings, dtype=np.float32),
            rank=index.document_rank,
            upper=np.zeros(index.n_terms, dtype=np.float32),
            extent=np.zeros(index.n_terms, dtype=np.float32),
            floors=np.zeros((0, 3), dtype=np.float32),
        )

    def ask(self, term: int, idf: float) -> float:
        """Compute the impacts of a term; returns the greatest one of a document that is live."""
        with self._lock:
            if not self._known[term]:
                self._compute(term, idf)
            return float(self._own[term])

    def bound(self, term: int, greatest: float) -> None:
        """Take the greatest impact in all segments for the term's bound.

        A search adds up a document's terms by their bounds, the greatest first. So sums are rounded
        alike in all segments, and as in an index of one.
        """
        with self._lock:
            self.lists.upper[term] = greatest

    def _compute(self, term: int, idf: float) -> None:
        terms = np.array([term], dtype=np.int32)
        fill_lists(self.index, self.lists, terms, np.array([idf]), self._saturation)
        rows = slice(*self.index.posting_offsets[term : term + 2])
        impacts = self.lists.impacts[rows]
        if self.live is not None:
            impacts = impacts[self.live[self.lists.documents[rows]]]
        self._own[term] = impacts.max(initial=0.0)
        self._known[term] = True
