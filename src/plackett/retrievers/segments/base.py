"""What every retriever over vectors does: build, open, add, delete, merge, filter and search."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import pyarrow as pa

from plackett.data.ids import Ids, to_string_array
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.encoders.registry import parse_encoder
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.editing import delete, encoded_batches, extend, merge
from plackett.retrievers.segments.encoding import check_encoder
from plackett.retrievers.segments.joining import codes_of_rows, joined
from plackett.retrievers.segments.metadata import Where
from plackett.retrievers.segments.segment import Segment
from plackett.retrievers.segments.store import (
    REMEDY,
    IndexManifest,
    changing,
    open_as_it_is,
    verify_index,
)
from plackett.retrievers.segments.structure import Structure, chosen_structure
from plackett.retrievers.segments.vectors import VectorKind
from plackett.retrievers.segments.writing import Encoded, write_segment

if TYPE_CHECKING:
    from typing_extensions import Self

    from plackett.encoders.base import Encoder

__all__ = ["SegmentedRetriever"]

Vectors = TypeVar("Vectors")
Progress = Callable[[int, "int | None"], None]


class SegmentedRetriever(Retriever, Generic[Vectors]):
    """An index of vectors in segments, on disk.

    `build` makes it, `open` opens it, `search` finds documents for texts and `search_vectors` for
    vectors. `add`, `delete` and `merge` change the folder in one step each and return the retriever
    opened anew; the old one goes on answering as before. A process that is killed at any moment
    leaves the index as it was, or as it was to become.

    Subclasses say what the vectors are, and which structure searches them by default.

    Attributes
    ----------
    folder : of the index.
    document_ids : the ids of the documents that are not deleted.
    encoder : makes vectors of texts; None where the index was made of vectors.
    structure : how a segment is searched.
    corpus : the documents, where known; runs carry it to later stages.
    """

    kind: ClassVar[str]
    vectors: ClassVar[VectorKind[Any]]

    def __init__(
        self,
        folder: Path,
        manifest: IndexManifest,
        encoder: Encoder[Vectors] | None,
        structure: Structure[Vectors],
        corpus: Corpus | None = None,
    ) -> None:
        """Open the segments of a manifest; `build` and `open` find the parts."""
        self.folder, self.manifest = folder, manifest
        self.encoder, self.structure, self.corpus = encoder, structure, corpus
        self.segments: tuple[Segment[Vectors], ...] = tuple(
            Segment(folder, entry, self.vectors, structure) for entry in manifest.segments
        )
        live = [
            segment.ids.take(pa.array(segment.live_rows)).cast(pa.large_string())
            for segment in self.segments
        ]
        self.document_ids = Ids(pa.chunked_array(live, pa.large_string()).combine_chunks())
        self.codes = codes_of_rows(
            [segment.live_rows for segment in self.segments],
            [entry.documents for entry in manifest.segments],
        )

    @classmethod
    def default_structure(cls) -> Structure[Any]:
        """The structure of an index where none is named."""
        raise NotImplementedError

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        encoder: Encoder[Vectors] | str,
        structure: Structure[Vectors] | str | None = None,
        fields: Iterable[str] | None = None,
        metadata: Iterable[str] = (),
        batch_rows: int = 1_024,
        progress: Progress | None = None,
    ) -> Self:
        """Encode a corpus and index it in `folder`.

        Parameters
        ----------
        corpus : a `Corpus`, the path of a corpus file (read as a stream), or an iterable of Arrow
            record batches with a column "id".
        folder : where the index goes. An index that is there stays in use until the new one is
            complete, and stays for good where the build is killed.
        encoder : an encoder, or its description.
        structure : how vectors are searched, or its description.
        fields : the text fields, in reading order; all string columns by default.
        metadata : columns to keep, by which `search(where=...)` can filter.
        batch_rows : how many documents are encoded and kept in memory at a time.
        progress : called as `progress(documents done, documents in total or None)`.

        Raises
        ------
        DataError : an id occurs twice, a column is missing, or the folder holds other things.
        """
        chosen = parse_encoder(encoder) if isinstance(encoder, str) else encoder
        kept = tuple(metadata)
        facts = {"encoder": repr(chosen), "identity": chosen.identity, "metadata": list(kept)}
        if fields is not None:
            facts["fields"] = list(fields)
        batches, total = encoded_batches(corpus, chosen, facts, batch_rows)
        cls._write(
            folder, batches, structure, facts, dimension=None, total=total, progress=progress
        )
        return cls.open(
            folder, encoder=chosen, corpus=corpus if isinstance(corpus, Corpus) else None
        )

    @classmethod
    def from_vectors(
        cls,
        ids: Any,
        vectors: Any,
        folder: str | Path,
        *,
        structure: Structure[Vectors] | str | None = None,
        metadata: pa.Table | None = None,
        encoder: Encoder[Vectors] | None = None,
    ) -> Self:
        """Index vectors that were made elsewhere.

        Parameters
        ----------
        ids : one a document.
        vectors : one a document, of the kind that the index takes.
        metadata : columns to filter by, a row a document.
        encoder : what made them, for queries to be encoded alike; without it only
            `search_vectors` can search.
        """
        names = to_string_array(ids)
        columns = pa.table({}) if metadata is None else metadata
        facts: dict[str, Any] = {"metadata": list(columns.column_names)}
        if encoder is not None:
            facts |= {"encoder": repr(encoder), "identity": encoder.identity}
        cls._write(folder, [Encoded(names, vectors, columns)], structure, facts, dimension=None)
        return cls.open(folder, encoder=encoder)

    @classmethod
    def _write(
        cls,
        folder: str | Path,
        batches: Iterable[Encoded],
        structure: Structure[Vectors] | str | None,
        facts: dict[str, Any],
        *,
        dimension: int | None,
        total: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        """A new index of one segment in place of what the folder holds."""
        chosen = cls._chosen(structure)
        with changing(folder, create=True) as change:
            entry = write_segment(
                change,
                batches,
                cls.vectors,
                chosen,
                dimension=dimension,
                total=total,
                progress=progress,
            )
            facts = {**facts, "structure": repr(chosen)}
            change.commit(IndexManifest(cls.kind, facts, () if entry is None else (entry,)))

    @classmethod
    def _chosen(cls, structure: Structure[Vectors] | str | None) -> Structure[Vectors]:
        wanted = cls.default_structure() if structure is None else structure
        return chosen_structure(wanted, cls.vectors.name, cls.__name__)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        encoder: Encoder[Vectors] | None = None,
        structure: Structure[Vectors] | str | None = None,
        corpus: Corpus | None = None,
        verify: bool = False,
    ) -> Self:
        """Open an index.

        Parameters
        ----------
        encoder : by default what the index says it was made with, loaded when it is first needed.
        structure : how to search; see `with_structure`. By default as the index was built.
        corpus : the documents that were indexed, for later stages to find their texts.
        verify : read all files once and compare their checksums.

        Raises
        ------
        DataError : there is no index in the folder, it is of another kind, or the encoder is not
            the one that the documents were encoded with.
        CorruptFileError : a file is missing, cut or of another version.
        """
        if verify:
            verify_index(folder)
        return open_as_it_is(
            folder, lambda manifest: cls._of(Path(folder), manifest, encoder, structure, corpus)
        )

    @classmethod
    def _of(
        cls,
        folder: Path,
        manifest: IndexManifest,
        encoder: Encoder[Vectors] | None,
        structure: Structure[Vectors] | str | None,
        corpus: Corpus | None,
    ) -> Self:
        """The index of a manifest, with the encoder and the structure that were asked for."""
        if manifest.kind != cls.kind:
            raise DataError(
                f"an index of kind {manifest.kind!r}", expected=repr(cls.kind), path=folder
            )
        check_encoder(encoder, manifest.facts, folder)
        stored = manifest.facts.get("structure")
        if not isinstance(stored, str):
            raise CorruptFileError("no structure", remedy=REMEDY, path=folder)
        chosen = cls._chosen(stored if structure is None else structure)
        return cls(folder, manifest, encoder, chosen, corpus)

    def with_structure(self, structure: Structure[Vectors] | str) -> Self:
        """The same index searched otherwise: with other knobs, or exactly, for comparison.

        The folder keeps what it was built with, and so do segments that are added later.

        Parameters
        ----------
        structure : one whose files the index has: the one that it was built with, its knobs of
            search changed, or an exact one, which needs none.

        Raises
        ------
        CorruptFileError : the index lacks the structure's files.
        """
        chosen = self._chosen(structure)
        return type(self)(self.folder, self.manifest, self.encoder, chosen, self.corpus)

    def search(
        self,
        queries: Queries,
        k: int = 1000,
        *,
        where: Where | None = None,
        threads: int = 1,
    ) -> Run:
        """The `k` best documents of every query, by the structure's lights.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        where : only documents whose columns agree: `{"year": (1990, None), "language": "en"}`,
            a value, a list of values, or a pair of limits.
        threads : how many may be used; the result does not depend on it.

        Raises
        ------
        ConfigurationError : the index has no encoder.
        DataError : the index lacks a column of `where`.
        """
        start = time.perf_counter()
        read = self.needed_encoder().encode_all(main_texts(queries), "query")
        ranking = self.search_vectors(read.values, k, where=where, threads=threads)
        return found_run(
            self,
            queries,
            self.document_ids,
            ranking,
            started=start,
            name=self.kind,
            corpus=self.corpus,
        )

    def search_vectors(
        self, queries: Any, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Ranking:
        """The `k` best documents, codes into `document_ids`, for vectors of queries."""
        if k < 1 or threads < 1:
            raise ConfigurationError(f"k={k}, threads={threads}; expected 1 or more of each.")
        vectors = self.vectors.check(queries, dimension=self.dimension, what="vectors of queries")
        found = [
            segment.searcher.search(vectors, k, allowed=segment.allowed(where), threads=threads)
            for segment in self.segments
        ]
        return joined(found, self.codes, self.vectors.count(vectors), k)

    def add(
        self, corpus: Any, *, batch_rows: int = 1_024, progress: Progress | None = None
    ) -> Self:
        """Add documents as a new segment; one whose id is there already replaces it.

        The parameters are those of `build`.
        """
        encoder = self.needed_encoder()
        batches, total = encoded_batches(corpus, encoder, self.manifest.facts, batch_rows)
        extend(self, batches, total=total, progress=progress)
        return self._again()

    def add_vectors(self, ids: Any, vectors: Any, *, metadata: pa.Table | None = None) -> Self:
        """Add documents whose vectors were made elsewhere."""
        columns = pa.table({}) if metadata is None else metadata
        extend(self, [Encoded(to_string_array(ids), vectors, columns)])
        return self._again()

    def delete(self, ids: Iterable[str]) -> Self:
        """Delete documents; their vectors stay on disk until `merge`.

        Raises
        ------
        DataError : the index has no document of that id.
        """
        delete(self, to_string_array(list(ids)))
        return self._again()

    def merge(self, *, batch_rows: int = 4_096, progress: Progress | None = None) -> Self:
        """Write all documents that are not deleted to one segment, and drop the others."""
        merge(self, batch_rows=batch_rows, progress=progress)
        return self._again()

    def _again(self) -> Self:
        return type(self).open(self.folder, encoder=self.encoder, structure=self.structure)

    @property
    def dimension(self) -> int | None:
        """How many components a vector has; None for an index without documents."""
        for segment in self.segments:
            return self.vectors.dimension(segment.vectors)
        return None

    def needed_encoder(self) -> Encoder[Vectors]:
        """The encoder, loaded by its description where none was given.

        Raises
        ------
        ConfigurationError : the index was made of vectors.
        DataError : the encoder has changed since.
        """
        if self.encoder is None:
            text = self.manifest.facts.get("encoder")
            if text is None:
                raise ConfigurationError(
                    "this index was made of vectors and has no encoder; search with "
                    "search_vectors, or open it with encoder=."
                )
            self.encoder = parse_encoder(str(text))
            if self.encoder.identity != self.manifest.facts.get("identity"):
                raise DataError(
                    f"encoder {text} of identity {self.encoder.identity}",
                    expected=f"identity {self.manifest.facts.get('identity')}",
                    remedy="the model's files have changed since; build the index again",
                    path=self.folder,
                )
        return self.encoder

    def __len__(self) -> int:
        """How many documents the index holds, deleted ones not counted."""
        return len(self.document_ids)

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        return f"{type(self).__name__}.open({str(self.folder)!r})"
