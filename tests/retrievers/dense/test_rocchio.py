"""Rocchio's formula, and the search with queries that it moved."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from plackett.data.qrels import Qrels
from plackett.data.texts import Queries
from plackett.encoders.base import DenseEncoder, Encoded, Kind
from plackett.encoders.registry import register_encoder
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline import parse_pipeline
from plackett.retrievers.dense import HNSW, Dense, Rocchio
from plackett.retrievers.dense.rocchio import moved_queries
from plackett.retrievers.late import LateInteraction

RNG = np.random.default_rng(2)
DOCUMENTS = RNG.standard_normal((40, 5)).astype(np.float32)
ASKED = RNG.standard_normal((3, 5)).astype(np.float32)
QUERIES = Queries.from_texts({"q0": "0", "q1": "1", "q2": "2"})


@register_encoder
class Numbered(DenseEncoder):
    """The text is the number of a vector that was drawn."""

    dimension, identity = 5, "numbered"

    def encode_all(
        self, texts: Sequence[str], kind: Kind = "document"
    ) -> Encoded[npt.NDArray[np.float32]]:
        read = np.ones(len(texts), dtype=np.int64)
        return Encoded(ASKED[[int(text) for text in texts]], read, read > 1)

    def __repr__(self) -> str:
        return "Numbered()"


@pytest.fixture
def dense(tmp_path: Path) -> Dense:
    ids = [f"d{i:02}" for i in range(40)]
    odd = pa.table({"odd": [i % 2 for i in range(40)]})
    folder = tmp_path / "index"
    return Dense.from_vectors(ids, DOCUMENTS, folder, encoder=Numbered(), metadata=odd)


def ranked(query: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> list[str]:
    order = rows[np.argsort(-(DOCUMENTS[rows].astype(np.float64) @ query), kind="stable")]
    return [f"d{row:02}" for row in order]


def test_the_formula() -> None:
    moved = moved_queries([[1.0, 2.0]], [[10.0, 0.0]], [[0.0, 4.0]], alpha=2, beta=0.5, gamma=0.25)
    np.testing.assert_array_equal(moved, [[7.0, 3.0]])
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved_queries(ASKED, np.zeros_like(ASKED)), ASKED)
    with pytest.raises(DataError, match="as queries"):
        moved_queries(ASKED, ASKED[:2])


@pytest.mark.parametrize(("worst", "gamma"), [(0, 0.0), (3, 0.4)])
def test_against_the_definition(dense: Dense, worst: int, gamma: float) -> None:
    stage = Rocchio(dense, documents=4, worst=worst, depth=12, alpha=0.8, beta=0.6, gamma=gamma)
    run = stage.search(QUERIES, k=40)
    for number, query in enumerate(ASKED.astype(np.float64)):
        order = np.argsort(-(DOCUMENTS @ query), kind="stable")[:12]
        far = DOCUMENTS[order[12 - worst :]].mean(axis=0) if worst else 0.0
        moved = 0.8 * query + 0.6 * DOCUMENTS[order[:4]].mean(axis=0) - gamma * far
        found = run[f"q{number}"]
        assert [name for name, _ in found] == ranked(moved, np.arange(40))
        np.testing.assert_allclose(
            [score for _, score in found], np.sort(DOCUMENTS @ moved)[::-1], atol=1e-5
        )


def test_without_feedback_it_is_the_search(dense: Dense) -> None:
    plain = dense.search(QUERIES, k=9).to_dict()
    assert Rocchio(dense, documents=0).search(QUERIES, k=9).to_dict() == plain
    assert Rocchio(dense, beta=0.0).search(QUERIES, k=9).to_dict() == plain
    doubled = Rocchio(dense, documents=0, alpha=2.0).search(QUERIES, k=9)
    assert [list(found) for found in doubled.to_dict().values()] == [
        list(found) for found in plain.values()
    ]


def test_filters_hold_for_both_answers(dense: Dense) -> None:
    rows = np.arange(1, 40, 2)
    run = Rocchio(dense, documents=3, beta=2.0).search(QUERIES, k=40, where={"odd": 1}, threads=2)
    query = ASKED[1].astype(np.float64)
    order = rows[np.argsort(-(DOCUMENTS[rows] @ query), kind="stable")]
    moved = query + 2.0 * DOCUMENTS[order[:3]].mean(axis=0)
    assert [name for name, _ in run["q1"]] == ranked(moved, rows)


def test_judgments_in_the_place_of_the_best(dense: Dense) -> None:
    qrels = Qrels.from_dict(
        {"q0": {"d03": 2, "d05": 1, "d07": 0, "unknown": 1}, "q2": {"d01": 0}, "other": {"d00": 1}}
    )
    stage = Rocchio(dense, beta=0.5, gamma=0.25)
    run = stage.search(QUERIES, k=40, judged=qrels)
    moved = ASKED[0] + 0.5 * DOCUMENTS[[3, 5]].mean(axis=0) - 0.25 * DOCUMENTS[7]
    assert [name for name, _ in run["q0"]] == ranked(moved, np.arange(40))
    assert run["q1"] == dense.search(QUERIES, k=40)["q1"]
    away = ASKED[2] - 0.25 * DOCUMENTS[1]
    assert [name for name, _ in run["q2"]] == ranked(away, np.arange(40))


def test_over_segments_deletions_and_short_lists(dense: Dense) -> None:
    grown = dense.delete(["d00", "d01"]).add_vectors(["e0"], DOCUMENTS[:1])
    run = Rocchio(grown, documents=60, worst=60, depth=200, gamma=0.5).search(QUERIES, k=100)
    assert {len(found) for found in run.to_dict().values()} == {39}
    # All documents are among the best, so that none is left to be among the worst.
    alone = Rocchio(grown, documents=60).search(QUERIES, k=100)
    assert run.to_dict() == alone.to_dict()
    empty = grown.delete(list(grown.document_ids))
    assert Rocchio(empty).search(QUERIES).to_dict() == {"q0": {}, "q1": {}, "q2": {}}


def test_a_structure_that_skips_most_gives_what_it_finds(dense: Dense, tmp_path: Path) -> None:
    graph = Dense.from_vectors(
        [f"d{i:02}" for i in range(40)],
        DOCUMENTS,
        tmp_path / "graph",
        structure=HNSW(),
        encoder=Numbered(),
    )
    assert list(Rocchio(graph).search(QUERIES, 5).to_dict()["q0"]) == list(
        Rocchio(dense).search(QUERIES, 5).to_dict()["q0"]
    )


def test_as_a_stage(dense: Dense) -> None:
    pipeline = Rocchio(dense, documents=2, beta=0.3) % 4 | dense % 3
    read = parse_pipeline(repr(pipeline), {"Rocchio.open": Rocchio.open, "Dense.open": Dense.open})
    run = read.search(QUERIES)  # type: ignore[union-attr]
    assert run.to_dict() == pipeline.search(QUERIES).to_dict()
    assert repr(read) == repr(pipeline)
    (cost,) = Rocchio(dense).search(QUERIES, k=2).costs
    assert (cost.queries, cost.documents) == (3, 6)


def test_parameters_that_do_not_go_together(dense: Dense, tmp_path: Path) -> None:
    for wrong in ({"documents": -1}, {"worst": -1}, {"documents": 60, "worst": 60}, {"depth": 0}):
        with pytest.raises(ConfigurationError, match="expected numbers from 0"):
            Rocchio(dense, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="finite"):
        Rocchio(dense, beta=np.nan)
    with pytest.raises(ConfigurationError, match="expected a Dense index"):
        Rocchio(LateInteraction)  # type: ignore[arg-type]
