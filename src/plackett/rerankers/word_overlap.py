"""The share of a query's words that a text has: the plainest re-ranker, without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register

__all__ = ["WordOverlap"]

_WORD = re.compile(r"\w+")


@register("word-overlap")
class WordOverlap(TextReranker):
    """Score = |words of the query in the text| / |words of the query|, words in lower case.

    A baseline that every model should beat, and a stage for trying out a pipeline. A query
    without words scores 0 everywhere.

    >>> WordOverlap().rank("red wine", {"a": "bread", "b": "Red bread"}).ids
    ['b', 'a']
    """

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        return [
            Outcome(Ordering.by_scores([_overlap(query, text) for text in given.texts], "grade"))
            for query, given in zip(queries, candidates, strict=True)
        ]

    def __repr__(self) -> str:
        return describe(self)


def _overlap(query: str, text: str) -> float:
    wanted = set(_WORD.findall(query.lower()))
    return len(wanted & set(_WORD.findall(text.lower()))) / len(wanted) if wanted else 0.0
