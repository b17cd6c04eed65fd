"""Kernels of the public feature families: statistics of streams, and one pass over candidates.

A *stream* is some of an index's fields; `of_field[f]` is the stream of field f, -1 for none. With S
streams, number S stands for the whole document, all fields.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["VALUES", "count_streams", "stream_values"]

VALUES = 25
"""Values of a row and stream; `streams.FAMILIES` names them in this order."""

# Where the blocks of a row begin; those of five hold sum, min, max, mean and variance.
COVERED, RATIO, LENGTH, IDF, TF, SHARE, TF_IDF = 0, 1, 2, 3, 4, 9, 14
BOOLEAN, COSINE, BM25, ABSOLUTE, DIRICHLET, JELINEK_MERCER = 19, 20, 21, 22, 23, 24


@njit(cache=True, nogil=True)
def count_streams(  # pragma: no cover
    of_field: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    document_frequency: npt.NDArray[np.int32],
    collection_frequency: npt.NDArray[np.int64],
    last: npt.NDArray[np.int32],
) -> None:
    """Add up `[S, V]` frequencies over all documents; `last`, `[S, V]`, comes as zeros."""
    n_fields = len(of_field)
    for segment in range(len(token_offsets) - 1):
        stream = of_field[segment % n_fields]
        if stream < 0:
            continue
        document = segment // n_fields + 1
        seen, df, cf = last[stream], document_frequency[stream], collection_frequency[stream]
        for at in range(token_offsets[segment], token_offsets[segment + 1]):
            term = tokens[at]
            cf[term] += 1
            if seen[term] != document:
                seen[term] = document
                df[term] += 1


@njit(cache=True, nogil=True)
def _read(  # pragma: no cover
    row: int,
    first_segment: int,
    of_field: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float32],
    marks: npt.NDArray[np.int32],
    tf: npt.NDArray[np.float64],
    lengths: npt.NDArray[np.int64],
    distinct: npt.NDArray[np.int64],
    squares: npt.NDArray[np.float64],
) -> None:
    """tf, `[S + 1, slots]`, length, distinct terms and squared length, `[S + 1]`, of a document.

    `marks`, `int32[V, 2]`, says of each term where it was seen last, which grows from stream to
    stream and from row to row, and its slot in the query, from 1. One look-up a token does it.
    With an `idf` there are two columns more, the occurrences so far in the stream and in the
    document: the next one after c adds (2 c + 1) idf^2 to the sum of (tf idf)^2.
    """
    whole, weighted = len(lengths) - 1, idf.shape[1] > 0
    tf[:], lengths[:], distinct[:] = 0.0, 0, 0
    squares[:] = 0.0 if weighted else -1.0
    before = row * (whole + 2)
    for stream in range(-1, whole):
        here = before + stream + 2
        n_tokens, n_distinct, new = 0, 0, 0
        for f in range(len(of_field)):
            if of_field[f] == stream:
                begin, end = token_offsets[first_segment + f], token_offsets[first_segment + f + 1]
                n_tokens += end - begin
                for at in range(begin, end):
                    mark = marks[tokens[at]]
                    if mark[0] != here:
                        n_distinct += 1
                        if weighted:
                            mark[2] = 0
                            if mark[0] <= before:
                                mark[3] = 0
                        if mark[0] <= before:
                            new += 1
                        mark[0] = here
                    if weighted:
                        if stream >= 0:
                            squares[stream] += (2 * mark[2] + 1) * idf[stream, tokens[at]] ** 2
                        squares[whole] += (2 * mark[3] + 1) * idf[whole, tokens[at]] ** 2
                        mark[2] += 1
                        mark[3] += 1
                    if mark[1]:
                        if stream >= 0:
                            tf[stream, mark[1] - 1] += 1.0
                        tf[whole, mark[1] - 1] += 1.0
        if stream >= 0:
            lengths[stream], distinct[stream] = n_tokens, n_distinct
        lengths[whole] += n_tokens
        distinct[whole] += new


@njit(cache=True, nogil=True)
def _summarise(  # pragma: no cover
    values: npt.NDArray[np.float64], row: int, out: npt.NDArray[np.float64]
) -> None:
    """Sum, least, largest, mean and population variance, down a column of `out`, `[5, rows]`."""
    total, least, largest = 0.0, values[0], values[0]
    for value in values:
        total += value
        least, largest = min(least, value), max(largest, value)
    mean = total / len(values)
    variance = 0.0
    for value in values:
        variance += (value - mean) ** 2
    out[0, row], out[1, row], out[2, row], out[3, row] = total, least, largest, mean
    out[4, row] = variance / len(values)


@njit(cache=True, nogil=True)
def _score(  # pragma: no cover
    tf: npt.NDArray[np.float64],
    query_count: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    length: int,
    distinct: int,
    squares: float,
    mean_length: float,
    constants: npt.NDArray[np.float64],
    row: int,
    out: npt.NDArray[np.float64],
) -> None:
    """Boolean model, cosine, BM25 and the three language models of one row and stream.

    `squares` is the squared length of the document's vector, negative where the query's terms
    alone make it; `constants` are k1, b, k3, mu, lambda and delta.
    """
    k1, b, k3, mu, jm, delta = constants
    every, product, of_query, of_document = 1.0, 0.0, 0.0, 0.0
    for slot in range(len(tf)):
        x, n, p = tf[slot], query_count[slot], share[slot]
        weight = n * idf[slot]
        product += weight * x * idf[slot]
        of_query += weight * weight
        of_document += (x * idf[slot]) ** 2
        if x > 0:
            norm = 1.0 - b + b * length / mean_length
            repeated = (k3 + 1.0) * n / (k3 + n)
            out[BM25, row] += repeated * idf[slot] * x * (k1 + 1.0) / (x + k1 * norm)
        else:
            every = 0.0
        if p > 0:  # a term that the stream has nowhere says nothing
            out[DIRICHLET, row] += n * math.log((x + mu * p) / (length + mu))
            if length:
                discounted = max(x - delta, 0.0) + delta * distinct * p
                out[ABSOLUTE, row] += n * math.log(discounted / length)
                out[JELINEK_MERCER, row] += n * math.log((1.0 - jm) * x / length + jm * p)
            else:
                out[ABSOLUTE, row] += n * math.log(p)
                out[JELINEK_MERCER, row] += n * math.log(jm * p)
    if squares >= 0:
        of_document = squares
    out[BOOLEAN, row] = every
    if of_query > 0 and of_document > 0:
        out[COSINE, row] = min(product / math.sqrt(of_query * of_document), 1.0)


@njit(cache=True, nogil=True)
def _fill(  # pragma: no cover
    tf: npt.NDArray[np.float64],
    query_count: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    length: int,
    distinct: int,
    squares: float,
    mean_length: float,
    constants: npt.NDArray[np.float64],
    scratch: npt.NDArray[np.float64],
    row: int,
    out: npt.NDArray[np.float64],
) -> None:
    """All values of one row and stream but its length, down a column of `out`, `[VALUES, rows]`."""
    covered, rarity = 0, 0.0
    for slot in range(len(tf)):
        covered += tf[slot] > 0
        rarity += idf[slot]
    out[COVERED, row], out[RATIO, row], out[IDF, row] = covered, covered / len(tf), rarity
    if covered:  # otherwise these are 0, as they come
        _summarise(tf, row, out[TF:SHARE])
        for slot in range(len(tf)):
            scratch[slot] = tf[slot] / length
        _summarise(scratch, row, out[SHARE:TF_IDF])
        for slot in range(len(tf)):
            scratch[slot] = tf[slot] * idf[slot]
        _summarise(scratch, row, out[TF_IDF:BOOLEAN])
    _score(
        tf,
        query_count,
        idf,
        share,
        length,
        distinct,
        squares,
        mean_length,
        constants,
        row,
        out,
    )


@njit(cache=True, nogil=True)
def stream_values(  # pragma: no cover
    first_query: int,
    last_query: int,
    row_offsets: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
    term_offsets: npt.NDArray[np.int64],
    terms: npt.NDArray[np.int32],
    query_count: npt.NDArray[np.int64],
    term_idf: npt.NDArray[np.float64],
    term_share: npt.NDArray[np.float64],
    mean_length: npt.NDArray[np.float64],
    of_field: npt.NDArray[np.int32],
    tokens: npt.NDArray[np.int32],
    token_offsets: npt.NDArray[np.int64],
    idf: npt.NDArray[np.float32],
    constants: npt.NDArray[np.float64],
    marks: npt.NDArray[np.int32],
    out: npt.NDArray[np.float64],
) -> None:
    """Fill `out`, `float64[S + 1, VALUES, rows]` of zeros, for the rows of some queries.

    `term_idf` and `term_share` (p = cf / |C|), `[S + 1, terms]`, belong to the queries' distinct
    terms; `idf`, `[S + 1, V]`, to all terms of the index, or it is empty: then documents are
    vectors of the query's terms alone. `marks`, `[V, 4]`, or `[V, 2]` without `idf`, are zeros.
    """
    streams = len(mean_length)
    lengths, distinct = np.zeros(streams, np.int64), np.zeros(streams, np.int64)
    squares = np.zeros(streams)
    for q in range(first_query, last_query):
        begin, end = term_offsets[q], term_offsets[q + 1]
        for slot in range(end - begin):
            marks[terms[begin + slot], 1] = slot + 1
        tf, scratch = np.zeros((streams, end - begin)), np.zeros(end - begin)
        for row in range(row_offsets[q], row_offsets[q + 1]):
            segment = documents[row] * len(of_field)
            _read(
                row,
                segment,
                of_field,
                tokens,
                token_offsets,
                idf,
                marks,
                tf,
                lengths,
                distinct,
                squares,
            )
            for stream in range(streams):
                out[stream, LENGTH, row] = lengths[stream]
                if end == begin:
                    continue
                _fill(
                    tf[stream],
                    query_count[begin:end],
                    term_idf[stream, begin:end],
                    term_share[stream, begin:end],
                    lengths[stream],
                    distinct[stream],
                    squares[stream],
                    mean_length[stream],
                    constants,
                    scratch,
                    row,
                    out[stream],
                )
        for slot in range(end - begin):
            marks[terms[begin + slot], 1] = 0
