"""The retriever that asks a cross-encoder about few documents, and finds those it likes best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.encoders.base import PairScorer
from plackett.encoders.registry import parse_encoder
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.pipeline.applying import timed_search
from plackett.pipeline.base import Retriever
from plackett.retrievers.base import register
from plackett.retrievers.cross_encoder.anchors import Anchors, AnchorScores
from plackett.retrievers.cross_encoder.asking import Asked, CurrentAnchors, Pool
from plackett.retrievers.cross_encoder.building import added_to, built
from plackett.retrievers.cross_encoder.documents import KIND, ScoredDocuments
from plackett.retrievers.cross_encoder.plans import AdaptiveRounds, CallPlan, chosen_plan
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.segments.metadata import Where
from plackett.retrievers.segments.store import REMEDY, read_index

if TYPE_CHECKING:
    from plackett.encoders.cache import VectorCache
    from plackett.retrievers.segments.structure import Structure

__all__ = ["CrossEncoderNeighbours"]

Codes = npt.NDArray[np.int32]
Progress = Callable[[int, "int | None"], None]
QUERIES_AT_ONCE = 64


@register(KIND)
class CrossEncoderNeighbours(Retriever):
    """Nearest neighbours of a cross-encoder, by the CUR decomposition of its scores.

    The build scores all N documents for m anchor queries: R, `float32[m, N]`, which takes m N calls
    and 4 m N bytes, and is kept as a vector of m components a document. A query is then a mixture
    of the anchor queries: from its exact scores for a few documents follow weights u, and u R
    guesses its scores for all (see `mixture`). A plan says which documents are scored exactly:
    `AdaptiveRounds`, `FixedAnchors`, or `EveryDocument`, the exact answer. Results have exact
    scores only, and so are at most as many as the plan's calls.

    `add`, `delete` and `merge` change the folder in one step each and return the retriever opened
    anew. A document that is added costs m calls. Runs carry the calls and the tokens of a search.

    Attributes
    ----------
    folder : of the index.
    scorer : the cross-encoder.
    plan : how the calls of a query are spent.
    first : a retriever whose best documents the first round of `AdaptiveRounds` scores.
    documents : texts and scores of the documents.
    corpus : the documents, where known; runs carry it to later stages.

    Yadav, N. et al., 2022. Efficient nearest neighbor search for cross-encoder models using matrix
    factorization. EMNLP.

    >>> import tempfile
    >>> from plackett.encoders.base import Encoded
    >>> class SharedWords(PairScorer):
    ...     identity = "shared words"
    ...
    ...     def score(self, queries, documents):
    ...         pairs = zip(queries, documents)
    ...         shared = [len(set(q.split()) & set(d.split())) for q, d in pairs]
    ...         n = len(shared)
    ...         return Encoded(np.float32(shared), np.ones(n, np.int64), np.zeros(n, bool))
    >>> corpus = Corpus.from_texts({"a": "red wine", "b": "red tea", "c": "old wine", "d": "milk"})
    >>> asked = Queries.from_texts({"x": "red", "y": "wine", "z": "milk"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = CrossEncoderNeighbours.build(
    ...         corpus, folder + "/index", scorer=SharedWords(), queries=asked, anchors=2,
    ...         plan="AdaptiveRounds(calls=3, rounds=2)")
    ...     run = index.search(Queries.from_texts({"q": "old red wine"}), k=2)
    ...     len(run["q"]), run.costs[0].calls
    (2, 3)
    """

    def __init__(
        self,
        documents: ScoredDocuments,
        scorer: PairScorer,
        plan: CallPlan,
        *,
        first: Retriever | None = None,
        corpus: Corpus | None = None,
    ) -> None:
        """Search an open index; `build` and `open` find the parts."""
        self.documents, self.scorer, self.plan = documents, scorer, plan
        self.first, self.corpus = first, corpus
        self.folder = documents.folder
        self.anchors = CurrentAnchors.of(
            Anchors.from_facts(documents.manifest.facts.get("anchors", {}), self.folder), documents
        )

    @classmethod
    def build(
        cls,
        corpus: Any,
        folder: str | Path,
        *,
        scorer: PairScorer | str,
        queries: Queries | Sequence[str],
        anchors: int = 100,
        plan: CallPlan | str | None = None,
        structure: Structure[Any] | str | None = None,
        fields: Iterable[str] | None = None,
        metadata: Iterable[str] = (),
        cache: VectorCache | str | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> CrossEncoderNeighbours:
        """Score a corpus for the anchor queries and index it in `folder`.

        Parameters
        ----------
        corpus : a `Corpus`, the path of a corpus file (read as a stream), or an iterable of Arrow
            record batches with a column "id".
        folder : where the index goes. An index that is there stays in use until the new one is
            complete.
        scorer : a cross-encoder, or its description.
        queries : the m anchor queries, like those that will be asked; all are used.
        anchors : how many documents are drawn as anchors, for `FixedAnchors`.
        plan : how a search spends its calls, or its description; `AdaptiveRounds()` by default.
        structure : how the best guesses are found among the documents: a structure for dense
            vectors, `Exact()` by default.
        fields : the text fields, in reading order; all string columns by default.
        metadata : columns to keep, by which `search(where=...)` can filter.
        cache : a file of scores, or a `VectorCache`. By default scores are kept in a file beside
            the folder, `<folder>.scores`, until the index is complete: a build that is stopped
            goes on where it was when it is started again.
        seed : of the anchors that are drawn.
        progress : called as `progress(documents done, documents in total or None)`.

        Raises
        ------
        ConfigurationError : no anchor queries, or a plan or scorer that is none.
        DataError : an id occurs twice, a column is missing, a score is no finite number, or the
            folder holds other things.
        """
        wanted = chosen_plan(AdaptiveRounds() if plan is None else plan)
        if anchors < 1:
            raise ConfigurationError(f"anchors={anchors}; expected 1 or more.")
        reader = _scorer(scorer)
        texts = main_texts(queries) if isinstance(queries, Queries) else list(queries)
        built(
            corpus,
            folder,
            AnchorScores(reader, texts),
            plan=wanted,
            structure=structure,
            fields=None if fields is None else list(fields),
            metadata=tuple(metadata),
            anchors=anchors,
            cache=cache,
            seed=seed,
            progress=progress,
        )
        held = corpus if isinstance(corpus, Corpus) else None
        return cls.open(folder, scorer=reader, corpus=held)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        scorer: PairScorer | str | None = None,
        plan: CallPlan | str | None = None,
        structure: Structure[Any] | str | None = None,
        first: Retriever | None = None,
        corpus: Corpus | None = None,
        verify: bool = False,
    ) -> CrossEncoderNeighbours:
        """Open an index.

        Parameters
        ----------
        scorer : by default what the index says it was made with.
        plan, structure : by default as the index was built.
        first : see the class.
        corpus : the documents that were indexed, for later stages to find their texts.
        verify : read all files once and compare their checksums.

        Raises
        ------
        DataError : there is no index in the folder, it is of another kind, or the scorer is not
            the one that made it.
        CorruptFileError : a file is missing, cut or of another version.
        """
        manifest = read_index(folder)
        facts = manifest.facts
        if manifest.kind != KIND:
            raise DataError(f"an index of kind {manifest.kind!r}", expected=repr(KIND), path=folder)
        described, stored = facts.get("scorer"), facts.get("plan")
        if not isinstance(described, str) or not isinstance(stored, str):
            raise CorruptFileError("no scorer or no plan", remedy=REMEDY, path=folder)
        reader = _scorer(described if scorer is None else scorer)
        if reader.identity != facts.get("scorer identity"):
            raise DataError(
                f"scorer {reader!r} of identity {reader.identity}",
                expected=f"{described}, of identity {facts.get('scorer identity')}",
                remedy="open the index with the scorer that made it, or build it again",
                path=folder,
            )
        held = Anchors.from_facts(facts.get("anchors", {}), folder)
        documents = ScoredDocuments.open(
            folder,
            encoder=AnchorScores(reader, held.queries),
            structure=structure,
            verify=verify,
        )
        wanted = chosen_plan(stored if plan is None else plan)
        return cls(documents, reader, wanted, first=first, corpus=corpus)

    def with_plan(self, plan: CallPlan | str) -> CrossEncoderNeighbours:
        """The same index, its calls spent otherwise. The folder keeps what it was built with."""
        return CrossEncoderNeighbours(
            self.documents, self.scorer, chosen_plan(plan), first=self.first, corpus=self.corpus
        )

    def starting_from(self, first: Retriever | None) -> CrossEncoderNeighbours:
        """The same index; `AdaptiveRounds` begins with the best documents of `first`."""
        return CrossEncoderNeighbours(
            self.documents, self.scorer, self.plan, first=first, corpus=self.corpus
        )

    def search(
        self, queries: Queries, k: int = 1000, *, where: Where | None = None, threads: int = 1
    ) -> Run:
        """The `k` best of the documents that the plan scores, for every query.

        Parameters
        ----------
        queries : their main field is "text", or else the first text field.
        k : at most as many are found as the plan has calls.
        where : only documents whose columns agree, see `Dense.search`.
        threads : how many may be used to find candidates; the result does not depend on it.

        Raises
        ------
        DataError : the index lacks a column of `where`, or a score is no finite number.
        """
        if k < 1 or threads < 1:
            raise ConfigurationError(f"k={k}, threads={threads}; expected 1 or more of each.")
        texts = main_texts(queries)
        pool = Pool(self.documents, where, self.documents.allowed(where), threads)
        found = None if self.first is None else timed_search(self.first, queries)
        start = time.perf_counter()
        opening = None if found is None else self._opening(queries, found)
        parts = []
        for at in range(0, len(texts), QUERIES_AT_ONCE):
            asked = Asked(texts[at : at + QUERIES_AT_ONCE], pool, self.scorer)
            given = None if opening is None else opening[at : at + QUERIES_AT_ONCE]
            self.plan.spend(asked, self.anchors, given)
            parts.append(asked)
        run = _as_run(queries, self.document_ids, parts)
        cost = Cost(
            repr(self),
            seconds=time.perf_counter() - start,
            queries=len(texts),
            documents=len(run.document),
            calls=sum(part.calls for part in parts),
            tokens=sum(part.tokens for part in parts),
        )
        before = () if found is None else found.costs
        return run.head(k).replace(corpus=self.corpus, costs=(*before, cost))

    def _opening(self, queries: Queries, found: Run) -> list[Codes]:
        """The codes of what was found for each query, best first."""
        codes = found.document_ids.map_to(self.document_ids)[found.document]
        row_of = {name: row for row, name in enumerate(found.query_names)}
        lists = []
        for name in queries.ids:
            row = row_of.get(name)
            given = codes[:0] if row is None else codes[found.offsets[row] : found.offsets[row + 1]]
            lists.append(given[given >= 0])
        return lists

    def add(self, corpus: Any, *, progress: Progress | None = None) -> CrossEncoderNeighbours:
        """Add documents, at m calls each; one whose id is there already replaces it.

        The parameters are those of `build`.
        """
        added_to(self.documents, corpus, progress)
        return self._again()

    def delete(self, ids: Iterable[str]) -> CrossEncoderNeighbours:
        """Delete documents; their scores stay on disk until `merge`.

        Raises
        ------
        DataError : the index has no document of that id.
        """
        self.documents.delete(ids)
        return self._again()

    def merge(self, *, progress: Progress | None = None) -> CrossEncoderNeighbours:
        """Write all documents that are not deleted to one segment, without a call."""
        self.documents.merge(progress=progress)
        return self._again()

    def _again(self) -> CrossEncoderNeighbours:
        return CrossEncoderNeighbours.open(
            self.folder,
            scorer=self.scorer,
            plan=self.plan,
            structure=self.documents.structure,
            first=self.first,
        )

    @property
    def document_ids(self) -> Ids:
        """The ids of the documents that are not deleted."""
        return self.documents.document_ids

    def __len__(self) -> int:
        """How many documents the index holds, deleted ones not counted."""
        return len(self.documents)

    def __repr__(self) -> str:
        """An expression that opens this retriever again."""
        first = "" if self.first is None else f", first={self.first!r}"
        return f"{type(self).__name__}.open({str(self.folder)!r}, plan={repr(self.plan)!r}{first})"


def _scorer(scorer: PairScorer | str) -> PairScorer:
    made = parse_encoder(scorer) if isinstance(scorer, str) else scorer
    if not isinstance(made, PairScorer):
        raise ConfigurationError(f"{made!r}; expected a scorer of pairs, such as a CrossEncoder.")
    return made


def _as_run(queries: Queries, ids: Ids, parts: Sequence[Asked]) -> Run:
    codes = [found for part in parts for found in part.codes]
    scores = [found for part in parts for found in part.scores]
    lengths = [len(found) for found in codes]
    return Run.from_arrays(
        np.repeat(np.arange(len(codes), dtype=np.int32), lengths),
        np.concatenate([np.zeros(0, np.int32), *codes]),
        np.concatenate([np.zeros(0, np.float32), *scores]),
        query_ids=queries.ids,
        document_ids=ids,
        all_queries=True,
        name=KIND,
        queries=queries,
    )
