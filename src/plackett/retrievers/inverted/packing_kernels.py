"""Lists of postings packed into bits.

A list is cut into blocks of 128 postings. A block is two bytes, the width of its gaps and that of
its frequencies, then the gaps between documents (less 1), then the frequencies (less 1), each in
as many bits as the widest of the block; blocks begin at whole bytes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

POSTINGS_A_BLOCK = 128
WIDEST = np.uint64(31)
"""The most bits of a gap or a frequency."""


@njit(cache=True, nogil=True, inline="always")
def width_of(value):  # type: ignore[no-untyped-def]  # pragma: no cover
    """How many bits a number of 0 or more takes."""
    bits = 0
    while value > 0:
        bits += 1
        value >>= 1
    return bits


@njit(cache=True, nogil=True)
def widths_of_block(documents, frequencies, start, end, previous):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The bits of a gap and of a frequency in the postings `start:end`, after `previous`."""
    gaps = documents[start] - previous - np.int32(1)
    counts = frequencies[start] - np.int32(1)
    for p in range(start + 1, end):
        gaps |= documents[p] - documents[p - 1] - np.int32(1)
        counts |= frequencies[p] - np.int32(1)
    return width_of(gaps), width_of(counts)


@njit(cache=True, nogil=True)
def packed_sizes(offsets, documents, frequencies, sizes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """How many bytes each list `offsets[t]:offsets[t + 1]` takes, into `sizes`, `int64[t]`."""
    for term in range(len(offsets) - 1):
        size = 0
        previous = np.int32(-1)
        for start in range(offsets[term], offsets[term + 1], POSTINGS_A_BLOCK):
            end = min(start + POSTINGS_A_BLOCK, offsets[term + 1])
            gap, count = widths_of_block(documents, frequencies, start, end, previous)
            size += 2 + (((gap + count) * (end - start) + 7) >> 3)
            previous = documents[end - 1]
        sizes[term] = size


@njit(cache=True, nogil=True)
def pack(offsets, documents, frequencies, out):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Write the lists one after the other into `out`, `uint8`, of the size that was found."""
    at = 0
    byte = np.uint64(8)
    for term in range(len(offsets) - 1):
        previous = np.int32(-1)
        for start in range(offsets[term], offsets[term + 1], POSTINGS_A_BLOCK):
            end = min(start + POSTINGS_A_BLOCK, offsets[term + 1])
            gap, count = widths_of_block(documents, frequencies, start, end, previous)
            out[at] = gap
            out[at + 1] = count
            at += 2
            held = np.uint64(0)
            filled = np.uint64(0)
            for p in range(start, end):
                held |= np.uint64(documents[p] - previous - np.int32(1)) << filled
                filled += np.uint64(gap)
                previous = documents[p]
                while filled >= byte:
                    out[at] = held & np.uint64(255)
                    held >>= byte
                    filled -= byte
                    at += 1
            for p in range(start, end):
                held |= np.uint64(frequencies[p] - np.int32(1)) << filled
                filled += np.uint64(count)
                while filled >= byte:
                    out[at] = held & np.uint64(255)
                    held >>= byte
                    filled -= byte
                    at += 1
            if filled > 0:
                out[at] = held
                at += 1


@njit(cache=True, nogil=True, inline="always")
def eight_bytes(packed, at):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The eight bytes from `at` on as one number, the first the lowest; compiled to one load."""
    value = np.uint64(packed[at])
    value |= np.uint64(packed[at + np.uint64(1)]) << np.uint64(8)
    value |= np.uint64(packed[at + np.uint64(2)]) << np.uint64(16)
    value |= np.uint64(packed[at + np.uint64(3)]) << np.uint64(24)
    value |= np.uint64(packed[at + np.uint64(4)]) << np.uint64(32)
    value |= np.uint64(packed[at + np.uint64(5)]) << np.uint64(40)
    value |= np.uint64(packed[at + np.uint64(6)]) << np.uint64(48)
    value |= np.uint64(packed[at + np.uint64(7)]) << np.uint64(56)
    return value


@njit(cache=True, nogil=True)
def unpack(packed, at, end, n_documents, documents, frequencies):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Read the list in the bytes `at:end` into two `int32` arrays of its length.

    Returns whether it is one: whether its bytes end at `end` and its documents below
    `n_documents`. No byte behind the margin is read where it is none.
    """
    n = len(documents)
    one = np.uint64(1)
    low = np.uint64(7)
    byte = np.uint64(3)
    document = np.int64(-1)
    for start in range(0, n, POSTINGS_A_BLOCK):
        size = min(POSTINGS_A_BLOCK, n - start)
        if at + 2 > end:
            return False
        gap, count = np.uint64(packed[at]), np.uint64(packed[at + 1])
        bit = np.uint64(at + 2) << byte
        at += 2 + np.int64(((gap + count) * np.uint64(size) + low) >> byte)
        if gap > WIDEST or count > WIDEST or at > end:
            return False
        mask = (one << gap) - one
        part = documents[start : start + size]
        for p in range(size):
            word = eight_bytes(packed, bit >> byte)
            document += np.int64((word >> (bit & low)) & mask) + 1
            part[p] = document
            bit += gap
        part = frequencies[start : start + size]
        mask = (one << count) - one
        if count == np.uint64(0):
            part[:] = np.int32(1)
        else:
            for p in range(size):
                word = eight_bytes(packed, bit >> byte)
                part[p] = np.int32((word >> (bit & low)) & mask) + np.int32(1)
                bit += count
    return at == end and document < n_documents


@njit(cache=True, nogil=True)
def unpack_lists(  # type: ignore[no-untyped-def]
    packed, starts, offsets, n_documents, documents, frequencies
):  # pragma: no cover
    """Read some lists: list i lies in the bytes `starts[i]:starts[i + 1]` and goes to
    `offsets[i]:offsets[i + 1]` of the two arrays. Returns the first that is none, or -1."""
    for i in range(len(offsets) - 1):
        first, end = offsets[i], offsets[i + 1]
        if not unpack(
            packed,
            starts[i],
            starts[i + 1],
            n_documents,
            documents[first:end],
            frequencies[first:end],
        ):
            return i
    return -1
