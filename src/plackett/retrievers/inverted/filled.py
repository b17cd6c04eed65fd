"""Lists of BM25's impacts in memory, each filled from its packed postings when first asked for."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets, segment_sums
from plackett.errors import DataError
from plackett.retrievers.inverted.impacts import ImpactLists, Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.inverted.inverting import memory_bytes
from plackett.retrievers.weighting import Saturation, Weighting

__all__ = ["FilledLists"]

BYTES_A_POSTING = 8
FEW_POSTINGS = 200_000
"""Fewer than these are not worth a second thread."""


class _Room:
    """Arrays for all lists, of which some are filled.

    Pages of an array that nobody has written to take no memory, so that room for every posting
    costs no more than those that are filled.
    """

    def __init__(self, index: InvertedIndex, floors: bool) -> None:
        from plackett.retrievers.inverted.bound_kernels import lay_out_blocks

        n_terms, n_postings = index.n_terms, index.n_postings
        block_offsets = np.zeros(n_terms + 1, dtype=np.int64)
        lay_out_blocks(index.posting_offsets, index.n_documents, block_offsets)
        self.known = np.zeros(n_terms, dtype=np.bool_)
        self.filled = 0
        self.lists = ImpactLists(
            offsets=index.posting_offsets,
            documents=np.empty(n_postings, dtype=np.int32),
            impacts=np.empty(n_postings, dtype=np.float32),
            rank=index.document_rank,
            upper=np.zeros(n_terms, dtype=np.float32),
            extent=np.zeros(n_terms, dtype=np.float32),
            floors=np.zeros((n_terms if floors else 0, 3), dtype=np.float32),
            block_offsets=block_offsets,
            block_max=np.empty(block_offsets[-1], dtype=np.float32),
        )


class FilledLists:
    """The impacts of an index under a weighting: unpacked a term at a time, and kept.

    Parameters
    ----------
    index : whose postings they are.
    weighting : BM25's variant and parameters.
    memory : what the filled lists may take, 8 bytes a posting: bytes, or a text such as "2GB"; half
        of the machine's by default. When they would take more, all are dropped and those that are
        needed filled anew. One query may take what it needs.

    >>> import tempfile
    >>> from plackett.data.texts import Corpus
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "wing and wing"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lists = FilledLists(InvertedIndex.build(corpus, folder), Weighting())
    ...     lists.search(np.array([0, 1]), np.array([1], dtype=np.int32), k=10).documents
    array([1, 0], dtype=int32)
    """

    def __init__(
        self, index: InvertedIndex, weighting: Weighting, *, memory: int | str | None = None
    ) -> None:
        self.index, self.weighting = index, weighting
        self.memory = _half_of_all() if memory is None else memory_bytes(memory)
        self._lock = Lock()
        self._room = self._empty()

    def _empty(self) -> _Room:
        commonest = np.diff(self.index.posting_offsets).max(initial=0)
        # One term says nothing about a sum where another may take from it.
        lowest = self.weighting.idf(self.index.n_documents, [commonest]).min(initial=0.0)
        return _Room(self.index, floors=bool(lowest >= 0.0))

    @cached_property
    def _saturation(self) -> Saturation:
        return self.weighting.saturation(self.index.document_lengths, self.index.mean_length)

    def of_terms(self, terms: npt.NDArray[np.int32], threads: int = 1) -> ImpactLists:
        """Lists of which at least those of `terms` are filled.

        Raises
        ------
        DataError : a term is none of the index.
        """
        if len(terms) and not (terms.min() >= 0 and terms.max() < self.index.n_terms):
            raise DataError("an unknown term code", expected=f"0 to {self.index.n_terms - 1}")
        room = self._room
        if room.known[terms].all():
            return room.lists
        with self._lock:
            room = self._room
            missing = np.unique(terms[~room.known[terms]])
            size = self._postings(missing)
            if room.filled and (room.filled + size) * BYTES_A_POSTING > self.memory:
                room = self._room = self._empty()
                missing = np.unique(terms)
                size = self._postings(missing)
            self._fill(room, missing, threads)
            room.filled += size
            room.known[missing] = True
            return room.lists

    def fill(self, threads: int = 1) -> None:
        """Unpack all lists now, as far as they fit in the memory, the longest first."""
        lengths = np.diff(self.index.posting_offsets)
        longest_first = np.argsort(-lengths, kind="stable").astype(np.int32)
        fitting = np.cumsum(lengths[longest_first]) * BYTES_A_POSTING <= self.memory
        self.of_terms(longest_first[fitting], threads)

    def search(
        self,
        query_offsets: npt.NDArray[np.int64],
        terms: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float32] | None = None,
        *,
        k: int,
        threads: int = 1,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> Ranking:
        """The `k` best documents of every query, exactly; see `ImpactLists.search`."""
        rankings = []
        for first, end in self._parts(query_offsets, terms):
            rows = slice(query_offsets[first], query_offsets[end])
            lists = self.of_terms(terms[rows], threads)
            ranking = lists.search(
                query_offsets[first : end + 1] - query_offsets[first],
                terms[rows],
                None if weights is None else weights[rows],
                k=k,
                threads=threads,
                allowed=allowed,
            )
            rankings.append(ranking)
        if len(rankings) == 1:
            return rankings[0]
        return Ranking(
            lengths_to_offsets(np.concatenate([np.diff(ranking.offsets) for ranking in rankings])),
            np.concatenate([ranking.documents for ranking in rankings]),
            np.concatenate([ranking.scores for ranking in rankings]),
        )

    def _parts(
        self, query_offsets: npt.NDArray[np.int64], terms: npt.NDArray[np.int32]
    ) -> list[tuple[int, int]]:
        """Ranges of queries whose lists fit in the memory together; a single one is let through."""
        n_queries = len(query_offsets) - 1
        if self.index.n_postings * BYTES_A_POSTING <= self.memory or n_queries < 2:
            return [(0, n_queries)]
        lengths = np.diff(self.index.posting_offsets)
        sizes = BYTES_A_POSTING * segment_sums(lengths[terms], query_offsets)
        parts, first, held = [], 0, 0
        for query, size in enumerate(sizes.tolist()):
            if query > first and held + size > self.memory:
                parts.append((first, query))
                first, held = query, 0
            held += size
        return [*parts, (first, n_queries)]

    def _postings(self, terms: npt.NDArray[np.int32]) -> int:
        offsets = self.index.posting_offsets
        return int((offsets[terms + 1] - offsets[terms]).sum())

    def _fill(self, room: _Room, terms: npt.NDArray[np.int32], threads: int) -> None:
        idf = self.weighting.idf(
            self.index.n_documents,
            self.index.posting_offsets[terms + 1] - self.index.posting_offsets[terms],
        )
        if threads == 1 or self._postings(terms) < FEW_POSTINGS:
            fill_lists(self.index, room.lists, terms, idf, self._saturation)
            return
        with ThreadPoolExecutor(threads) as pool:
            # Dealt out in turn: long lists have neighbours of their length.
            list(
                pool.map(
                    lambda i: fill_lists(
                        self.index, room.lists, terms[i::threads], idf[i::threads], self._saturation
                    ),
                    range(threads),
                )
            )


def fill_lists(
    index: InvertedIndex,
    lists: ImpactLists,
    terms: npt.NDArray[np.int32],
    idf: npt.NDArray[np.float64],
    saturation: Saturation,
) -> None:
    """Unpack the lists of some terms, compute their impacts, and find their bounds.

    Raises
    ------
    CorruptFileError : a list is damaged.
    """
    from plackett.retrievers.inverted.bound_kernels import bound_blocks
    from plackett.retrievers.inverted.filling_kernels import fill_terms
    from plackett.retrievers.inverted.impact_kernels import bound_terms

    bad = fill_terms(
        terms,
        idf,
        index.packed.packed,
        index.packed.starts,
        index.posting_offsets,
        *saturation,
        lists.documents,
        lists.impacts,
    )
    if bad >= 0:
        raise index.packed.damaged(bad)
    bound_terms(
        terms, index.posting_offsets, lists.impacts, lists.upper, lists.extent, lists.floors
    )
    if len(lists.block_offsets):
        bound_blocks(
            terms,
            index.posting_offsets,
            lists.documents,
            lists.impacts,
            index.n_documents,
            lists.block_offsets,
            lists.block_max,
        )


def _half_of_all() -> int:
    """Half of the machine's memory in bytes; no limit where the system does not tell."""
    if not hasattr(os, "sysconf"):  # pragma: no cover
        return sys.maxsize
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
