"""Queries go in, queries come out: one question asked in several ways, before the first stage.

`writer >> bm25 % 100` asks the retriever each query that the writer makes of one, and takes the
documents of their lists in turn. The run's `parts` are these lists, so that a stage behind it can
fuse them: `writer >> bm25 % 100 >> Fusing("rrf") % 50`. The run's queries are the original ones:
later stages re-rank by what was asked, not by what was written.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.ragged import concatenate_ranges, lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import DataError
from plackett.pipeline.applying import timed_search
from plackett.pipeline.base import Retriever
from plackett.pipeline.merging import interleave

__all__ = ["QueryWriter", "WrittenQueries"]


@dataclass(frozen=True, eq=False)
class WrittenQueries:
    """What became of q queries: at least one text each, the most important first.

    Parameters
    ----------
    texts : those of the first query, then of the second and so on.
    offsets : `int64[q + 1]`: the texts of query i are `texts[offsets[i]:offsets[i + 1]]`.
    calls, tokens : what a model was asked for them.

    >>> WrittenQueries.of([["wing lift"], ["heat", "heat transfer"]]).offsets
    array([0, 1, 3])
    """

    texts: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    calls: int = 0
    tokens: int = 0

    @classmethod
    def of(
        cls, texts: Sequence[Sequence[str]], *, calls: int = 0, tokens: int = 0
    ) -> WrittenQueries:
        """From a list of texts a query."""
        flat = tuple(text for one in texts for text in one)
        return cls(flat, lengths_to_offsets([len(one) for one in texts]), calls, tokens)


class QueryWriter(ABC):
    """Anything that writes queries from queries: `writer >> retriever` asks them all.

    A subclass defines `write`, and a `repr` that says how to make it again.

    Attributes
    ----------
    most : the most texts that it writes for one query, where that is known. The run of `writer >>
        retriever` then has so many parts, so that a fusion can be given a weight for each.

    >>> class Words(QueryWriter):
    ...     def write(self, queries):
    ...         return WrittenQueries.of([text.split() for _, text in queries])
    ...
    ...     def __repr__(self):
    ...         return "Words()"
    >>> class Letters(Retriever):
    ...     def search(self, queries, k=1000):
    ...         found = {q: {letter: 1.0 for letter in text} for q, text in queries}
    ...         return Run.from_dict(found).head(k)
    ...
    ...     def __repr__(self):
    ...         return "Letters()"
    >>> pipeline = Words() >> Letters() % 1
    >>> pipeline
    Words() >> Letters() % 1
    >>> run = pipeline.search(Queries.from_texts({"q": "go at it"}))
    >>> run.to_dict(), len(run.parts)
    ({'q': {'o': -1.0, 't': -2.0}}, 3)
    """

    most: int | None = None

    @abstractmethod
    def write(self, queries: Queries) -> WrittenQueries:
        """At least one text for each query, in order."""

    def __rshift__(self, retriever: Retriever) -> Retriever:
        """What `retriever` finds for all that this writes."""
        if not isinstance(retriever, Retriever):
            return NotImplemented
        return WrittenRetriever(self, retriever)


class WrittenRetriever(Retriever):
    """`writer >> retriever`: the documents of all written queries, taken in turn.

    The run's parts are the lists of the first texts of all queries, of the second ones, and so on;
    of a retriever that is a union, those of each of its own parts in turn. Where there is one list
    a query, the run is that list, with its scores.
    """

    def __init__(self, writer: QueryWriter, retriever: Retriever) -> None:
        self.writer, self.retriever = writer, retriever

    def search(self, queries: Queries, k: int | None = None) -> Run:
        """At most `k` documents for every query; by default all that any of its texts finds.

        Raises
        ------
        DataError : the writer wrote nothing for a query, or more than its `most`.
        """
        started = time.perf_counter()
        written = self.writer.write(queries)
        cost = Cost(
            repr(self.writer),
            time.perf_counter() - started,
            len(queries),
            0,
            calls=written.calls,
            tokens=written.tokens,
        )
        counts = self._counts(queries, written)
        # A text that several queries share, or one has twice, is asked once.
        numbers = {text: str(n) for n, text in enumerate(dict.fromkeys(written.texts))}
        found = timed_search(
            self.retriever, Queries.from_texts((name, text) for text, name in numbers.items())
        )
        asked = [numbers[text] for text in written.texts]
        places = self.writer.most or int(counts.max(initial=1))
        parts = tuple(
            _of_place(source, queries, asked, written.offsets, place)
            for source in found.parts or (found,)
            for place in range(places)
        )
        joined = parts[0] if len(parts) == 1 else interleave(*parts)
        # Also those that found nothing, in order.
        whole = joined.select([query for query, _ in queries])
        costs = (cost, *found.costs)
        whole = whole.replace(name=found.name, costs=costs, queries=queries, parts=parts)
        return whole if k is None else whole.head(k)

    def _counts(self, queries: Queries, written: WrittenQueries) -> npt.NDArray[np.int64]:
        """How many texts each query has."""
        counts = np.diff(written.offsets)
        most = self.writer.most or max(1, len(written.texts))
        wrong = np.flatnonzero((counts < 1) | (counts > most))
        if len(counts) != len(queries) or len(wrong):
            at = f" for query {queries.ids[int(wrong[0])]!r}" if len(wrong) else ""
            number = counts[wrong[0]] if len(wrong) else len(counts)
            raise DataError(
                f"{number} texts{at} from {self.writer!r}",
                expected=f"1 to {most} for each of {len(queries)} queries",
            )
        return counts

    def __repr__(self) -> str:
        return f"{self.writer!r} >> {self.retriever!r}"


def _of_place(
    found: Run,
    queries: Queries,
    asked: Sequence[str],
    offsets: npt.NDArray[np.int64],
    place: int,
) -> Run:
    """The lists of the texts at `place`, under their queries' own ids.

    `asked` is the id under which `found` answers each text.
    """
    having = np.flatnonzero(np.diff(offsets) > place)
    codes = found.query_ids.codes([asked[row] for row in offsets[:-1][having] + place])
    # Where each code stands in the run; the last place is for what was not answered.
    segment = np.full(len(found.query_ids) + 1, -1, dtype=np.int64)
    segment[found.query] = np.arange(len(found.query))
    having, segments = having[segment[codes] >= 0], segment[codes][segment[codes] >= 0]
    lengths = np.diff(found.offsets)[segments]
    rows = concatenate_ranges(found.offsets[:-1][segments], lengths)
    every = np.zeros(len(queries), dtype=np.int64)
    every[having] = lengths
    kept = np.arange(len(queries)) if place == 0 else having
    return Run(
        queries.ids,
        found.document_ids,
        kept.astype(np.int32),
        lengths_to_offsets(every[kept]),
        found.document[rows],
        found.score[rows],
        name=f"{found.name}:{place + 1}",
        queries=queries,
        corpus=found.corpus,
    )
