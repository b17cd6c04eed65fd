"""How many letters two words differ in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["edit_distances"]


@njit(cache=True, nogil=True)
def edit_distances(  # pragma: no cover
    word: npt.NDArray[np.uint32],
    letters: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    most: int,
    distances: npt.NDArray[np.int8],
) -> None:
    """Edits that turn `word` into each term, where `most` suffice; else `most + 1`.

    An edit inserts, deletes or replaces a letter, or swaps two neighbours, and no letter is edited
    twice (optimal string alignment).

    Parameters
    ----------
    letters, offsets : `uint32[l]`, `int64[V + 1]`: the code points of every term.
    distances : `int8[V]`, the result.
    """
    m = len(word)
    longest = m + most
    before = np.empty(longest + 1, np.int64)
    above = np.empty(longest + 1, np.int64)
    row = np.empty(longest + 1, np.int64)
    for term in range(len(offsets) - 1):
        start = offsets[term]
        n = offsets[term + 1] - start
        distances[term] = most + 1
        if abs(n - m) > most:
            continue
        for j in range(n + 1):
            above[j] = j
        within = True
        for i in range(1, m + 1):
            row[0] = i
            least = row[0]
            for j in range(1, n + 1):
                same = word[i - 1] == letters[start + j - 1]
                best = above[j - 1] + (0 if same else 1)
                best = min(best, min(above[j], row[j - 1]) + 1)
                if (
                    i > 1
                    and j > 1
                    and word[i - 1] == letters[start + j - 2]
                    and word[i - 2] == letters[start + j - 1]
                ):
                    best = min(best, before[j - 2] + 1)
                row[j] = best
                least = min(least, best)
            if least > most:
                within = False
                break
            before, above, row = above, row, before
        if within and above[n] <= most:
            distances[term] = above[n]
