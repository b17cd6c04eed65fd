"""A binary tree of soft splits: a vector is at every node with a probability."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.dense.learned import read_learned, write_learned

__all__ = ["LearnedTree", "total_variation"]

Floats = npt.NDArray[np.float32]
KIND = "routing tree"
DEEPEST = 16


@dataclass(frozen=True, eq=False)
class LearnedTree:
    """A tree that sends vectors left or right at every node, with a probability (ReTreever).

    At split t a vector x goes left with probability `s_t(x) = 1 / (1 + exp(-(w_t x + b_t)))`. It is
    at a node with the product of the probabilities on the way there. So each level l makes of a
    vector a distribution over 2^l nodes, a short form of it, and coarser levels are sums of finer
    ones. Vectors are compared by the total variation distance of their distributions,
    `TVD(p, q) = 1/2 sum over i of |p_i - q_i|`, and the tree is trained to make that small for a
    query and its document. Searching it needs no torch.

    Gupta, S. et al., 2025. ReTreever: tree-based coarse-to-fine representations for retrieval.

    Parameters
    ----------
    weights : `float32[2^D - 1, d]`, w of every split; the children of split t are 2t + 1, to the
        left, and 2t + 2.
    biases : `float32[2^D - 1]`, b.

    Raises
    ------
    DataError : shapes of no tree, or values that are not finite.

    >>> tree = LearnedTree(np.array([[1.0]], np.float32), np.array([0.0], np.float32))
    >>> tree.distributions(np.array([[np.log(4)]], np.float32)).round(3)
    array([[0.8, 0.2]], dtype=float32)
    """

    weights: Floats
    biases: Floats

    def __post_init__(self) -> None:
        """Check the shapes."""
        splits = len(self.biases)
        power = (splits + 1) & splits == 0
        if self.weights.ndim != 2 or self.biases.ndim != 1 or len(self.weights) != splits:
            shapes = f"weights of shape {self.weights.shape}, biases of {self.biases.shape}"
            raise DataError(shapes, expected="s x d and s")
        if not power or self.depth > DEEPEST:
            raise DataError(f"{splits} splits", expected=f"2^D - 1, for D of 0 to {DEEPEST}")
        if not bool(np.isfinite(self.weights).all() and np.isfinite(self.biases).all()):
            raise DataError("splits that are not finite", expected="finite numbers")

    @property
    def depth(self) -> int:
        """D: the leaves are 2^D."""
        return len(self.biases).bit_length()

    @property
    def dimension(self) -> int:
        """d, how many components a vector has."""
        return int(self.weights.shape[1])

    @classmethod
    def learn(
        cls,
        queries: Floats,
        documents: Floats,
        *,
        depth: int = 8,
        steps: int = 300,
        batch: int = 256,
        temperature: float = 0.05,
        rate: float = 0.01,
        seed: int = 0,
    ) -> LearnedTree:
        """Train a tree on pairs: document i answers query i.

        It starts as splits along the first principal component of what comes to a node, at its
        median, so that all leaves are about as full. Then every step draws a batch and a level and
        takes the cross-entropy of `-TVD / temperature` of each query with all documents of the
        batch, its own being the right one (InfoNCE).

        Parameters
        ----------
        queries, documents : `float32[n, d]`, row by row.
        depth : D, 0 to 16.
        steps, batch, rate : of the training, by Adam; without steps the tree stays as it starts.
        temperature : above 0.
        seed : draws the batches and the levels.

        Raises
        ------
        OptionalDependencyError : torch is not installed, and there are steps.
        DataError : not as many queries as documents, none, or of another dimension.
        """
        from plackett.retrievers.dense.routing_tree_start import principal_splits

        _check_training(depth, steps, batch, temperature, rate)
        if queries.shape != documents.shape or queries.ndim != 2 or len(queries) == 0:
            raise DataError(
                f"queries of shape {queries.shape}, documents of shape {documents.shape}",
                expected="as many of each, and at least one, of the same dimension",
            )
        queries, documents = (
            np.ascontiguousarray(values, dtype=np.float32) for values in (queries, documents)
        )
        weights, biases = principal_splits(documents, depth)
        if steps and depth and len(queries) > 1:
            from plackett.retrievers.dense.routing_tree_training import trained

            weights, biases = trained(
                queries,
                documents,
                weights,
                biases,
                steps=steps,
                batch=batch,
                temperature=temperature,
                rate=rate,
                seed=seed,
            )
        return cls(weights, biases)

    def distributions(self, vectors: Floats, level: int | None = None) -> Floats:
        """The probability of each node of a level, `float32[n, 2^level]`.

        Parameters
        ----------
        level : 0 to D; the leaves, D, by default.

        Raises
        ------
        ConfigurationError : the tree has no such level.
        DataError : vectors of another dimension.
        """
        wanted = self.depth if level is None else level
        if not 0 <= wanted <= self.depth:
            raise ConfigurationError(f"level={level}; expected 0 to {self.depth}.")
        self._check(vectors)
        chances = np.zeros((len(vectors), 1))
        for step in range(wanted):
            splits = slice(2**step - 1, 2 ** (step + 1) - 1)
            logits = vectors.astype(np.float64) @ self.weights[splits].T.astype(np.float64)
            logits += self.biases[splits]
            # log(1 / (1 + exp(-x))), without overflow.
            left, right = -np.logaddexp(0, -logits), -np.logaddexp(0, logits)
            both = np.stack([chances + left, chances + right], axis=2)
            chances = both.reshape(len(vectors), -1)
        return np.exp(chances).astype(np.float32)

    def leaves(self, vectors: Floats, width: int = 1) -> npt.NDArray[np.int32]:
        """The `width` most probable leaves of each vector, the first one first, `int32[n, width]`.

        Raises
        ------
        DataError : vectors of another dimension.
        """
        width = min(width, len(self.biases) + 1)
        sizes = np.zeros(len(self.biases) + 1, dtype=np.int64)
        return self.walk(vectors, sizes, width, 0)[0]

    def walk(
        self, vectors: Floats, sizes: npt.NDArray[np.int64], width: int, least: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """The most probable leaves of each vector until there are enough, and how many those are.

        Parameters
        ----------
        sizes : how many documents each leaf has.
        width, least : at least so many leaves, with so many documents in all.
        """
        from plackett.retrievers.dense.routing_tree_kernels import best_leaves

        self._check(vectors)
        most = width if least == 0 else len(sizes)
        found = np.full((len(vectors), min(most, len(sizes))), -1, dtype=np.int32)
        chances = np.zeros(found.shape, dtype=np.float32)
        counts = np.zeros(len(vectors), dtype=np.int64)
        values = np.ascontiguousarray(vectors, dtype=np.float32)
        best_leaves(values, self.weights, self.biases, sizes, width, least, found, chances, counts)
        return found, counts

    def _check(self, vectors: Floats) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise DataError(f"vectors of shape {vectors.shape}", expected=f"n x {self.dimension}")

    def save(self, path: str | Path) -> None:
        """Write the tree to one file."""
        write_learned(path, KIND, {"weights": self.weights, "biases": self.biases})

    @classmethod
    def load(cls, path: str | Path) -> LearnedTree:
        """The tree in a file.

        Raises
        ------
        CorruptFileError : the file is none, cut or altered.
        """
        arrays, _ = read_learned(path, KIND)
        return cls(arrays["weights"], arrays["biases"])


def _check_training(depth: int, steps: int, batch: int, temperature: float, rate: float) -> None:
    if not 0 <= depth <= DEEPEST or steps < 0 or batch < 2 or temperature <= 0 or rate <= 0:
        raise ConfigurationError(
            f"depth={depth}, steps={steps}, batch={batch}, temperature={temperature}, "
            f"rate={rate}; expected a depth of 0 to {DEEPEST}, a batch of 2 or more, and "
            "numbers above 0."
        )


def total_variation(first: Floats, second: Floats) -> npt.NDArray[np.float64]:
    """The distances `1/2 sum over i of |p_i - q_i|` of all pairs of distributions, `float64[n, m]`.

    >>> total_variation(np.array([[0.8, 0.2]]), np.array([[0.5, 0.5]])).round(6)
    array([[0.3]])
    """
    others = second.astype(np.float64)
    distances = np.empty((len(first), len(second)))
    for into, row in zip(distances, first.astype(np.float64), strict=True):
        into[:] = 0.5 * np.abs(others - row).sum(axis=1)
    return distances
