"""Vectors of documents on disk: dense, sparse or one matrix of token vectors a document."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.errors import DataError
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array

__all__ = ["DENSE", "SPARSE", "TOKENS", "VectorKind", "VectorWriter"]

Vectors = TypeVar("Vectors")
Facts = Mapping[str, Any]


class VectorWriter(ABC, Generic[Vectors]):
    """Writes batches of vectors to a segment's folder, one after the other."""

    @abstractmethod
    def append(self, values: Vectors) -> None:
        """Write the vectors of some more documents."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What is needed to open the files, as plain values."""

    @abstractmethod
    def close(self) -> None:
        """Finish the files."""


class VectorKind(ABC, Generic[Vectors]):
    """What an index must know of its vectors: how to check, keep, count and take them."""

    name: str

    @abstractmethod
    def check(self, values: Any, *, dimension: int | None, what: str) -> Vectors:
        """The vectors, where they are right.

        Raises
        ------
        DataError : another shape or dimension, or values that are not finite.
        """

    @abstractmethod
    def dimension(self, values: Vectors) -> int:
        """How many components a vector has."""

    @abstractmethod
    def count(self, values: Vectors) -> int:
        """How many documents these are the vectors of."""

    @abstractmethod
    def take(self, values: Vectors, rows: npt.NDArray[np.int64]) -> Vectors:
        """The vectors of some documents, in memory."""

    @abstractmethod
    def writer(self, folder: Path, dimension: int) -> VectorWriter[Vectors]:
        """A writer of new files."""

    @abstractmethod
    def open(self, folder: Path, facts: Facts) -> Vectors:
        """The vectors that a writer wrote, memory-mapped."""


def _finite(values: npt.NDArray[Any], what: str) -> None:
    if not bool(np.isfinite(values).all()):
        raise DataError(
            f"{what} that are not finite numbers",
            expected="finite numbers",
            remedy="look at what the encoder makes of each text",
        )


def _joined_offsets(lengths: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))


def _ragged_facts(lengths: list[npt.NDArray[np.int64]], dimension: int) -> dict[str, Any]:
    return {
        "rows": sum(map(len, lengths)),
        "dimension": dimension,
        "entries": sum(int(part.sum()) for part in lengths),
    }


class _DenseWriter(VectorWriter[npt.NDArray[np.float32]]):
    def __init__(self, folder: Path, dimension: int) -> None:
        self._file = ArrayWriter(folder / "vectors.npy", np.float32)
        self._dimension, self._rows = dimension, 0

    def append(self, values: npt.NDArray[np.float32]) -> None:
        self._file.append(np.ascontiguousarray(values).reshape(-1))
        self._rows += len(values)

    def facts(self) -> dict[str, Any]:
        return {"rows": self._rows, "dimension": self._dimension}

    def close(self) -> None:
        self._file.close()


class _Dense(VectorKind[npt.NDArray[np.float32]]):
    name = "dense"

    def check(self, values: Any, *, dimension: int | None, what: str) -> npt.NDArray[np.float32]:
        array = np.asarray(values, dtype=np.float32)
        if array.ndim != 2 or (dimension is not None and array.shape[1] != dimension):
            wanted = "n x d" if dimension is None else f"n x {dimension}"
            raise DataError(f"{what} of shape {array.shape}", expected=wanted)
        _finite(array, what)
        return array

    def dimension(self, values: npt.NDArray[np.float32]) -> int:
        return int(values.shape[1])

    def count(self, values: npt.NDArray[np.float32]) -> int:
        return len(values)

    def take(
        self, values: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        return np.ascontiguousarray(values[rows])

    def writer(self, folder: Path, dimension: int) -> _DenseWriter:
        return _DenseWriter(folder, dimension)

    def open(self, folder: Path, facts: Facts) -> npt.NDArray[np.float32]:
        rows, dimension = int(facts["rows"]), int(facts["dimension"])
        flat = open_array(folder / "vectors.npy", np.float32, (rows * dimension,))
        return flat.reshape(rows, dimension)


class _SparseWriter(VectorWriter[Any]):
    def __init__(self, folder: Path, dimension: int) -> None:
        self._lengths: list[npt.NDArray[np.int64]] = []
        self._folder, self._dimension = folder, dimension
        self._terms = ArrayWriter(folder / "terms.npy", np.int32)
        self._weights = ArrayWriter(folder / "weights.npy", np.float32)

    def append(self, values: Any) -> None:
        self._lengths.append(np.diff(values.indptr).astype(np.int64))
        self._terms.append(values.indices)
        self._weights.append(values.data)

    def facts(self) -> dict[str, Any]:
        return _ragged_facts(self._lengths, self._dimension)

    def close(self) -> None:
        with self._terms, self._weights:
            pass  # closes both, even where the first finds the disk full
        np.save(self._folder / "offsets.npy", _joined_offsets(self._lengths))


class _Sparse(VectorKind[Any]):
    name = "sparse"

    def check(self, values: Any, *, dimension: int | None, what: str) -> Any:
        from scipy import sparse

        matrix = sparse.csr_matrix(values, dtype=np.float32)
        if dimension is not None and matrix.shape[1] != dimension:
            raise DataError(f"{what} of shape {matrix.shape}", expected=f"n x {dimension}")
        _finite(matrix.data, what)
        if bool((matrix.data < 0).any()):
            raise DataError(f"{what} below 0", expected="weights of 0 or more")
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix

    def dimension(self, values: Any) -> int:
        return int(values.shape[1])

    def count(self, values: Any) -> int:
        return int(values.shape[0])

    def take(self, values: Any, rows: npt.NDArray[np.int64]) -> Any:
        return values[rows]

    def writer(self, folder: Path, dimension: int) -> _SparseWriter:
        return _SparseWriter(folder, dimension)

    def open(self, folder: Path, facts: Facts) -> Any:
        from scipy import sparse

        rows, entries = int(facts["rows"]), int(facts["entries"])
        offsets = open_array(folder / "offsets.npy", np.int64, (rows + 1,))
        terms = open_array(folder / "terms.npy", np.int32, (entries,))
        weights = open_array(folder / "weights.npy", np.float32, (entries,))
        matrix = sparse.csr_matrix((rows, int(facts["dimension"])), dtype=np.float32)
        matrix.indptr, matrix.indices, matrix.data = offsets, terms, weights
        return matrix


class _TokenWriter(VectorWriter[TokenVectors]):
    def __init__(self, folder: Path, dimension: int) -> None:
        self._file = ArrayWriter(folder / "vectors.npy", np.float32)
        self._folder, self._dimension = folder, dimension
        self._lengths: list[npt.NDArray[np.int64]] = []

    def append(self, values: TokenVectors) -> None:
        self._lengths.append(np.diff(values.offsets))
        self._file.append(np.ascontiguousarray(values.values).reshape(-1))

    def facts(self) -> dict[str, Any]:
        return _ragged_facts(self._lengths, self._dimension)

    def close(self) -> None:
        self._file.close()
        np.save(self._folder / "offsets.npy", _joined_offsets(self._lengths))


class _Tokens(VectorKind[TokenVectors]):
    name = "tokens"

    def check(self, values: Any, *, dimension: int | None, what: str) -> TokenVectors:
        if not isinstance(values, TokenVectors):
            raise DataError(f"{what} of type {type(values).__name__}", expected="TokenVectors")
        DENSE.check(values.values, dimension=dimension, what=what)
        return values

    def dimension(self, values: TokenVectors) -> int:
        return int(values.values.shape[1])

    def count(self, values: TokenVectors) -> int:
        return len(values)

    def take(self, values: TokenVectors, rows: npt.NDArray[np.int64]) -> TokenVectors:
        return values.take(rows)

    def writer(self, folder: Path, dimension: int) -> _TokenWriter:
        return _TokenWriter(folder, dimension)

    def open(self, folder: Path, facts: Facts) -> TokenVectors:
        rows, entries = int(facts["rows"]), int(facts["entries"])
        dimension = int(facts["dimension"])
        flat = open_array(folder / "vectors.npy", np.float32, (entries * dimension,))
        offsets = open_array(folder / "offsets.npy", np.int64, (rows + 1,))
        return TokenVectors(flat.reshape(entries, dimension), offsets)


DENSE: VectorKind[npt.NDArray[np.float32]] = _Dense()
SPARSE: VectorKind[Any] = _Sparse()
TOKENS: VectorKind[TokenVectors] = _Tokens()
