"""What is written of each fold's model, and how folds are joined."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.experiment.explaining import explain_fold, join_explained
from plackett.rankers import LinearRanker, Ranker
from plackett.rankers.ablation import feature_ablation


def lists(seed: int = 0, documents: int = 6) -> RankingDataset:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20 * documents, 3)).astype(np.float32)
    return RankingDataset(
        X,
        np.clip(np.round(X[:, 0] + 1), 0, 3),
        qid=np.repeat(np.arange(20), documents),
        feature_names=("match", "noise", "<other>"),
    )


@pytest.fixture
def model() -> Ranker:
    return LinearRanker(method="pairwise_logistic").fit(lists())


def test_what_is_written_is_what_the_ranker_says(model: Ranker, tmp_path: Path) -> None:
    test = lists(1)
    explain_fold(model, test, tmp_path)
    found = join_explained([tmp_path])
    assert next(iter(found.reliance)) == next(iter(found.worth)) == "match"
    assert sum(found.reliance.values()) == pytest.approx(1.0)
    worth = {part.feature: part.loss for part in feature_ablation(model, test, repeats=1).features}
    assert found.worth == pytest.approx(worth)
    scores = model.predict(test)[:6]
    first, second = (int(row) for row in np.argsort(-scores)[:2])
    assert found.example == str(model.explain(test, "0", above=first, below=second))


def test_folds_are_averaged(tmp_path: Path) -> None:
    parts = [({"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.0}), ({"a": 0.1, "b": 0.9}, {"a": 0, "b": 4})]
    folders = []
    for number, (reliance, worth) in enumerate(parts):
        folder = tmp_path / str(number)
        folder.mkdir()
        content = {"reliance": reliance, "worth": worth, "measure": "AP", "example": str(number)}
        (folder / "explained.json").write_text(json.dumps(content))
        folders.append(folder)
    found = join_explained(folders)
    assert found.reliance == pytest.approx({"a": 0.5, "b": 0.5})
    assert list(found.worth.items()) == [("b", 2.0), ("a", 0.1)]
    assert (found.measure, found.example) == ("AP", "0")


def test_no_example_without_parts_or_with_one_document(model: Ranker, tmp_path: Path) -> None:
    explain_fold(model, lists(1, documents=1), tmp_path)
    assert join_explained([tmp_path]).example == ""
    pytest.importorskip("torch")
    from plackett.rankers.neural import DeepQRank

    explain_fold(DeepQRank(epochs=1).fit(lists()), lists(1), tmp_path)
    assert join_explained([tmp_path]).example == ""
