"""A graph of near vectors in layers, walked towards the query: faiss behind the contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import ConfigurationError, CorruptFileError
from plackett.retrievers.dense.coarse import check_coarse, check_half, rescored, stacked
from plackett.retrievers.dense.scan import Codes, best_of_all, to_ranking
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.structure import Searcher, Structure, register_structure

__all__ = ["HNSW"]

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, "int | None"], None]
GRAPH = "graph.faiss"
BATCH = 16_384
TRAINED_ON = 65_536
LEAST = 16_384
CHUNK = 64
"""So many queries one of several threads walks for before it takes the next ones."""


@register_structure
@dataclass(frozen=True)
class HNSW(Structure[Vectors]):
    """A hierarchical navigable small world: the walk sees a few thousand documents of millions.

    Every document is linked to near ones; a walk from the top layer follows the links to ever
    nearer documents and holds the `width` best seen. What it finds is rescored with the whole
    float32 vectors, so that scores are exact and equal ones are ordered as `Exact` orders them.

    A walk reads about `width * links` documents. A filter that allows a share s of the documents
    is met by a walk of width `width / s` over all of them. Where a walk would read as many
    documents as are allowed, and for queries that it leaves with too few results, the allowed
    documents are compared one by one: a small segment, a narrow filter and a deep `k` get the exact
    answer.

    The graph is faiss's (extra "dense"), which keeps a copy of the vectors in its file; the file is
    memory-mapped. With one build thread the same vectors and seed make the same bytes.

    Malkov, Y. and Yashunin, D., 2020. Efficient and robust approximate nearest neighbor search
    using hierarchical navigable small world graphs. TPAMI 42(4).

    Parameters
    ----------
    links : a document has at most so many on each layer, twice as many on the lowest; M.
    build_width : how many documents a walk holds when one is added; efConstruction.
    width : how many a search holds; at least k of them are held. efSearch. `Dense.with_structure`
        takes another one without building again.
    dtype : what the walk's copy of the vectors is kept in: "float32", "float16" or "int8".
    oversampling : candidates a result where the walk's copy is not float32.
    seed : draws the layers of the documents.
    build_threads : with more than one, a build is faster and no longer the same each time.

    Raises
    ------
    OptionalDependencyError : faiss is not installed.
    """

    links: int = 32
    build_width: int = 64
    width: int = 64
    dtype: str = "float32"
    oversampling: int = 2
    seed: int = 0
    build_threads: int = 1

    of: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_coarse(self.dtype, self.oversampling)
        for name, least in (("links", 2), ("build_width", 1), ("width", 1), ("build_threads", 1)):
            value = getattr(self, name)
            if value < least:
                raise ConfigurationError(f"{name}={value}; expected {least} or more.")
        if self.seed < 0:
            raise ConfigurationError(f"seed={self.seed}; expected 0 or more.")

    def build(self, vectors: Vectors, folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        """Link the vectors one after the other; the graph and its copy of them lie in memory.

        Raises
        ------
        DataError : a component is beyond what float16 holds.
        """
        faiss = _faiss()
        graph = self._empty(faiss, vectors.shape[1])
        graph.hnsw.efConstruction = self.build_width
        graph.hnsw.rng = faiss.RandomGenerator(self.seed)
        with _own_threads(faiss, self.build_threads):
            if not graph.is_trained:
                graph.train(vectors[:: -(-len(vectors) // TRAINED_ON)])
            for start in range(0, len(vectors), BATCH):
                batch = vectors[start : start + BATCH]
                if self.dtype == "float16":
                    check_half(batch)
                graph.add(batch)
                if progress is not None:
                    progress(start + len(batch), len(vectors))
        # Writing to a path itself, faiss does not notice that a full disk takes only a part.
        with open(folder / GRAPH, "wb") as file:
            faiss.write_index(graph, faiss.PyCallbackIOWriter(file.write))
        return {"faiss": str(faiss.__version__)}

    def _empty(self, faiss: Any, dimension: int) -> Any:
        product = faiss.METRIC_INNER_PRODUCT
        if self.dtype == "float32":
            return faiss.IndexHNSWFlat(dimension, self.links, product)
        quantiser = faiss.ScalarQuantizer
        kind = quantiser.QT_fp16 if self.dtype == "float16" else quantiser.QT_8bit
        return faiss.IndexHNSWSQ(dimension, kind, self.links, product)

    def open(self, vectors: Vectors, folder: Path, facts: Mapping[str, Any]) -> Searcher[Vectors]:
        """The graph, memory-mapped where the system lets faiss do so."""
        faiss = _faiss()
        path = folder / GRAPH
        try:
            flag = 0 if sys.platform == "win32" else faiss.IO_FLAG_MMAP_IFC
            graph = faiss.read_index(str(path), flag)
        except RuntimeError as error:
            raise CorruptFileError(
                f"no graph ({error})", remedy="build the index again", path=path
            ) from error
        if (graph.ntotal, graph.d) != vectors.shape:
            raise CorruptFileError(
                f"a graph of {graph.ntotal} x {graph.d}",
                expected=f"{vectors.shape[0]} x {vectors.shape[1]}",
                remedy="build the index again",
                path=path,
            )
        return _GraphSearcher(faiss, graph, vectors, self)


def _faiss() -> Any:
    return require("faiss", extra="dense", purpose="link vectors in a graph")


@contextmanager
def _own_threads(faiss: Any, threads: int) -> Iterator[None]:
    """How many threads faiss starts for calls of this thread, and of no other."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class _GraphSearcher(Searcher[Vectors]):
    def __init__(self, faiss: Any, graph: Any, vectors: Vectors, knobs: HNSW) -> None:
        self._faiss, self._graph, self._vectors, self._knobs = faiss, graph, vectors, knobs

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None,
        threads: int,
    ) -> Ranking:
        n = len(self._vectors)
        count = n if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, count)
        if k == 0 or len(queries) == 0:
            return self._exactly(queries, k, allowed, threads)
        finer = 1 if self._knobs.dtype == "float32" else self._knobs.oversampling
        wanted = min(finer * k, count)
        width = -(-max(self._knobs.width, wanted) * n // count)
        if width * self._knobs.links >= count:
            return self._exactly(queries, k, allowed, threads)
        candidates = self._walked(queries, wanted, width, allowed, threads)
        found = rescored(queries, self._vectors, candidates, k, threads=threads)
        short = np.flatnonzero(np.diff(found.offsets) < k)
        if len(short) == 0:
            return found
        return _mended(found, short, self._exactly(queries[short], k, allowed, threads), k)

    def _exactly(
        self, queries: Vectors, k: int, allowed: npt.NDArray[np.bool_] | None, threads: int
    ) -> Ranking:
        rows = np.arange(len(self._vectors)) if allowed is None else np.flatnonzero(allowed)
        found = best_of_all(queries, Codes(self._vectors), rows, k, threads=threads, least=LEAST)
        return to_ranking(found)

    def _walked(
        self,
        queries: Vectors,
        wanted: int,
        width: int,
        allowed: npt.NDArray[np.bool_] | None,
        threads: int,
    ) -> npt.NDArray[np.int64]:
        """The rows that the walks end with, `[q, wanted]`, -1 where there is none."""
        faiss = self._faiss
        selector = None
        if allowed is not None:
            selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        parameters = faiss.SearchParametersHNSW(efSearch=width, sel=selector)

        size = len(queries) if threads == 1 else CHUNK

        def walk(start: int) -> npt.NDArray[np.int64]:
            part = np.ascontiguousarray(queries[start : start + size])
            with _own_threads(faiss, 1):
                _, rows = self._graph.search(part, wanted, params=parameters)
            found: npt.NDArray[np.int64] = rows
            return found

        starts = range(0, len(queries), size)
        if len(starts) == 1:
            return walk(0)
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(walk, starts)))


def _mended(found: Ranking, short: npt.NDArray[np.int64], exact: Ranking, k: int) -> Ranking:
    """What was found, with the exact answers of the queries that were left short."""
    parts = []
    at = dict(zip(short.tolist(), range(len(short)), strict=True))
    for query in range(len(found.offsets) - 1):
        source, place = (exact, at[query]) if query in at else (found, query)
        part = slice(source.offsets[place], source.offsets[place + 1])
        parts.append(Ranking(np.array([0, k]), source.documents[part], source.scores[part]))
    return stacked(parts)
