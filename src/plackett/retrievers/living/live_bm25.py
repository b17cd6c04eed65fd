"""BM25 over an index in segments, to which documents are added and from which they are deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from plackett.data.ids import Ids, to_string_array
from plackett.data.ragged import lengths_to_offsets
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.pipeline.base import Retriever
from plackett.retrievers.analysis import Analyzer, TextAnalyzer, get_analyzer
from plackett.retrievers.base import register
from plackett.retrievers.found_run import found_run
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.living.live_editing import (
    added_segment,
    check_current,
    merged_segment,
    with_segment,
    without,
)
from plackett.retrievers.living.live_impacts import LiveImpacts
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.living.tied import in_order_of_ids
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.joining import codes_of_rows, joined
from plackett.retrievers.segments.metadata import Where
from plackett.retrievers.segments.store import (
    REMEDY,
    IndexManifest,
    changing,
    read_index,
    verify_index,
)
from plackett.retrievers.weighting import Weighting

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["KIND", "LiveBM25"]

KIND = "live-bm25"
Progress = Callable[[int, "int | None"], None]
AnyAnalyzer = str | TextAnalyzer | Callable[[str], list[str]]


@register(KIND)
class LiveBM25(Retriever):
    """BM25 over an index that lives: the exact top k, whatever was added and deleted.

    `build` makes it and `open` opens it. `add`, `delete` and `merge` change the folder in one step
    each and return the retriever opened anew; the old one goes on answering as before, so that
    readers keep their snapshot while a writer works. A process that is killed at any moment leaves
    the index as it was, or as it was to become.

    Scores are those of `BM25` over an index built of the documents that are left: statistics are of
    the whole index, deleted documents not counted. Impacts are computed when a term is first asked
    for; for a collection that never changes `BM25`, which keeps them on disk, is faster.

    Attributes
    ----------
    folder : of the index.
    weighting : the variant and its parameters.
    document_ids : the ids of the documents that are not deleted.
    segments : in the order in which they were added.
    corpus : the documents, where known; runs carry it to later stages.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     live = LiveBM25.build(Corpus.from_texts({"d1": "lift of a wing"}), folder + "/index")
    ...     live = live.add(Corpus.from_texts({"d2": "two wings", "d3": "heat"})).delete(["d3"])
    ...     run = live.search(Queries.from_texts({"q": "wings"}))
    ...     [name for name, _ in run["q"]], len(live), len(live.segments)
    (['d2', 'd1'], 2, 2)
    """

    def __init__(
        self,
        folder: Path,
        manifest: IndexManifest,
        analyzer: TextAnalyzer,
        weighting: Weighting,
        corpus: Corpus | None = None,
    ) -> None:
        """Open the segments of a manifest; `build` and `open` find the parts."""
        self.folder, self.manifest, self.corpus = folder, manifest, corpus
        self.analyzer, self.weighting = analyzer, weighting
        self.segments = tuple(LiveSegment(folder, entry, analyzer) for entry in manifest.segments)
        rows = [segment.live_rows for segment in self.segments]
        ids = [
            segment.index.document_ids.values.take(pa.array(live)).cast(pa.large_string())
            for segment, live in zip(self.segments, rows, strict=True)
        ]
        self.document_ids = Ids(pa.chunked_array(ids, pa.large_string()).combine_chunks())
        self._codes = codes_of_rows(rows, [entry.documents for entry in manifest.segments])
        tokens = sum(segment.n_tokens for segment in self.segments)
        mean = tokens / len(self.document_ids) if len(self.document_ids) else 0.0
        self._impacts = tuple(
            LiveImpacts(segment.index, weighting, mean, segment.live) for segment in self.segments
        )

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        fields: Iterable[str] | None = None,
        analyzer: AnyAnalyzer = "english",
        k1: float = 1.2,
        b: float = 0.75,
        variant: str = "lucene",
        delta: float | None = None,
        metadata: Iterable[str] = (),
        progress: Progress | None = None,
        batch_rows: int = 10_000,
    ) -> Self:
        """Index a corpus in `folder` and open it.

        The parameters are those of `BM25.build`; `fields`, `analyzer`, `metadata` and the weighting
        hold for documents that are added later, too.

        Raises
        ------
        DataError : an id occurs twice or is missing; no text field; the folder holds other things.
        ConfigurationError : a parameter out of its range.
        """
        weighting = Weighting(variant, k1, b, delta)
        chosen = get_analyzer(analyzer)
        kept = tuple(metadata)
        wanted = None if fields is None else tuple(fields)
        facts: dict[str, Any] = {
            "analyzer": chosen.to_dict(),
            "metadata": list(kept),
            "weighting": [variant, k1, b, weighting.delta],
        }
        with changing(folder, create=True) as change:
            entry = added_segment(change, corpus, chosen, wanted, kept, batch_rows, progress)
            found = wanted if entry is None else tuple(entry.facts["index"]["fields"])
            facts["fields"] = None if found is None else list(found)
            change.commit(IndexManifest(KIND, facts, () if entry is None else (entry,)))
        return cls.open(
            folder, analyzer=chosen, corpus=corpus if isinstance(corpus, Corpus) else None
        )

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        analyzer: AnyAnalyzer | None = None,
        k1: float | None = None,
        b: float | None = None,
        variant: str | None = None,
        corpus: Corpus | None = None,
        verify: bool = False,
    ) -> Self:
        """Open an index that `build` made.

        Parameters
        ----------
        analyzer : only for an index that was built with a function, which cannot be saved.
        k1, b, variant : those of the build by default.
        corpus : the documents, for later stages to find their texts.
        verify : read all files once and compare their checksums.

        Raises
        ------
        DataError : there is no index in the folder, or it is of another kind.
        CorruptFileError : a file is missing, cut or of another version.
        ConfigurationError : the index was built with a function, and none is given.
        """
        if verify:
            verify_index(folder)
        manifest = read_index(folder)
        if manifest.kind != KIND:
            raise DataError(f"an index of kind {manifest.kind!r}", expected=repr(KIND), path=folder)
        try:
            saved, *numbers = manifest.facts["weighting"]
            chosen = _analyzer_of(manifest.facts["analyzer"], analyzer, folder)
            weighting = Weighting(
                saved if variant is None else variant,
                numbers[0] if k1 is None else k1,
                numbers[1] if b is None else b,
                numbers[2] if variant in (None, saved) else None,
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, ConfigurationError) and not isinstance(error, KeyError):
                raise
            raise CorruptFileError(
                f"no parameters ({error})", remedy=REMEDY, path=folder
            ) from error
        return cls(Path(folder), manifest, chosen, weighting, corpus)

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best documents of every query; see `BM25.search`."""
        start = time.perf_counter()
        ranking = self._ranking(main_texts(queries), k, where, threads)
        return found_run(
            self,
            queries,
            self.document_ids,
            ranking,
            started=start,
            name="bm25",
            corpus=self.corpus,
        )

    def _ranking(self, texts: list[str], k: int, where: Where | None, threads: int) -> Ranking:
        asked = [self.analyzer(text) for text in texts]
        codes = self._prepared({term for terms in asked for term in terms})
        found = []
        for segment, impacts, known in zip(self.segments, self._impacts, codes, strict=True):
            lists = [[known[term] for term in terms if term in known] for terms in asked]
            flat = np.array([code for codes in lists for code in codes], dtype=np.int32)
            found.append(
                impacts.lists.search(
                    lengths_to_offsets([len(codes) for codes in lists]),
                    flat,
                    k=k,
                    threads=threads,
                    allowed=segment.allowed(where),
                )
            )
        best = joined(found, self._codes, len(texts), k)
        return in_order_of_ids(best, self.document_ids)

    def _prepared(self, terms: set[str]) -> list[dict[str, int]]:
        """The code of each term in each segment that has it, with its impacts computed."""
        codes = [
            {term: code for term in terms if (code := segment.index.term_code(term)) >= 0}
            for segment in self.segments
        ]
        for term in terms:
            have = [(i, known[term]) for i, known in enumerate(codes) if term in known]
            df = sum(self.segments[i].document_frequency(code) for i, code in have)
            idf = float(self.weighting.idf(len(self.document_ids), [df])[0])
            greatest = max((self._impacts[i].ask(code, idf) for i, code in have), default=0.0)
            for i, code in have:
                self._impacts[i].bound(code, greatest)
        return codes

    def add(
        self, corpus: Any, *, batch_rows: int = 10_000, progress: Progress | None = None
    ) -> Self:
        """Add documents as a new segment; one whose id is there already replaces it.

        Raises
        ------
        DataError : an id occurs twice, a field is missing, or the index has changed since it was
            opened.
        """
        facts = self.manifest.facts
        with changing(self.folder, create=False) as change:
            check_current(self.folder, self.manifest, change)
            entry = added_segment(
                change,
                corpus,
                self.analyzer,
                facts["fields"],
                facts["metadata"],
                batch_rows,
                progress,
            )
            if entry is not None:
                kept = dict(facts, fields=list(entry.facts["index"]["fields"]))
                segments = with_segment(self.folder, self.segments, entry)
                change.commit(IndexManifest(KIND, kept, segments))
        return self._again()

    def delete(self, ids: Iterable[str]) -> Self:
        """Delete documents; their postings stay on disk until `merge`.

        Raises
        ------
        DataError : the index has no document of that id, or has changed since it was opened.
        """
        names = to_string_array(list(ids))
        unknown = self.document_ids.codes(names) < 0
        if bool(unknown.any()):
            lost = names[int(np.argmax(unknown))].as_py()
            raise DataError(f"document {lost!r}", expected="a document of the index")
        with changing(self.folder, create=False) as change:
            check_current(self.folder, self.manifest, change)
            segments = without(self.folder, self.segments, names)
            change.commit(IndexManifest(KIND, self.manifest.facts, segments))
        return self._again()

    def merge(self, *, batch_rows: int = 10_000, progress: Progress | None = None) -> Self:
        """Write all documents that are not deleted to one segment, and drop the others.

        No text is analysed again.
        """
        with changing(self.folder, create=False) as change:
            check_current(self.folder, self.manifest, change)
            entry = merged_segment(change, self.segments, self.analyzer, batch_rows, progress)
            segments = () if entry is None else (entry,)
            change.commit(IndexManifest(KIND, self.manifest.facts, segments))
        return self._again()

    def _again(self) -> Self:
        weighting = self.weighting
        return type(self).open(
            self.folder,
            analyzer=self.analyzer,
            k1=weighting.k1,
            b=weighting.b,
            variant=weighting.variant,
        )

    @property
    def index(self) -> InvertedIndex:
        """The inverted index of a merged index, for features and other models.

        Raises
        ------
        ConfigurationError : there are several segments, or deleted documents.
        """
        if len(self.segments) != 1 or self.segments[0].live is not None:
            raise ConfigurationError(
                f"{len(self.segments)} segments, or deleted documents in them; merge() makes one "
                "index of them."
            )
        return self.segments[0].index

    def __len__(self) -> int:
        """How many documents the index holds, deleted ones not counted."""
        return len(self.document_ids)

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        return f"LiveBM25.open({str(self.folder)!r})"


def _analyzer_of(saved: Any, given: AnyAnalyzer | None, folder: str | Path) -> TextAnalyzer:
    """The analyzer that the index was built with.

    Raises
    ------
    ConfigurationError : it was a function, and none is given.
    """
    if given is not None:
        return get_analyzer(given)
    if "function" in saved:
        raise ConfigurationError(
            f"{folder} was built with the function {saved['function']!r} as its analyzer, which "
            "cannot be saved; pass it again as `analyzer=`"
        )
    return Analyzer.from_dict(saved)
