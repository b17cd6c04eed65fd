"""BM25: exact search over an inverted index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from plackett.data.texts import Corpus
from plackett.errors import CorruptFileError
from plackett.retrievers.analysis import TextAnalyzer
from plackett.retrievers.base import register
from plackett.retrievers.explanation import Explanation, TermContribution
from plackett.retrievers.inverted.build import build_index
from plackett.retrievers.inverted.filled import FilledLists
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.inverted.inverting import DEFAULT_MEMORY
from plackett.retrievers.inverted.storage import MANIFEST, REMEDY
from plackett.retrievers.term_retriever import TermRetriever
from plackett.retrievers.weighting import Weighting

__all__ = ["BM25", "Explanation", "TermContribution"]


@register("bm25")
class BM25(TermRetriever):
    """BM25 over an inverted index on disk: the exact top k.

    The score of a document is the sum over the query's terms of idf * tfc; by default, as Lucene,
    idf = ln(1 + (N - df + 0.5) / (df + 0.5)) and tfc = tf / (k1 (1 - b + b dl / avgdl) + tf). See
    `plackett.retrievers.weighting` for the variants. Only documents with a positive score are
    results; where documents tie for the last of the k places, those first in the corpus are in.

    Robertson, S. et al., 1994. Okapi at TREC-3. Kamphuis, C. et al., 2020. Which BM25 do you mean?
    A large-scale reproducibility study of scoring variants. ECIR.

    Attributes
    ----------
    index : the `InvertedIndex`.
    weighting : the variant and its parameters.
    lists : what each posting adds to a score (`FilledLists`): packed on disk, unpacked into memory
        when a query first asks for a term.
    corpus : the documents, where known; runs carry it to later stages.

    >>> import tempfile
    >>> from plackett.data.texts import Queries
    >>> corpus = Corpus.from_texts({"d1": "lift of a wing", "d2": "heat transfer"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder)
    ...     run = bm25.search(Queries.from_texts({"q1": "wings", "q2": "moon"}))
    ...     [(name, run[name]) for name in run.query_names]
    [('q1', [('d1', 0.315066...)]), ('q2', [])]
    """

    lists: FilledLists
    run_name = "bm25"

    def __init__(
        self,
        index: InvertedIndex,
        weighting: Weighting,
        lists: FilledLists,
        corpus: Corpus | None = None,
    ) -> None:
        """Put the parts together; `build` and `open` make them."""
        self.index, self.weighting, self.lists, self.corpus = index, weighting, lists, corpus

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        fields: Iterable[str] | None = None,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] = "english",
        metadata: Iterable[str] = (),
        k1: float = 1.2,
        b: float = 0.75,
        variant: str = "lucene",
        delta: float | None = None,
        forward: bool = True,
        progress: Callable[[int, int | None], None] | None = None,
        batch_rows: int = 10_000,
        memory: int | str = DEFAULT_MEMORY,
    ) -> BM25:
        """Index a corpus in `folder` and open it.

        Parameters
        ----------
        corpus : a `Corpus`, the path of a corpus file (read as a stream), or an iterable of Arrow
            record batches with a column "id".
        folder : where the index goes. An index that is there stays in use until the new one is
            complete, and stays for good where the build is killed.
        fields : the text fields, in reading order; by default all that are not `metadata`.
        analyzer : "english" (Porter's stems), "english_unstemmed", "unicode", "whitespace", an
            `Analyzer`, or a function `text -> list of terms`.
        metadata : columns to keep, by which `search(where=...)` can filter.
        k1, b, variant, delta : see `Weighting`.
        forward : keep each document's terms in reading order, as features need.
        progress : called as `progress(documents done, documents in total or None)`.
        batch_rows : how many documents are analysed at a time.
        memory : for the postings that are inverted at a time, in bytes or as "500MB". A smaller one
            takes longer; besides it, a build takes some 50 bytes a document with its id, the kept
            columns, the terms, and about 200 MB for the batches at work.

        Raises
        ------
        DataError : an id occurs twice or is missing; no text field or no such column; the folder
            holds other things.
        ConfigurationError : a parameter out of its range.
        """
        weighting = Weighting(variant, k1, b, delta)
        build_index(
            corpus,
            folder,
            fields=fields,
            analyzer=analyzer,
            metadata=metadata,
            forward=forward,
            progress=progress,
            batch_rows=batch_rows,
            memory=memory,
            facts={"weighting": asdict(weighting)},
        )
        return cls.open(
            folder,
            analyzer=None if isinstance(analyzer, str) else analyzer,
            corpus=corpus if isinstance(corpus, Corpus) else None,
        )

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        k1: float | None = None,
        b: float | None = None,
        variant: str | None = None,
        delta: float | None = None,
        analyzer: str | TextAnalyzer | Callable[[str], list[str]] | None = None,
        corpus: Corpus | None = None,
        memory: int | str | None = None,
    ) -> BM25:
        """Open an index that `build` made.

        Parameters
        ----------
        k1, b, variant, delta : those of the build by default; others cost nothing.
        analyzer : only for an index that was built with a function, which cannot be saved.
        corpus : the documents that were indexed, for later stages to find their texts.
        memory : what unpacked lists may take, 8 bytes a posting: bytes, or a text such as "2GB";
            half of the machine's by default. `bm25.lists.fill()` unpacks them all beforehand.

        Raises
        ------
        DataError : there is no index in the folder, or the corpus is not the one indexed.
        CorruptFileError : a file is missing, truncated or of another version.
        """
        index = InvertedIndex.open(folder, analyzer=analyzer, corpus=corpus)
        saved = _saved_weighting(index)
        # Another variant has another default.
        saved_delta = saved.delta if variant in (None, saved.variant) else None
        weighting = Weighting(
            saved.variant if variant is None else variant,
            saved.k1 if k1 is None else k1,
            saved.b if b is None else b,
            saved_delta if delta is None else delta,
        )
        return cls(index, weighting, FilledLists(index, weighting, memory=memory), corpus)

    def with_parameters(
        self,
        *,
        k1: float | None = None,
        b: float | None = None,
        variant: str | None = None,
        delta: float | None = None,
    ) -> BM25:
        """The same index searched with other parameters."""
        changes = {"k1": k1, "b": b, "variant": variant, "delta": delta}
        given: dict[str, Any] = {
            name: value for name, value in changes.items() if value is not None
        }
        if variant is not None and variant != self.weighting.variant:
            given.setdefault("delta", None)
        weighting = replace(self.weighting, **given)
        lists = FilledLists(self.index, weighting, memory=self.lists.memory)
        return BM25(self.index, weighting, lists, self.corpus)

    def describe(self) -> dict[str, Any]:
        """What an experiment file holds: `BM25.open(**description)` less "retriever"."""
        weighting = self.weighting
        description: dict[str, Any] = {
            "retriever": "bm25",
            "folder": str(self.index.folder.parent),
            "variant": weighting.variant,
            "k1": weighting.k1,
            "b": weighting.b,
        }
        if weighting.delta is not None:
            description["delta"] = weighting.delta
        return description

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        values = self.describe()
        del values["retriever"]
        folder = values.pop("folder")
        options = ", ".join(f"{name}={value!r}" for name, value in values.items())
        return f"BM25.open({folder!r}, {options})"


def _saved_weighting(index: InvertedIndex) -> Weighting:
    """The variant and parameters that the index was built with."""
    saved = index.manifest.get("weighting")
    try:
        if not isinstance(saved, dict):
            raise TypeError("none")
        return Weighting(saved["variant"], saved["k1"], saved["b"], saved["delta"])
    except (TypeError, KeyError, ValueError) as error:
        raise CorruptFileError(
            f"no BM25 parameters ({error})",
            remedy=REMEDY,
            path=index.folder.parent / MANIFEST,
        ) from error
