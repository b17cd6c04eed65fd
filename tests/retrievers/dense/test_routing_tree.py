"""A tree of soft splits: its arithmetic, its training, and what a search by its leaves finds."""

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
from plackett.retrievers.dense import Dense, Exact, LearnedTree, RoutingTree
from plackett.retrievers.dense import routing_tree_training as training
from plackett.retrievers.dense.routing_tree_model import total_variation
from plackett.retrievers.dense.routing_tree_start import neighbour_pairs, principal_splits
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]
UNTRAINED = RoutingTree(depth=5, width=4, steps=0)


def random_tree(depth: int, dimension: int, seed: int, scale: float = 1.0) -> LearnedTree:
    rng = np.random.default_rng(seed)
    splits = 2**depth - 1
    return LearnedTree(
        scale * rng.standard_normal((splits, dimension)).astype(np.float32),
        scale * rng.standard_normal(splits).astype(np.float32),
    )


def assert_same(found: Any, wanted: Any) -> None:
    """To the last bit."""
    for name in ("offsets", "documents", "scores"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def recall(searcher: Any, drawn: Any, k: int = 10) -> float:
    found = searcher.search(drawn.queries, k, allowed=None, threads=1)
    rows = found.documents.reshape(len(drawn.queries), k).tolist()
    hits = [len(set(a) & set(b)) for a, b in zip(rows, drawn.order[:, :k].tolist(), strict=True)]
    return sum(hits) / (k * len(rows))


def test_a_tree_of_two_levels() -> None:
    """Left with .8 at the root, .25 at its left child and .5 at its right child."""
    odds = np.log(np.array([0.8, 0.25, 0.5]) / (1 - np.array([0.8, 0.25, 0.5])))
    tree = LearnedTree(np.zeros((3, 1), np.float32), odds.astype(np.float32))
    at = np.zeros((1, 1), np.float32)
    leaves, first = tree.distributions(at), tree.distributions(at, 1)
    np.testing.assert_allclose(leaves, [[0.2, 0.6, 0.1, 0.1]], atol=1e-6)
    np.testing.assert_allclose(first, [[0.8, 0.2]], atol=1e-6)
    np.testing.assert_allclose(total_variation(leaves, np.full((1, 4), 0.25)), [[0.35]], atol=1e-6)
    np.testing.assert_allclose(total_variation(first, np.full((1, 2), 0.5)), [[0.3]], atol=1e-6)
    assert tree.leaves(at, 3).tolist() == [[1, 0, 2]]
    assert tree.distributions(at, 0).tolist() == [[1.0]]


@given(st.integers(0, 6), st.integers(1, 5), st.sampled_from([0.1, 1.0, 1e4]), st.integers(0, 999))
def test_levels_are_sums_of_finer_ones(depth: int, dimension: int, scale: float, seed: int) -> None:
    tree = random_tree(depth, dimension, seed, scale)
    assert (tree.depth, tree.dimension) == (depth, dimension)
    vectors = np.random.default_rng(seed + 1).standard_normal((4, dimension)).astype(np.float32)
    finer = tree.distributions(vectors)
    np.testing.assert_allclose(finer.sum(axis=1), 1, rtol=1e-5)
    apart = total_variation(finer, finer)
    for level in range(depth - 1, -1, -1):
        coarser = tree.distributions(vectors, level)
        np.testing.assert_allclose(coarser, finer.reshape(4, -1, 2).sum(axis=2), atol=1e-5)
        nearer = total_variation(coarser, coarser)
        assert (nearer <= apart + 1e-5).all()
        finer, apart = coarser, nearer


@given(st.integers(0, 6), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_leaves_come_by_falling_probability(depth: int, width: int, seed: int) -> None:
    tree = random_tree(depth, 3, seed)
    vectors = np.random.default_rng(seed + 1).standard_normal((3, 3)).astype(np.float32)
    leaves = tree.leaves(vectors, width)
    chances = np.take_along_axis(tree.distributions(vectors), leaves.astype(int), axis=1)
    wanted = -np.sort(-tree.distributions(vectors), axis=1)[:, :width]
    assert leaves.shape == (3, min(width, 2**depth))
    np.testing.assert_allclose(chances, wanted, rtol=1e-4, atol=1e-7)
    assert all(len(set(row)) == len(row) for row in leaves.tolist())


def test_a_walk_goes_on_until_there_are_enough_documents() -> None:
    tree = random_tree(4, 3, seed=5)
    vectors = np.random.default_rng(6).standard_normal((5, 3)).astype(np.float32)
    sizes = np.arange(16, dtype=np.int64)
    leaves, counts = tree.walk(vectors, sizes, 2, 40)
    for row, count in zip(leaves, counts, strict=True):
        held = sizes[row[:count]].sum()
        assert held >= 40
        assert count == 2 or held - sizes[row[count - 1]] < 40
        assert (row[count:] == -1).all()
    _, counts = tree.walk(vectors, sizes, 3, 10**9)
    assert (counts == 16).all()


def test_a_tree_starts_with_leaves_about_as_full(drawn: Any) -> None:
    tree = LearnedTree(*principal_splits(drawn.documents, 5))
    held = np.bincount(tree.leaves(drawn.documents)[:, 0], minlength=32)
    assert held.min() > 40  # 94 on average
    assert held.max() < 200
    flat = LearnedTree(*principal_splits(np.zeros((10, 3), np.float32), 3))
    assert np.isfinite(flat.weights).all()


def test_pairs_are_of_nearest_others() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 2], [1, 0]], np.float32)
    some, nearest = neighbour_pairs(vectors, 10, 0)
    np.testing.assert_array_equal(some, vectors)
    np.testing.assert_array_equal(nearest, vectors[[4, 0, 3, 2, 0]])
    assert len(neighbour_pairs(vectors, 3, 0)[0]) == 3
    alone, itself = neighbour_pairs(vectors[:1], 3, 0)
    np.testing.assert_array_equal(alone, itself)


def reached(tree: LearnedTree, pairs: tuple[Any, Any]) -> float:
    """How often the document is in the query's best leaf."""
    first, second = (tree.leaves(vectors)[:, 0] for vectors in pairs)
    return float((first == second).mean())


def test_training_brings_pairs_together() -> None:
    """Half of the components are noise of great variance, which only the pairs tell."""
    rng = np.random.default_rng(0)
    topic = rng.standard_normal((1_200, 6))

    def seen() -> Any:
        noise = 2 * rng.standard_normal((1_200, 6))
        return np.concatenate([topic + 0.1 * rng.standard_normal((1_200, 6)), noise], axis=1)

    pairs = seen().astype(np.float32), seen().astype(np.float32)
    learning, held = tuple(p[:900] for p in pairs), tuple(p[900:] for p in pairs)
    options: dict[str, Any] = {"depth": 3, "batch": 128, "rate": 0.05}
    before = LearnedTree.learn(*learning, steps=0, **options)
    after = LearnedTree.learn(*learning, steps=150, **options)
    assert reached(before, held) < 0.2
    assert reached(after, held) > 0.5
    again = LearnedTree.learn(*learning, steps=150, **options)
    np.testing.assert_array_equal(after.weights, again.weights)
    np.testing.assert_array_equal(after.biases, again.biases)


def test_the_loss_is_that_of_the_formula() -> None:
    """One step of a vanishing rate changes nothing; torch's distributions are numpy's."""
    import torch

    tree = random_tree(4, 3, seed=2)
    vectors = np.random.default_rng(3).standard_normal((6, 3)).astype(np.float32)
    for level in range(5):
        made = training._distributions(
            torch, *(torch.from_numpy(x) for x in (vectors, tree.weights, tree.biases)), level
        )
        np.testing.assert_allclose(made.numpy(), tree.distributions(vectors, level), atol=1e-6)


def test_with_all_leaves_it_is_exact_to_the_bit(drawn: Any, opened: Opened) -> None:
    exact = opened(Exact(), drawn.documents)
    allowed = np.random.default_rng(2).random(3_000) < 0.3
    for copies in (1, 3):
        structure = replace(UNTRAINED, width=32, copies=copies)
        searcher = opened(structure, drawn.documents)
        for filtered in (None, allowed):
            wanted = exact.search(drawn.queries, 10, allowed=filtered, threads=1)
            for threads in (1, 3):
                assert_same(
                    searcher.search(drawn.queries, 10, allowed=filtered, threads=threads), wanted
                )


def test_recall_rises_with_the_leaves(drawn: Any, opened: Opened) -> None:
    by_width = [
        recall(opened(replace(UNTRAINED, width=n), drawn.documents), drawn) for n in (1, 4, 16, 32)
    ]
    by_copies = [
        recall(opened(replace(UNTRAINED, width=1, copies=n), drawn.documents), drawn)
        for n in (1, 2, 4)
    ]
    assert by_width == sorted(by_width)
    assert by_copies == sorted(by_copies)
    assert by_width[1] > 0.6
    assert by_width[-1] == 1


@pytest.mark.parametrize("copies", [1, 2])
def test_as_many_as_are_allowed_are_found(copies: int, drawn: Any, opened: Opened) -> None:
    searcher = opened(replace(UNTRAINED, width=1, copies=copies), drawn.documents)
    allowed = np.zeros(3_000, np.bool_)
    allowed[::97] = True
    for k, filtered in ((2_000, None), (20, allowed), (100, allowed)):
        found = searcher.search(drawn.queries[:10], k, allowed=filtered, threads=1)
        count = min(k, 3_000 if filtered is None else int(filtered.sum()))
        assert (np.diff(found.offsets) == count).all()
        for q in range(10):
            rows = found.documents[found.offsets[q] : found.offsets[q + 1]]
            assert len(set(rows.tolist())) == count
            assert filtered is None or filtered[rows].all()
    alone = searcher.search(drawn.queries[7:8], 20, allowed=allowed, threads=1)
    together = searcher.search(drawn.queries, 20, allowed=allowed, threads=2)
    np.testing.assert_array_equal(alone.documents, together.documents[140:160])


def test_zero_vectors_duplicates_and_small_segments(opened: Opened) -> None:
    vectors = np.zeros((50, 12), np.float32)
    vectors[10:30] = 1
    queries = np.stack([np.zeros(12), np.ones(12)]).astype(np.float32)
    for structure in (RoutingTree(), RoutingTree(steps=2, copies=9)):
        searcher = opened(structure, vectors)
        found = searcher.search(queries, 100, allowed=None, threads=1)
        assert found.documents[:50].tolist() == list(range(50))
        assert found.documents[50:].tolist() == [*range(10, 30), *range(10), *range(30, 50)]
        nothing = searcher.search(queries, 5, allowed=np.zeros(50, np.bool_), threads=2)
        assert nothing.offsets.tolist() == [0, 0, 0]
        assert searcher.search(queries[:0], 5, allowed=None, threads=2).offsets.tolist() == [0]
    one = opened(RoutingTree(), vectors[:1])
    assert one.search(queries, 5, allowed=None, threads=1).documents.tolist() == [0, 0]


def test_segments_share_a_tree_that_is_given(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(700)]
    LearnedTree.learn(drawn.documents, drawn.documents, depth=4, steps=0).save(
        tmp_path / "tree.npz"
    )
    structure = RoutingTree(tree=str(tmp_path / "tree.npz"), width=2)
    index = Dense.from_vectors(
        ids[:500], drawn.documents[:500], tmp_path / "i", structure=structure
    )
    index = index.add_vectors(ids[500:], drawn.documents[500:700])
    facts = [segment.entry.facts["structure"] for segment in index.segments]
    assert [fact["depth"] for fact in facts] == [4, 4]
    every, exact = (index.with_structure(s) for s in (replace(structure, width=16), Exact()))
    assert_same(every.search_vectors(drawn.queries, 9), exact.search_vectors(drawn.queries, 9))
    (tmp_path / "tree.npz").unlink()
    assert len(Dense.open(tmp_path / "i").search_vectors(drawn.queries, 9).documents) == 900
    with pytest.raises(CorruptFileError):
        index.add_vectors(["new"], drawn.documents[:1])
    done: list[tuple[int, int | None]] = []
    UNTRAINED.build(drawn.documents, tmp_path, progress=lambda n, total: done.append((n, total)))
    assert done == [(3_000, 3_000)]


def test_what_does_not_fit_is_told(drawn: Any, tmp_path: Path) -> None:
    named = RoutingTree(3, tree="tree.npz", copies=2)
    assert parse_structure(repr(named)) == named
    few = drawn.documents[:8]
    for make in (
        lambda: RoutingTree(-1),
        lambda: RoutingTree(17),
        lambda: RoutingTree(width=0),
        lambda: RoutingTree(copies=0),
        lambda: LearnedTree.learn(few, few, depth=17),
        lambda: LearnedTree.learn(few, few, temperature=0),
        lambda: random_tree(2, 3, 0).distributions(np.ones((1, 3), np.float32), 3),
    ):
        with pytest.raises(ConfigurationError):
            make()
    tree = random_tree(2, 3, 0)
    for wrong in (
        lambda: LearnedTree(tree.weights[:2], tree.biases[:2]),
        lambda: LearnedTree(tree.weights[:2], tree.biases),
        lambda: LearnedTree(tree.weights * np.nan, tree.biases),
        lambda: LearnedTree.learn(few, few[:3]),
        lambda: LearnedTree.learn(few[:0], few[:0]),
        lambda: tree.leaves(few),
    ):
        with pytest.raises(DataError):
            wrong()
    tree.save(tmp_path / "tree.npz")
    shared = RoutingTree(tree=str(tmp_path / "tree.npz"))
    with pytest.raises(DataError, match="3 components; expected 32"):
        Dense.from_vectors(["a"], few[:1], tmp_path / "i", structure=shared)
    index = Dense.from_vectors(["a"], few[:1], tmp_path / "i")
    with pytest.raises(CorruptFileError, match="no tree"):
        index.with_structure(RoutingTree())
