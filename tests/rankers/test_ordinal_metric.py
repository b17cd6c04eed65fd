"""OrderMDS: the direction it recovers, its closed form, its neighbours, its explanations."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.metrics.base import parse_measure
from plackett.rankers.base import load_ranker
from plackett.rankers.ordinal_metric import OrderMDS

MakeData = Callable[..., RankingDataset]


def linear_data(n: int = 400, seed: int = 0) -> tuple[RankingDataset, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, direction = rng.normal(size=(n, 5)), np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    y = X @ direction
    return RankingDataset(X, y - y.min(), qid=np.arange(n) // 20), direction


def test_it_recovers_the_direction_that_grades_follow() -> None:
    data, direction = linear_data()
    ranker = OrderMDS(normalisation="none", power=1.0, ridge=1e-9).fit(data)
    found = ranker.learned_.map[0]
    cosine = abs(found @ direction) / np.linalg.norm(found) / np.linalg.norm(direction)
    assert cosine > 0.999
    np.testing.assert_allclose(ranker.metric_, np.outer(direction, direction), rtol=1e-3, atol=1e-3)


def test_with_grades_on_a_line_the_map_is_ridge_regression() -> None:
    data, _ = linear_data()
    noisy = RankingDataset(data.X, np.round(data.y), qid=data.query)
    ranker = OrderMDS(normalisation="none", power=1.0, ridge=0.1).fit(noisy)
    ridge = Ridge(alpha=0.1 * len(data)).fit(data.X, noisy.y)
    found = ranker.learned_.map[0]
    np.testing.assert_allclose(found * np.sign(found[4]), ridge.coef_, rtol=1e-4)


def test_scores_are_the_neighbours_grades_by_brute_force(make_data: MakeData) -> None:
    train, test = make_data(seed=0), make_data(seed=1)
    ranker = OrderMDS(neighbours=7, normalisation="none").fit(train)
    places = (test.X - ranker.learned_.centre) @ ranker.learned_.map.T
    known = (train.X - ranker.learned_.centre) @ ranker.learned_.map.T
    distance = np.sqrt(np.square(places[:, None] - known[None]).sum(axis=2))
    nearest = np.argsort(distance, axis=1)
    bound = np.take_along_axis(distance, nearest[:, 7:8], axis=1)
    near = np.take_along_axis(distance, nearest[:, :7], axis=1)
    weight = 1 - (near / bound) ** 2
    wanted = (weight * train.y[nearest[:, :7]]).sum(axis=1) / weight.sum(axis=1)
    np.testing.assert_allclose(ranker.predict(test), wanted, rtol=1e-3, atol=1e-3)


def test_noise_features_have_less_say_than_in_plain_euclidean_neighbours() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1200, 60))
    y = np.clip(np.floor(X[:, 0] - X[:, 1] + 1.5 + 0.2 * rng.normal(size=1200)), 0, 3)
    data = RankingDataset(X, y, qid=np.arange(1200) // 20)
    train, test = data.take_rows(slice(0, 800)), data.take_rows(slice(800, 1200))
    learned = OrderMDS(neighbours=20).fit(train)
    distance = np.square(test.X[:, None] - train.X[None]).sum(axis=2)
    euclid = train.y[np.argsort(distance, axis=1)[:, :20]].mean(axis=1)
    by_euclid = parse_measure("nDCG@10").of_scores(euclid, test.y, test.offsets).mean()
    assert learned.score(test) > max(0.95, by_euclid + 0.02)


def test_a_validation_set_chooses_the_neighbours(make_data: MakeData) -> None:
    train, valid = make_data(seed=0), make_data(seed=1)
    ranker = OrderMDS(neighbours=16).fit(train, valid)
    assert ranker.neighbours_ in (4, 8, 16, 32, 64)
    alone = [OrderMDS(neighbours=k).fit(train).score(valid) for k in (4, 8, 16, 32, 64)]
    assert ranker.score(valid) == pytest.approx(max(alone))
    assert ranker.history_ == pytest.approx(alone)


def test_contributions_sum_to_the_score_and_constant_features_add_nothing(
    make_data: MakeData,
) -> None:
    data = make_data(queries=8)
    X = data.X.copy()
    X[:, 3] = 5.0
    constant = RankingDataset(X, data.y, qid=data.query, feature_names=data.feature_names)
    ranker = OrderMDS(neighbours=10).fit(constant)
    parts = ranker.contributions(constant)
    np.testing.assert_allclose(
        parts.base + parts.values.sum(axis=1), ranker.predict(constant), rtol=1e-5, atol=1e-5
    )
    assert (parts.values[:, 3] == 0).all()
    assert list(ranker.importance())[:2] == ["match", "age"]


def test_references_bound_what_is_kept_and_cost_little(make_data: MakeData) -> None:
    train, test = make_data(queries=60), make_data(queries=30, seed=4)
    few, all_rows = OrderMDS(neighbours=20, references=200), OrderMDS(neighbours=20)
    few.fit(train)
    all_rows.fit(train)
    assert len(few.learned_.points) == 200
    assert few.score(test) > all_rows.score(test) - 0.05


def test_duplicates_missing_values_equal_grades_and_one_row(make_data: MakeData) -> None:
    data = make_data()
    X = data.X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    twice = RankingDataset(np.vstack([X, X]), np.tile(data.y, 2), qid=np.tile(data.query, 2))
    assert OrderMDS().fit(twice).score(twice) > 0.6
    flat = RankingDataset(X, np.full(len(X), 2.0), qid=data.query)
    assert set(OrderMDS().fit(flat).predict(flat)) == {2.0}
    one = RankingDataset([[1.0, 2.0]], [3], qid=[1])
    assert OrderMDS().fit(one).predict(one).tolist() == [3.0]


def test_it_saves_and_loads(make_data: MakeData, tmp_path: Path) -> None:
    for data in (make_data(), RankingDataset([[1.0], [2.0]], [1, 1], qid=[1, 1])):
        ranker = OrderMDS(neighbours=9).fit(data)
        ranker.save(tmp_path / "model")
        again = load_ranker(tmp_path / "model")
        np.testing.assert_array_equal(again.predict(data), ranker.predict(data))
        assert repr(again) == "OrderMDS(neighbours=9)"


def test_bad_parameters(make_data: MakeData) -> None:
    for wrong in ({"neighbours": 0}, {"power": 0.0}, {"power": 1.5}, {"ridge": 0.0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            OrderMDS().set_params(**wrong).fit(make_data())
    with pytest.raises(UnknownNameError, match="nothing"):
        OrderMDS(normalisation="nothing").fit(make_data())  # type: ignore[arg-type]
