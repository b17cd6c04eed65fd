"""Encoders that need no model: every word has a vector of its own, drawn from its checksum."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from plackett.encoders import (
    DenseEncoder,
    Encoded,
    SparseEncoder,
    TokenEncoder,
    TokenVectors,
)

MOST_WORDS = 20


class _Hashed:
    """What the three share: the words that are read, and how many vectors were asked for."""

    def __init__(self, size: int = 16, seed: int = 0) -> None:
        self.size, self.seed = size, seed
        self.texts: list[str] = []

    @property
    def identity(self) -> str:
        return f"{type(self).__name__} {self.size} {self.seed}"

    @property
    def dimension(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.size}, seed={self.seed})"

    def vector(self, word: str) -> npt.NDArray[np.float32]:
        generator = np.random.default_rng([zlib.crc32(word.encode()), self.seed])
        return generator.standard_normal(self.size).astype(np.float32)

    def encode_all(self, texts: Sequence[str], kind: str = "document") -> Encoded[Any]:
        self.texts += texts
        words = [text.split() for text in texts]
        values = self.made([list_[:MOST_WORDS] for list_ in words])
        lengths = np.array([len(list_) for list_ in words], dtype=np.int64)
        return Encoded(values, np.minimum(lengths, MOST_WORDS), lengths > MOST_WORDS)

    def made(self, words: list[list[str]]) -> Any:
        raise NotImplementedError


class HashedVectors(_Hashed, DenseEncoder):
    """The sum of the words' vectors."""

    def made(self, words: list[list[str]]) -> npt.NDArray[np.float32]:
        rows = [sum(map(self.vector, each), np.zeros(self.size, np.float32)) for each in words]
        return np.array(rows, dtype=np.float32).reshape(len(words), self.size)


class HashedWeights(_Hashed, SparseEncoder):
    """A count a bucket."""

    def made(self, words: list[list[str]]) -> Any:
        counts = np.zeros((len(words), self.size), dtype=np.float32)
        for row, each in enumerate(words):
            for word in each:
                counts[row, zlib.crc32(word.encode()) % self.size] += 1
        return sparse.csr_matrix(counts)


class HashedTokens(_Hashed, TokenEncoder):
    """A row a word."""

    def made(self, words: list[list[str]]) -> TokenVectors:
        rows = [self.vector(word) for each in words for word in each]
        lengths = [len(each) for each in words]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return TokenVectors(np.array(rows, np.float32).reshape(-1, self.size), offsets)


ENCODERS = (HashedVectors, HashedWeights, HashedTokens)
