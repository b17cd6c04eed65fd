"""A ranker as a stage of a pipeline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import DataError
from plackett.rankers import LinearRanker

MakeData = Callable[..., RankingDataset]

NAMES = ("match", "age", "noise one", "noise:two")


class Lengths:
    """Four features of a document's id."""

    def __init__(self, dropped: int = 0) -> None:
        self.dropped = dropped

    def extract(self, run: Run, qrels: Qrels | None = None) -> RankingDataset:
        documents = run.document_ids.strings(run.document).to_pylist()
        queries = run.query_ids.strings(run.query[run.query_rows]).to_pylist()
        X = [[len(document), run.score[i], 0, 0] for i, document in enumerate(documents)]
        kept = slice(0, len(documents) - self.dropped)
        return RankingDataset(
            np.array(X, dtype=np.float32)[kept],
            np.zeros(len(documents))[kept],
            qid=queries[kept],
            documents=documents[kept],
            feature_names=NAMES,
        )

    def __repr__(self) -> str:
        return "Lengths()"


@pytest.fixture
def by_match(make_data: MakeData) -> LinearRanker:
    """A ranker that reads the first feature alone."""
    ranker = LinearRanker(normalisation="none", passes=1).fit(make_data())
    ranker.weights_ = np.array([1.0, 0.0, 0.0, 0.0])
    return ranker


def test_rerank(by_match: LinearRanker) -> None:
    run = Run.from_dict({"q1": {"a": 3.0, "bbb": 2.0, "cc": 1.0}, "q2": {}, "q3": {"a": 1.0}})
    before = run.to_dict()
    stage = by_match.on(Lengths())
    ranked = stage.rerank(run)
    assert ranked.to_dict() == {"q1": {"bbb": 3.0, "cc": 2.0, "a": 1.0}, "q2": {}, "q3": {"a": 1.0}}
    assert list(ranked.to_dict()["q1"]) == ["bbb", "cc", "a"]
    assert run.to_dict() == before
    assert list((stage % 1).rerank(run).to_dict()["q1"]) == ["bbb"]
    assert repr(stage) == "LinearRanker(normalisation='none', passes=1).on(Lengths())"


def test_an_empty_run(by_match: LinearRanker) -> None:
    run = Run.from_dict({"q1": {"a": 1.0}}).select(["q1"]).head(1)
    assert len(by_match.on(Lengths()).rerank(run)) == 1


def test_features_of_other_rows(by_match: LinearRanker) -> None:
    run = Run.from_dict({"q1": {"a": 3.0, "bbb": 2.0}})
    with pytest.raises(DataError, match="features of 1 rows"):
        by_match.on(Lengths(dropped=1)).rerank(run)
