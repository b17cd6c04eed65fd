"""The lists of postings on disk: packed, a byte range a term, and read a term at a time."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.errors import CorruptFileError, DataError
from plackett.retrievers.inverted.arrays import ArrayWriter, open_array
from plackett.retrievers.inverted.storage import REMEDY

__all__ = ["PackedLists", "PackedWriter"]

Counts = npt.NDArray[np.int32]
PIECE = 1 << 24
"""Lists are packed about so many postings at a time."""
MARGIN = 8
"""Bytes behind the last list, for a reader takes eight at a time."""


class PackedLists:
    """The packed lists of `V` terms; see `packing_kernels` for the form.

    Parameters
    ----------
    folder : where `postings.npy` (the bytes), `posting_counts.npy` (`int32[V]`, postings a term)
        and `posting_bytes.npy` (`uint32[V]`, bytes a term) lie.
    documents, terms, postings, size : how many there must be, `size` of bytes.

    Attributes
    ----------
    offsets : `int64[V + 1]`, where each term's postings lie among all.
    starts : `int64[V + 1]`, where each term's bytes begin.

    Raises
    ------
    CorruptFileError : a file is missing or of another size.
    """

    def __init__(
        self, folder: Path, *, documents: int, terms: int, postings: int, size: int
    ) -> None:
        self.folder, self.n_documents = folder, documents
        counts = open_array(folder / "posting_counts.npy", np.int32, (terms,))
        lengths = open_array(folder / "posting_bytes.npy", np.uint32, (terms,))
        self.offsets = lengths_to_offsets(counts)
        self.starts = lengths_to_offsets(lengths)
        self.packed = open_array(folder / "postings.npy", np.uint8, (size,))
        found = int(self.offsets[-1]), int(self.starts[-1])
        if found != (postings, size - MARGIN):
            raise CorruptFileError(
                f"{found[0]} postings in {found[1]} bytes",
                expected=f"{postings} in {size - MARGIN}",
                remedy=REMEDY,
                path=folder,
            )

    def read(self, first: int, end: int) -> tuple[Counts, Counts]:
        """The documents and frequencies of the terms `first:end`, one list after the other.

        Raises
        ------
        CorruptFileError : a list is damaged.
        """
        from plackett.retrievers.inverted.packing_kernels import unpack_lists

        offsets = self.offsets[first : end + 1] - self.offsets[first]
        documents = np.empty(offsets[-1], dtype=np.int32)
        frequencies = np.empty(offsets[-1], dtype=np.int32)
        bad = unpack_lists(
            self.packed,
            self.starts[first : end + 1],
            offsets,
            self.n_documents,
            documents,
            frequencies,
        )
        if bad >= 0:
            raise self.damaged(first + bad)
        return documents, frequencies

    def damaged(self, term: int) -> CorruptFileError:
        """The error of a list that cannot be read."""
        return CorruptFileError(
            f"no list of postings at term {term}",
            expected=f"{self.offsets[term + 1] - self.offsets[term]} postings",
            remedy=REMEDY,
            path=self.folder / "postings.npy",
        )


class PackedWriter:
    """Writes packed lists, some terms at a time, in the order of their codes.

    It is used in a `with` statement, within which `finish` comes last.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: list[npt.NDArray[np.int64]] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._out = ArrayWriter(folder / "postings.npy", np.uint8)

    def append(
        self, offsets: npt.NDArray[np.int64], documents: Counts, frequencies: Counts
    ) -> None:
        """Write the lists `offsets[i]:offsets[i + 1]` of ascending documents.

        Raises
        ------
        DataError : a list takes 4 GB or more.
        """
        from plackett.retrievers.inverted.packing_kernels import pack, packed_sizes

        sizes = np.zeros(len(offsets) - 1, dtype=np.int64)
        packed_sizes(offsets, documents, frequencies, sizes)
        if sizes.max(initial=0) > np.iinfo(np.uint32).max:
            raise DataError(f"a list of {sizes.max()} bytes", expected="less than 4 GB")
        first = 0
        while first < len(sizes):
            end = int(np.searchsorted(offsets, offsets[first] + PIECE, side="right")) - 1
            end = max(end, first + 1)
            out = np.zeros(int(sizes[first:end].sum()), dtype=np.uint8)
            pack(offsets[first : end + 1], documents, frequencies, out)
            self._out.append(out)
            first = end
        self._sizes.append(sizes)
        self._counts.append(np.diff(offsets))

    def finish(self) -> int:
        """Write what belongs to the end; returns the bytes of all lists with their margin."""
        self._out.append(np.zeros(MARGIN, dtype=np.uint8))
        empty = np.zeros(0, dtype=np.int64)
        counts = np.concatenate([empty, *self._counts]).astype(np.int32)
        sizes = np.concatenate([empty, *self._sizes]).astype(np.uint32)
        np.save(self._folder / "posting_counts.npy", counts)
        np.save(self._folder / "posting_bytes.npy", sizes)
        return self._out.length

    def __enter__(self) -> PackedWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._out.close()
