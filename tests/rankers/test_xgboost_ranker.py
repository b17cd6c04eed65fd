"""XGBoostRanker: XGBoost's own model, options that count, early stopping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.base import clone

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.rankers.saving import SavedRanker, write_folder
from plackett.rankers.xgboost_ranker import XGBoostRanker

MakeData = Callable[..., RankingDataset]
SMALL: dict[str, Any] = {"trees": 10, "min_hessian_in_leaf": 0.1, "threads": 1}


def binary(data: RankingDataset) -> RankingDataset:
    return RankingDataset(data.X, data.y > 1, qid=data.query, feature_names=data.feature_names)


def test_the_model_is_xgboost_s_own(make_data: MakeData) -> None:
    data = make_data(queries=60)
    ranker = XGBoostRanker(trees=20, threads=1).fit(data)
    matrix = xgboost.QuantileDMatrix(data.X, data.y, qid=data.query, max_bin=256)
    parameters = {"objective": "rank:ndcg", "eta": 0.05, "nthread": 1, "base_score": 0.0}
    booster = xgboost.train(parameters, matrix, 20)
    expected = booster.predict(matrix, output_margin=True)
    np.testing.assert_allclose(ranker.predict(data), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("common", "option"),
    [
        ({}, {"objective": "rank:pairwise"}),
        ({}, {"leaves": 4}),
        ({}, {"learning_rate": 0.3}),
        ({}, {"min_hessian_in_leaf": 3.0}),
        ({}, {"min_gain": 0.5}),
        ({}, {"max_depth": 2}),
        ({}, {"max_bins": 8}),
        ({}, {"feature_fraction": 0.5}),
        ({}, {"bagging_fraction": 0.5}),
        ({}, {"l1": 0.5}),
        ({}, {"l2": 9.0}),
        ({}, {"pair_method": "mean"}),
        ({}, {"pairs": 2}),
        ({"pair_method": "mean"}, {"pairs": 4}),
        ({}, {"normalise": False}),
        ({}, {"normalise_scores": False}),
        ({}, {"unbiased": True}),
        ({"unbiased": True}, {"bias_norm": 2.0}),
        ({}, {"gain": "linear"}),
        ({}, {"monotone": {"match": -1}}),
        ({"bagging_fraction": 0.5}, {"seed": 1}),
        ({"objective": "rank:pairwise"}, {"pairs": 2}),
        ({"objective": "rank:map"}, {"pairs": 2}),
        ({"objective": "rank:map"}, {"normalise": False}),
        ({"objective": "rank:map"}, {"unbiased": True}),
    ],
    ids=str,
)
def test_every_option_counts(
    common: dict[str, Any], option: dict[str, Any], make_data: MakeData
) -> None:
    data = make_data(queries=40)
    if common.get("objective") == "rank:map":
        data = binary(data)
    plain = XGBoostRanker(**SMALL).set_params(**common)
    changed = clone(plain).set_params(**option).fit(data).predict(data)
    assert not np.array_equal(changed, plain.fit(data).predict(data))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "rank:map", "gain": "linear"},
        {"objective": "rank:pairwise", "gain": "linear"},
        {"pair_method": "mean", "normalise": False},
        {"bias_norm": 2.0},
        {"max_depth": None},
        {"trees": 0},
        {"pairs": 0},
        {"l2": -1},
        {"unbiased": "yes"},
        {"objective": "lambdarank"},
        {"pair_method": "all"},
        {"monotone": {"macth": 1}},
    ],
    ids=str,
)
def test_wrong_parameters(parameters: dict[str, Any], make_data: MakeData) -> None:
    with pytest.raises(ConfigurationError, match=r"expected|Known"):
        XGBoostRanker(**SMALL).set_params(**parameters).fit(make_data())


def test_grades_that_the_objective_would_misread(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="relevant and not relevant"):
        XGBoostRanker(objective="rank:map").fit(make_data())
    data = make_data()
    halves = RankingDataset(data.X, data.y / 2, qid=data.query)
    with pytest.raises(DataError, match="2\\^grade"):
        XGBoostRanker().fit(halves)


def test_early_stopping(make_data: MakeData) -> None:
    train, valid = make_data(), make_data(seed=1)
    ranker = XGBoostRanker(**{**SMALL, "trees": 60, "learning_rate": 0.3}, early_stopping=5)
    history = ranker.fit(train, valid).history_
    assert ranker.trees_ == int(np.argmax(history)) + 1
    assert len(history) == min(60, ranker.trees_ + 5)
    assert ranker.booster_.num_boosted_rounds() == ranker.trees_
    assert ranker.score(valid) == pytest.approx(max(history), abs=1e-6)
    without = clone(ranker).fit(train)
    assert (without.trees_, without.history_) == (60, ())


def test_progress_and_ctrl_c(make_data: MakeData) -> None:
    seen: list[tuple[int, int]] = []

    def progress(grown: int, trees: int) -> None:
        seen.append((grown, trees))
        if grown == 4:
            raise KeyboardInterrupt

    data = make_data()
    ranker = XGBoostRanker(**SMALL, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(data)
    assert seen == [(1, 10), (2, 10), (3, 10), (4, 10)]
    expected = XGBoostRanker(**{**SMALL, "trees": 4}).fit(data).predict(data)
    np.testing.assert_allclose(ranker.predict(data), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("loss", [None, "RankNet()"])
def test_the_number_of_threads_changes_nothing(loss: str | None, make_data: MakeData) -> None:
    data = make_data(queries=60)
    one = XGBoostRanker(**{**SMALL, "trees": 3}, loss=loss).fit(data)
    three = XGBoostRanker(**{**SMALL, "trees": 3, "threads": 3}, loss=loss).fit(data)
    assert one._save_model()[1] == three._save_model()[1]


def test_importance(make_data: MakeData) -> None:
    ranker = XGBoostRanker(**SMALL).fit(make_data())
    assert next(iter(ranker.importance())) == "match"
    assert set(ranker.importance("split")) == {"match", "age", "noise one", "noise:two"}
    with pytest.raises(UnknownNameError, match="gain, split"):
        ranker.importance("shap")  # type: ignore[arg-type]


def test_a_model_that_xgboost_cannot_read(tmp_path: Path) -> None:
    learned = {"trees": 1, "history": []}
    saved = SavedRanker("XGBoostRanker", {}, ("a",), "nan", learned, {"model.ubj": b"tree\n"})
    write_folder(tmp_path / "model", saved)
    with pytest.raises(DataError, match="XGBoost"):
        XGBoostRanker.load(tmp_path / "model")
