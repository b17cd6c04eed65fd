"""Expectations over the orders of equal scores, where relevance is yes or no.

McSherry & Najork, "Computing information retrieval performance measures efficiently in the presence
of tied scores", ECIR 2008.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import concatenate_ranges, lengths_to_offsets, segment_of_rows
from plackett.metrics.judged import JudgedLists

__all__ = ["expected_precision_sum", "expected_reciprocal_rank", "expected_success"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


class _Groups(NamedTuple):
    """The groups of equal scores that hold a relevant document, in the order of the lists."""

    segment: Longs
    first: Longs  # the first rank of the group
    size: Longs
    relevant: Longs  # relevant documents in the group
    before: Longs  # relevant documents of the list above the group


def _groups(lists: JudgedLists, relevant: npt.NDArray[np.bool_]) -> _Groups:
    first_rank = lists.rank if lists.tie_first is None else lists.tie_first
    last_rank = lists.rank if lists.tie_last is None else lists.tie_last
    segment, first, last = lists.segment[relevant], first_rank[relevant], last_rank[relevant]
    begins = np.ones(len(segment), dtype=bool)
    begins[1:] = (segment[1:] != segment[:-1]) | (first[1:] != first[:-1])
    start = np.flatnonzero(begins)
    return _Groups(
        segment[start],
        first[start],
        (last - first + 1)[start],
        np.diff(np.append(start, len(segment))),
        start - np.searchsorted(segment, segment[start]),
    )


def _log_choose(n: Longs, k: Longs) -> Floats:
    """log of n over k for 0 <= k <= n; -inf where k > n."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1.0, n.max(initial=0) + 1.0)))])
    possible = k <= n
    small = np.where(possible, k, 0)
    return np.where(possible, logs[n] - logs[small] - logs[n - small], -np.inf)


def _positions(groups: _Groups) -> tuple[Longs, Longs]:
    """The group of every position in a group, and the position's 0-based place there."""
    group = segment_of_rows(lengths_to_offsets(groups.size))
    return group, concatenate_ranges(np.zeros_like(groups.size), groups.size)


def expected_precision_sum(
    lists: JudgedLists, relevant: npt.NDArray[np.bool_], cutoff: int | None
) -> Floats:
    """The expected sum of precisions at the relevant documents of each list, `float64[q]`.

    A position of a group of n with r relevant holds a relevant one with probability r / n, and each
    place above it in the group then holds another with probability (r - 1) / (n - 1).
    """
    groups = _groups(lists, relevant)
    group, place = _positions(groups)
    rank = groups.first[group] + place
    others = (groups.relevant - 1.0) / np.maximum(groups.size - 1, 1)
    seen = groups.before[group] + 1.0 + place * others[group]
    value = (groups.relevant / groups.size)[group] * seen / rank
    if cutoff is not None:
        value[rank > cutoff] = 0.0
    weights = np.bincount(groups.segment[group], weights=value, minlength=len(lists))
    return weights.astype(np.float64)


def expected_reciprocal_rank(
    lists: JudgedLists, relevant: npt.NDArray[np.bool_], cutoff: int | None
) -> Floats:
    """The expected 1 / rank of the first relevant document of each list, `float64[q]`.

    In a group of n with r relevant the first is at place j (from 0) in C(n-1-j, r-1) of the C(n, r)
    choices of places.
    """
    groups = _groups(lists, relevant)
    groups = _Groups(*(column[groups.before == 0] for column in groups))
    group, place = _positions(groups)
    size, count = groups.size[group], groups.relevant[group]
    chance = np.exp(_log_choose(size - 1 - place, count - 1) - _log_choose(size, count))
    rank = groups.first[group] + place
    value = chance / rank
    if cutoff is not None:
        value[rank > cutoff] = 0.0
    weights = np.bincount(groups.segment[group], weights=value, minlength=len(lists))
    return weights.astype(np.float64)


def expected_success(
    lists: JudgedLists, relevant: npt.NDArray[np.bool_], cutoff: int | None
) -> Floats:
    """The probability that a relevant document is among the first `cutoff`, `float64[q]`."""
    groups = _groups(lists, relevant)
    groups = _Groups(*(column[groups.before == 0] for column in groups))
    inside = groups.size
    if cutoff is not None:
        inside = np.clip(cutoff - groups.first + 1, 0, groups.size)
    # None of the `inside` places is relevant when all r relevant ones fall on the others.
    fails = np.exp(
        _log_choose(groups.size - inside, groups.relevant)
        - _log_choose(groups.size, groups.relevant)
    )
    return np.bincount(groups.segment, weights=1.0 - fails, minlength=len(lists)).astype(np.float64)
