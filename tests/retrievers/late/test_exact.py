"""Exact search by MaxSim, and by float16 vectors with rescoring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plackett.encoders.base import TokenVectors
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.late import ExactMaxSim, HalfMaxSim, LateInteraction
from plackett.retrievers.late.searching import best_rows
from plackett.retrievers.segments.structure import parse_structure

Opened = Callable[[Any, Any], Any]


def test_exact_is_brute_force(drawn: Any, opened: Opened) -> None:
    searcher = opened(ExactMaxSim(), drawn.documents)
    found = searcher.search(drawn.queries, 20, allowed=None, threads=1)
    rows = found.documents.reshape(len(drawn.queries), 20)
    np.testing.assert_array_equal(rows, drawn.order[:, :20])
    assert found.scores.dtype == np.float32
    assert found.documents.dtype == np.int32


@pytest.mark.parametrize("structure", [ExactMaxSim(), HalfMaxSim(oversampling=150)], ids=repr)
def test_filters_and_threads(structure: Any, drawn: Any, opened: Opened) -> None:
    searcher = opened(structure, drawn.documents)
    allowed = np.random.default_rng(1).random(1_500) < 0.2
    some = drawn.queries.take([0, 1])
    for queries in (drawn.queries, some):
        one = searcher.search(queries, 7, allowed=allowed, threads=1)
        for i in range(len(queries)):
            wanted = [row for row in drawn.order[i].tolist() if allowed[row]][:7]
            assert one.documents[7 * i : 7 * i + 7].tolist() == wanted
        several = searcher.search(queries, 7, allowed=allowed, threads=3)
        np.testing.assert_array_equal(several.documents, one.documents)
        np.testing.assert_array_equal(several.scores, one.scores)
    none = searcher.search(some, 5, allowed=np.zeros(1_500, np.bool_), threads=1)
    assert none.offsets.tolist() == [0, 0, 0]
    nobody = searcher.search(drawn.queries.take([]), 5, allowed=None, threads=4)
    assert nobody.offsets.tolist() == [0]
    assert len(nobody.documents) == 0


def test_half_precision_is_exact_with_all_as_candidates(
    drawn: Any, opened: Opened, recall: Callable[..., float]
) -> None:
    exact = opened(ExactMaxSim(), drawn.documents)
    wanted = exact.search(drawn.queries, 10, allowed=None, threads=1)
    found = opened(HalfMaxSim(150), drawn.documents).search(
        drawn.queries, 10, allowed=None, threads=1
    )
    np.testing.assert_array_equal(found.documents, wanted.documents)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    recalls = [recall(opened(HalfMaxSim(n), drawn.documents), drawn) for n in (1, 2)]
    assert recalls[0] > 0.99
    assert recalls[1] == 1.0


def test_deep_lists_zeros_and_duplicates(opened: Opened) -> None:
    values = np.zeros((12, 3), np.float32)
    values[4:] = 1
    documents = TokenVectors(values, np.array([0, 2, 2, 4, 8, 12]))  # 0, none, 0, 1, 1
    query = TokenVectors(np.ones((2, 3), np.float32), np.array([0, 1, 1]))
    for structure in (ExactMaxSim(), HalfMaxSim(1)):
        found = opened(structure, documents).search(query, 100, allowed=None, threads=1)
        assert found.offsets.tolist() == [0, 5, 10]
        assert found.documents.tolist() == [3, 4, 0, 1, 2, 0, 1, 2, 3, 4]
        assert found.scores.tolist() == [3, 3, 0, 0, 0] + [0] * 5


def test_an_index_is_searched_by_either(drawn: Any, tmp_path: Path) -> None:
    ids = [f"d{i}" for i in range(1_500)]
    index = LateInteraction.from_vectors(
        ids, drawn.documents, tmp_path / "i", structure="HalfMaxSim(oversampling=3)"
    )
    exact = index.with_structure(ExactMaxSim())
    assert exact.structure.exact
    wanted = exact.search_vectors(drawn.queries, 5)
    np.testing.assert_array_equal(index.search_vectors(drawn.queries, 5).scores, wanted.scores)
    again = LateInteraction.open(tmp_path / "i", verify=True)
    assert again.structure == HalfMaxSim(3)
    plain = LateInteraction.from_vectors(ids, drawn.documents, tmp_path / "plain")
    with pytest.raises(CorruptFileError):
        plain.with_structure(HalfMaxSim())


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    for structure in (ExactMaxSim(), HalfMaxSim(), HalfMaxSim(9)):
        assert parse_structure(repr(structure)) == structure
    with pytest.raises(ConfigurationError, match="oversampling=0"):
        HalfMaxSim(0)
    large = TokenVectors(np.full((1, 2), 1e6, np.float32), np.array([0, 1]))
    with pytest.raises(DataError, match="what float16 holds"):
        LateInteraction.from_vectors(["a"], large, tmp_path / "i", structure=HalfMaxSim())
    assert not (tmp_path / "i").exists()


def test_progress_is_told(drawn: Any, tmp_path: Path) -> None:
    done: list[tuple[int, int | None]] = []
    HalfMaxSim().build(drawn.documents, tmp_path, progress=lambda n, total: done.append((n, total)))
    assert done[-1] == (len(drawn.documents.values), len(drawn.documents.values))


def test_of_equal_scores_the_lower_row_is_first() -> None:
    rows, scores = best_rows(np.array([9, 2, 4]), np.array([1, 1, 1], np.float32), 2)
    assert rows.tolist() == [2, 4]
    assert scores.tolist() == [1, 1]
