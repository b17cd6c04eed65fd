"""Ranked lists: what every retriever makes, every ranker takes and returns, every measure reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.coding import (
    check_equal_lengths,
    encode_or_check,
    finite_float32,
    flatten_nested,
    frozen,
    select,
)
from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.ordering import first_duplicate, ranked_order
from plackett.data.ragged import (
    concatenate_ranges,
    lengths_to_offsets,
    positions_within,
    segment_of_rows,
)
from plackett.data.texts import Corpus, Queries
from plackett.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run"]


class Run:
    """The ranked list of every query.

    Inside a query the rows are sorted by score descending; equal scores by document id descending
    in byte order, as trec_eval orders them. A document occurs once a query; no score is NaN. Scores
    are float32, as trec_eval's. A Run is never changed: every operation returns a new one.

    Attributes
    ----------
    query_ids, document_ids : the ids behind the codes.
    query : `int32[q]`, the code of each query, one a segment; a query may have no results.
    offsets : `int64[q + 1]`; the results of segment i lie in `offsets[i]:offsets[i + 1]`.
    document : `int32[n]`, document codes, best first.
    score : `float32[n]`.
    name : the run's name (TREC's tag).
    queries, corpus : the texts behind it, where known, so that a later stage finds them.
    costs : what each stage that made it cost, in order.
    parts : the runs that a union put together, for a later stage to fuse; no others have any.

    >>> run = Run.from_dict({"q1": {"d1": 0.5, "d2": 2.0}}, name="mine")
    >>> run.to_dict()
    {'q1': {'d2': 2.0, 'd1': 0.5}}
    """

    __slots__ = (
        "__weakref__",
        "corpus",
        "costs",
        "document",
        "document_ids",
        "name",
        "offsets",
        "parts",
        "queries",
        "query",
        "query_ids",
        "score",
    )

    def __init__(
        self,
        query_ids: Ids,
        document_ids: Ids,
        query: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        document: npt.NDArray[np.int32],
        score: npt.NDArray[np.float32],
        *,
        name: str = "run",
        queries: Queries | None = None,
        corpus: Corpus | None = None,
        costs: tuple[Cost, ...] = (),
        parts: tuple[Run, ...] = (),
    ) -> None:
        """Wrap arrays that are in order already; `Run.from_arrays` checks and sorts."""
        self.query_ids, self.document_ids = query_ids, document_ids
        self.query, self.offsets = frozen(query), frozen(offsets)
        self.document, self.score = frozen(document), frozen(score)
        self.name, self.queries, self.corpus, self.costs = name, queries, corpus, costs
        self.parts = parts

    @classmethod
    def from_arrays(
        cls,
        query: Any,
        document: Any,
        score: Any,
        *,
        query_ids: Ids | None = None,
        document_ids: Ids | None = None,
        all_queries: bool = False,
        duplicates: Literal["error", "keep_highest"] = "error",
        name: str = "run",
        queries: Queries | None = None,
        corpus: Corpus | None = None,
        costs: tuple[Cost, ...] = (),
    ) -> Run:
        """A run from one row a result, in any order.

        Parameters
        ----------
        query, document : `[n]` strings, or codes into `query_ids`, `document_ids` where given.
        score : `[n]` numbers; infinite ones are allowed, NaN is not.
        all_queries : keep every query of `query_ids`, also those without results.
        duplicates : what to do where a document occurs twice for one query.

        Raises
        ------
        DataError : unequal lengths, a NaN score, a document twice in a list.

        >>> run = Run.from_arrays(["q1", "q1"], ["a", "b"], [1.0, 1.0])
        >>> [document for document, score in run["q1"]]
        ['b', 'a']
        """
        query_ids, rows_query = encode_or_check(query, query_ids, "query")
        document_ids, document = encode_or_check(document, document_ids, "document")
        score = finite_float32(score, "score", allow_infinite=True)
        check_equal_lengths({"query": rows_query, "document": document, "score": score})
        order = ranked_order(rows_query, document, score, document_ids)
        if order is not None:
            rows_query, document, score = rows_query[order], document[order], score[order]
        again = first_duplicate(rows_query, document, len(document_ids))
        if again is not None:
            if duplicates == "error":
                raise DataError(
                    f"document {document_ids[document[again]]!r} twice "
                    f"for query {query_ids[rows_query[again]]!r}",
                    expected="a document once a query",
                    remedy='remove one, or pass duplicates="keep_highest"',
                )
            keys = rows_query.astype(np.int64) * len(document_ids) + document
            kept = np.sort(np.unique(keys, return_index=True)[1])
            rows_query, document, score = rows_query[kept], document[kept], score[kept]
        counts = np.bincount(rows_query, minlength=len(query_ids))
        present = np.arange(len(counts)) if all_queries else np.flatnonzero(counts)
        return cls(
            query_ids,
            document_ids,
            present.astype(np.int32),
            lengths_to_offsets(counts[present]),
            # Sorting made copies; rows that came sorted may still be the caller's own arrays.
            document.copy() if order is None else document,
            score.copy() if order is None else score,
            name=name,
            queries=queries,
            corpus=corpus,
            costs=costs,
        )

    @classmethod
    def from_dict(cls, results: Mapping[str, Mapping[str, float]], *, name: str = "run") -> Run:
        """A run from `{query: {document: score}}`; a query with an empty mapping is kept."""
        queries, lengths, documents, scores = flatten_nested(results, "score")
        return cls.from_arrays(
            np.repeat(np.arange(len(queries), dtype=np.int32), lengths),
            pa.array(documents, pa.string()),
            scores,
            query_ids=Ids(queries),
            all_queries=True,
            name=name,
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        query: str = "query",
        document: str = "document",
        score: str = "score",
        name: str = "run",
    ) -> Run:
        """A run from a pandas, polars or Arrow table with one row a result."""
        return cls.from_arrays(frame[query], frame[document], frame[score], name=name)

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 - the field's word
        name: str | None = None,
        duplicates: Literal["error", "keep_highest"] = "error",
    ) -> Run:
        """Read a run file: TREC's six columns, JSONL, Parquet or Arrow; `.gz` of the text ones.

        `name` is the file's tag by default. As trec_eval, the score alone decides the order: the
        rank column is ignored.
        """
        from plackett.data import formats

        columns = formats.read_run(path, format=format)
        try:
            return cls.from_arrays(
                columns.query,
                columns.document,
                columns.score,
                query_ids=columns.query_ids,
                document_ids=columns.document_ids,
                duplicates=duplicates,
                name=name or columns.name or Path(path).stem,
            )
        except DataError as error:
            raise DataError(
                error.found, expected=error.expected, remedy=error.remedy, path=path
            ) from error

    def write(self, path: str | Path, *, format: str | None = None) -> None:  # noqa: A002
        """Write the run, atomically; TREC's six columns unless the suffix says otherwise."""
        from plackett.data import formats

        formats.write_run(
            path,
            self.query_ids.strings(self.query[self.query_rows]),
            self.document_ids.strings(self.document),
            positions_within(self.offsets) + 1,
            self.score,
            self.name,
            format=format,
        )

    @property
    def query_rows(self) -> npt.NDArray[np.int64]:
        """The segment of every row, `int64[n]`."""
        return segment_of_rows(self.offsets)

    @property
    def query_names(self) -> list[str]:
        """The ids of the queries, one a segment."""
        return list(self.query_ids.strings(self.query).to_pylist())

    def replace(
        self,
        *,
        name: str | None = None,
        queries: Queries | None = None,
        corpus: Corpus | None = None,
        costs: tuple[Cost, ...] | None = None,
        parts: tuple[Run, ...] | None = None,
    ) -> Run:
        """The same lists under another name, with other texts, costs or parts."""
        return Run(
            self.query_ids,
            self.document_ids,
            self.query,
            self.offsets,
            self.document,
            self.score,
            name=self.name if name is None else name,
            queries=self.queries if queries is None else queries,
            corpus=self.corpus if corpus is None else corpus,
            costs=self.costs if costs is None else costs,
            parts=self.parts if parts is None else parts,
        )

    def _rows(
        self,
        query: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        document: npt.NDArray[np.int32],
        score: npt.NDArray[np.float32],
    ) -> Run:
        return Run(
            self.query_ids,
            self.document_ids,
            query,
            offsets,
            document,
            score,
            name=self.name,
            queries=self.queries,
            corpus=self.corpus,
            costs=self.costs,
            parts=self.parts,
        )

    def head(self, k: int) -> Run:
        """The first `k` results of every query.

        >>> Run.from_dict({"q1": {"a": 1.0, "b": 2.0}}).head(1).to_dict()
        {'q1': {'b': 2.0}}
        """
        if k < 0:
            raise DataError(f"cutoff {k}", expected="0 or more")
        lengths = np.minimum(np.diff(self.offsets), k)
        return self.take_rows(concatenate_ranges(self.offsets[:-1], lengths), lengths)

    def take_rows(
        self,
        rows: npt.NDArray[np.int64],
        lengths: npt.NDArray[np.int64],
        score: npt.NDArray[np.float32] | None = None,
    ) -> Run:
        """Some rows of every list, in a new order that is taken as it is.

        `rows`, `int64[m]`, are those of the first list, then of the second and so on; `lengths`,
        `int64[q]`, says how many each list has; `score`, `float32[m]`, must not rise inside a list
        and is this run's by default.
        """
        new = self.score[rows] if score is None else score
        return self._rows(self.query, lengths_to_offsets(lengths), self.document[rows], new)

    def select(self, queries: Iterable[str]) -> Run:
        """The lists of some queries, in the order given; an unknown query is an error."""
        segments = select(self.query_ids, self.query, queries)
        lengths = np.diff(self.offsets)[segments]
        rows = concatenate_ranges(self.offsets[segments], lengths)
        return self._rows(
            self.query[segments],
            lengths_to_offsets(lengths),
            self.document[rows],
            self.score[rows],
        )

    def with_scores(self, score: npt.ArrayLike, *, name: str | None = None) -> Run:
        """The same documents with new scores, `float[n]` in this run's row order, sorted anew.

        >>> run = Run.from_dict({"q1": {"a": 1.0, "b": 2.0}})
        >>> run.with_scores([0.0, 5.0]).to_dict()
        {'q1': {'a': 5.0, 'b': 0.0}}
        """
        new = finite_float32(score, "score", allow_infinite=True)
        check_equal_lengths({"row": self.document, "score": new})
        rows = self.query_rows.astype(np.int32)
        order = ranked_order(rows, self.document, new, self.document_ids)
        document = self.document
        if order is None:
            new = new.copy()  # it may be the caller's own array
        else:
            document, new = document[order], new[order]
        ranked = self._rows(self.query, self.offsets, document, new)
        return ranked if name is None else ranked.replace(name=name)

    def to_dict(self) -> dict[str, dict[str, float]]:
        """`{query: {document: score}}`, documents best first."""
        documents = self.document_ids.strings(self.document).to_pylist()
        scores = self.score.tolist()
        bounds = self.offsets.tolist()
        return {
            query: dict(zip(documents[a:b], scores[a:b], strict=True))
            for query, a, b in zip(self.query_names, bounds[:-1], bounds[1:], strict=True)
        }

    def to_arrow(self) -> pa.Table:
        """An Arrow table of one row a result: query, document, rank (from 1), score."""
        return pa.table(
            {
                "query": self.query_ids.strings(self.query[self.query_rows]),
                "document": self.document_ids.strings(self.document),
                "rank": pa.array(positions_within(self.offsets) + 1),
                "score": pa.array(self.score),
            }
        )

    def to_frame(self) -> pd.DataFrame:
        """The same as `to_arrow`, as a pandas frame (extra: notebook)."""
        return self.to_arrow().to_pandas()

    def __getitem__(self, query: str) -> list[tuple[str, float]]:
        """The ranked list of one query: `(document, score)`, best first."""
        segment = int(select(self.query_ids, self.query, [query])[0])
        rows = slice(int(self.offsets[segment]), int(self.offsets[segment + 1]))
        documents = self.document_ids.strings(self.document[rows]).to_pylist()
        return list(zip(documents, self.score[rows].tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {len(self)} queries, {len(self.document)} results)"
