"""How often some terms stand one after the other in documents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["count_phrases"]


@njit(cache=True, nogil=True)
def count_phrases(  # pragma: no cover
    phrase: npt.NDArray[np.int32],
    documents: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    fields: int,
    counts: npt.NDArray[np.int64],
) -> None:
    """counts[i]: how often the fields of document i have the phrase; occurrences may overlap."""
    length = len(phrase)
    for i in range(len(documents)):
        for field in range(fields):
            segment = documents[i] * fields + field
            for start in range(token_offsets[segment], token_offsets[segment + 1] - length + 1):
                same = True
                for place in range(length):
                    if tokens[start + place] != phrase[place]:
                        same = False
                        break
                if same:
                    counts[i] += 1
