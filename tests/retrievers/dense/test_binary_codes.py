"""Signs of components: their distances, their products, and what a search by them finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, CorruptFileError
from plackett.retrievers.dense import BinaryCodes, Dense, Exact
from plackett.retrievers.dense.binary_codes import signs_packed
from plackett.retrievers.dense.binary_codes_kernels import nearest_codes, sign_products
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]
EVERY = BinaryCodes(candidates=3_000, oversampling=300)


def bits_of(vectors: Any) -> Any:
    return np.where(np.asarray(vectors) >= 0, 1, -1)


def assert_same(found: Any, wanted: Any) -> None:
    """To the last bit."""
    for name in ("offsets", "documents", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def recall(searcher: Any, drawn: Any, k: int = 10) -> float:
    found = searcher.search(drawn.queries, k, allowed=None, threads=1)
    rows = found.documents.reshape(len(drawn.queries), k).tolist()
    hits = [len(set(a) & set(b)) for a, b in zip(rows, drawn.order[:, :k].tolist(), strict=True)]
    return sum(hits) / (k * len(rows))


def test_two_codes_of_eight_bits() -> None:
    """Their product is 2 and they differ in 3 bits: d - 2 * 3."""
    a = np.array([[1, -1, 1, 1, -1, -1, 1, -1]], np.float32)
    b = np.array([[1, 1, 1, -1, -1, -1, 1, 1]], np.float32)
    differing = int(signs_packed(a)[0, 0] ^ signs_packed(b)[0, 0]).bit_count()
    assert differing == 3
    products = np.empty((1, 1), np.float32)
    sign_products(signs_packed(b), a, np.zeros((1, 1), np.int64), products)
    assert products[0, 0] == a[0] @ b[0] == 2 == 8 - 2 * differing


@given(st.integers(1, 150), st.integers(0, 2**32 - 1))
def test_packing_is_the_sign_of_every_component(dimension: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(-1, 2, (3, dimension)).astype(np.float32)
    words = signs_packed(vectors)
    assert words.shape == (3, -(-dimension // 64))
    for row, packed in zip(vectors, words, strict=True):
        as_number = sum(int(word) << (64 * i) for i, word in enumerate(packed))
        assert as_number == sum(1 << j for j, value in enumerate(row) if value >= 0)


@pytest.mark.parametrize("dimension", [3, 32, 130])
@pytest.mark.parametrize("wanted", [1, 7, 200, 1_999])
def test_nearest_codes_are_those_of_brute_force(dimension: int, wanted: int) -> None:
    """With few bits nearly all distances are equal; the lower rows are taken."""
    rng = np.random.default_rng(dimension)
    documents = rng.standard_normal((2_500, dimension)).astype(np.float32)
    queries = rng.standard_normal((5, dimension)).astype(np.float32)
    allowed = rng.random(2_500) < 0.85
    differing = (bits_of(queries)[:, None] != bits_of(documents)[None]).sum(axis=2)
    for mask in (np.zeros(0, np.bool_), allowed):
        rows = np.arange(2_500) if len(mask) == 0 else np.flatnonzero(mask)
        found = np.empty((5, wanted), np.int64)
        nearest_codes(signs_packed(documents), mask, signs_packed(queries), found)
        for q in range(5):
            best = rows[np.lexsort((rows, differing[q, rows]))[:wanted]]
            np.testing.assert_array_equal(found[q], np.sort(best))


@given(st.integers(1, 140), st.integers(0, 2**32 - 1))
def test_products_with_signs_are_those_of_brute_force(dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    documents = rng.standard_normal((6, dimension)).astype(np.float32)
    queries = rng.standard_normal((3, dimension)).astype(np.float32)
    rows = rng.integers(0, 6, (3, 4))
    scores = np.empty((3, 4), np.float32)
    sign_products(signs_packed(documents), queries, rows, scores)
    wanted = np.einsum("qd,qmd->qm", queries.astype(np.float64), bits_of(documents)[rows])
    np.testing.assert_allclose(scores, wanted, atol=1e-4)


def test_without_vectors_all_candidates_give_the_best_by_signs(drawn: Any, opened: Opened) -> None:
    searcher = opened(BinaryCodes(candidates=3_000, oversampling=0), drawn.documents)
    found = searcher.search(drawn.queries, 20, allowed=None, threads=1)
    scores = drawn.queries.astype(np.float64) @ bits_of(drawn.documents).T
    wanted = -np.sort(-scores, axis=1)[:, :20]
    np.testing.assert_allclose(found.scores.reshape(-1, 20), wanted, atol=1e-5)
    of_found = np.take_along_axis(scores, found.documents.reshape(-1, 20).astype(int), axis=1)
    np.testing.assert_allclose(of_found, wanted, atol=1e-5)


def test_with_all_as_candidates_it_is_exact_to_the_bit(drawn: Any, opened: Opened) -> None:
    exact, searcher = opened(Exact(), drawn.documents), opened(EVERY, drawn.documents)
    allowed = np.random.default_rng(2).random(3_000) < 0.3
    for filtered in (None, allowed):
        wanted = exact.search(drawn.queries, 10, allowed=filtered, threads=1)
        found = searcher.search(drawn.queries, 10, allowed=filtered, threads=2)
        assert_same(found, wanted)


@pytest.mark.parametrize("oversampling", [0, 3])
def test_threads_and_company_change_nothing(oversampling: int, drawn: Any, opened: Opened) -> None:
    searcher = opened(BinaryCodes(100, oversampling), drawn.documents)
    allowed = np.random.default_rng(3).random(3_000) < 0.5
    together = searcher.search(drawn.queries, 5, allowed=allowed, threads=1)
    in_threads = searcher.search(drawn.queries, 5, allowed=allowed, threads=3)
    alone = searcher.search(drawn.queries[7:8], 5, allowed=allowed, threads=1)
    assert_same(in_threads, together)
    np.testing.assert_array_equal(alone.scores, together.scores[35:40])
    assert allowed[together.documents].all()


def test_recall_rises_with_the_candidates_of_both_steps(drawn: Any, opened: Opened) -> None:
    def measured(candidates: int, oversampling: int) -> float:
        return recall(opened(BinaryCodes(candidates, oversampling), drawn.documents), drawn)

    # 32 bits are few: the first step must find many.
    by_bits = [measured(n, 16) for n in (160, 300, 1_000, 3_000)]
    by_vectors = [measured(3_000, n) for n in (1, 4, 16, 64, 300)]
    assert by_bits == sorted(by_bits)
    assert by_vectors == sorted(by_vectors)
    assert by_bits[0] > 0.75
    assert by_bits[-1] > 0.9
    assert by_vectors[-1] == 1


def test_zero_vectors_duplicates_and_deep_lists(opened: Opened) -> None:
    vectors = np.zeros((50, 70), np.float32)
    vectors[10:30] = 1
    vectors[30:] = -1
    searcher = opened(BinaryCodes(), vectors)
    queries = np.stack([np.zeros(70), np.ones(70)]).astype(np.float32)
    found = searcher.search(queries, 100, allowed=None, threads=1)
    assert found.documents[:50].tolist() == list(range(50))
    assert found.documents[50:].tolist() == [*range(10, 30), *range(10), *range(30, 50)]
    nothing = searcher.search(queries, 5, allowed=np.zeros(50, np.bool_), threads=2)
    assert nothing.offsets.tolist() == [0, 0, 0]
    assert searcher.search(queries[:0], 5, allowed=None, threads=2).offsets.tolist() == [0]


def test_an_index_of_codes(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(600)]
    done: list[tuple[int, int | None]] = []
    index = Dense.from_vectors(
        ids, drawn.documents[:600], tmp_path / "i", structure="BinaryCodes(50)"
    )
    index.structure.build(
        drawn.documents, tmp_path, progress=lambda n, total: done.append((n, total))
    )
    assert done == [(3_000, 3_000)]
    bits = next((tmp_path / "i").rglob("bits.npy"))
    assert bits.stat().st_size == 128 + 600 * 8  # 32 components in a word of 64 bits
    every = index.with_structure(BinaryCodes(600, 60))
    exact = index.with_structure(Exact())
    np.testing.assert_array_equal(
        every.search_vectors(drawn.queries, 10).scores,
        exact.search_vectors(drawn.queries, 10).scores,
    )
    bits.write_bytes(bits.read_bytes()[:-8])
    with pytest.raises(CorruptFileError):
        Dense.open(tmp_path / "i")


def test_what_does_not_fit_is_told() -> None:
    assert parse_structure(repr(EVERY)) == EVERY
    for make in (lambda: BinaryCodes(0), lambda: BinaryCodes(oversampling=-1)):
        with pytest.raises(ConfigurationError):
            make()
