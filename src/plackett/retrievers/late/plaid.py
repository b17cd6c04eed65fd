"""Late interaction by centroids: tokens near the query's, then finer scores of fewer documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from plackett.encoders.base import TokenVectors
from plackett.errors import ConfigurationError, CorruptFileError
from plackett.retrievers.inverted.arrays import open_array
from plackett.retrievers.late.centroids import residual_bytes
from plackett.retrievers.late.plaid_build import code_type, write_centroids
from plackett.retrievers.late.plaid_search import Compressed, PlaidSearcher
from plackett.retrievers.segments.structure import Searcher, Structure, register_structure

__all__ = ["PLAID", "Depths"]


class Depths(NamedTuple):
    """How much of an index one search looks at.

    Attributes
    ----------
    probes : centroids a query token, whose documents become candidates.
    threshold : centroids whose greatest product with a query token is below it are passed over in
        the first rough score; None passes over none.
    candidates : how many documents get the second rough score.
    decompressed : how many are scored by centroids and residuals.
    rescored : how many are scored by their whole vectors.
    """

    probes: int
    threshold: float | None
    candidates: int
    decompressed: int
    rescored: int


@register_structure
@dataclass(frozen=True)
class PLAID(Structure[TokenVectors]):
    """Each token by its nearest centroid and a few bits of the rest; most documents are never read.

    A search compares the query's tokens with the centroids, and then looks ever more closely at
    ever fewer documents:

    1. candidates: the documents with a token at one of the `probes` nearest centroids of a query
       token;
    2. of these the best `candidates` by MaxSim with centroids in place of vectors, where centroids
       below `threshold` for all query tokens are passed over;
    3. of these the best quarter, the same without the threshold;
    4. of these the best `oversampling * k`, by centroids and residuals;
    5. of these the best k, by the whole float32 vectors.

    So scores are exact, and documents may be missed. With as many probes as centroids and as many
    candidates as documents, times four, the answer is exact. At step 3 and 4 `oversampling * k`
    documents are kept at least. A segment, or a filter, that leaves no more documents than step 4
    would score is searched exactly, and lists are never short: where the probes find fewer than k
    documents, more are made.

    A token of d components takes `d * bits / 8` bytes, 2 for its centroid (4 with more than 65,536
    of them), and up to 4 in the centroids' lists, beside the `4 d` of the whole vector, which only
    the last step reads.

    Santhanam, K., Khattab, O., Potts, C. and Zaharia, M., 2022. PLAID: an efficient engine for late
    interaction retrieval. CIKM. The residuals: Santhanam, K. et al., 2022. ColBERTv2. NAACL.

    Parameters
    ----------
    centroids : how many; by default `2^floor(log2(16 sqrt(t)))` for t tokens.
    bits : of each component of a residual: 1, 2, 4 or 8.
    probes, threshold, candidates : of the search. By default those of the paper: 1, 0.5 and 256
        where k is at most 10; 2, 0.45 and 1,024 up to 100; 4, 0.4 and 4 k, at least 4,096, beyond.
        The threshold is for vectors of length 1; by default, others have none.
    oversampling : documents that are scored by their whole vectors, for each result.
    iterations : of k-means.
    seed : draws the first centroids, and the vectors that they are learned from.
    build_threads : how many a build may use; what is built does not depend on it.

    >>> PLAID(bits=4, probes=8).depths(10)
    Depths(probes=8, threshold=0.5, candidates=256, decompressed=64, rescored=20)
    """

    centroids: int | None = None
    bits: int = 2
    probes: int | None = None
    threshold: float | None = None
    candidates: int | None = None
    oversampling: int = 2
    iterations: int = 4
    seed: int = 0
    build_threads: int = 1

    of: ClassVar[str] = "tokens"

    def __post_init__(self) -> None:
        """Check the parameters.

        Raises
        ------
        ConfigurationError : one is out of its range.
        """
        if self.bits not in (1, 2, 4, 8):
            raise ConfigurationError(f"bits={self.bits!r}; expected 1, 2, 4 or 8.")
        for name in ("centroids", "probes", "candidates", "oversampling", "build_threads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name}={value}; expected 1 or more.")
        for name in ("iterations", "seed"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"{name}={getattr(self, name)}; expected 0 or more.")

    def depths(self, k: int, *, unit: bool = True) -> Depths:
        """How much a search for `k` documents looks at, where knobs are not given.

        Parameters
        ----------
        unit : whether vectors have length 1.
        """
        if k <= 10:
            usual: tuple[int, float, int] = (1, 0.5, 256)
        elif k <= 100:
            usual = (2, 0.45, 1_024)
        else:
            usual = (4, 0.4, max(4 * k, 4_096))
        threshold = usual[1] if unit else None
        rescored = self.oversampling * k
        candidates = max(self.candidates or usual[2], rescored)
        return Depths(
            probes=self.probes or usual[0],
            threshold=threshold if self.threshold is None else self.threshold,
            candidates=candidates,
            decompressed=max(candidates // 4, rescored),
            rescored=rescored,
        )

    def build(
        self,
        vectors: TokenVectors,
        folder: Path,
        *,
        progress: Callable[[int, int | None], None] | None,
    ) -> dict[str, Any]:
        """Learn centroids; write them, and the code, residual and list entry of every token."""
        return write_centroids(
            vectors,
            folder,
            count=self.centroids,
            bits=self.bits,
            iterations=self.iterations,
            seed=self.seed,
            threads=self.build_threads,
            progress=progress,
        )

    def open(
        self, vectors: TokenVectors, folder: Path, facts: Mapping[str, Any]
    ) -> Searcher[TokenVectors]:
        """The search over what was written.

        Raises
        ------
        CorruptFileError : the index was built by another structure, or with other `bits`.
        """
        if facts.get("bits") != self.bits:
            raise CorruptFileError(
                f"residuals of {facts.get('bits', 'no')} bits",
                expected=f"{self.bits} bits, of {self!r}",
                remedy="build the index again with this structure",
                path=folder,
            )
        tokens, dimension = vectors.values.shape
        count, entries = int(facts["centroids"]), int(facts["entries"])

        def opened(name: str, kind: Any, *shape: int) -> Any:
            flat = open_array(folder / f"plaid_{name}.npy", kind, (int(np.prod(shape)),))
            return flat.reshape(shape)

        compressed = Compressed(
            centroids=opened("centroids", np.float32, count, dimension),
            codes=opened("codes", code_type(count), tokens),
            residuals=opened("residuals", np.uint8, tokens, residual_bytes(dimension, self.bits)),
            weights=opened("weights", np.float32, 1 << self.bits),
            starts=opened("starts", np.int64, count + 1),
            listed=opened("listed", np.int32, entries),
            bits=self.bits,
            unit=bool(facts["unit"]),
        )
        return PlaidSearcher(vectors, compressed, self.depths)
