"""An inverted index on disk: which documents hold a term, and which terms a document holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.data.ids import Ids
from plackett.data.ragged import concatenate_ranges, lengths_to_offsets
from plackett.data.texts import Corpus
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.analysis import Analyzer, TextAnalyzer, get_analyzer
from plackett.retrievers.inverted.arrays import open_array, open_strings, open_table
from plackett.retrievers.inverted.inverting import DEFAULT_MEMORY
from plackett.retrievers.inverted.packed import PackedLists
from plackett.retrievers.inverted.storage import MANIFEST, REMEDY, read_manifest, verify_files
from plackett.retrievers.inverted.term_table import find_term

__all__ = ["EncodedQueries", "InvertedIndex"]

METADATA = "metadata.arrow"
MOST_REMEMBERED = 100_000
STATISTICS = ("documents", "terms", "postings", "tokens", "table_slots", "posting_bytes")


class EncodedQueries(NamedTuple):
    """Queries as term codes.

    `offsets` is `int64[q + 1]`; the terms of query i are `terms[offsets[i]:offsets[i + 1]]`,
    `int32`, in reading order, duplicates kept; `unknown`, `int32[q]`, counts those the index lacks.
    """

    offsets: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    unknown: npt.NDArray[np.int32]


class InvertedIndex:
    """An inverted index of `N` documents, `V` terms and `P` postings; its arrays are memory maps.

    Made by `InvertedIndex.build` (or `BM25.build`), opened by `InvertedIndex.open`, never changed.

    Attributes
    ----------
    document_ids : the ids; a document's code is its row in the corpus.
    terms : the terms; codes in order of first appearance.
    fields : the text fields that were indexed, in reading order; `F` of them.
    analyzer : what made terms of texts.
    posting_offsets : `int64[V + 1]`; the postings of term t lie at
        `posting_offsets[t]:posting_offsets[t + 1]`.
    packed : the `PackedLists` on disk; `postings_of` reads one of them, `postings_between` several.
    posting_documents : `int32[P]`, ascending inside a term; all of them are unpacked into memory
        when they are first asked for.
    posting_frequencies : `int32[P]`, in the same way.
    document_frequency : `int64[V]`, in how many documents a term occurs.
    collection_frequency : `int64[V]`, how often a term occurs.
    document_lengths : `int32[N]`, tokens a document.
    field_lengths : `int32[N, F]`, tokens a field.
    document_rank : `int32[N]`, the rank of a document's id in byte order.

    >>> import tempfile
    >>> from plackett.data.texts import Corpus
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "wing and wing"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = InvertedIndex.build(corpus, folder)
    ...     list(index.terms), index.postings("wing")
    (['lift', 'wing'], {'d1': 1, 'd2': 2})
    """

    def __init__(
        self,
        folder: Path,
        manifest: Mapping[str, Any],
        analyzer: TextAnalyzer,
        document_ids: Ids | None = None,
    ) -> None:
        """Map the files that `manifest` describes, in `folder`; `open` finds both.

        `document_ids` are the ids where they are known already, to share their codes.
        """
        self.folder, self.manifest, self.analyzer = folder, manifest, analyzer
        counts = _statistics(manifest, folder)
        self.fields: tuple[str, ...] = tuple(manifest["fields"])
        self.n_documents, self.n_terms = counts["documents"], counts["terms"]
        self.n_postings, self.n_tokens = counts["postings"], counts["tokens"]
        n, v = self.n_documents, self.n_terms
        self.packed = PackedLists(
            folder,
            documents=n,
            terms=v,
            postings=self.n_postings,
            size=counts["posting_bytes"],
        )
        self.posting_offsets = self.packed.offsets
        self.collection_frequency = self._array("collection_frequency", np.int64, v)
        self.field_lengths = self._array("field_lengths", np.int32, n, len(self.fields))
        self.document_rank = self._checked_codes("document_rank", n, 0, n)
        self._found: dict[str, int] = {}
        self._table = self._checked_codes("term_table", counts["table_slots"], -1, v)
        self.terms = Ids.from_distinct(open_strings(folder / "terms.arrow", v))
        saved_ids = Ids.from_distinct(open_strings(folder / "documents.arrow", n))
        if document_ids is not None and not document_ids.equals(saved_ids):
            raise DataError(
                f"a corpus of {len(document_ids)} documents that are not those of the index",
                expected=f"the {n} documents in the order in which they were indexed",
                path=folder.parent,
            )
        self.document_ids = saved_ids if document_ids is None else document_ids

    def _array(self, name: str, dtype: npt.DTypeLike, *shape: int) -> npt.NDArray[Any]:
        return open_array(self.folder / f"{name}.npy", dtype, shape)

    def _checked_codes(self, name: str, size: int, low: int, high: int) -> npt.NDArray[np.int32]:
        """Codes of documents or terms, from `low` to below `high`."""
        codes: npt.NDArray[np.int32] = self._array(name, np.int32, size)
        if size and not (codes.min() >= low and codes.max() < high):
            raise CorruptFileError(
                f"codes from {codes.min()} to {codes.max()}",
                expected=f"{low} to {high - 1}",
                remedy=REMEDY,
                path=self.folder / f"{name}.npy",
            )
        return codes

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        fields: Iterable[str] | None = None,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] = "english",
        metadata: Iterable[str] = (),
        forward: bool = True,
        progress: Callable[[int, int | None], None] | None = None,
        batch_rows: int = 10_000,
        memory: int | str = DEFAULT_MEMORY,
    ) -> InvertedIndex:
        """Index a corpus.

        Parameters
        ----------
        corpus : a `Corpus`, the path of a corpus file (read as a stream), or an iterable of Arrow
            record batches with a column "id".
        folder : where the index goes; an index that is there already is replaced at the very end.
        fields : the text fields to index, in reading order; by default all that are not `metadata`.
        metadata : columns to keep, by which searches can filter.
        analyzer : the name of one, an `Analyzer`, or a function `text -> list of terms`.
        forward : also keep each document's terms in reading order (`tokens`), as features need.
        progress : called as `progress(documents done, documents in total or None)`.
        batch_rows : how many documents are analysed at a time.
        memory : for the postings that are inverted at a time, in bytes or as "500MB"; besides it,
            a build takes some 50 bytes a document with its id, the kept columns, the terms, and
            about 200 MB for the batches at work.

        Raises
        ------
        DataError : an id occurs twice or is missing; no text field; the folder holds other things.
        """
        from plackett.retrievers.inverted.build import build_index

        return build_index(
            corpus,
            folder,
            fields=fields,
            analyzer=analyzer,
            metadata=metadata,
            forward=forward,
            progress=progress,
            batch_rows=batch_rows,
            memory=memory,
        )

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] | None = None,
        corpus: Corpus | None = None,
    ) -> InvertedIndex:
        """Open an index.

        Parameters
        ----------
        analyzer : only for an index that was built with a function, which cannot be saved.
        corpus : the corpus that was indexed, to share its document ids.

        Raises
        ------
        DataError : there is no index in the folder, or the corpus is another one.
        CorruptFileError : a file is missing, truncated or of another version. `verify` checks
            every byte.
        ConfigurationError : the index was built with a function, and none is given.
        """
        manifest = read_manifest(folder)
        path = Path(folder)
        saved = manifest.get("analyzer")
        if analyzer is not None:
            chosen = get_analyzer(analyzer)
        elif isinstance(saved, dict) and "function" not in saved:
            try:
                chosen = Analyzer.from_dict(saved)
            except ConfigurationError as error:
                raise CorruptFileError(
                    f"an analyzer that is none ({error})", remedy=REMEDY, path=path / MANIFEST
                ) from error
        else:
            raise ConfigurationError(
                f"{path} was built with the function {saved!r} as its analyzer, which cannot be "
                "saved; pass it again as `analyzer=`"
            )
        ids = None if corpus is None else corpus.ids
        return cls(path / manifest["generation"], manifest, chosen, ids)

    def verify(self) -> None:
        """Check every byte of the files against the checksums; else a `CorruptFileError`."""
        verify_files(self.folder.parent)

    @cached_property
    def document_lengths(self) -> npt.NDArray[np.int32]:
        """`int32[N]`, tokens a document."""
        lengths: npt.NDArray[np.int32] = (
            self.field_lengths[:, 0]
            if len(self.fields) == 1
            else self.field_lengths.sum(axis=1, dtype=np.int32)
        )
        return lengths

    @cached_property
    def _postings(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        return self.postings_between(0, self.n_terms)

    @property
    def posting_documents(self) -> npt.NDArray[np.int32]:
        """`int32[P]`, the documents of all lists, unpacked."""
        return self._postings[0]

    @property
    def posting_frequencies(self) -> npt.NDArray[np.int32]:
        """`int32[P]`, how often each of `posting_documents` holds the term."""
        return self._postings[1]

    def postings_between(
        self, first: int, end: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The documents and frequencies of the terms `first:end`, one list after the other."""
        return self.packed.read(first, end)

    def postings_of(self, code: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The documents, ascending, that hold the term of this code, and how often they do."""
        return self.packed.read(code, code + 1)

    @cached_property
    def document_frequency(self) -> npt.NDArray[np.int64]:
        """`int64[V]`, in how many documents each term occurs."""
        return np.diff(self.posting_offsets)

    @property
    def mean_length(self) -> float:
        """Mean tokens a document; 0 without documents."""
        return self.n_tokens / self.n_documents if self.n_documents else 0.0

    @cached_property
    def tokens(self) -> npt.NDArray[np.int32]:
        """`int32[T]`: the term of every token in reading order, field after field, as documents go.

        Raises
        ------
        ConfigurationError : the index was built with `forward=False`.
        """
        if not self.manifest.get("forward"):
            raise ConfigurationError(
                "this index has no forward tokens; build it again with forward=True"
            )
        return self._array("tokens", np.int32, self.n_tokens)

    @cached_property
    def token_offsets(self) -> npt.NDArray[np.int64]:
        """`int64[N * F + 1]`: field f of document d is segment `d * F + f` of `tokens`."""
        lengths = self.field_lengths
        offsets = lengths_to_offsets(lengths.reshape(-1))
        # Compiled code reads where these point to.
        if offsets[-1] != self.n_tokens or lengths.min(initial=0) < 0:
            raise CorruptFileError(
                f"field lengths of sum {offsets[-1]}",
                expected=str(self.n_tokens),
                remedy=REMEDY,
                path=self.folder,
            )
        return offsets

    def tokens_of(
        self, documents: npt.NDArray[np.integer[Any]]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The terms of documents in reading order, one document after the other, and how many.

        Raises
        ------
        ConfigurationError : the index was built with `forward=False`.
        """
        first = np.asarray(documents, dtype=np.int64) * len(self.fields)
        starts = self.token_offsets[first]
        lengths = self.token_offsets[first + len(self.fields)] - starts
        return np.asarray(self.tokens[concatenate_ranges(starts, lengths)]), lengths

    @cached_property
    def metadata(self) -> pa.Table:
        """The columns that the build kept, a row a document; none unless it was told to."""
        if not self.manifest.get("metadata") or not self.n_documents:
            return pa.table({})
        return open_table(self.folder / METADATA, self.n_documents)

    def term_code(self, term: str) -> int:
        """The code of a term, as the analyzer writes it, or -1."""
        code = self._found.get(term)
        if code is None:
            code = find_term(term, self._table, self.terms.values)
            if len(self._found) < MOST_REMEMBERED:
                self._found[term] = code
        return code

    def postings(self, term: str) -> dict[str, int]:
        """`{document id: frequency}` of a term, as the analyzer writes it."""
        code = self.term_code(term)
        if code < 0:
            return {}
        documents, frequencies = self.postings_of(code)
        names = self.document_ids.strings(documents).to_pylist()
        return dict(zip(names, frequencies.tolist(), strict=True))

    def analyze_queries(self, texts: Iterable[str]) -> EncodedQueries:
        """Queries as term codes, with a count of the terms that the index lacks."""
        codes: list[int] = []
        lengths, unknown = [], []
        for text in texts:
            if not isinstance(text, str):
                raise DataError(f"a query {text!r}", expected="a text")
            terms = self.analyzer(text)
            before = len(codes)
            codes += [code for code in map(self.term_code, terms) if code >= 0]
            lengths.append(len(codes) - before)
            unknown.append(len(terms) - lengths[-1])
        return EncodedQueries(
            lengths_to_offsets(lengths),
            np.array(codes, dtype=np.int32),
            np.array(unknown, dtype=np.int32),
        )

    def encode_queries(
        self, texts: Iterable[str]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """`(offsets int64[q + 1], terms int32[...])`; duplicates kept, unknown terms dropped."""
        encoded = self.analyze_queries(texts)
        return encoded.offsets, encoded.terms

    def __repr__(self) -> str:
        return (
            f"InvertedIndex({self.n_documents} documents, {self.n_terms} terms, "
            f"fields {', '.join(self.fields)})"
        )


def _statistics(manifest: Mapping[str, Any], folder: Path) -> dict[str, int]:
    """The counts of the manifest, each a whole number."""
    counts = manifest.get("statistics")
    fields = manifest.get("fields")
    fine = (
        isinstance(counts, dict)
        and all(isinstance(counts.get(name), int) and counts[name] >= 0 for name in STATISTICS)
        and isinstance(fields, list)
        and all(isinstance(field, str) for field in fields)
    )
    if not fine:
        raise CorruptFileError(
            "a manifest without its counts", remedy=REMEDY, path=folder.parent / MANIFEST
        )
    return {name: int(manifest["statistics"][name]) for name in STATISTICS}
