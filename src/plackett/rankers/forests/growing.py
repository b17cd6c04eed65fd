"""From trees, as libraries write them, to the layout of a `Forest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from plackett.errors import CorruptFileError
from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.reading import Reading

__all__ = ["Column", "ForestLayout", "left_leaves", "rounded_down"]

_ROWS = 1_024  # rows of leaves that are scored at a time: 256 kB of them stay in the cache
Column = tuple[int, Reading, tuple[int, ...]]
"""A feature, how it is read, and the words of the set of categories that it is compared with."""


@dataclass
class ForestLayout:
    """The splits and leaves of trees, collected one tree after the other.

    A split is a column, a threshold and the leaves that it strikes out, as the bits of a whole
    number of any size.
    """

    features: int
    columns: dict[Column, int] = field(default_factory=dict)
    split_columns: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    tree_rows: list[int] = field(default_factory=lambda: [0])
    values: list[npt.NDArray[np.float64]] = field(default_factory=list)

    def split(self, column: Column, threshold: float, struck: int) -> None:
        """A split of the tree that `close` ends; `struck` has the bits of its struck leaves."""
        code = self.columns.setdefault(column, len(self.columns))
        word = 0
        while struck >> (32 * word):
            bits = struck >> (32 * word) & 0xFFFFFFFF
            if bits:
                self.split_columns.append(code)
                self.thresholds.append(threshold)
                self.rows.append(self.tree_rows[-1] + word)
                self.masks.append(~bits & 0xFFFFFFFF)
            word += 1

    def close(self, values: npt.ArrayLike) -> None:
        """End a tree whose leaves have these values, from left to right."""
        leaves = np.asarray(values, dtype=np.float64)
        self.values.append(leaves)
        self.tree_rows.append(self.tree_rows[-1] + max(1, -(-len(leaves) // 32)))

    def forest(self, base: float = 0.0, factor: float = 1.0) -> Forest:
        """The forest of all trees that were ended."""
        tree_rows = np.array(self.tree_rows, dtype=np.int64)
        trees = _groups(tree_rows)
        columns = list(self.columns)
        rows = np.array(self.rows, dtype=np.int64)
        group = np.searchsorted(tree_rows[trees], rows, side="right") - 1
        thresholds = rounded_down(np.array(self.thresholds, dtype=np.float64))
        block = group * len(columns) + np.array(self.split_columns, dtype=np.int64)
        order = np.lexsort((rows, thresholds, block))
        sizes = [len(words) for _, _, words in columns]
        lengths = [len(values) for values in self.values]
        return Forest(
            features=self.features,
            feature=np.array([feature for feature, _, _ in columns], dtype=np.int32),
            reading=np.array([reading for _, reading, _ in columns], dtype=np.int8),
            category_starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            categories=np.array([w for _, _, words in columns for w in words], dtype=np.uint32),
            trees=trees,
            split_starts=np.searchsorted(
                block[order], np.arange((len(trees) - 1) * len(columns) + 1)
            ).astype(np.int64),
            thresholds=thresholds[order],
            rows=(rows - tree_rows[trees][group])[order].astype(np.int32),
            masks=np.array(self.masks, dtype=np.uint32).view(np.int32)[order],
            tree_rows=tree_rows,
            tree_leaves=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            values=np.concatenate([np.zeros(0), *self.values]),
            base=base,
            factor=factor,
        )


def _groups(tree_rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where groups of trees start whose rows fit into the cache."""
    starts = [0]
    for tree in range(1, len(tree_rows) - 1):
        if tree_rows[tree + 1] - tree_rows[starts[-1]] > _ROWS:
            starts.append(tree)
    return np.array([*starts, len(tree_rows) - 1] if len(tree_rows) > 1 else [0], dtype=np.int64)


def rounded_down(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The greatest float32 that is no greater, so that a float32 is above both or above none.

    >>> rounded_down(np.array([0.1])).astype(float) <= 0.1
    array([ True])
    """
    with np.errstate(over="ignore"):
        near = numbers.astype(np.float32)
        below = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > numbers, below, near).astype(np.float32)


def left_leaves(
    left: Sequence[int], right: Sequence[int], root: int
) -> tuple[dict[int, int], list[int]]:
    """What each split strikes out, and the order of the leaves.

    Parameters
    ----------
    left, right : the children of each split; a child below 0 is a leaf, whose name it is.
    root : the first split, or a leaf.

    Returns
    -------
    For each split, the leaves to its left as bits; the names of the leaves from left to right.

    Raises
    ------
    CorruptFileError : a split is reached twice, so that this is no tree.

    >>> left_leaves([1, -1], [-3, -2], 0)
    ({1: 1, 0: 3}, [-1, -2, -3])
    """
    struck: dict[int, int] = {}
    leaves: list[int] = []
    first: dict[int, int] = {}
    waiting = [(root, 0)]
    while waiting:  # no recursion: a tree may be as deep as it has leaves
        node, turn = waiting.pop()
        if node < 0:
            leaves.append(node)
        elif turn == 0:
            if node in first or node >= len(left):
                raise CorruptFileError(f"split {node} out of its place", expected="a tree")
            first[node] = len(leaves)
            waiting += [(node, 1), (left[node], 0)]
        else:
            struck[node] = (1 << len(leaves)) - (1 << first[node])
            waiting.append((right[node], 0))
    return struck, leaves
