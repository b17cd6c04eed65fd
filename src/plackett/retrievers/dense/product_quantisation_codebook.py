"""The codebook of product quantisation: a rotation, and 256 centroids for each part of a vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError
from plackett.retrievers.dense.learned import read_learned, write_learned
from plackett.retrievers.dense.product_quantisation_learning import learned
from plackett.retrievers.dense.product_quantisation_parts import (
    CENTROIDS,
    Bounds,
    Codes,
    Floats,
    assigned,
    gathered,
    part_bounds,
    turned,
)

__all__ = ["Codebook"]

KIND = "codebook of product quantisation"


@dataclass(frozen=True, eq=False)
class Codebook:
    """What vectors are coded by, and what their codes stand for.

    A vector is turned by the rotation and cut into m parts; the code of a part is the number of its
    nearest centroid. So a vector of d components becomes m bytes, and stands for its centroids side
    by side: `x R ~ (c_1[code_1], ..., c_m[code_m])`.

    Centroids may be trained further, together with an encoder of queries, while the codes stay as
    they are (JPQ): `with_centroids` makes the codebook that goes on coding by the old ones and
    scores by the new.

    Jegou, H., Douze, M. and Schmid, C., 2011. Product quantization for nearest neighbor search.
    TPAMI 33(1). Ge, T. et al., 2013. Optimized product quantization. CVPR. Zhan, J. et al., 2021.
    Jointly optimizing query encoder and product quantization to improve retrieval performance.
    CIKM.

    Parameters
    ----------
    centroids : `float32[c, d]`, c of at most 256: row i holds the i-th centroid of all parts side
        by side, in the components' rotated order.
    parts : how many bytes a code has, m. The first `d mod m` parts are one component wider.
    rotation : `float32[d, d]`, orthogonal; None for none.
    assigning : `float32[c, d]`, the centroids that vectors are coded by; None for `centroids`.

    Raises
    ------
    DataError : shapes that do not fit, or values that are not finite.

    >>> book = Codebook(np.array([[0, 0, 5], [1, 1, 9]], np.float32), parts=2)
    >>> codes = book.encode(np.array([[0.9, 0.8, 6]], np.float32))
    >>> codes, book.decode(codes)
    (array([[1, 0]], dtype=uint8), array([[1., 1., 5.]], dtype=float32))
    """

    centroids: Floats
    parts: int
    rotation: Floats | None = None
    assigning: Floats | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        shape = self.centroids.shape
        if len(shape) != 2 or not 1 <= shape[0] <= CENTROIDS:
            raise DataError(f"centroids of shape {shape}", expected=f"1 to {CENTROIDS} x d")
        if not 1 <= self.parts <= shape[1]:
            raise DataError(f"{self.parts} parts", expected=f"1 to {shape[1]}, the components")
        if self.rotation is not None and self.rotation.shape != (shape[1], shape[1]):
            raise DataError(
                f"a rotation of shape {self.rotation.shape}", expected=f"{shape[1]} x {shape[1]}"
            )
        if self.assigning is not None and self.assigning.shape != shape:
            raise DataError(
                f"assigning centroids of shape {self.assigning.shape}", expected=str(shape)
            )
        for name in ("centroids", "rotation", "assigning"):
            values = getattr(self, name)
            if values is not None and not bool(np.isfinite(values).all()):
                raise DataError(f"{name} that are not finite", expected="finite numbers")

    @classmethod
    def learn(
        cls,
        vectors: Floats,
        *,
        parts: int,
        rotated: bool = True,
        rounds: int = 10,
        sample: int = 20_000,
        seed: int = 0,
    ) -> Codebook:
        """Learn rotation and centroids by alternation: codes, centroids, rotation, and again.

        The rotation starts as the principal components, dealt out to the parts so that the product
        of variances is about the same in each, and moves to the one that brings the vectors nearest
        to what their codes stand for. Then as many rounds of k-means follow.

        Parameters
        ----------
        vectors : `float32[n, d]`.
        parts, rotated : see the class.
        rounds : of the alternation (none where not rotated), and of k-means.
        sample : how many vectors are looked at.
        seed : draws them and the first centroids.

        Raises
        ------
        DataError : fewer components than parts, or no vector.
        """
        if rounds < 1 or sample < 1 or parts < 1:
            raise ConfigurationError(
                f"parts={parts}, rounds={rounds}, sample={sample}; expected 1 or more of each."
            )
        if vectors.ndim != 2 or len(vectors) == 0 or vectors.shape[1] < parts:
            raise DataError(
                f"vectors of shape {vectors.shape}",
                expected=f"at least one, of at least {parts} components, one a part",
            )
        rng = np.random.default_rng(seed)
        rows = np.arange(len(vectors))
        if len(rows) > sample:
            rows = np.sort(rng.choice(len(rows), sample, replace=False))
        chosen = np.ascontiguousarray(vectors[rows], dtype=np.float32)
        rotation, centroids = learned(chosen, parts, rotated, rounds, rng)
        return cls(centroids, parts, rotation)

    @property
    def dimension(self) -> int:
        """d, how many components a vector has."""
        return int(self.centroids.shape[1])

    @cached_property
    def bounds(self) -> Bounds:
        """`int64[m + 1]`: part p is the rotated components `bounds[p]` to `bounds[p + 1]`."""
        return part_bounds(self.dimension, self.parts)

    def rotated(self, vectors: Floats) -> Floats:
        """Vectors turned by the rotation, `float32[n, d]`."""
        values = np.ascontiguousarray(vectors, dtype=np.float32)
        if self.rotation is None:
            return values
        return turned(values, self.rotation)

    def encode(self, vectors: Floats) -> Codes:
        """The codes of vectors, `uint8[n, m]`.

        Raises
        ------
        DataError : vectors of another dimension.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise DataError(f"vectors of shape {vectors.shape}", expected=f"n x {self.dimension}")
        by = self.centroids if self.assigning is None else self.assigning
        return assigned(self.rotated(vectors), by, self.bounds)

    def decode(self, codes: Codes) -> Floats:
        """What codes stand for, `float32[n, d]`, turned back."""
        stood = gathered(codes, self.centroids, self.bounds)
        if self.rotation is None:
            return stood
        return turned(stood, np.ascontiguousarray(self.rotation.T))

    def tables(self, queries: Floats) -> Floats:
        """The products of the parts of queries with the centroids, `float32[q, m, c]`.

        The score of a document is the sum of one entry a part: `sum over p of T[p, code_p]`.
        """
        from plackett.retrievers.dense.product_quantisation_kernels import product_table

        turned_queries = self.rotated(queries)
        columns = np.ascontiguousarray(self.centroids.T, dtype=np.float32)
        tables = np.empty((len(queries), self.parts, len(self.centroids)), dtype=np.float32)
        for query, table in zip(turned_queries, tables, strict=True):
            product_table(query, columns, self.bounds, table)
        return tables

    def with_centroids(self, centroids: npt.ArrayLike) -> Codebook:
        """Other centroids to score by; vectors keep the codes that they have.

        Raises
        ------
        DataError : another shape.
        """
        by = self.centroids if self.assigning is None else self.assigning
        values = np.array(centroids, dtype=np.float32)
        return replace(self, centroids=values, assigning=by)

    def save(self, path: str | Path) -> None:
        """Write the codebook to one file."""
        arrays = {"centroids": self.centroids}
        for name in ("rotation", "assigning"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        write_learned(path, KIND, arrays, {"parts": self.parts})

    @classmethod
    def load(cls, path: str | Path) -> Codebook:
        """The codebook in a file.

        Raises
        ------
        CorruptFileError : the file is none, cut or altered.
        """
        arrays, facts = read_learned(path, KIND)
        rotation, assigning = arrays.get("rotation"), arrays.get("assigning")
        return cls(arrays["centroids"], int(facts["parts"]), rotation, assigning)
