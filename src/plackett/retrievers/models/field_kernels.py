"""How often each field of a document has a term, for every posting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["count_in_fields"]


@njit(cache=True, nogil=True)
def count_in_fields(  # pragma: no cover
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    posting_offsets: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int32],
) -> bool:
    """counts[p, f]: how often field f of posting p's document has its term.

    False where the tokens are not those of the postings, for a file is damaged.

    Parameters
    ----------
    tokens, token_offsets : `int32[T]`, `int64[N F + 1]`, the terms of each document's fields.
    posting_offsets : `int64[V + 1]`; the postings of a term go by document.
    counts : `int32[P, F]`, 0 at first.
    """
    fields = counts.shape[1]
    terms = len(posting_offsets) - 1
    following = posting_offsets[:-1].copy()  # the posting of the next document that has the term
    seen = np.full(terms, -1, np.int64)  # the last document that had it
    for document in range((len(token_offsets) - 1) // fields):
        for field in range(fields):
            segment = document * fields + field
            for place in range(token_offsets[segment], token_offsets[segment + 1]):
                term = tokens[place]
                if term < 0 or term >= terms:
                    return False
                if seen[term] != document:
                    seen[term] = document
                    following[term] += 1
                    if following[term] > posting_offsets[term + 1]:
                        return False
                counts[following[term] - 1, field] += 1
    return True
