"""CatBoostRanker: CatBoost's own model, options that count, early stopping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest
from sklearn.base import clone

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError
from plackett.rankers.catboost_losses import LOSSES, OPTIONS, targets_of
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.saving import SavedRanker, write_folder

MakeData = Callable[..., RankingDataset]
SMALL: dict[str, Any] = {"trees": 6, "max_depth": 3, "learning_rate": 0.2, "threads": 1}
OTHER = {
    "permutations": 3,
    "decay": 0.5,
    "top": 2,
    "gain": "exponential",
    "discount": "Position",
    "neighbors": 3,
    "noise": "No",
    "noise_power": 3.0,
    "estimations": 3,
    "mu": 0.2,
    "sigma": 3.0,
    "nu": 0.2,
    "penalty": 0.3,
    "normalise": False,
    "max_pairs": 5,
    "beta": 2.0,
}
AIMS = [(loss, target) for loss in LOSSES for target in targets_of(loss) or (None,)]


def suited(data: RankingDataset, target: str | None) -> RankingDataset:
    """Grades from 0 to 1 where the target reads probabilities."""
    if target not in ("ERR", "PFound"):
        return data
    return RankingDataset(data.X, data.y / 4, qid=data.query, feature_names=data.feature_names)


def read(ranker: CatBoostRanker) -> bool:
    """Whether the loss reads the option that was set."""
    try:
        ranker.check_parameters()
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize(("loss", "target"), AIMS)
def test_every_option_counts_or_is_refused(
    loss: str, target: str | None, make_data: MakeData
) -> None:
    """CatBoost takes any option in silence; what a loss reads changes its model."""
    data = suited(make_data(queries=20, documents=15), target)
    ranker = CatBoostRanker(objective=loss, target=target, **SMALL)
    plain = ranker.fit(data).predict(data)
    assert np.ptp(plain) > 0
    assert set(OTHER) == set(OPTIONS)
    for name, value in OTHER.items():
        base, before = ranker, plain
        if name == "noise_power" and loss.startswith("Yeti"):
            base = clone(ranker).set_params(noise="Gauss")
            before = base.fit(data).predict(data)
        changed = clone(base).set_params(**{name: value})
        if not read(changed):
            continue
        assert not np.array_equal(changed.fit(data).predict(data), before), name


@pytest.mark.parametrize("loss", ["YetiRank", "YetiRankPairwise", "QueryRMSE"])
@pytest.mark.parametrize(
    "option",
    [
        {"learning_rate": 0.5},
        {"max_depth": 2},
        {"max_bins": 4},
        {"feature_fraction": 0.3},
        {"bagging_fraction": 0.5},
        {"l2": 50.0},
        {"random_strength": 0.0},
        {"seed": 1},
    ],
    ids=str,
)
def test_every_option_of_the_trees_counts(
    loss: str, option: dict[str, Any], make_data: MakeData
) -> None:
    data = make_data(queries=40, documents=20)
    # Of few features and a small share none is left, which the pairwise solver cannot take.
    data = RankingDataset(np.hstack([data.X, data.X**2, data.X**3]), data.y, qid=data.query)
    ranker = CatBoostRanker(objective=loss, **SMALL)
    changed = clone(ranker).set_params(**option)
    if loss.endswith("Pairwise") and option.keys() & {"bagging_fraction", "random_strength"}:
        with pytest.raises(ConfigurationError, match="does not read it"):
            changed.fit(data)
        return
    assert not np.array_equal(changed.fit(data).predict(data), ranker.fit(data).predict(data))


def test_the_model_is_catboost_s_own(make_data: MakeData) -> None:
    data = make_data()
    ranker = CatBoostRanker(target="NDCG", top=5, **SMALL).fit(data)
    alone = catboost.CatBoost(
        {
            "loss_function": "YetiRank:mode=NDCG;top=5",
            "iterations": 6,
            "depth": 3,
            "learning_rate": 0.2,
            "bootstrap_type": "No",
            "random_seed": 0,
            "thread_count": 1,
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
    ).fit(catboost.Pool(data.X, data.y, group_id=data.query))
    np.testing.assert_array_equal(ranker.predict(data), alone.predict(data.X).astype(np.float32))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "yetirank"},
        {"target": "AUC"},
        {"objective": "QueryRMSE", "target": "NDCG"},
        {"objective": "StochasticRank", "target": "MAP"},
        {"target": "NDCG", "decay": 0.5},
        {"top": 10},
        {"noise_power": 2.0},
        {"noise": "Gumbell"},
        {"gain": "cubic", "target": "DCG"},
        {"permutations": 0},
        {"neighbors": 0, "target": "DCG"},
        {"objective": "LambdaMart", "normalise": "yes"},
        {"max_depth": 17},
        {"trees": 0},
        {"feature_fraction": 0},
        {"early_stopping": 0},
    ],
    ids=str,
)
def test_wrong_parameters(parameters: dict[str, Any], make_data: MakeData) -> None:
    with pytest.raises(ConfigurationError, match=r"expected|Known"):
        CatBoostRanker(**SMALL).set_params(**parameters).fit(make_data())


def test_data_that_catboost_refuses(make_data: MakeData) -> None:
    data = make_data()
    with pytest.raises(DataError, match="probabilities from 0 to 1"):
        CatBoostRanker(target="ERR", **SMALL).fit(data)


def test_early_stopping(make_data: MakeData) -> None:
    train, valid = make_data(), make_data(seed=1)
    ranker = CatBoostRanker(**{**SMALL, "trees": 80}, early_stopping=5).fit(train, valid)
    history = ranker.history_
    assert ranker.trees_ == int(np.argmax(history)) + 1
    assert len(history) == min(80, ranker.trees_ + 5)
    assert ranker.model_.tree_count_ == ranker.trees_
    assert ranker.score(valid) == pytest.approx(max(history), abs=1e-6)
    without = clone(ranker).fit(train)
    assert (without.trees_, without.history_) == (80, ())


def test_training_and_validation_data_of_one_size(make_data: MakeData) -> None:
    """The measure is read on the validation part, though CatBoost also asks for the other's."""
    train, valid = make_data(), make_data(seed=1)
    ranker = CatBoostRanker(**SMALL, early_stopping=None).fit(train, valid)
    assert ranker.history_[-1] == pytest.approx(ranker.score(valid), abs=1e-6)


def test_progress_and_an_interrupt(make_data: MakeData) -> None:
    seen: list[tuple[int, int]] = []

    def progress(grown: int, trees: int) -> None:
        seen.append((grown, trees))
        if grown == 4:
            raise KeyboardInterrupt

    data = make_data()
    ranker = CatBoostRanker(**SMALL, progress=progress)
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(data)
    assert seen == [(1, 6), (2, 6), (3, 6), (4, 6)]
    expected = CatBoostRanker(**{**SMALL, "trees": 4}).fit(data).predict(data)
    np.testing.assert_array_equal(ranker.predict(data), expected)


def test_the_number_of_threads_changes_nothing(make_data: MakeData) -> None:
    data = make_data(queries=200)
    one = CatBoostRanker(**SMALL).fit(data)
    three = CatBoostRanker(**{**SMALL, "threads": 3}).fit(data)
    np.testing.assert_array_equal(one.predict(data), three.predict(data))


def test_two_runs_give_equal_bytes(make_data: MakeData) -> None:
    data = make_data()
    first, second = (CatBoostRanker(**SMALL).fit(data)._save_model() for _ in range(2))
    assert first == second


def test_importance(make_data: MakeData) -> None:
    ranker = CatBoostRanker(**SMALL).fit(make_data())
    values = list(ranker.importance().values())
    assert next(iter(ranker.importance())) == "match"
    assert sum(values) == pytest.approx(100)


def test_a_model_that_catboost_cannot_read(tmp_path: Path) -> None:
    learned = {"trees": 1, "history": []}
    saved = SavedRanker("CatBoostRanker", {}, ("a",), "nan", learned, {"model.cbm": b"tree\n"})
    write_folder(tmp_path / "model", saved)
    with pytest.raises(DataError, match="CatBoost"):
        CatBoostRanker.load(tmp_path / "model")
