"""A learned tree sends a query to the leaves where its documents are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense.coarse import dealt, stacked
from plackett.retrievers.dense.routing_tree_model import DEEPEST, LearnedTree
from plackett.retrievers.dense.routing_tree_start import neighbour_pairs
from plackett.retrievers.dense.scan import best_of_candidates
from plackett.retrievers.inverted.arrays import open_array
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.structure import Searcher, Structure, register_structure

__all__ = ["LearnedTree", "RoutingTree"]

Vectors = npt.NDArray[np.float32]
Progress = Callable[[int, "int | None"], None]
TREE, OFFSETS, MEMBERS = "tree.npz", "leaf_offsets.npy", "leaf_rows.npy"
BATCH = 8_192
QUERIES = 64
LEAF = 16
"""A tree that is learned from the segment itself has at least so many documents a leaf."""


@register_structure
@dataclass(frozen=True)
class RoutingTree(Structure[Vectors]):
    """The documents in a query's most probable leaves are compared with it, and no others.

    Every document is in its `copies` most probable leaves. A search takes the leaves by falling
    probability of the query, at least `width` of them and more until they hold k documents that are
    allowed, and scores their documents with the whole vectors: scores are exact, documents may be
    missed.

    Without a trained tree each segment trains its own (extra "neural"), on its documents and the
    nearest other of each: near ones are to go the same way. A tree trained on real queries and
    their documents (`LearnedTree.learn`) is better, and all segments share it.

    Gupta, S. et al., 2025. ReTreever: tree-based coarse-to-fine representations for retrieval.

    Parameters
    ----------
    depth : of a tree that is learned here; less in a small segment.
    width : leaves a query; the answer is exact where it is all of them, 2^depth.
    copies : leaves a document.
    tree : the file of a `LearnedTree`, which then says the depth; None to learn one.
    steps, sample, seed : of learning: how long, from how many documents, and what it draws.

    >>> from plackett.retrievers.dense import Dense
    >>> import tempfile
    >>> vectors = np.random.default_rng(0).standard_normal((200, 8))
    >>> vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     structure = RoutingTree(depth=3, width=2, steps=0)
    ...     index = Dense.from_vectors(map(str, range(200)), vectors, folder, structure=structure)
    ...     found = index.search_vectors(vectors[:3], k=1)
    ...     [index.document_ids[code] for code in found.documents.tolist()]
    ['0', '1', '2']
    """

    depth: int = 8
    width: int = 16
    copies: int = 1
    tree: str | None = None
    steps: int = 300
    sample: int = 20_000
    seed: int = 0

    of: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ConfigurationError : one is out of its range.
        """
        least = {"depth": 0, "width": 1, "copies": 1, "steps": 0, "sample": 1, "seed": 0}
        for name, least_value in least.items():
            if getattr(self, name) < least_value:
                raise ConfigurationError(
                    f"{name}={getattr(self, name)}; expected {least_value} or more."
                )
        if self.depth > DEEPEST:
            raise ConfigurationError(f"depth={self.depth}; expected {DEEPEST} or less.")

    def build(self, vectors: Vectors, folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        """Learn the tree, unless it is given, and note which documents each leaf has.

        Raises
        ------
        OptionalDependencyError : torch is not installed, a tree is to be learned and has steps.
        DataError : the tree that is given is for vectors of another dimension.
        CorruptFileError : its file cannot be read.
        """
        tree = self._tree(vectors)
        copies = min(self.copies, 2**tree.depth)
        leaves = np.empty((len(vectors), copies), dtype=np.int32)
        for start in range(0, len(vectors), BATCH):
            batch = vectors[start : start + BATCH]
            leaves[start : start + BATCH] = tree.leaves(batch, copies)
            if progress is not None:
                progress(start + len(batch), len(vectors))
        counts = np.bincount(leaves.reshape(-1), minlength=2**tree.depth)
        order = np.argsort(leaves.reshape(-1), kind="stable")
        np.save(folder / OFFSETS, lengths_to_offsets(counts))
        np.save(folder / MEMBERS, (order // copies).astype(np.int32))
        tree.save(folder / TREE)
        return {"depth": tree.depth, "copies": copies, "largest": int(counts.max())}

    def _tree(self, vectors: Vectors) -> LearnedTree:
        if self.tree is not None:
            tree = LearnedTree.load(self.tree)
            if tree.dimension != vectors.shape[1]:
                raise DataError(
                    f"a tree for {tree.dimension} components",
                    expected=f"{vectors.shape[1]}, of the vectors",
                    path=self.tree,
                )
            return tree
        deepest = max(0, (len(vectors) // LEAF).bit_length() - 1)
        queries, documents = neighbour_pairs(vectors, self.sample, self.seed)
        depth = min(self.depth, deepest)
        return LearnedTree.learn(queries, documents, depth=depth, steps=self.steps, seed=self.seed)

    def open(self, vectors: Vectors, folder: Path, facts: Mapping[str, Any]) -> Searcher[Vectors]:
        """The search from the leaves, memory-mapped."""
        if not (folder / TREE).exists():
            raise CorruptFileError("no tree", remedy="build the index again", path=folder)
        tree = LearnedTree.load(folder / TREE)
        copies = int(facts["copies"])
        offsets = open_array(folder / OFFSETS, np.int64, (2**tree.depth + 1,))
        members = open_array(folder / MEMBERS, np.int32, (len(vectors) * copies,))
        return _TreeSearcher(tree, offsets, members, copies, vectors, self.width)


class _TreeSearcher(Searcher[Vectors]):
    def __init__(
        self,
        tree: LearnedTree,
        offsets: npt.NDArray[np.int64],
        members: npt.NDArray[np.int32],
        copies: int,
        vectors: Vectors,
        width: int,
    ) -> None:
        self._tree, self._offsets, self._members = tree, offsets, members
        self._copies, self._vectors, self._width = copies, vectors, width

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None,
        threads: int,
    ) -> Ranking:
        n = len(self._vectors)
        sizes = np.diff(self._offsets)
        if allowed is not None:
            leaf = np.repeat(np.arange(len(sizes)), sizes)
            sizes = np.bincount(leaf[allowed[self._members]], minlength=len(sizes))
        count = n if allowed is None else int(np.count_nonzero(allowed))
        # A document is in so many leaves at most: these hold k different ones.
        least = self._copies * min(k, count)
        mask = np.zeros(0, dtype=np.bool_) if allowed is None else allowed

        def ranked(at: slice) -> Ranking:
            some = np.ascontiguousarray(queries[at])
            rows = self._candidates(some, sizes, least, mask)
            return best_of_candidates(some, self._vectors, rows, k)

        return stacked(dealt(ranked, len(queries), threads=threads, most=QUERIES))

    def _candidates(
        self,
        queries: Vectors,
        sizes: npt.NDArray[np.int64],
        least: int,
        mask: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.int64]:
        """The documents in the leaves of each query, `[q, m]`, -1 where there are no more."""
        from plackett.retrievers.dense.routing_tree_kernels import documents_of_leaves

        leaves, counts = self._tree.walk(queries, sizes, self._width, least)
        real = np.arange(leaves.shape[1]) < counts[:, None]
        held = np.where(real, sizes[np.maximum(leaves, 0)], 0).sum(axis=1)
        rows = np.full((len(queries), int(held.max(initial=0))), -1, dtype=np.int64)
        seen = np.full(len(self._vectors), -1, dtype=np.int64)
        documents_of_leaves(leaves, counts, self._offsets, self._members, mask, seen, rows)
        return rows
