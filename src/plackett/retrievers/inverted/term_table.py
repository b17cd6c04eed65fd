"""The code of a term, looked up in a hash table that lies on disk with the index.

Opening an index of a million terms builds nothing: the table is memory-mapped, and the few words of
a query are hashed in Python.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.retrievers.analysis.coding import text_buffers

__all__ = ["build_table", "find_term"]

HASH_START = 0xCBF29CE484222325
HASH_PRIME = 0x100000001B3
MASK_64 = (1 << 64) - 1


def hash_term(term: bytes) -> int:
    """FNV-1a of 64 bits, its high half folded into the low one."""
    digest = HASH_START
    for byte in term:
        digest = (digest ^ byte) * HASH_PRIME & MASK_64
    return digest ^ digest >> 32


def build_table(terms: pa.Array) -> npt.NDArray[np.int32]:
    """Slots `int32[power of two]`, at most half of them full, each a term's code or -1."""
    from plackett.retrievers.inverted.build_kernels import hash_strings, refill

    slots = np.full(1 << max(2 * len(terms) - 1, 1).bit_length(), -1, dtype=np.int32)
    data, bounds = text_buffers(terms)
    refill(slots, hash_strings(data, bounds), len(terms))
    return slots


def find_term(term: str, slots: npt.NDArray[np.int32], terms: pa.Array) -> int:
    """The code of `term`, or -1.

    >>> terms = pa.array(["lift", "drag"])
    >>> find_term("drag", build_table(terms), terms), find_term("thrust", build_table(terms), terms)
    (1, -1)
    """
    mask = len(slots) - 1
    slot = hash_term(term.encode("utf-8", "surrogatepass")) & mask
    while (code := int(slots[slot])) >= 0:
        if terms[code].as_py() == term:
            return code
        slot = (slot + 1) & mask
    return -1
