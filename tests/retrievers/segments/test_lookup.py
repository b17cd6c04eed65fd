"""Vectors of documents by code: those that a search would have compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from plackett.encoders.base import TokenVectors
from plackett.retrievers.dense import HNSW, Dense
from plackett.retrievers.late import LateInteraction
from plackett.retrievers.segments.base import SegmentedRetriever
from plackett.retrievers.segments.lookup import DocumentLookup, probe_of, products_with
from plackett.retrievers.sparse import Sparse

RNG = np.random.default_rng(5)


def some(kind: type[SegmentedRetriever[Any]], rows: int) -> Any:
    """Vectors that differ."""
    if kind is LateInteraction:
        lengths = RNG.integers(0, 5, rows)
        values = RNG.standard_normal((int(lengths.sum()), 6)).astype(np.float32)
        return TokenVectors(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    values = RNG.standard_normal((rows, 6)).astype(np.float32)
    if kind is Sparse:
        return sparse.csr_matrix(np.where(values > 0.3, values, 0))
    return values


@pytest.mark.parametrize("kind", [Dense, Sparse, LateInteraction])
def test_products_are_the_scores_of_a_search(
    kind: type[SegmentedRetriever[Any]], tmp_path: Path
) -> None:
    index = kind.from_vectors([f"a{i}" for i in range(20)], some(kind, 20), tmp_path)
    index = index.add_vectors([f"b{i}" for i in range(7)], some(kind, 7))
    index = index.delete(["a3", "a4", "b0"])
    queries = some(kind, 4)
    found = index.search_vectors(queries, k=100)
    codes = RNG.permutation(np.append(np.arange(24), -1))
    for number in range(4):
        scores = np.full(len(codes), np.nan, np.float32)
        for places, vectors in DocumentLookup(index).blocks(codes):
            scores[places] = products_with(probe_of(queries, number), vectors)
        assert np.isnan(scores[codes < 0]).all()
        rows = slice(found.offsets[number], found.offsets[number + 1])
        expected = np.zeros(24)  # a sparse search leaves documents out that share no term
        expected[found.documents[rows]] = found.scores[rows]
        np.testing.assert_allclose(scores[codes >= 0], expected[codes[codes >= 0]], atol=1e-5)


def test_the_vectors_are_whole_whatever_the_structure(tmp_path: Path) -> None:
    vectors = some(Dense, 30)
    index = Dense.from_vectors([str(i) for i in range(30)], vectors, tmp_path, structure=HNSW())
    ((places, taken),) = DocumentLookup(index).blocks(np.array([7, 2, 7]))
    np.testing.assert_array_equal(taken, vectors[[7, 2, 7]])
    assert places.tolist() == [0, 1, 2]
    assert list(DocumentLookup(index).blocks(np.array([-1], dtype=np.int32))) == []


def test_a_score_does_not_depend_on_the_others() -> None:
    vectors, probe = some(Dense, 333), some(Dense, 1)[0]
    whole = products_with(probe, vectors)
    for rows in (1, 2, 17):
        np.testing.assert_array_equal(products_with(probe, vectors[:rows]), whole[:rows])
