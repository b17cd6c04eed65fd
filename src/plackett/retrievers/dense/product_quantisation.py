"""Product quantisation: a byte for each part of a vector, scored by tables, then rescored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense.coarse import dealt, rescored, stacked
from plackett.retrievers.dense.product_quantisation_codebook import Codebook
from plackett.retrievers.dense.scan import to_ranking
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.best import best_of_rows
from plackett.retrievers.segments.structure import Searcher, Structure, register_structure

__all__ = ["Codebook", "ProductQuantised"]

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, "int | None"], None]
CODES, BOOK = "parts.npy", "codebook.npz"
BLOCK = 1_024
BLOCKS = 16
QUERIES = 16
"""At most so many queries pass over the codes together: their tables stay in near memory."""


@register_structure
@dataclass(frozen=True)
class ProductQuantised(Structure[Vectors]):
    """A vector in `parts` bytes: each part of it is the nearest of 256 centroids.

    A search adds up one number a part for every document, the product of the query's part with the
    document's centroid (the query is not quantised), and rescores the `oversampling * k` best with
    the whole vectors, so that scores are exact. `oversampling=0` leaves that out: the scores are
    the sums, and the whole vectors are never read.

    The codebook is learned from each segment's vectors, or given: one that was trained together
    with an encoder of queries (JPQ), or that many segments are to share.

    Jegou, H., Douze, M. and Schmid, C., 2011. Product quantization for nearest neighbor search.
    TPAMI 33(1). Ge, T. et al., 2013. Optimized product quantization. CVPR. Zhan, J. et al., 2021.
    Jointly optimizing query encoder and product quantization to improve retrieval performance.
    CIKM.

    Parameters
    ----------
    parts : bytes a document; at most as many as a vector has components.
    rotated : whether vectors are turned first by a learned rotation (OPQ).
    oversampling : documents a result that are rescored; the answer is exact where they are all.
    codebook : the file of a `Codebook`, which then says parts and rotation; None to learn one.
    rounds, sample, seed : of learning, see `Codebook.learn`.

    >>> from plackett.retrievers.dense import Dense
    >>> import tempfile
    >>> vectors = np.random.default_rng(0).standard_normal((400, 8))
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     structure = ProductQuantised(parts=4)
    ...     index = Dense.from_vectors(map(str, range(400)), vectors, folder, structure=structure)
    ...     found = index.search_vectors(vectors[:3], k=1)
    ...     [index.document_ids[code] for code in found.documents.tolist()]
    ['0', '1', '2']
    """

    parts: int = 48
    rotated: bool = True
    oversampling: int = 10
    codebook: str | None = None
    rounds: int = 10
    sample: int = 20_000
    seed: int = 0

    of: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ConfigurationError : one is out of its range.
        """
        least = {"parts": 1, "oversampling": 0, "rounds": 1, "sample": 1, "seed": 0}
        for name, least_value in least.items():
            if getattr(self, name) < least_value:
                raise ConfigurationError(
                    f"{name}={getattr(self, name)}; expected {least_value} or more."
                )

    def build(self, vectors: Vectors, folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        """Learn the codebook, unless it is given, and write the codes block by block.

        Raises
        ------
        DataError : vectors of fewer components than parts, or of other ones than the codebook's.
        CorruptFileError : the codebook's file cannot be read.
        """
        book = self._book(vectors)
        with ArrayWriter(folder / CODES, np.uint8) as file:
            for start in range(0, len(vectors), BLOCK * BLOCKS):
                codes = book.encode(vectors[start : start + BLOCK * BLOCKS])
                count = -(-len(codes) // BLOCK)
                padded = np.zeros((count * BLOCK, book.parts), dtype=np.uint8)
                padded[: len(codes)] = codes
                blocks = padded.reshape(count, BLOCK, book.parts).transpose(0, 2, 1)
                file.append(np.ascontiguousarray(blocks).reshape(-1))
                if progress is not None:
                    progress(start + len(codes), len(vectors))
        book.save(folder / BOOK)
        return {"parts": book.parts}

    def _book(self, vectors: Vectors) -> Codebook:
        if self.codebook is None:
            return Codebook.learn(
                vectors,
                parts=self.parts,
                rotated=self.rotated,
                rounds=self.rounds,
                sample=self.sample,
                seed=self.seed,
            )
        book = Codebook.load(self.codebook)
        if book.dimension != vectors.shape[1]:
            raise DataError(
                f"a codebook of {book.dimension} components",
                expected=f"{vectors.shape[1]}, of the vectors",
                path=self.codebook,
            )
        return book

    def open(self, vectors: Vectors, folder: Path, facts: Mapping[str, Any]) -> Searcher[Vectors]:
        """The search over the codes, memory-mapped."""
        if not (folder / BOOK).exists():
            raise CorruptFileError("no codebook", remedy="build the index again", path=folder)
        book = Codebook.load(folder / BOOK)
        shape = (-(-len(vectors) // BLOCK), book.parts, BLOCK)
        size = shape[0] * shape[1] * shape[2]
        blocks = open_array(folder / CODES, np.uint8, (size,)).reshape(shape)
        return _PartSearcher(blocks, book, vectors, self.oversampling)


class _PartSearcher(Searcher[Vectors]):
    def __init__(
        self, blocks: npt.NDArray[np.uint8], book: Codebook, vectors: Vectors, oversampling: int
    ) -> None:
        self._blocks, self._book = blocks, book
        self._vectors, self._oversampling = vectors, oversampling

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
        wanted = min(count, max(1, self._oversampling) * k)

        def ranked(at: slice) -> Ranking:
            some = np.ascontiguousarray(queries[at])
            if self._oversampling and wanted == count:
                every = np.arange(n) if allowed is None else np.flatnonzero(allowed)
                return rescored(some, self._vectors, np.tile(every, (len(some), 1)), k, threads=1)
            rows, scores = self._best(some, wanted, allowed)
            if self._oversampling:
                return rescored(some, self._vectors, rows, k, threads=1)
            return to_ranking(best_of_rows(rows, scores, k))

        return stacked(dealt(ranked, len(queries), threads=threads, most=QUERIES))

    def _best(
        self, queries: Vectors, wanted: int, allowed: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int32], Vectors]:
        """The best rows by the sums, in no order, and the sums."""
        from plackett.retrievers.dense.product_quantisation_kernels import scan_codes

        rows = np.empty((len(queries), wanted), dtype=np.int32)
        scores = np.empty((len(queries), wanted), dtype=np.float32)
        if wanted:
            mask = np.zeros(0, dtype=np.bool_) if allowed is None else allowed
            tables = self._book.tables(queries)
            scan_codes(self._blocks, len(self._vectors), mask, tables, scores, rows)
        return rows, scores
