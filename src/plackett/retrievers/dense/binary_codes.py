"""One bit a component: the nearest by differing bits, then by the signs, then by whole vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError
from plackett.retrievers.dense.coarse import dealt, rescored, stacked
from plackett.retrievers.dense.scan import to_ranking
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array
from plackett.retrievers.inverted.impacts import Ranking
from plackett.retrievers.segments.best import best_of_rows
from plackett.retrievers.segments.structure import Searcher, Structure, register_structure

__all__ = ["BinaryCodes", "signs_packed"]

Vectors = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]
Progress = Callable[[int, "int | None"], None]
BITS = "bits.npy"
WORD = 64
BATCH = 8_192
QUERIES = 64
"""At most so many queries pass over the codes together."""


def signs_packed(vectors: Vectors) -> Words:
    """The signs of components, 64 in a word: bit j is set where component j is 0 or more.

    Parameters
    ----------
    vectors : `[n, d]`.

    Returns
    -------
    `uint64[n, w]`, `w` = d / 64 rounded up; bits beyond d are 0.

    >>> signs_packed(np.array([[0.5, -1, 0]], np.float32))
    array([[5]], dtype=uint64)
    """
    from plackett.retrievers.dense.binary_codes_kernels import pack_signs

    words = np.zeros((len(vectors), _words(vectors.shape[1])), dtype=np.uint64)
    view = np.ascontiguousarray(vectors, dtype=np.float32).view()
    view.flags.writeable = False
    pack_signs(view, words)
    return words


def _words(dimension: int) -> int:
    return -(-dimension // WORD)


@register_structure
@dataclass(frozen=True)
class BinaryCodes(Structure[Vectors]):
    """One bit a component, its sign: a vector in a 32nd of its bytes.

    A search goes in three steps:

    1. the `candidates` documents whose code differs from the query's code in the fewest bits;
    2. of these, the `oversampling * k` best by `sum over i of q_i s_i`, where `s_i` is 1 or -1, the
       sign of the document's component: the query keeps its numbers;
    3. of these, the k best by the product with the whole vectors, which makes scores exact.

    The codes of encoders that were trained for it (BPR) lose little; other encoders' lose less with
    more candidates. `oversampling=0` leaves out step 3: the whole vectors are never read, and the
    scores are those of step 2.

    Yamada, I., Asai, A. and Hajishirzi, H., 2021. Efficient passage retrieval with hashing for
    open-domain question answering. ACL.

    Parameters
    ----------
    candidates : documents that step 1 finds, at least `oversampling * k` and `k`.
    oversampling : documents a result that step 3 rescores; 0 for none.

    The answer is exact where `candidates` and `oversampling * k` are all documents.

    >>> from plackett.retrievers.dense import Dense
    >>> import tempfile
    >>> vectors = np.array([[3, 4], [3, -4], [-5, 0]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     index = Dense.from_vectors(["a", "b", "c"], vectors, folder, structure=BinaryCodes())
    ...     index.search_vectors(np.array([[4, -3]]), k=1).scores
    array([24.], dtype=float32)
    """

    candidates: int = 1_000
    oversampling: int = 10

    of: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ConfigurationError : one is out of its range.
        """
        for name, least in (("candidates", 1), ("oversampling", 0)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name}={getattr(self, name)}; expected {least} or more.")

    def build(self, vectors: Vectors, folder: Path, *, progress: Progress | None) -> dict[str, Any]:
        """Write the codes, a batch in memory at a time."""
        with ArrayWriter(folder / BITS, np.uint64) as file:
            for start in range(0, len(vectors), BATCH):
                file.append(signs_packed(vectors[start : start + BATCH]).reshape(-1))
                if progress is not None:
                    progress(min(start + BATCH, len(vectors)), len(vectors))
        return {}

    def open(self, vectors: Vectors, folder: Path, facts: Mapping[str, Any]) -> Searcher[Vectors]:
        """The search over the codes, memory-mapped."""
        shape = (len(vectors), _words(vectors.shape[1]))
        codes = open_array(folder / BITS, np.uint64, (shape[0] * shape[1],)).reshape(shape)
        return _BinarySearcher(codes, vectors, self)


class _BinarySearcher(Searcher[Vectors]):
    def __init__(self, codes: Words, vectors: Vectors, knobs: BinaryCodes) -> None:
        self._codes, self._vectors, self._knobs = codes, vectors, knobs

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: npt.NDArray[np.bool_] | None,
        threads: int,
    ) -> Ranking:
        rows = None if allowed is None else np.flatnonzero(allowed)
        count = len(self._codes) if rows is None else len(rows)
        finer = min(count, max(1, self._knobs.oversampling) * k)
        wanted = min(count, max(self._knobs.candidates, finer))

        def ranked(at: slice) -> Ranking:
            some = np.ascontiguousarray(queries[at])
            found = self._nearest(some, wanted, rows)
            if finer == wanted and self._knobs.oversampling:
                return rescored(some, self._vectors, found, k, threads=1)
            table = best_of_rows(found.astype(np.int32), self._scores(some, found), finer)
            if self._knobs.oversampling:
                return rescored(some, self._vectors, table[0], k, threads=1)
            return to_ranking(table)

        return stacked(dealt(ranked, len(queries), threads=threads, most=QUERIES))

    def _nearest(
        self, queries: Vectors, wanted: int, rows: npt.NDArray[np.int64] | None
    ) -> npt.NDArray[np.int64]:
        """The rows whose codes differ in the fewest bits, `[q, wanted]`."""
        from plackett.retrievers.dense.binary_codes_kernels import nearest_codes

        count = len(self._codes) if rows is None else len(rows)
        if wanted == count:
            every = np.arange(count) if rows is None else rows
            return np.tile(every, (len(queries), 1))
        mask = np.zeros(0 if rows is None else len(self._codes), dtype=np.bool_)
        if rows is not None:
            mask[rows] = True
        found = np.empty((len(queries), wanted), dtype=np.int64)
        nearest_codes(self._codes, mask, signs_packed(queries), found)
        return found

    def _scores(self, queries: Vectors, rows: npt.NDArray[np.int64]) -> Vectors:
        """The products of queries with the signs of their own rows."""
        from plackett.retrievers.dense.binary_codes_kernels import sign_products

        scores = np.empty(rows.shape, dtype=np.float32)
        sign_products(self._codes, queries, rows, scores)
        return scores
