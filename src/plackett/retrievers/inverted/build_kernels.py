"""Turning documents-to-terms into terms-to-documents: two passes over the token codes."""

from __future__ import annotations

import numpy as np
from numba import njit

# FNV-1a of 64 bits; `term_table.py` repeats it in Python for the few terms of a query.
HASH_START = np.uint64(0xCBF29CE484222325)
HASH_PRIME = np.uint64(0x100000001B3)


@njit(cache=True, nogil=True)
def count_postings(  # type: ignore[no-untyped-def]
    tokens, counts, first_document, last_document, document_frequency, collection_frequency
):  # pragma: no cover
    """First pass, over one batch: how many documents hold each term, and how often they do.

    `counts[i]` is the number of tokens of document `first_document + i`. `last_document` (-1 at
    first) holds each term's latest document; the last three arrays are updated.
    """
    read = 0
    for i in range(len(counts)):
        document = first_document + i
        for _ in range(counts[i]):
            term = tokens[read]
            read += 1
            collection_frequency[term] += 1
            if last_document[term] != document:
                last_document[term] = document
                document_frequency[term] += 1


@njit(cache=True, nogil=True)
def fill_postings(  # type: ignore[no-untyped-def]
    tokens,
    counts,
    first_document,
    first_term,
    cursor,
    last_document,
    documents,
    frequencies,
):  # pragma: no cover
    """Second pass, over one batch: write the postings of some terms, documents ascending.

    The terms are `first_term` and those after it, one an element of `cursor`: where the next
    posting of each goes, which is moved on. `last_document` is -1 everywhere at first.
    """
    read = 0
    n_terms = np.uint64(len(cursor))
    for i in range(len(counts)):
        document = first_document + i
        for _ in range(counts[i]):
            # A term before the first one becomes a huge number.
            term = np.uint64(np.int64(tokens[read]) - first_term)
            read += 1
            if term >= n_terms:
                continue
            place = cursor[term]
            if last_document[term] == document:
                frequencies[place - 1] += 1
            else:
                last_document[term] = document
                documents[place] = document
                frequencies[place] = 1
                cursor[term] = place + 1


@njit(cache=True, nogil=True)
def hash_strings(data, bounds):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The hash of every string `data[bounds[i]:bounds[i + 1]]`, uint64[n]."""
    hashes = np.empty(len(bounds) - 1, dtype=np.uint64)
    for i in range(len(bounds) - 1):
        digest = HASH_START
        for position in range(bounds[i], bounds[i + 1]):
            digest = (digest ^ np.uint64(data[position])) * HASH_PRIME
        hashes[i] = digest ^ (digest >> np.uint64(32))
    return hashes


@njit(cache=True, nogil=True)
def refill(slots, hashes, n_words):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Enter the words 0..n_words into an empty table `slots`, int32[power of two], -1 = free."""
    mask = np.uint64(len(slots) - 1)
    for word in range(n_words):
        slot = hashes[word] & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word
