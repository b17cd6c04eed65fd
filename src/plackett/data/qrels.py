"""Relevance judgments."""

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
from plackett.data.ids import Ids
from plackett.data.ragged import concatenate_ranges, lengths_to_offsets, segment_of_rows
from plackett.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Qrels"]


class Qrels:
    """The judged documents of every query and their grades.

    Attributes
    ----------
    query_ids, document_ids : the ids behind the codes.
    query : `int32[q]`, the code of each judged query, one a segment.
    offsets : `int64[q + 1]`; the judgments of segment i lie in `offsets[i]:offsets[i + 1]`.
    document : `int32[n]`, document codes, ascending inside a query.
    grade : `float32[n]`. What counts as relevant is the measure's business; a negative grade means
        judged and not relevant.
    subtopic : `int32[n]` or None; the code in `subtopic_ids` of the subtopic that a grade is for.

    Read from files with `Qrels.read`, from arrays with `Qrels.from_arrays`, from nested
    dictionaries with `Qrels.from_dict`.

    >>> qrels = Qrels.from_dict({"q1": {"d1": 2, "d2": 0}})
    >>> len(qrels), qrels.to_dict()
    (1, {'q1': {'d1': 2.0, 'd2': 0.0}})
    """

    __slots__ = (
        "__weakref__",
        "document",
        "document_ids",
        "grade",
        "offsets",
        "query",
        "query_ids",
        "subtopic",
        "subtopic_ids",
    )

    def __init__(
        self,
        query_ids: Ids,
        document_ids: Ids,
        query: npt.NDArray[np.int32],
        offsets: npt.NDArray[np.int64],
        document: npt.NDArray[np.int32],
        grade: npt.NDArray[np.float32],
        *,
        subtopic: npt.NDArray[np.int32] | None = None,
        subtopic_ids: Ids | None = None,
    ) -> None:
        self.query_ids, self.document_ids, self.subtopic_ids = query_ids, document_ids, subtopic_ids
        self.query, self.offsets = frozen(query), frozen(offsets)
        self.document, self.grade = frozen(document), frozen(grade)
        self.subtopic = None if subtopic is None else frozen(subtopic)

    @classmethod
    def from_arrays(
        cls,
        query: Any,
        document: Any,
        grade: Any,
        *,
        query_ids: Ids | None = None,
        document_ids: Ids | None = None,
        subtopic: Any = None,
        subtopic_ids: Ids | None = None,
        duplicates: Literal["error", "keep_highest"] = "error",
    ) -> Qrels:
        """Qrels from one row a judgment, in any order.

        Parameters
        ----------
        query, document : `[n]` strings, or codes into `query_ids`, `document_ids` where given.
        grade : `[n]` finite numbers.
        subtopic : `[n]` strings (or codes into `subtopic_ids`), for diversity measures.
        duplicates : what to do where a document is judged twice for one query (and subtopic).

        Raises
        ------
        DataError : unequal lengths, a grade that is not finite, a document judged twice.

        >>> Qrels.from_arrays(["q1", "q1"], ["b", "a"], [1, 0]).to_dict()
        {'q1': {'b': 1.0, 'a': 0.0}}
        """
        query_ids, query_codes = encode_or_check(query, query_ids, "query")
        document_ids, document = encode_or_check(document, document_ids, "document")
        grade = finite_float32(grade, "grade", allow_infinite=False)
        check_equal_lengths({"query": query_codes, "document": document, "grade": grade})
        keys = [document, query_codes]
        if subtopic is not None:
            subtopic_ids, subtopic = encode_or_check(subtopic, subtopic_ids, "subtopic")
            check_equal_lengths({"query": query_codes, "subtopic": subtopic})
            keys.insert(0, subtopic)
        # Highest grade first, so that "keep_highest" keeps the first of equal rows.
        order = np.lexsort([-grade, *keys])
        unique = np.ones(len(order), dtype=bool)
        if len(order):
            unique[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
        if not unique.all():
            if duplicates == "error":
                row = int(order[int(np.argmin(unique))])
                raise DataError(
                    f"document {document_ids[document[row]]!r} judged twice "
                    f"for query {query_ids[query_codes[row]]!r}",
                    expected="one grade a query and document",
                    remedy='remove one, or pass duplicates="keep_highest"',
                )
            order = order[unique]
        counts = np.bincount(query_codes[order], minlength=len(query_ids))
        present = np.flatnonzero(counts)
        return cls(
            query_ids,
            document_ids,
            present.astype(np.int32),
            lengths_to_offsets(counts[present]),
            document[order],
            grade[order],
            subtopic=None if subtopic is None else subtopic[order],
            subtopic_ids=subtopic_ids,
        )

    @classmethod
    def from_dict(cls, judgments: Mapping[str, Mapping[str, float]]) -> Qrels:
        """Qrels from `{query: {document: grade}}`."""
        queries, lengths, documents, grades = flatten_nested(judgments, "grade")
        return cls.from_arrays(
            np.repeat(np.arange(len(queries), dtype=np.int32), lengths),
            pa.array(documents, pa.string()),
            grades,
            query_ids=Ids(queries),
        )

    @classmethod
    def from_frame(
        cls, frame: Any, *, query: str = "query", document: str = "document", grade: str = "grade"
    ) -> Qrels:
        """Qrels from a pandas, polars or Arrow table with one row a judgment."""
        return cls.from_arrays(frame[query], frame[document], frame[grade])

    @classmethod
    def read(
        cls,
        path: str | Path,
        *,
        format: str | None = None,  # noqa: A002 - the field's word
        subtopics: bool = False,
        duplicates: Literal["error", "keep_highest"] = "error",
    ) -> Qrels:
        """Read a qrels file: TREC (`query iteration document grade`), BEIR TSV, JSONL or Parquet.

        Parameters
        ----------
        format : a name of `plackett.data.formats`; by default the suffix decides.
        subtopics : read TREC's second column as the subtopic (diversity judgments).
        """
        from plackett.data import formats

        columns = formats.read_qrels(path, format=format, subtopics=subtopics)
        return cls.from_arrays(
            columns.query,
            columns.document,
            columns.grade,
            query_ids=columns.query_ids,
            document_ids=columns.document_ids,
            subtopic=columns.subtopic,
            subtopic_ids=columns.subtopic_ids,
            duplicates=duplicates,
        )

    def write(self, path: str | Path, *, format: str | None = None) -> None:  # noqa: A002
        """Write the qrels, atomically; TREC's columns unless the suffix says otherwise."""
        from plackett.data import formats

        formats.write_qrels(
            path,
            self.query_ids.strings(self.query[self.query_rows]),
            self.document_ids.strings(self.document),
            self.grade,
            subtopic=None
            if self.subtopic is None or self.subtopic_ids is None
            else self.subtopic_ids.strings(self.subtopic),
            format=format,
        )

    @property
    def query_rows(self) -> npt.NDArray[np.int64]:
        """The segment of every judgment, `int64[n]`."""
        return segment_of_rows(self.offsets)

    @property
    def queries(self) -> list[str]:
        """The ids of the judged queries, one a segment."""
        return list(self.query_ids.strings(self.query).to_pylist())

    def select(self, queries: Iterable[str]) -> Qrels:
        """The judgments of some queries, in the order given.

        >>> Qrels.from_dict({"q1": {"a": 1}, "q2": {"b": 1}}).select(["q2"]).to_dict()
        {'q2': {'b': 1.0}}
        """
        segments = select(self.query_ids, self.query, queries)
        lengths = np.diff(self.offsets)[segments]
        rows = concatenate_ranges(self.offsets[segments], lengths)
        return Qrels(
            self.query_ids,
            self.document_ids,
            self.query[segments],
            lengths_to_offsets(lengths),
            self.document[rows],
            self.grade[rows],
            subtopic=None if self.subtopic is None else self.subtopic[rows],
            subtopic_ids=self.subtopic_ids,
        )

    def without_subtopics(self) -> Qrels:
        """One grade a query and document: the highest over its subtopics."""
        if self.subtopic is None:
            return self
        return Qrels.from_arrays(
            self.query[self.query_rows],
            self.document,
            self.grade,
            query_ids=self.query_ids,
            document_ids=self.document_ids,
            duplicates="keep_highest",
        )

    def to_dict(self) -> dict[str, dict[str, float]]:
        """`{query: {document: grade}}`; with subtopics the highest grade of a document."""
        flat = self.without_subtopics()
        documents = flat.document_ids.strings(flat.document).to_pylist()
        grades = flat.grade.tolist()
        bounds = flat.offsets.tolist()
        return {
            query: dict(zip(documents[a:b], grades[a:b], strict=True))
            for query, a, b in zip(flat.queries, bounds[:-1], bounds[1:], strict=True)
        }

    def to_arrow(self) -> pa.Table:
        """An Arrow table of one row a judgment: query, document, grade (and subtopic)."""
        columns = {
            "query": self.query_ids.strings(self.query[self.query_rows]),
            "document": self.document_ids.strings(self.document),
            "grade": pa.array(self.grade),
        }
        if self.subtopic is not None and self.subtopic_ids is not None:
            columns["subtopic"] = self.subtopic_ids.strings(self.subtopic)
        return pa.table(columns)

    def to_frame(self) -> pd.DataFrame:
        """The same as `to_arrow`, as a pandas frame (extra: notebook)."""
        return self.to_arrow().to_pandas()

    def __len__(self) -> int:
        return len(self.query)

    def __repr__(self) -> str:
        return f"Qrels({len(self)} queries, {len(self.document)} judgments)"
