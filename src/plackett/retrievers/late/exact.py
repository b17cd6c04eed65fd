"""Every document's tokens compared with every query's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import TokenVectors
from plackett.encoders.max_sim import max_sim
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array
from plackett.retrievers.late.searching import (
    Found,
    TokenSearcher,
    allowed_rows,
    best_by_max_sim,
    best_rows,
)
from plackett.retrievers.segments.structure import (
    Allowed,
    Searcher,
    Structure,
    register_structure,
)

__all__ = ["ExactMaxSim", "HalfMaxSim"]

BATCH = 1 << 15
LARGEST_HALF = float(np.finfo(np.float16).max)
Progress = Callable[[int, "int | None"], None]


@register_structure
@dataclass(frozen=True)
class ExactMaxSim(Structure[TokenVectors]):
    """The exact answer, for collections of some ten thousand documents: each costs a product.

    Khattab, O. and Zaharia, M., 2020. ColBERT: efficient and effective passage search via
    contextualized late interaction over BERT. SIGIR.
    """

    of: ClassVar[str] = "tokens"
    exact: ClassVar[bool] = True

    def build(
        self, vectors: TokenVectors, folder: Path, *, progress: Progress | None
    ) -> dict[str, Any]:
        """Nothing is written: the vectors are all that is needed."""
        return {}

    def open(
        self, vectors: TokenVectors, folder: Path, facts: Mapping[str, Any]
    ) -> Searcher[TokenVectors]:
        """The search over all documents."""
        return _ExactSearcher(vectors)


class _ExactSearcher(TokenSearcher):
    def __init__(self, vectors: TokenVectors) -> None:
        self._vectors = vectors

    def found(
        self, query: npt.NDArray[np.float32], k: int, allowed: Allowed | None, threads: int
    ) -> Found:
        rows = allowed_rows(self._vectors, allowed)
        return best_by_max_sim(query, self._vectors, rows, k, threads=threads)


@register_structure
@dataclass(frozen=True)
class HalfMaxSim(Structure[TokenVectors]):
    """Every document by token vectors in 16 bits; the best are rescored with the float32 ones.

    A search reads half of the bytes that `ExactMaxSim` reads, `2 d` a token, and then the
    `oversampling * k` documents that it rescores; so scores are exact, and a document is missed
    only where more than `oversampling * k` others come before it by their float16 vectors.

    Parameters
    ----------
    oversampling : candidates a result; the answer is exact where they are all documents.

    >>> HalfMaxSim(oversampling=2)
    HalfMaxSim(oversampling=2)
    """

    oversampling: int = 4

    of: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ConfigurationError : fewer than one candidate a result.
        """
        if self.oversampling < 1:
            raise ConfigurationError(f"oversampling={self.oversampling}; expected 1 or more.")

    def build(
        self, vectors: TokenVectors, folder: Path, *, progress: Progress | None
    ) -> dict[str, Any]:
        """Write the float16 vectors, a batch in memory at a time.

        Raises
        ------
        DataError : a component is beyond what float16 holds.
        """
        total = len(vectors.values)
        with ArrayWriter(folder / "half.npy", np.float16) as file:
            for start in range(0, total, BATCH):
                batch = vectors.values[start : start + BATCH]
                largest = float(np.abs(batch).max(initial=0))
                if largest > LARGEST_HALF:
                    raise DataError(
                        f"a component of size {largest:g}",
                        expected=f"at most {LARGEST_HALF:g}, what float16 holds",
                        remedy="make the vectors of length 1, or take ExactMaxSim()",
                    )
                file.append(batch.astype(np.float16).reshape(-1))
                if progress is not None:
                    progress(start + len(batch), total)
        return {}

    def open(
        self, vectors: TokenVectors, folder: Path, facts: Mapping[str, Any]
    ) -> Searcher[TokenVectors]:
        """The search over the float16 vectors."""
        tokens, dimension = vectors.values.shape
        flat = open_array(folder / "half.npy", np.float16, (tokens * dimension,))
        return _HalfSearcher(vectors, flat.reshape(tokens, dimension), self.oversampling)


class _HalfSearcher(TokenSearcher):
    def __init__(
        self, vectors: TokenVectors, short: npt.NDArray[np.float16], oversampling: int
    ) -> None:
        self._vectors, self._oversampling = vectors, oversampling
        self._short = TokenVectors(short, vectors.offsets)  # type: ignore[arg-type]

    def found(
        self, query: npt.NDArray[np.float32], k: int, allowed: Allowed | None, threads: int
    ) -> Found:
        rows = allowed_rows(self._vectors, allowed)
        wanted = self._oversampling * k
        if len(rows) > wanted:
            scores = max_sim(query, self._short, rows, threads=threads)
            rows = np.sort(best_rows(rows, scores, wanted)[0])
        return best_by_max_sim(query, self._vectors, rows, k, threads=threads)
