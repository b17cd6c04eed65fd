"""Fewer token vectors a document: like ones are merged into their mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from plackett.data.ragged import lengths_to_offsets
from plackett.encoders.base import Encoded, Kind, TokenEncoder, TokenVectors
from plackett.encoders.registry import parse_encoder, register_encoder
from plackett.errors import ConfigurationError

__all__ = ["PooledTokens", "pool_tokens"]

Floats = npt.NDArray[np.float32]


def pool_tokens(tokens: TokenVectors, factor: int) -> TokenVectors:
    """Merge the vectors of each text into a `factor`-th of them, rounded up.

    The vectors of a text are clustered by Ward's method, which merges the two clusters that add
    least to the sum of squared distances from means. A cluster becomes its mean, made as long as
    its members are on average: vectors of length 1 stay so. Clusters keep the order of their first
    members. Where vectors are equal there may be fewer clusters.

    Parameters
    ----------
    tokens : the vectors of n texts.
    factor : 1 merges none; 2 halves an index.

    Raises
    ------
    ConfigurationError : `factor` is below 1.

    Reference: Clavié, Chaffin & Adams, "Reducing the footprint of multi-vector retrieval with
    minimal performance impact via token pooling", 2024.

    >>> close = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], np.float32)
    >>> pool_tokens(TokenVectors(close, np.array([0, 4])), 2).values.round(2)
    array([[1.  , 0.05],
           [0.05, 1.  ]], dtype=float32)
    """
    _check_factor(factor)
    if factor == 1:
        return tokens
    pooled = [_pooled(tokens[i], -(-len(tokens[i]) // factor)) for i in range(len(tokens))]
    empty = np.zeros((0, tokens.values.shape[1]), dtype=np.float32)
    return TokenVectors(
        np.concatenate([empty, *pooled]), lengths_to_offsets([len(values) for values in pooled])
    )


def _check_factor(factor: int) -> None:
    if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
        raise ConfigurationError(f"factor={factor!r}; expected a whole number of 1 or more.")


def _pooled(vectors: Floats, count: int) -> Floats:
    """At most `count` clusters of `float32[t, d]`."""
    if len(vectors) <= count:
        return vectors
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(vectors.astype(np.float64), method="ward")
    labels = fcluster(tree, count, criterion="maxclust")
    _, first, cluster = np.unique(labels, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[cluster]
    sums = np.zeros((len(first), vectors.shape[1]), dtype=np.float64)
    np.add.at(sums, place, vectors)
    total = np.bincount(place, weights=np.linalg.norm(vectors, axis=1))
    wanted = total / np.bincount(place)
    lengths = np.linalg.norm(sums, axis=1)
    scale = np.divide(wanted, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    merged: Floats = (sums * scale[:, None]).astype(np.float32)
    return merged


@register_encoder
class PooledTokens(TokenEncoder):
    """A token encoder whose documents keep one vector for every few that are alike.

    An index shrinks by the factor, in all structures, and a search reads as much less. Queries keep
    all their vectors. With a factor of 2, the paper finds no loss, with 3 and 4 a small one; see
    `pool_tokens`.

    Parameters
    ----------
    encoder : a token encoder, or its description.
    factor : how many vectors become one, on average.

    Raises
    ------
    ConfigurationError : it encodes no tokens, or `factor` is below 1.

    >>> class Letters(TokenEncoder):
    ...     dimension, identity = 26, "letters"
    ...
    ...     def encode_all(self, texts, kind="document"):
    ...         rows = [[ord(letter) - 97 for letter in text] for text in texts]
    ...         values = np.eye(26, dtype=np.float32)[np.concatenate(rows)]
    ...         lengths = np.array([len(row) for row in rows])
    ...         offsets = lengths_to_offsets(lengths)
    ...         return Encoded(TokenVectors(values, offsets), lengths, lengths > 99)
    >>> pooled = PooledTokens(Letters(), 2)
    >>> len(pooled.encode(["abab"])[0]), len(pooled.encode(["abab"], "query")[0])
    (2, 4)
    """

    def __init__(self, encoder: TokenEncoder | str, factor: int = 2) -> None:
        made = parse_encoder(encoder) if isinstance(encoder, str) else encoder
        if not isinstance(made, TokenEncoder):
            raise ConfigurationError(f"{made!r} does not encode tokens.")
        _check_factor(factor)
        self.encoder: TokenEncoder = made
        self.factor = factor

    @property
    def identity(self) -> str:
        """That of the encoder, and the factor."""
        return f"{self.encoder.identity}:pooled by {self.factor}"

    @property
    def dimension(self) -> int:
        """The length of a token's vector."""
        return self.encoder.dimension

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[TokenVectors]:
        """The token vectors of texts; those of documents are pooled."""
        read = self.encoder.encode_all(texts, kind)
        if kind == "query":
            return read
        return Encoded(pool_tokens(read.values, self.factor), read.tokens, read.truncated)

    def __repr__(self) -> str:
        """A description that `parse_encoder` reads back."""
        return f"PooledTokens({repr(self.encoder)!r}, factor={self.factor})"
