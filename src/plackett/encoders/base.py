"""What encoders give: a vector, sparse weights or a matrix of token vectors for each text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = [
    "DenseEncoder",
    "Encoded",
    "Encoder",
    "Kind",
    "PairScorer",
    "SparseEncoder",
    "TokenEncoder",
    "TokenVectors",
    "check_texts",
]

Kind = Literal["query", "document"]
"""What a text is to the encoder: prompts and lengths may differ between the two."""

Values = TypeVar("Values")


@dataclass(frozen=True, eq=False)
class Encoded(Generic[Values]):
    """What became of texts, and how much of them was read.

    Parameters
    ----------
    values : what the encoder makes of n texts.
    tokens : `int64[n]`, tokens of each text that the model read, special ones and prompt included.
    truncated : `bool[n]`, whether the end of a text was cut off.
    """

    values: Values
    tokens: npt.NDArray[np.int64]
    truncated: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TokenVectors:
    """A matrix of token vectors for each of n texts, one under the other.

    Parameters
    ----------
    values : `float32[t, d]`, the vectors of all tokens of all texts.
    offsets : `int64[n + 1]`: the vectors of text i are `values[offsets[i]:offsets[i + 1]]`.

    >>> tokens = TokenVectors(np.eye(3, dtype=np.float32), np.array([0, 1, 3]))
    >>> len(tokens), tokens[1].shape
    (2, (2, 3))
    """

    values: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> npt.NDArray[np.float32]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"text {index} of {len(self)}")
        index %= len(self)
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def take(self, rows: npt.ArrayLike) -> TokenVectors:
        """The matrices of these texts, in this order."""
        wanted = np.asarray(rows, dtype=np.int64)
        lengths = np.diff(self.offsets)[wanted]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        source = np.repeat(self.offsets[:-1][wanted] - offsets[:-1], lengths)
        return TokenVectors(self.values[source + np.arange(offsets[-1])], offsets)


class Encoder(ABC, Generic[Values]):
    """Anything that turns texts into something to compare.

    What every encoder keeps to: one result a text, in order; a text's result does not depend on the
    texts beside it (to 1e-5); the same text gives the same result; what was given is not changed;
    no network is asked unless the encoder is one of a network service.
    """

    @property
    @abstractmethod
    def identity(self) -> str:
        """What determines the results: the model's content and every parameter that matters."""

    @property
    def stands_for(self) -> str:
        """The identity of the encoder whose results these may be compared with: its own."""
        return self.identity

    @abstractmethod
    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Values]:
        """Encode texts, and say how much of each was read."""

    def encode(self, texts: Sequence[str], kind: Kind = "document") -> Values:
        """Encode texts.

        Parameters
        ----------
        texts : n texts; an empty one is encoded as well.
        kind : what the texts are.

        Raises
        ------
        DataError : a text is no string.
        """
        return self.encode_all(texts, kind).values


class DenseEncoder(Encoder[npt.NDArray[np.float32]]):
    """Texts to vectors, `float32[n, d]`.

    Attributes
    ----------
    normalised : whether all vectors have length 1, so that dot products are cosines.
    """

    normalised: bool = False

    @property
    @abstractmethod
    def dimension(self) -> int:
        """d."""


class SparseEncoder(Encoder[Any]):
    """Texts to weights over a vocabulary: a scipy CSR matrix of float32, n x v, none below 0."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """v."""


class TokenEncoder(Encoder[TokenVectors]):
    """Texts to matrices of token vectors."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """d, the length of a token's vector."""


class PairScorer(ABC):
    """Anything that reads a query and a document together and gives a score: a cross-encoder."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """What determines the scores: the model's content and every parameter that matters."""

    @abstractmethod
    def score(
        self, queries: Sequence[str], documents: Sequence[str]
    ) -> Encoded[npt.NDArray[np.float32]]:
        """Score n pairs: `float32[n]`, any number, higher for better."""


def check_texts(texts: Sequence[str], what: str = "text") -> list[str]:
    """The texts as a list; half a surrogate pair, which no tokenizer takes, becomes "?".

    Raises
    ------
    DataError : one string for a list, or a text that is no string.

    >>> check_texts(["a", "b\\ud800"])
    ['a', 'b?']
    """
    if isinstance(texts, str):
        raise DataError(f"one string for {what}s", expected=f"a list of {what}s")
    checked = []
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"{what} {i} of type {type(text).__name__}", expected="a string")
        checked.append(text if text.isascii() else text.encode("utf-8", "replace").decode())
    return checked
