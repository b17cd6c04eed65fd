"""An old index asked by a new encoder: its vectors are turned into the old encoder's space."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import DenseEncoder, Encoded, Kind
from plackett.encoders.registry import parse_encoder, register_encoder
from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.dense.learned import read_learned, write_learned
from plackett.retrievers.segments.source import documents_of

if TYPE_CHECKING:
    from plackett.retrievers.dense.retriever import Dense

__all__ = ["AlignedEncoder", "Alignment"]

Floats = npt.NDArray[np.float32]
KIND = "alignment of two encoders"
UNIT = 1e-3
"""Vectors whose lengths are this near to 1 are taken to be of length 1."""
SPANNED = 1e-9
"""A direction whose singular value is a smaller part of the largest one is none of the texts'."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """The turn that brings vectors of one encoder nearest to another's: orthogonal Procrustes.

    A vector x of the new encoder becomes `(x - m) W + o`. W has orthonormal rows or columns, so
    that it keeps angles (as many as the smaller of the two dimensions can hold), and makes
    `sum over texts of |(x - m) W + o - y|^2`, y being the old encoder's vector of the same text,
    the smallest: with the singular values of `X^T Y = U S V^T`, `W = U V^T`. Directions that the
    texts do not span, where they are fewer than components, are left out of W.

    Schonemann, P. H., 1966. A generalized solution of the orthogonal Procrustes problem.
    Psychometrika 31(1). Shen, Y. et al., 2020. Towards backward-compatible representation learning.
    CVPR.

    Parameters
    ----------
    matrix : `float32[d_new, d_old]`, W.
    new_mean, old_mean : `float32[d_new]`, `float32[d_old]`, m and o; zeros where not centred.
    unit : whether results are made of length 1, as the old encoder's vectors are.
    stands_for : the identity of the old encoder; "" where it is not known.

    Raises
    ------
    DataError : shapes that do not fit, or values that are not finite.
    """

    matrix: Floats
    new_mean: Floats
    old_mean: Floats
    unit: bool = False
    stands_for: str = ""

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = (self.new_mean.shape, self.old_mean.shape)
        if self.matrix.ndim != 2 or shapes != ((len(self.matrix),), (self.matrix.shape[1],)):
            raise DataError(
                f"a matrix of shape {self.matrix.shape}, means of shapes {shapes[0]}, {shapes[1]}",
                expected="d_new x d_old, d_new and d_old",
            )
        for values in (self.matrix, self.new_mean, self.old_mean):
            if not bool(np.isfinite(values).all()):
                raise DataError("an alignment that is not finite", expected="finite numbers")

    @classmethod
    def learn(
        cls, new: Floats, old: Floats, *, centred: bool = True, stands_for: str = ""
    ) -> Alignment:
        """Learn from what both encoders made of the same texts.

        Parameters
        ----------
        new, old : `[n, d_new]`, `[n, d_old]`, row by row of the same text; some times more rows
            than components.
        centred : whether the means are brought together first.
        stands_for : the identity of the old encoder.

        Raises
        ------
        DataError : no rows, not as many of each, or values that are not finite.

        >>> turn = np.array([[0, 1], [-1, 0]])
        >>> new = np.array([[1, 0], [0.6, 0.8], [0, 1]])
        >>> alignment = Alignment.learn(new, new @ turn, centred=False)
        >>> alignment.matrix.round(6) + 0
        array([[ 0.,  1.],
               [-1.,  0.]], dtype=float32)
        """
        x, y = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
        if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or len(x) == 0:
            raise DataError(
                f"vectors of shapes {x.shape} and {y.shape}",
                expected="n x d_new and n x d_old, with at least one text",
            )
        if not bool(np.isfinite(x).all() and np.isfinite(y).all()):
            raise DataError("vectors that are not finite", expected="finite numbers")
        lengths = np.linalg.norm(y, axis=1)
        new_mean, old_mean = np.zeros(x.shape[1]), np.zeros(y.shape[1])
        if centred:
            new_mean, old_mean = x.mean(axis=0), y.mean(axis=0)
        product = (x - new_mean).T @ (y - old_mean)
        left, singular, right = np.linalg.svd(product, full_matrices=False)
        # Where fewer texts than components are given, the other directions would be turned anyhow.
        spanned = singular > SPANNED * singular[0]
        return cls(
            (left[:, spanned] @ right[spanned]).astype(np.float32),
            new_mean.astype(np.float32),
            old_mean.astype(np.float32),
            unit=bool(np.abs(lengths - 1).max() < UNIT),
            stands_for=stands_for,
        )

    @classmethod
    def of_index(
        cls,
        index: Dense,
        encoder: DenseEncoder,
        corpus: Any,
        *,
        sample: int = 5_000,
        centred: bool = True,
        seed: int = 0,
    ) -> Alignment:
        """Learn from documents of an index: their old vectors are in it, their texts in the corpus.

        The old encoder is not needed. The new one encodes `sample` documents, where the index would
        be built again from all of them.

        Parameters
        ----------
        encoder : the new one.
        corpus : see `Dense.build`; documents that the index lacks are passed over.
        sample : how many of the index's documents are taken.
        seed : draws them.

        Raises
        ------
        DataError : none of the documents drawn is in the corpus.
        """
        if sample < 1:
            raise ConfigurationError(f"sample={sample}; expected 1 or more.")
        facts = index.manifest.facts
        rng = np.random.default_rng(seed)
        wanted = np.zeros(len(index), dtype=np.bool_)
        wanted[rng.choice(len(index), min(sample, len(index)), replace=False)] = True
        batches, _ = documents_of(
            corpus, fields=facts.get("fields"), metadata=facts.get("metadata", ()), rows=1_024
        )
        codes: list[int] = []
        new: list[Floats] = []
        for batch in batches:
            found = index.document_ids.codes(batch.ids)
            taken = np.flatnonzero(np.where(found >= 0, wanted[found], False))
            if len(taken):
                codes.extend(found[taken].tolist())
                new.append(encoder.encode([batch.texts[row] for row in taken], "document"))
        if not new:
            raise DataError(
                "none of the index's documents in the corpus",
                expected="the corpus that the index was built from",
            )
        old = _vectors_of(index, np.array(codes, dtype=np.int64))
        identity = str(facts.get("identity", ""))
        return cls.learn(np.concatenate(new), old, centred=centred, stands_for=identity)

    def apply(self, vectors: Floats) -> Floats:
        """New vectors in the old space, `float32[n, d_old]`; each row by itself.

        Raises
        ------
        DataError : vectors of another dimension.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.matrix):
            raise DataError(f"vectors of shape {vectors.shape}", expected=f"n x {len(self.matrix)}")
        centred = np.asarray(vectors, dtype=np.float64) - self.new_mean
        matrix = self.matrix.astype(np.float64)
        turned = np.empty((len(centred), matrix.shape[1]))
        for into, row in zip(turned, centred, strict=True):
            # One product a row: what is asked beside a vector does not change it.
            into[:] = row @ matrix + self.old_mean
        if self.unit:
            lengths = np.sqrt(np.square(turned).sum(axis=1, keepdims=True))
            turned = np.divide(turned, lengths, out=turned, where=lengths > 0)
        return turned.astype(np.float32)

    def save(self, path: str | Path) -> None:
        """Write the alignment to one file."""
        arrays = {"matrix": self.matrix, "new_mean": self.new_mean, "old_mean": self.old_mean}
        write_learned(path, KIND, arrays, {"unit": self.unit, "stands_for": self.stands_for})

    @classmethod
    def load(cls, path: str | Path) -> Alignment:
        """The alignment in a file.

        Raises
        ------
        CorruptFileError : the file is none, cut or altered.
        """
        arrays, facts = read_learned(path, KIND)
        return cls(
            arrays["matrix"],
            arrays["new_mean"],
            arrays["old_mean"],
            unit=bool(facts["unit"]),
            stands_for=str(facts["stands_for"]),
        )


def _vectors_of(index: Dense, codes: npt.NDArray[np.int64]) -> Floats:
    """The vectors of some documents of an index, in this order."""
    vectors = np.empty((len(codes), index.dimension or 0), dtype=np.float32)
    for segment, of_rows in zip(index.segments, index.codes, strict=True):
        row_of = np.full(len(index), -1, dtype=np.int64)
        live = np.flatnonzero(of_rows >= 0)
        row_of[of_rows[live]] = live
        here = np.flatnonzero(row_of[codes] >= 0)
        vectors[here] = segment.vectors[row_of[codes[here]]]
    return vectors


@register_encoder
class AlignedEncoder(DenseEncoder):
    """A new encoder whose vectors are comparable with an old encoder's.

    `Dense.open(folder, encoder=AlignedEncoder(new, file))` searches an index of the old encoder's
    vectors with the new encoder's queries. Documents that are added through it are encoded by the
    new encoder, too, and lie beside the old ones.

    Parameters
    ----------
    encoder : the new one, or its description.
    alignment : the file of an `Alignment`.

    Raises
    ------
    ConfigurationError : the encoder is none of dense vectors, or of another dimension than the
        alignment's.
    CorruptFileError : the file cannot be read.
    """

    def __init__(self, encoder: DenseEncoder | str, alignment: str | Path) -> None:
        made = parse_encoder(encoder) if isinstance(encoder, str) else encoder
        if not isinstance(made, DenseEncoder):
            raise ConfigurationError(f"encoder={made!r}; expected one of dense vectors.")
        self.encoder, self.path = made, Path(alignment)
        self.alignment = Alignment.load(alignment)
        self.normalised = self.alignment.unit
        if made.dimension != len(self.alignment.matrix):
            raise ConfigurationError(
                f"{made!r} makes {made.dimension} components; {self.path} aligns "
                f"{len(self.alignment.matrix)}."
            )

    @property
    def dimension(self) -> int:
        """How many components the old encoder's vectors have."""
        return int(self.alignment.matrix.shape[1])

    @property
    def identity(self) -> str:
        """The new encoder's, and the content of the alignment."""
        parts = (self.alignment.matrix, self.alignment.new_mean, self.alignment.old_mean)
        content = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]
        return f"{self.encoder.identity}:aligned:{content}:{self.alignment.unit}"

    @property
    def stands_for(self) -> str:
        """The old encoder's identity."""
        return self.alignment.stands_for or self.identity

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Floats]:
        """Encode by the new encoder, and turn."""
        read = self.encoder.encode_all(texts, kind)
        return Encoded(self.alignment.apply(read.values), read.tokens, read.truncated)

    def __repr__(self) -> str:
        """A description that `parse_encoder` reads."""
        return f"AlignedEncoder({repr(self.encoder)!r}, {str(self.path)!r})"
