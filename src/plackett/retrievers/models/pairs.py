"""Adjacent pairs of query terms, and how often the whole collection has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets, segment_of_rows
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.parameters import check_count

__all__ = [
    "PairCount",
    "PairCounts",
    "QueryPairs",
    "adjacent_pairs",
    "count_pairs",
    "pair_likelihoods",
]

Floats = npt.NDArray[np.float64]

MOST_REMEMBERED = 200_000


class PairCount(NamedTuple):
    """How often a collection has a pair of terms, and in how many documents.

    `ordered` counts the first directly before the second, `unordered` both within the window, in
    any order and without overlap.
    """

    ordered: int
    ordered_documents: int
    unordered: int
    unordered_documents: int


class QueryPairs(NamedTuple):
    """The adjacent pairs of `q` queries.

    Those of query i are `terms[offsets[i]:offsets[i + 1]]`, `int64[q + 1]` and `int32[p, 2]`; it
    has each `times`, `float64[p]`. `counts` are the collection's.
    """

    offsets: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    times: Floats
    counts: list[PairCount]


def adjacent_pairs(terms: Sequence[int]) -> dict[tuple[int, int], int]:
    """How often each pair of different terms stands side by side in a query, in reading order.

    >>> adjacent_pairs([3, 5, 5, 3, 5])
    {(3, 5): 2, (5, 3): 1}
    """
    counts: dict[tuple[int, int], int] = {}
    for pair in pairwise(terms):
        if pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    return counts


class PairCounts:
    """Counts of pairs in a whole collection: exact, found when first asked for, and remembered.

    The documents that have both terms are read, no others; fields are never crossed.

    Parameters
    ----------
    index : built with `forward=True`.
    window : how many tokens hold a pair that counts as unordered, 2 or more.

    Raises
    ------
    ConfigurationError : the window is too small, or the index has no forward tokens.

    >>> import tempfile
    >>> from plackett.data.texts import Corpus
    >>> corpus = Corpus.from_texts({"d1": "a b c a c b", "d2": "b a"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = InvertedIndex.build(corpus, folder, analyzer="whitespace")
    ...     counts = PairCounts(index)
    ...     counts.of(index.term_code("a"), index.term_code("b"))
    PairCount(ordered=1, ordered_documents=1, unordered=3, unordered_documents=2)
    """

    def __init__(self, index: InvertedIndex, *, window: int = 8) -> None:
        check_count("window", window, 2)
        self.index, self.window = index, window
        self._tokens, self._token_offsets = index.tokens, index.token_offsets
        self._known: dict[tuple[int, int], PairCount] = {}

    def of(self, first: int, second: int) -> PairCount:
        """The counts of two different terms, by their codes."""
        known = self._known.get((first, second))
        return self._count(first, second) if known is None else known

    def of_queries(
        self, offsets: npt.NDArray[np.int64], terms: npt.NDArray[np.int32]
    ) -> QueryPairs:
        """The adjacent pairs of queries, `int64[q + 1]`, whose terms, `int32[t]`, go as read."""
        by_query = [adjacent_pairs(terms[a:b].tolist()) for a, b in pairwise(offsets)]
        pairs = [pair for counts in by_query for pair in counts]
        return QueryPairs(
            lengths_to_offsets([len(counts) for counts in by_query]),
            np.array(pairs, dtype=np.int32).reshape(-1, 2),
            np.array([times for counts in by_query for times in counts.values()], dtype=np.float64),
            [self.of(*pair) for pair in pairs],
        )

    def _count(self, first: int, second: int) -> PairCount:
        from plackett.retrievers.models.pair_kernels import count_everywhere

        counts = np.zeros(6, dtype=np.int64)
        index = self.index
        count_everywhere(
            first,
            second,
            np.ascontiguousarray(index.postings_of(first)[0]),
            np.ascontiguousarray(index.postings_of(second)[0]),
            self._tokens,
            self._token_offsets,
            len(index.fields),
            self.window,
            counts,
        )
        forward, backward, near, *documents = counts.tolist()
        found = PairCount(forward, documents[0], near, documents[2])
        if len(self._known) < MOST_REMEMBERED:
            self._known[first, second] = found
            self._known[second, first] = PairCount(backward, documents[1], near, documents[2])
        return found


def count_pairs(
    index: InvertedIndex,
    window: int,
    pairs: QueryPairs,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """How often candidates have the pairs of their query, side by side and in the window.

    Parameters
    ----------
    row_offsets, documents : `int64[q + 1]`, `int32[n]`: the candidates of each query.

    Returns
    -------
    `int32[2, e]`: for one candidate after the other, the counts of all pairs of its query.
    """
    from plackett.retrievers.models.pair_kernels import count_in_candidates

    entry_offsets = lengths_to_offsets(np.diff(pairs.offsets)[segment_of_rows(row_offsets)])
    counts = np.zeros((2, int(entry_offsets[-1])), dtype=np.int32)
    count_in_candidates(
        pairs.offsets,
        pairs.terms,
        row_offsets,
        documents,
        entry_offsets,
        index.tokens,
        index.token_offsets,
        len(index.fields),
        index.n_terms,
        window,
        counts[0],
        counts[1],
    )
    return counts


def pair_likelihoods(
    pairs: QueryPairs,
    query: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.integer] | Floats,
    *,
    tokens: float,
    mu: float,
) -> Floats:
    """Query likelihood of pairs, side by side and in the window: `float64[2, n]`.

    The sum over a query's pairs of times (ln(1 + n / (mu p)) + ln(mu / (dl + mu))), with
    Dirichlet's smoothing: p is the collection's count of the pair by its tokens. A pair that the
    collection lacks adds nothing.

    Parameters
    ----------
    query : `int64[n]`, of each candidate.
    counts : `int32[2, e]`, n: how often candidates have the pairs of their query, as `count_pairs`
        gives them.
    lengths : `[n]`, tokens of each candidate.
    tokens : of the collection.
    mu : above 0, the weight of the collection in tokens.
    """
    n_queries = len(pairs.offsets) - 1
    entry_offsets = lengths_to_offsets(np.diff(pairs.offsets)[query])
    query_of_pair = segment_of_rows(pairs.offsets)
    smoothing = np.log(mu / (lengths.astype(np.float64) + mu))
    found = np.zeros((2, len(query)))
    for kind, name in enumerate(("ordered", "unordered")):
        everywhere = np.array([getattr(count, name) for count in pairs.counts], dtype=np.float64)
        share = everywhere / max(tokens, 1.0)
        times = np.where(everywhere > 0, pairs.times, 0.0)
        asked = np.bincount(query_of_pair, weights=times, minlength=n_queries)
        # Few candidates have a pair, and only those that have one need a logarithm of their own.
        entry = np.flatnonzero(counts[kind])
        row = np.searchsorted(entry_offsets, entry, side="right") - 1
        pair = pairs.offsets[query[row]] + entry - entry_offsets[row]
        added = times[pair] * np.log1p(counts[kind][entry] / (mu * share[pair]))
        found[kind] = asked[query] * smoothing
        found[kind] += np.bincount(row, weights=added, minlength=len(query))
    return found
