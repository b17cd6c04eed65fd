"""Short numbers and short vectors find what the whole ones find, as far as their knobs say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.dense import Cut, Dense, Exact, ScalarQuantised
from plackett.retrievers.dense.coarse import open_codes, write_codes
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]
KINDS = [
    ScalarQuantised("float16"),
    ScalarQuantised("int8"),
    Cut(8),
    Cut(8, "float16"),
    Cut(8, "int8"),
    Cut(32),
]


def recall(searcher: Any, drawn: Any, k: int = 10) -> float:
    found = searcher.search(drawn.queries, k, allowed=None, threads=1)
    rows = found.documents.reshape(len(drawn.queries), k).tolist()
    hits = [len(set(a) & set(b)) for a, b in zip(rows, drawn.order[:, :k].tolist(), strict=True)]
    return sum(hits) / (k * len(rows))


def with_oversampling(structure: Any, oversampling: int) -> Any:
    from dataclasses import replace

    return replace(structure, oversampling=oversampling)


@pytest.mark.parametrize("structure", KINDS, ids=repr)
def test_with_all_as_candidates_it_is_exact_to_the_bit(
    structure: Any, drawn: Any, opened: Opened
) -> None:
    exact = opened(Exact(), drawn.documents)
    searcher = opened(with_oversampling(structure, 300), drawn.documents)
    allowed = np.random.default_rng(2).random(3_000) < 0.3
    for filtered in (None, allowed):
        for threads in (1, 3):
            wanted = exact.search(drawn.queries, 10, allowed=filtered, threads=1)
            found = searcher.search(drawn.queries, 10, allowed=filtered, threads=threads)
            np.testing.assert_array_equal(found.offsets, wanted.offsets)
            np.testing.assert_array_equal(found.documents, wanted.documents)
            np.testing.assert_array_equal(found.scores, wanted.scores)


@pytest.mark.parametrize(
    ("structure", "floors"),
    [
        (ScalarQuantised("float16"), (0.995, 1.0, 1.0)),
        (ScalarQuantised("int8"), (0.95, 0.9999, 1.0)),
        (Cut(8), (0.3, 0.6, 0.85)),
        (Cut(16), (0.75, 0.98, 0.999)),
        (Cut(16, "int8"), (0.7, 0.97, 0.999)),
    ],
    ids=repr,
)
def test_recall_rises_with_the_candidates(
    structure: Any, floors: tuple[float, ...], drawn: Any, opened: Opened
) -> None:
    recalls = [
        recall(opened(with_oversampling(structure, n), drawn.documents), drawn) for n in (1, 4, 16)
    ]
    assert recalls == sorted(recalls)
    assert all(got >= floor for got, floor in zip(recalls, floors, strict=True))


def test_recall_rises_with_the_components(drawn: Any, opened: Opened) -> None:
    recalls = [
        recall(opened(Cut(m, oversampling=1), drawn.documents), drawn) for m in (4, 8, 16, 32)
    ]
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.999


def test_int8_is_the_formula(drawn: Any, tmp_path: Path) -> None:
    vectors = drawn.documents[:50].copy()
    vectors[7] = 0
    options: dict[str, Any] = {"dimension": 32, "keep_length": False, "progress": None}
    write_codes(vectors, tmp_path, dtype="int8", **options)
    codes = open_codes(tmp_path, rows=50, dimension=32, dtype="int8")
    assert codes.scales is not None
    largest = np.abs(vectors).max(axis=1)
    np.testing.assert_allclose(codes.scales, largest / 127, rtol=1e-6)
    error = np.abs(codes.values * codes.scales[:, None] - vectors)
    assert (error.max(axis=1) <= largest / 254 * (1 + 1e-5)).all()
    assert not codes.values[7].any()
    tiny = np.full((2, 32), 1e-44, np.float32)
    write_codes(tiny, tmp_path, dtype="int8", **options)
    assert np.abs(open_codes(tmp_path, rows=2, dimension=32, dtype="int8").values).max() <= 127


def test_a_cut_keeps_the_cosine(drawn: Any, tmp_path: Path) -> None:
    done: list[tuple[int, int | None]] = []
    write_codes(
        drawn.documents, tmp_path, dtype="float32", dimension=8, keep_length=True,
        progress=lambda n, total: done.append((n, total)),
    )  # fmt: skip
    short = open_codes(tmp_path, rows=3_000, dimension=8, dtype="float32").values
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1, rtol=1e-5)
    cut = drawn.documents[:, :8]
    np.testing.assert_allclose(short, cut / np.linalg.norm(cut, axis=1, keepdims=True), rtol=1e-5)
    assert done == [(3_000, 3_000)]


@pytest.mark.parametrize("structure", KINDS, ids=repr)
def test_zero_vectors_duplicates_and_deep_lists(structure: Any, opened: Opened) -> None:
    vectors = np.zeros((50, 32), np.float32)
    vectors[10:30] = 1
    vectors[30:, 20:] = 1  # nothing is left of these where they are cut
    searcher = opened(structure, vectors)
    queries = np.stack([np.zeros(32), np.ones(32)]).astype(np.float32)
    found = searcher.search(queries, 100, allowed=None, threads=1)
    assert np.diff(found.offsets).tolist() == [50, 50]
    assert found.documents[:50].tolist() == list(range(50))
    assert found.documents[50:].tolist() == [*range(10, 50), *range(10)]


def test_an_index_may_be_searched_otherwise(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(500)]
    built = ScalarQuantised("int8", 1)
    index = Dense.from_vectors(ids, drawn.documents[:500], tmp_path / "i", structure=built)
    exact = index.with_structure("Exact()")
    wanted = exact.search_vectors(drawn.queries, 10)
    np.testing.assert_array_equal(
        index.with_structure(ScalarQuantised("int8", 50)).search_vectors(drawn.queries, 10).scores,
        wanted.scores,
    )
    added = exact.add_vectors(["new"], drawn.documents[600:601]).delete(["d3"]).merge()
    assert added.structure == exact.structure
    assert Dense.open(tmp_path / "i", verify=True).structure == built
    with pytest.raises(ConfigurationError, match="sparse"):
        index.with_structure("Impacts()")
    with pytest.raises(CorruptFileError):
        added.with_structure(ScalarQuantised("float16"))


def test_what_does_not_fit_is_told(drawn: Any, tmp_path: Path) -> None:
    for structure in KINDS:
        assert parse_structure(repr(structure)) == structure
    for make in (
        lambda: ScalarQuantised("float32"),
        lambda: ScalarQuantised("int4"),
        lambda: ScalarQuantised(oversampling=0),
        lambda: Cut(0),
        lambda: Cut(4, "bits"),
    ):
        with pytest.raises(ConfigurationError):
            make()
    ids = ["a", "b"]
    with pytest.raises(DataError, match="32 components; expected at least 64"):
        Dense.from_vectors(ids, drawn.documents[:2], tmp_path / "i", structure=Cut(64))
    with pytest.raises(DataError, match="what float16 holds"):
        Dense.from_vectors(
            ids, np.full((2, 3), 1e6), tmp_path / "i", structure=ScalarQuantised("float16")
        )
    assert not (tmp_path / "i").exists()
