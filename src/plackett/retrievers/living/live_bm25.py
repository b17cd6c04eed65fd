"""BM25 over an index in segments, to which documents are added and from which they are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from plackett.data.ids import to_string_array
from plackett.data.texts import Corpus
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.analysis import get_analyzer
from plackett.retrievers.base import register
from plackett.retrievers.inverted.inverting import DEFAULT_MEMORY
from plackett.retrievers.living.background import BackgroundMerging
from plackett.retrievers.living.live_editing import (
    added_segment,
    check_held,
    edited,
    merged_segment,
    with_segment,
    without,
)
from plackett.retrievers.living.live_facts import (
    KIND,
    STATE,
    AnyAnalyzer,
    new_state,
    same_documents,
    saved_parts,
    with_others,
)
from plackett.retrievers.living.live_segment import LiveSegment
from plackett.retrievers.living.live_snapshot import LiveSnapshot
from plackett.retrievers.living.merge_policy import MergePolicy
from plackett.retrievers.segments.store import (
    Change,
    IndexManifest,
    changing,
    open_as_it_is,
    verify_index,
)
from plackett.retrievers.weighting import Weighting

__all__ = ["KIND", "LiveBM25"]

Progress = Callable[[int, "int | None"], None]


@register(KIND)
class LiveBM25(LiveSnapshot):
    """BM25 over an index that lives: the exact top k, whatever was added and deleted.

    `build` makes it and `open` opens it. `add`, `delete` and `merge` change the folder in one step
    each and return the retriever opened anew; the old one goes on answering as before, so that
    readers keep their snapshot while a writer works. A process that is killed at any moment leaves
    the index as it was, or as it was to become.

    Scores are those of `BM25` over an index built of the documents that are left: statistics are of
    the whole index, deleted documents not counted. So every change changes all scores: what a
    posting adds is computed when its term is first asked for, and kept until the index changes.

    `index`, `lists` and `weighting` are as `BM25`'s, so that what takes a `BM25`, such as
    `Expanded`, `SyntaxSearch`, `Lexical` and feature sets, takes a living index too.

    With `merge_in_background` a thread merges small segments meanwhile; as a context manager the
    retriever ends it.

    Attributes
    ----------
    folder : of the index.
    weighting : the variant and its parameters.
    document_ids : the ids of the documents that are not deleted.
    segments : in the order in which they were added.
    corpus : the documents, where known; runs carry it to later stages.
    merging : the thread that merges, where there is one.

    >>> import tempfile
    >>> from plackett.data.texts import Queries
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     live = LiveBM25.build(Corpus.from_texts({"d1": "lift of a wing"}), folder + "/index")
    ...     live = live.add(Corpus.from_texts({"d2": "two wings", "d3": "heat"})).delete(["d3"])
    ...     run = live.search(Queries.from_texts({"q": "wings"}))
    ...     [name for name, _ in run["q"]], len(live), len(live.segments)
    (['d2', 'd1'], 2, 2)
    """

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
        memory: int | str = DEFAULT_MEMORY,
    ) -> LiveBM25:
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
            STATE: new_state(),
        }
        with changing(folder, create=True) as change:
            entry = added_segment(
                change, corpus, chosen, wanted, kept, batch_rows, memory, progress
            )
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
        delta: float | None = None,
        corpus: Corpus | None = None,
        verify: bool = False,
    ) -> LiveBM25:
        """Open an index that `build` made, as it is now.

        Parameters
        ----------
        analyzer : only for an index that was built with a function, which cannot be saved.
        k1, b, variant, delta : those of the build by default.
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

        def opened(manifest: IndexManifest) -> LiveBM25:
            if manifest.kind != KIND:
                raise DataError(
                    f"an index of kind {manifest.kind!r}", expected=repr(KIND), path=folder
                )
            chosen, saved = saved_parts(manifest, analyzer, folder)
            weighting = with_others(saved, k1=k1, b=b, variant=variant, delta=delta)
            return cls(Path(folder), manifest, chosen, weighting, corpus)

        return open_as_it_is(folder, opened)

    def add(
        self,
        corpus: Any,
        *,
        batch_rows: int = 10_000,
        memory: int | str = DEFAULT_MEMORY,
        progress: Progress | None = None,
    ) -> LiveBM25:
        """Add documents as a new segment; one whose id is there already replaces it.

        Raises
        ------
        DataError : an id occurs twice, a field is missing, or documents were added or deleted since
            the index was opened.
        """
        facts = self.manifest.facts
        with self._edited() as (change, segments):
            entry = added_segment(
                change,
                corpus,
                self.analyzer,
                facts["fields"],
                facts["metadata"],
                batch_rows,
                memory,
                progress,
            )
            if entry is not None:
                kept = {**facts, "fields": list(entry.facts["index"]["fields"]), STATE: new_state()}
                entries = with_segment(self.folder, segments, entry)
                change.commit(IndexManifest(KIND, kept, entries))
        return self._again()

    def delete(self, ids: Iterable[str]) -> LiveBM25:
        """Delete documents; their postings stay on disk until their segment is merged.

        Raises
        ------
        DataError : the index has no document of that id, or documents were added or deleted since
            it was opened.
        """
        names = to_string_array(list(ids))
        check_held(self.document_ids, names)
        with self._edited() as (change, segments):
            kept = {**self.manifest.facts, STATE: new_state()}
            change.commit(IndexManifest(KIND, kept, without(self.folder, segments, names)))
        return self._again()

    def merge(
        self,
        *,
        batch_rows: int = 10_000,
        memory: int | str = DEFAULT_MEMORY,
        progress: Progress | None = None,
    ) -> LiveBM25:
        """Write all documents that are not deleted to one segment, and drop the others.

        No text is analysed again.

        Parameters
        ----------
        batch_rows : how many documents are read at a time.
        memory : for the postings that are inverted at a time, in bytes or as "500MB".
        progress : called as `progress(documents done, documents in total)`.
        """
        with self._edited() as (change, segments):
            entry = merged_segment(change, segments, self.analyzer, batch_rows, memory, progress)
            entries = () if entry is None else (entry,)
            change.commit(IndexManifest(KIND, self.manifest.facts, entries))
        return self._again(self.corpus)

    def _edited(self) -> AbstractContextManager[tuple[Change, tuple[LiveSegment, ...]]]:
        if self.merging is not None:
            self.merging.tell()
        return edited(self.folder, self.manifest, self.analyzer, self.segments)

    def _again(self, corpus: Corpus | None = None) -> LiveBM25:
        """The index as it is after a change, of which the thread that merges is told."""
        if self.merging is not None:
            self.merging.wake()
        return open_as_it_is(self.folder, lambda manifest: self._at(manifest, corpus, self.merging))

    def _at(
        self, manifest: IndexManifest, corpus: Corpus | None, merging: BackgroundMerging | None
    ) -> LiveBM25:
        """The index at another moment, its segments shared where it has the same."""
        return LiveBM25(
            self.folder,
            manifest,
            self.analyzer,
            self.weighting,
            corpus,
            known=self.segments,
            merging=merging,
        )

    def refreshed(self) -> LiveBM25:
        """The index as it is now, after changes of others; this object where nothing changed."""
        return open_as_it_is(self.folder, self._unless_same)

    def _unless_same(self, manifest: IndexManifest) -> LiveBM25:
        if manifest == self.manifest:
            return self
        corpus = self.corpus if same_documents(manifest, self.manifest) else None
        return self._at(manifest, corpus, self.merging)

    def merge_in_background(
        self,
        policy: MergePolicy | None = None,
        *,
        batch_rows: int = 10_000,
        memory: int | str = "100MB",
    ) -> LiveBM25:
        """The index with a thread that merges small segments while it is searched and changed.

        The thread looks for what is to be merged now, and after each change made through the
        retriever that this returns, or through those that its changes return. Rankings stay what
        they are. What goes wrong in it is told by the next change, and by `close`.

        Parameters
        ----------
        policy : which segments are merged, and when; `MergePolicy()` by default.
        batch_rows, memory : as for `merge`.

        Raises
        ------
        ConfigurationError : there is such a thread already.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     built = LiveBM25.build(Corpus.from_texts({"d0": "wing"}), folder + "/index")
        ...     with built.merge_in_background(MergePolicy(growth=2)) as live:
        ...         for number in range(1, 5):
        ...             live = live.add(Corpus.from_texts({f"d{number}": "wings"}))
        ...         live.merging.wait()
        ...         live = live.refreshed()
        ...     len(live), len(live.segments)
        (5, 1)
        """
        if self.merging is not None:
            raise ConfigurationError("this index is merged in the background already.")
        chosen = MergePolicy() if policy is None else policy
        merging = BackgroundMerging(
            self.folder, self.analyzer, chosen, batch_rows=batch_rows, memory=memory
        )
        merging.wake()
        return self._at(self.manifest, self.corpus, merging)

    def close(self, *, finish: bool = True) -> None:
        """End the thread that merges, where there is one; the index can still be searched.

        Parameters
        ----------
        finish : wait for the merge under way; else it is given up, and leaves nothing.

        Raises
        ------
        Exception : what went wrong in the thread, unless it has been told.
        """
        if self.merging is not None:
            self.merging.close(finish=finish)

    def __enter__(self) -> LiveBM25:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; an error in the block gives up the merge under way."""
        self.close(finish=kind is None)

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        saved = saved_parts(self.manifest, self.analyzer, self.folder)[1]
        options = [
            f", {name}={value!r}"
            for name in ("k1", "b", "variant", "delta")
            if (value := getattr(self.weighting, name)) != getattr(saved, name)
        ]
        return f"LiveBM25.open({str(self.folder)!r}{''.join(options)})"
