"""Building an index of cross-encoder scores, and adding documents to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from plackett.encoders.cache import VectorCache
from plackett.retrievers.cross_encoder.anchors import PAIRS, Anchors, AnchorScores
from plackett.retrievers.cross_encoder.documents import TEXT, ScoredDocuments, with_texts
from plackett.retrievers.segments.editing import encoded_batches, extend
from plackett.retrievers.segments.segment import Segment
from plackett.retrievers.segments.store import IndexManifest, changing
from plackett.retrievers.segments.structure import chosen_structure
from plackett.retrievers.segments.writing import write_segment

if TYPE_CHECKING:
    from plackett.retrievers.cross_encoder.plans import CallPlan
    from plackett.retrievers.segments.structure import Structure

__all__ = ["added_to", "built"]

Progress = Callable[[int, "int | None"], None]


def built(
    corpus: Any,
    folder: str | Path,
    encoder: AnchorScores,
    *,
    plan: CallPlan,
    structure: Structure[Any] | str | None,
    fields: list[str] | None,
    metadata: tuple[str, ...],
    anchors: int,
    cache: VectorCache | str | None,
    seed: int,
    progress: Progress | None,
) -> None:
    """Score a corpus and write the index; the parameters are those of the retriever's `build`."""
    kind = ScoredDocuments.vectors
    chosen = chosen_structure(
        ScoredDocuments.default_structure() if structure is None else structure,
        kind.name,
        ScoredDocuments.__name__,
    )
    rows = _rows(encoder)
    facts: dict[str, Any] = {
        "scorer": repr(encoder.scorer),
        "scorer identity": encoder.scorer.identity,
        "plan": repr(plan),
        "encoder": repr(encoder),
        "identity": encoder.identity,
        "fields": [TEXT],
        "metadata": [*metadata, TEXT],
        "text fields": fields,
        "structure": repr(chosen),
    }
    with _remembering(encoder, folder, cache) as remembering:
        documents, total = with_texts(corpus, fields=fields, metadata=metadata, rows=rows)
        batches, _ = encoded_batches(documents, remembering, facts, rows)
        with changing(folder, create=True) as change:
            entry = write_segment(
                change, batches, kind, chosen, dimension=None, total=total, progress=progress
            )
            held = Anchors(tuple(encoder.queries), (), (), np.zeros((encoder.dimension, 0), "f4"))
            if entry is not None:
                segment = Segment(Path(folder), entry, kind, chosen)
                held = _drawn(segment, encoder, anchors, seed)
            entries = () if entry is None else (entry,)
            change.commit(
                IndexManifest(ScoredDocuments.kind, {**facts, "anchors": held.facts()}, entries)
            )


def added_to(documents: ScoredDocuments, corpus: Any, progress: Progress | None) -> None:
    """Score documents and add them to the index that is open."""
    facts = documents.manifest.facts
    metadata = tuple(name for name in facts["metadata"] if name != TEXT)
    encoder = documents.needed_encoder()
    rows = _rows(encoder) if isinstance(encoder, AnchorScores) else 1
    texts, total = with_texts(corpus, fields=facts["text fields"], metadata=metadata, rows=rows)
    batches, _ = encoded_batches(texts, encoder, facts, rows)
    extend(documents, batches, total=total, progress=progress)


def _rows(encoder: AnchorScores) -> int:
    """How many documents are scored at a time."""
    return max(1, PAIRS // encoder.dimension)


def _drawn(segment: Segment[Any], encoder: AnchorScores, anchors: int, seed: int) -> Anchors:
    """Documents drawn from all, each as likely as another, in the order of their rows."""
    n = segment.entry.documents
    rows = np.sort(np.random.default_rng(seed).choice(n, min(anchors, n), replace=False))
    taken = pa.array(rows)
    return Anchors(
        tuple(encoder.queries),
        tuple(segment.ids.take(taken).to_pylist()),
        tuple(segment.metadata.column(TEXT).take(taken).to_pylist()),
        np.ascontiguousarray(segment.vectors[rows].T),
    )


@contextmanager
def _remembering(
    encoder: AnchorScores, folder: str | Path, cache: VectorCache | str | None
) -> Iterator[AnchorScores]:
    """The encoder with a memory for its scores: the one given, or one that lasts for the build."""
    if isinstance(cache, VectorCache):
        yield AnchorScores(encoder.scorer, encoder.queries, cache)
        return
    beside = Path(folder).with_name(f"{Path(folder).name}.scores")
    path, done = beside if cache is None else Path(cache), False
    try:
        with VectorCache(path) as opened:
            yield AnchorScores(encoder.scorer, encoder.queries, opened)
            done = True
    finally:
        if cache is None and (done or not _holds_scores(path)):
            path.unlink(missing_ok=True)


def _holds_scores(path: Path) -> bool:
    with VectorCache(path) as opened:
        return len(opened) > 0
