"""Vectors in bytes: codebooks by definition, learning, and what a search by codes finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense import Codebook, Dense, Exact, ProductQuantised
from plackett.retrievers.dense.product_quantisation_learning import balanced_components
from plackett.retrievers.dense.product_quantisation_parts import part_bounds
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]
QUICK: Any = {"rounds": 3, "sample": 1_500}


def random_book(dimension: int, parts: int, seed: int, rotated: bool = True) -> Codebook:
    rng = np.random.default_rng(seed)
    centroids = rng.standard_normal((9, dimension)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].astype(np.float32)
    return Codebook(centroids, parts, turn if rotated else None)


def error(book: Codebook, vectors: Any) -> float:
    return float(np.square(book.decode(book.encode(vectors)) - vectors).sum(axis=1).mean())


def assert_same(found: Any, wanted: Any) -> None:
    """To the last bit."""
    for name in ("offsets", "documents", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def recall(searcher: Any, drawn: Any, k: int = 10) -> float:
    found = searcher.search(drawn.queries, k, allowed=None, threads=1)
    rows = found.documents.reshape(len(drawn.queries), k).tolist()
    hits = [len(set(a) & set(b)) for a, b in zip(rows, drawn.order[:, :k].tolist(), strict=True)]
    return sum(hits) / (k * len(rows))


@given(
    st.integers(1, 20).flatmap(lambda d: st.tuples(st.just(d), st.integers(1, d))),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_codes_are_the_nearest_centroids(sizes: tuple[int, int], rotated: bool, seed: int) -> None:
    dimension, parts = sizes
    book = random_book(dimension, parts, seed, rotated)
    vectors = np.random.default_rng(seed + 1).standard_normal((6, dimension)).astype(np.float32)
    codes = book.encode(vectors)
    turned = vectors if book.rotation is None else vectors @ book.rotation
    stood = np.empty_like(vectors)
    bounds = part_bounds(dimension, parts)
    assert bounds[-1] == dimension
    assert set(np.diff(bounds)) <= {dimension // parts, -(-dimension // parts)}
    for p in range(parts):
        columns = slice(bounds[p], bounds[p + 1])
        distances = np.square(turned[:, None, columns] - book.centroids[None, :, columns]).sum(2)
        chosen = np.take_along_axis(distances, codes[:, p : p + 1].astype(int), axis=1)[:, 0]
        np.testing.assert_allclose(chosen, distances.min(axis=1), atol=1e-5)
        stood[:, columns] = book.centroids[codes[:, p], columns]
    back = stood if book.rotation is None else stood @ book.rotation.T
    np.testing.assert_allclose(book.decode(codes), back, atol=1e-5)
    queries = vectors[:3]
    tables = book.tables(queries)
    summed = tables[:, np.arange(parts), codes.astype(int)].sum(axis=2)
    np.testing.assert_allclose(summed, queries @ book.decode(codes).T, atol=1e-4)


@pytest.mark.parametrize("n", [1, 5, 1_023, 1_024, 1_025])
@pytest.mark.parametrize("parts", [1, 4, 7])
def test_scores_of_codes_are_products_with_what_they_stand_for(
    n: int, parts: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(n)
    vectors, queries = (rng.standard_normal((m, 9)).astype(np.float32) for m in (n, 4))
    book = random_book(9, parts, seed=1)
    book.save(tmp_path / "book.npz")
    structure = ProductQuantised(oversampling=0, codebook=str(tmp_path / "book.npz"))
    searcher = structure.open(vectors, tmp_path, structure.build(vectors, tmp_path, progress=None))
    scores = queries.astype(np.float64) @ book.decode(book.encode(vectors)).T
    for allowed in (None, rng.random(n) < 0.5):
        rows = np.arange(n) if allowed is None else np.flatnonzero(allowed)
        found = searcher.search(queries, 10, allowed=allowed, threads=2)
        wanted = -np.sort(-scores[:, rows], axis=1)[:, :10]
        np.testing.assert_allclose(found.scores.reshape(wanted.shape), wanted, atol=1e-4)
        assert np.isin(found.documents, rows).all()


def test_learning_lessens_the_error(drawn: Any) -> None:
    vectors = drawn.documents
    errors = [error(Codebook.learn(vectors, parts=8, rounds=n), vectors) for n in (1, 3, 10)]
    assert errors == sorted(errors, reverse=True)
    plain = error(Codebook.learn(vectors, parts=8, rotated=False), vectors)
    assert errors[-1] < 0.8 * plain
    by_parts = [error(Codebook.learn(vectors, parts=m, **QUICK), vectors) for m in (2, 8, 16)]
    assert by_parts == sorted(by_parts, reverse=True)


def test_a_rotation_is_orthogonal_and_the_same_for_the_same_seed(drawn: Any) -> None:
    book = Codebook.learn(drawn.documents, parts=5, **QUICK)
    assert book.rotation is not None
    np.testing.assert_allclose(book.rotation.T @ book.rotation, np.eye(32), atol=1e-5)
    again = Codebook.learn(drawn.documents, parts=5, **QUICK)
    np.testing.assert_array_equal(book.rotation, again.rotation)
    np.testing.assert_array_equal(book.centroids, again.centroids)
    other = Codebook.learn(drawn.documents, parts=5, seed=1, **QUICK)
    assert not np.array_equal(book.centroids, other.centroids)


def test_components_are_dealt_out_so_that_variances_balance() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((2_000, 8)) * np.geomspace(10, 0.1, 8)).astype(np.float32)
    axes = balanced_components(vectors, part_bounds(8, 4))
    variances = (vectors @ axes).var(axis=0).reshape(4, 2)
    products = np.log(variances.prod(axis=1))
    assert np.ptp(products) < 0.5  # in the order they came, it would be 8
    np.testing.assert_allclose(axes.T @ axes, np.eye(8), atol=1e-5)


def test_few_or_equal_vectors_are_kept_whole() -> None:
    rng = np.random.default_rng(0)
    few = rng.standard_normal((40, 6)).astype(np.float32)
    assert error(Codebook.learn(few, parts=3), few) < 1e-8
    equal = np.repeat(few[:3], 200, axis=0)
    assert error(Codebook.learn(equal, parts=2), equal) < 1e-6
    nothing = np.zeros((300, 6), np.float32)
    assert error(Codebook.learn(nothing, parts=2), nothing) == 0


def test_a_centroid_without_vectors_goes_where_it_is_needed() -> None:
    rng = np.random.default_rng(1)
    # Most first centroids are drawn from the heap at 0; the round about it must be looked after.
    vectors = np.concatenate([np.zeros((5_000, 2)), rng.standard_normal((400, 2))])
    book = Codebook.learn(vectors.astype(np.float32), parts=1, rotated=False, rounds=20)
    codes = book.encode(vectors.astype(np.float32))
    assert len(np.unique(codes)) > 150
    assert error(book, vectors.astype(np.float32)) < 0.002


def test_with_all_as_candidates_it_is_exact_to_the_bit(drawn: Any, opened: Opened) -> None:
    exact = opened(Exact(), drawn.documents)
    searcher = opened(ProductQuantised(4, oversampling=300, **QUICK), drawn.documents)
    allowed = np.random.default_rng(2).random(3_000) < 0.3
    for filtered in (None, allowed):
        for threads in (1, 3):
            wanted = exact.search(drawn.queries, 10, allowed=filtered, threads=1)
            found = searcher.search(drawn.queries, 10, allowed=filtered, threads=threads)
            assert_same(found, wanted)


def test_recall_rises_with_the_knobs(drawn: Any, opened: Opened) -> None:
    def measured(**knobs: Any) -> float:
        return recall(opened(ProductQuantised(**knobs, **QUICK), drawn.documents), drawn)

    by_candidates = [measured(parts=8, oversampling=n) for n in (0, 2, 8, 32)]
    assert by_candidates == sorted(by_candidates)
    assert by_candidates[0] > 0.4
    assert by_candidates[-1] > 0.99
    by_parts = [measured(parts=m, oversampling=1) for m in (4, 8, 16)]
    assert by_parts == sorted(by_parts)
    assert measured(parts=8, rotated=False, oversampling=0) < by_candidates[0]


@pytest.mark.parametrize("oversampling", [0, 3])
def test_threads_and_company_change_nothing(oversampling: int, drawn: Any, opened: Opened) -> None:
    searcher = opened(ProductQuantised(8, oversampling=oversampling, **QUICK), drawn.documents)
    together = searcher.search(drawn.queries, 5, allowed=None, threads=1)
    in_threads = searcher.search(drawn.queries, 5, allowed=None, threads=3)
    alone = searcher.search(drawn.queries[7:8], 5, allowed=None, threads=1)
    assert_same(in_threads, together)
    np.testing.assert_array_equal(alone.scores, together.scores[35:40])


def test_zero_vectors_duplicates_and_deep_lists(opened: Opened) -> None:
    vectors = np.zeros((50, 12), np.float32)
    vectors[10:30] = 1
    searcher = opened(ProductQuantised(3, **QUICK), vectors)
    queries = np.stack([np.zeros(12), np.ones(12)]).astype(np.float32)
    found = searcher.search(queries, 100, allowed=None, threads=1)
    assert found.documents[:50].tolist() == list(range(50))
    assert found.documents[50:].tolist() == [*range(10, 30), *range(10), *range(30, 50)]
    nothing = searcher.search(queries, 5, allowed=np.zeros(50, np.bool_), threads=2)
    assert nothing.offsets.tolist() == [0, 0, 0]
    assert searcher.search(queries[:0], 5, allowed=None, threads=2).offsets.tolist() == [0]


def test_trained_centroids_score_while_codes_stay(drawn: Any, tmp_path: Path) -> None:
    """What a joint training ends with: other centroids, and the codes of the first ones."""
    book = Codebook.learn(drawn.documents, parts=4, **QUICK)
    moved = book.with_centroids(-book.centroids[::-1])
    np.testing.assert_array_equal(moved.encode(drawn.documents), book.encode(drawn.documents))
    assert not np.array_equal(
        moved.decode(book.encode(drawn.documents)), book.decode(book.encode(drawn.documents))
    )
    moved.with_centroids(moved.centroids).save(tmp_path / "book.npz")
    loaded = Codebook.load(tmp_path / "book.npz")
    np.testing.assert_array_equal(loaded.assigning, book.centroids)
    structure = ProductQuantised(oversampling=0, codebook=str(tmp_path / "book.npz"))
    ids = [f"d{i}" for i in range(700)]
    index = Dense.from_vectors(
        ids[:400], drawn.documents[:400], tmp_path / "i", structure=structure
    )
    index = index.add_vectors(ids[400:], drawn.documents[400:700])
    found = index.search_vectors(drawn.queries, 5)
    scores = drawn.queries @ moved.decode(book.encode(drawn.documents[:700])).T
    np.testing.assert_allclose(
        found.scores.reshape(-1, 5), -np.sort(-scores, axis=1)[:, :5], atol=1e-5
    )


def test_an_index_of_codes(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(600)]
    structure = ProductQuantised(4, rounds=1)
    index = Dense.from_vectors(ids, drawn.documents[:600], tmp_path / "i", structure=structure)
    every = index.with_structure(replace(structure, oversampling=60))
    exact = index.with_structure(Exact())
    np.testing.assert_array_equal(
        every.search_vectors(drawn.queries, 10).scores,
        exact.search_vectors(drawn.queries, 10).scores,
    )
    done: list[tuple[int, int | None]] = []
    structure.build(drawn.documents, tmp_path, progress=lambda n, total: done.append((n, total)))
    assert done == [(3_000, 3_000)]
    book = next((tmp_path / "i").rglob("codebook.npz"))
    content = book.read_bytes()
    book.write_bytes(content[:-30] + bytes(30))
    with pytest.raises(CorruptFileError, match="no codebook of product quantisation"):
        Dense.open(tmp_path / "i")
    book.unlink()
    with pytest.raises(CorruptFileError):
        Dense.open(tmp_path / "i")
    with pytest.raises(CorruptFileError, match="no codebook"):
        exact.with_structure(structure)


def test_what_does_not_fit_is_told(drawn: Any, tmp_path: Path) -> None:
    named = ProductQuantised(3, codebook="book.npz", seed=2)
    assert parse_structure(repr(named)) == named
    for make in (
        lambda: ProductQuantised(0),
        lambda: ProductQuantised(oversampling=-1),
        lambda: ProductQuantised(rounds=0),
        lambda: Codebook.learn(drawn.documents, parts=4, rounds=0),
    ):
        with pytest.raises(ConfigurationError):
            make()
    whole = np.ones((2, 4), np.float32)
    for wrong in (
        lambda: Codebook(np.ones(4, np.float32), 1),
        lambda: Codebook(np.ones((257, 4), np.float32), 1),
        lambda: Codebook(whole, 5),
        lambda: Codebook(whole, 2, rotation=whole),
        lambda: Codebook(whole, 2, assigning=whole[:1]),
        lambda: Codebook(whole * np.nan, 2),
        lambda: Codebook(whole, 2).encode(np.ones((1, 5), np.float32)),
        lambda: Codebook.learn(whole, parts=5),
        lambda: Codebook.learn(whole[:0], parts=2),
    ):
        with pytest.raises(DataError):
            wrong()
    Codebook(whole, 2).save(tmp_path / "book.npz")
    given_book = ProductQuantised(codebook=str(tmp_path / "book.npz"))
    with pytest.raises(DataError, match="4 components; expected 32"):
        Dense.from_vectors(["a"], drawn.documents[:1], tmp_path / "i", structure=given_book)
    with pytest.raises(DataError, match="at least 48 components"):
        Dense.from_vectors(["a"], drawn.documents[:1], tmp_path / "i", structure=ProductQuantised())
    assert not (tmp_path / "i").exists()
