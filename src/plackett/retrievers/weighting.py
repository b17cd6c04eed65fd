"""The formulas of the BM25 family.

With N documents, document frequency df, term frequency tf, document length dl, mean length avgdl,
B = 1 - b + b dl / avgdl, a term that occurs in a document adds idf * tfc:

| variant | idf | tfc |
|---|---|---|
| robertson | ln((N - df + 0.5) / (df + 0.5)) | tf / (k1 B + tf) |
| lucene | ln(1 + (N - df + 0.5) / (df + 0.5)) | tf / (k1 B + tf) |
| atire | ln(N / df) | tf (k1 + 1) / (k1 B + tf) |
| bm25l | ln((N + 1) / (df + 0.5)) | (k1 + 1)(c + delta) / (k1 + c + delta), c = tf / B |
| bm25+ | ln((N + 1) / df) | tf (k1 + 1) / (k1 B + tf) + delta |

A term that does not occur adds nothing, also in bm25l and bm25+ (Lv and Zhai sum over the terms
present). Robertson's idf is negative for a term in more than half of the documents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.retrievers.parameters import check_number

__all__ = ["VARIANTS", "Saturation", "Variant", "Weighting"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """One member of the family.

    Parameters
    ----------
    name : its name.
    idf : `(N, df) -> float64[V]`.
    raised : whether tfc is multiplied by k1 + 1.
    delta : the default of delta where the variant has one, else None.
    normalises_frequency : whether tf is divided by B, as in bm25l, in place of k1 multiplied by it.
    """

    name: str
    idf: Callable[[int, Array], Array]
    raised: bool
    delta: float | None = None
    normalises_frequency: bool = False


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("robertson", lambda n, df: np.log((n - df + 0.5) / (df + 0.5)), raised=False),
        Variant("lucene", lambda n, df: np.log1p((n - df + 0.5) / (df + 0.5)), raised=False),
        Variant("atire", lambda n, df: np.log(n / df), raised=True),
        Variant(
            "bm25l",
            lambda n, df: np.log((n + 1) / (df + 0.5)),
            raised=True,
            delta=0.5,
            normalises_frequency=True,
        ),
        Variant("bm25+", lambda n, df: np.log((n + 1) / df), raised=True, delta=1.0),
    )
}


class Saturation(NamedTuple):
    """What a weighting makes of frequencies: `tfc = scale * c / (norm + c) + shift`, where
    `c = tf / divisor + added`.

    `norm` is `float64[N]`; so is `divisor`, or of no elements where frequencies are not divided.
    """

    divisor: Array
    norm: Array
    scale: float
    added: float
    shift: float

    def of(self, frequencies: npt.ArrayLike) -> Array:
        """tfc of the frequencies of one term, one a document: `float64[N]`."""
        c = np.asarray(frequencies, dtype=np.float64)
        c = (c / self.divisor if len(self.divisor) else c) + self.added
        saturated: Array = self.scale * c / (self.norm + c) + self.shift
        return saturated


@dataclass(frozen=True)
class Weighting:
    """A variant of BM25 with its parameters.

    Parameters
    ----------
    variant : "robertson", "lucene", "atire", "bm25l" or "bm25+".
    k1 : 0 or more; how slowly a term's frequency saturates.
    b : from 0 to 1; how much a document's length counts.
    delta : 0 or more; for bm25l (0.5 by default) and bm25+ (1.0) only.

    >>> weight = Weighting("lucene", k1=1.2, b=0.75)
    >>> round(weight.score(tf=2, df=1, dl=4, n_documents=3, mean_length=3.0), 6)
    0.560474
    """

    variant: str = "lucene"
    k1: float = 1.2
    b: float = 0.75
    delta: float | None = None

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownNameError("BM25 variant", str(self.variant), VARIANTS)
        check_number("k1", self.k1)
        check_number("b", self.b, 0.0, 1.0)
        default = VARIANTS[self.variant].delta
        if self.delta is None:
            object.__setattr__(self, "delta", default)
        elif default is None:
            raise ConfigurationError(f"the variant {self.variant!r} has no delta")
        else:
            check_number("delta", self.delta)

    def idf(self, n_documents: int, document_frequency: npt.ArrayLike) -> Array:
        """The idf of every term, `float64[V]`; 0 for a term in no document."""
        df = np.asarray(document_frequency, dtype=np.float64)
        values = VARIANTS[self.variant].idf(n_documents, np.maximum(df, 1.0))
        return np.where(df > 0, values, 0.0)

    def length_norm(self, lengths: npt.ArrayLike, mean_length: float) -> Array:
        """B of every document, `float64[N]`; 1 where no document has a length."""
        relative = np.asarray(lengths, dtype=np.float64) / (mean_length or 1.0)
        return 1.0 - self.b + self.b * relative

    def impacts(
        self,
        offsets: npt.NDArray[np.int64],
        documents: npt.NDArray[np.int32],
        frequencies: npt.NDArray[np.generic],
        lengths: npt.NDArray[np.int32],
        mean_length: float,
        out: npt.NDArray[np.float32],
    ) -> None:
        """What every posting adds to a score, written to `out`, `float32[P]`.

        `offsets` is `int64[V + 1]`, `documents` and `frequencies` are `[P]`, `lengths` `int32[N]`.
        """
        from plackett.retrievers.inverted.impact_kernels import saturate

        idf = self.idf(len(lengths), np.diff(offsets))
        saturation = self.saturation(lengths, mean_length)
        saturate(offsets, documents, frequencies, idf, *saturation, out)

    def saturation(self, lengths: npt.ArrayLike, mean_length: float) -> Saturation:
        """How frequencies saturate in documents of these lengths, `[N]`."""
        variant = VARIANTS[self.variant]
        norm = self.length_norm(lengths, mean_length)
        delta = self.delta or 0.0
        scale = self.k1 + 1.0 if variant.raised else 1.0
        if variant.normalises_frequency:
            return Saturation(norm, np.full(len(norm), float(self.k1)), scale, delta, 0.0)
        return Saturation(np.zeros(0), self.k1 * norm, scale, 0.0, delta)

    def score(
        self, *, tf: float, df: int, dl: float, n_documents: int, mean_length: float
    ) -> float:
        """What one term adds to one document's score; 0 where tf is 0."""
        if tf == 0:
            return 0.0
        variant = VARIANTS[self.variant]
        norm = float(self.length_norm([dl], mean_length)[0])
        scale = self.k1 + 1.0 if variant.raised else 1.0
        delta = self.delta or 0.0
        if variant.normalises_frequency:
            c = tf / norm + delta
            saturated = scale * c / (self.k1 + c)
        else:
            saturated = scale * tf / (self.k1 * norm + tf) + delta
        return float(self.idf(n_documents, [df])[0]) * saturated
