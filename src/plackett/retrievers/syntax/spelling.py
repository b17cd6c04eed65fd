"""Terms of an index that are spelt nearly like a word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.errors import ConfigurationError
from plackett.retrievers.inverted.index import InvertedIndex

__all__ = ["Spelling", "Suggestion", "suggestions"]

_SHORT, _LONG = 3, 6  # letters above which one and two edits are allowed


@dataclass(frozen=True)
class Suggestion:
    """A term that may be meant.

    Parameters
    ----------
    term : as the index has it.
    distance : in how many edits it differs.
    documents : how many documents have it.
    """

    term: str
    distance: int
    documents: int


class Spelling:
    """The terms of an index as letters, for finding those near to a word.

    An edit inserts, deletes or replaces a letter, or swaps two neighbours.
    """

    def __init__(self, index: InvertedIndex) -> None:
        self.index = index
        terms = index.terms.values.to_pylist()
        encoded = "".join(terms).encode("utf-32-le", "surrogatepass")
        self._letters = np.frombuffer(encoded, dtype=np.uint32)
        self._offsets = lengths_to_offsets([len(term) for term in terms])

    def near(
        self, word: str, most: int | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int8]]:
        """The codes of the terms within `most` edits, nearest and then most frequent first.

        Parameters
        ----------
        word : as the analyzer writes terms.
        most : 0 to 2; by default 0 up to 3 letters, 1 up to 6, and 2.

        Raises
        ------
        ConfigurationError : another number.
        """
        from plackett.retrievers.syntax.spelling_kernels import edit_distances

        if most is None:
            most = int(len(word) > _SHORT) + int(len(word) > _LONG)
        if not 0 <= most <= 2:
            raise ConfigurationError(f"most={most}; expected 0, 1 or 2 edits.")
        letters = np.frombuffer(word.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        distances = np.empty(len(self._offsets) - 1, dtype=np.int8)
        edit_distances(letters, self._letters, self._offsets, most, distances)
        codes = np.flatnonzero(distances <= most)
        order = np.lexsort((codes, -self.index.document_frequency[codes], distances[codes]))
        return codes[order], distances[codes[order]]


def suggestions(index: InvertedIndex, word: str, count: int = 5) -> list[Suggestion]:
    """Terms that may be meant by a word, nearest and then most frequent first.

    Terms are written as the analyzer leaves them: with a stemmer they are stems, and so an index
    without one, such as of "english_unstemmed", suggests better.

    Parameters
    ----------
    word : one word; of several terms that the analyzer makes of it the first is taken.
    count : how many at most.

    >>> import tempfile
    >>> from plackett import BM25, Corpus
    >>> corpus = Corpus.from_texts({"d1": "viscous flow", "d2": "viscous drag"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bm25 = BM25.build(corpus, folder, analyzer="english_unstemmed")
    ...     suggestions(bm25.index, "vicsous")
    [Suggestion(term='viscous', distance=1, documents=2)]
    """
    terms = index.analyzer(word)
    if not terms:
        return []
    codes, distances = Spelling(index).near(terms[0])
    names = index.terms.strings(codes[:count]).to_pylist()
    return [
        Suggestion(name, int(distance), int(index.document_frequency[code]))
        for name, distance, code in zip(names, distances, codes, strict=False)
    ]
