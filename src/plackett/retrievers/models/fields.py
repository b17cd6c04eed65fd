"""BM25 over the fields of a document: saturated together, or each for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, CorruptFileError, UnknownNameError
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.models.base import TermModel, posting_blocks, register_term_model
from plackett.retrievers.models.lucene import coarse_lengths
from plackett.retrievers.parameters import check_number
from plackett.retrievers.weighting import Weighting

__all__ = ["BM25F", "FieldBM25", "field_frequencies"]

Floats = npt.NDArray[np.float64]


def field_frequencies(index: InvertedIndex) -> npt.NDArray[np.int32]:
    """How often each field of a posting's document has its term: `int32[P, F]`.

    Raises
    ------
    ConfigurationError : the index was built with `forward=False`.
    CorruptFileError : the tokens are not those of the postings.
    """
    from plackett.retrievers.models.field_kernels import count_in_fields

    counts = np.zeros((index.n_postings, len(index.fields)), dtype=np.int32)
    fitting = count_in_fields(
        np.ascontiguousarray(index.tokens),
        index.token_offsets,
        np.ascontiguousarray(index.posting_offsets),
        counts,
    )
    if not fitting:
        raise CorruptFileError(
            "tokens that are not those of the postings",
            remedy="build the index again",
            path=index.folder,
        )
    return counts


def _check(weights: Mapping[str, float], k1: float, b: Mapping[str, float] | float) -> None:
    if not isinstance(weights, Mapping):
        raise ConfigurationError(f"weights={weights!r}; expected a weight for each field.")
    for name, weight in weights.items():
        check_number(f"the weight of {name!r}", weight)
    check_number("k1", k1)
    for value in b.values() if isinstance(b, Mapping) else [b]:
        check_number("b", value, 0.0, 1.0)


def _check_known(index: InvertedIndex, names: Iterable[str]) -> None:
    for name in names:
        if name not in index.fields:
            raise UnknownNameError("field of the index", str(name), index.fields)


def _weights(index: InvertedIndex, weights: Mapping[str, float]) -> dict[int, float]:
    """The weight of each field that counts, by its place; all fields 1 where none is named."""
    _check_known(index, weights)
    wanted = weights or dict.fromkeys(index.fields, 1.0)
    return {index.fields.index(name): weight for name, weight in wanted.items() if weight > 0}


@register_term_model
@dataclass(frozen=True)
class BM25F(TermModel):
    """BM25 over weighted fields whose frequencies are added before they saturate.

        x = sum over fields f of weight_f tf_f / (1 - b_f + b_f dl_f / avgdl_f)
        w = ln(1 + (N - df + 0.5) / (df + 0.5)) x / (k1 + x)

    df counts documents that have the term in any field. A word in title and text counts as one
    word that is there more often, not as two pieces of evidence.

    Parameters
    ----------
    weights : of fields; a field that is not named counts 0. All count 1 where none is named.
    k1 : 0 or more.
    b : from 0 to 1, of all fields, or of each: those that are not named have 0.75.

    Robertson, S., Zaragoza, H. and Taylor, M., 2004. Simple BM25 extension to multiple weighted
    fields. CIKM.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    k1: float = 1.2
    b: Mapping[str, float] | float = 0.75

    def __post_init__(self) -> None:
        _check(self.weights, self.k1, self.b)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        _check_known(index, self.b if isinstance(self.b, Mapping) else ())
        out = np.empty(index.n_postings, dtype=np.float32)
        counts = field_frequencies(index)
        idf = Weighting("lucene").idf(index.n_documents, index.document_frequency)
        means = np.maximum(index.field_lengths.mean(axis=0, dtype=np.float64), 1e-12)
        for block in posting_blocks(index):
            x = np.zeros(len(block.tf))
            for place, weight in _weights(index, self.weights).items():
                b = self.b
                if isinstance(b, Mapping):
                    b = b.get(index.fields[place], 0.75)
                length = index.field_lengths[block.document, place]
                tf = counts[block.rows, place]
                # A field without tokens has no norm where b is 1, and no term either.
                norm = np.where(tf > 0, 1.0 - b + b * length / means[place], 1.0)
                x += weight * tf / norm
            out[block.rows] = np.where(
                x > 0, idf[block.term] * x / np.where(x > 0, self.k1 + x, 1), 0
            )
        return out


@register_term_model
@dataclass(frozen=True)
class FieldBM25(TermModel):
    """The weighted sum of BM25 scores, one for each field with statistics of its own.

        w = sum over fields f of weight_f idf_f tf_f / (tf_f + k1 (1 - b + b dl_f / avgdl_f))

    idf_f = ln(1 + (N_f - df_f + 0.5) / (df_f + 0.5)) of the N_f documents that have the field, by
    the df_f whose field has the term. This is what Lucene computes for a query to several fields.

    Parameters
    ----------
    weights : of fields; a field that is not named counts 0. All count 1 where none is named.
    k1, b : see `Weighting`; the defaults are Anserini's.
    coarse : lengths of fields as Lucene keeps them.
    """

    weights: Mapping[str, float] = field(default_factory=dict)
    k1: float = 0.9
    b: float = 0.4
    coarse: bool = True

    def __post_init__(self) -> None:
        _check(self.weights, self.k1, self.b)

    def impacts(self, index: InvertedIndex) -> npt.NDArray[np.float32]:
        """w of every posting."""
        out = np.zeros(index.n_postings, dtype=np.float32)
        counts = field_frequencies(index)
        for place, weight in _weights(index, self.weights).items():
            lengths = index.field_lengths[:, place]
            having = int((lengths > 0).sum())
            mean = lengths.sum(dtype=np.float64) / max(having, 1)
            has = np.concatenate([[0], np.cumsum(counts[:, place] > 0)])
            df = has[index.posting_offsets[1:]] - has[index.posting_offsets[:-1]]
            idf = weight * Weighting("lucene").idf(having, df)
            norm = Weighting("lucene", self.k1, self.b).length_norm(
                coarse_lengths(lengths) if self.coarse else lengths, mean
            )
            for block in posting_blocks(index):
                tf = counts[block.rows, place].astype(np.float64)
                saturated = tf / np.where(tf > 0, tf + self.k1 * norm[block.document], 1.0)
                out[block.rows] += (idf[block.term] * saturated).astype(np.float32)
        return out
