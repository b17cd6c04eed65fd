"""The second pass of a build: postings from the token codes, in bounded memory."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.errors import ConfigurationError
from plackett.retrievers.inverted.arrays import HEADER_BYTES
from plackett.retrievers.inverted.packed import PackedWriter

__all__ = ["DEFAULT_MEMORY", "memory_bytes", "write_postings"]

DEFAULT_MEMORY = "1GB"
BYTES_A_POSTING = 8
SMALLEST = 1_000_000
TOKENS_AT_A_TIME = 1 << 22
_UNITS = {"": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def memory_bytes(memory: int | str) -> int:
    """An amount of memory in bytes: a number of them, or a text such as "500MB".

    Raises
    ------
    ConfigurationError : it is no such amount, or below 1 MB.

    >>> memory_bytes("500MB"), memory_bytes("1.5 GB"), memory_bytes(4_000_000)
    (500000000, 1500000000, 4000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(memory).lower())
    unit = _UNITS.get(found[2].replace("i", "")) if found else None
    amount = int(float(found[1]) * unit) if found and unit is not None else 0
    if amount < SMALLEST:
        raise ConfigurationError(f"memory={memory!r}; expected 1 MB or more, such as '500MB'")
    return amount


def write_postings(
    folder: Path,
    lengths: npt.NDArray[np.int32],
    offsets: npt.NDArray[np.int64],
    memory: int,
) -> int:
    """Invert `tokens.npy` in `folder` and write the packed lists; returns their bytes.

    As many terms as fit in `memory` bytes, one at least, are inverted at a time, and the tokens
    are read once for each such range. So the postings of a collection never lie in memory as a
    whole, and a smaller memory costs time alone.

    Parameters
    ----------
    lengths : `int32[N]`, tokens a document.
    offsets : `int64[V + 1]`, where each term's postings will lie.
    """
    room = max(1, memory // BYTES_A_POSTING)
    first = 0
    with PackedWriter(folder) as writer:
        while first < len(offsets) - 1:
            end = int(np.searchsorted(offsets, offsets[first] + room, side="right")) - 1
            end = max(end, first + 1)
            part = offsets[first : end + 1] - offsets[first]
            writer.append(part, *_inverted(folder / "tokens.npy", lengths, first, part))
            first = end
        return writer.finish()


def _inverted(
    path: Path, lengths: npt.NDArray[np.int32], first: int, offsets: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The documents and frequencies of the terms from `first` on, one an interval of `offsets`."""
    from plackett.retrievers.inverted.build_kernels import fill_postings

    documents = np.empty(offsets[-1], dtype=np.int32)
    frequencies = np.empty(offsets[-1], dtype=np.int32)
    last = np.full(len(offsets) - 1, -1, dtype=np.int32)
    cursor = offsets[:-1].copy()
    bounds = lengths_to_offsets(lengths)
    # Read, not mapped: pages of a map would count as memory of the process.
    with open(path, "rb") as file:
        file.seek(HEADER_BYTES)
        start = 0
        while start < len(lengths):
            stop = int(np.searchsorted(bounds, bounds[start] + TOKENS_AT_A_TIME, side="right")) - 1
            stop = max(stop, start + 1)
            tokens = np.fromfile(file, np.int32, int(bounds[stop] - bounds[start]))
            fill_postings(
                tokens, lengths[start:stop], start, first, cursor, last, documents, frequencies
            )
            start = stop
    return documents, frequencies
