"""Damage to a dataset: how much, to what, the same for the same seed, and never to the original."""

from collections.abc import Callable

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError
from plackett.rankers.perturbation import (
    add_feature_noise,
    delete_documents,
    delete_judgments,
    delete_queries,
    flip_grades,
)

MakeData = Callable[..., RankingDataset]
Damage = Callable[..., RankingDataset]
ALL: list[Damage] = [
    delete_queries,
    delete_documents,
    delete_judgments,
    flip_grades,
    add_feature_noise,
]


@pytest.mark.parametrize("damage", ALL)
def test_nothing_the_same_seed_and_the_original(damage: Damage, make_data: MakeData) -> None:
    data = make_data()
    X, y = data.X.copy(), data.y.copy()
    none, some, again, other = (
        damage(data, 0.0),
        damage(data, 0.3, seed=1),
        damage(data, 0.3, seed=1),
        damage(data, 0.3, seed=2),
    )
    np.testing.assert_array_equal(none.X, data.X)
    np.testing.assert_array_equal(none.y, data.y)
    np.testing.assert_array_equal(some.X, again.X)
    np.testing.assert_array_equal(some.y, again.y)
    assert not (
        np.array_equal(some.X, other.X)
        and np.array_equal(some.y, other.y)
        and np.array_equal(some.offsets, other.offsets)
    )
    np.testing.assert_array_equal(X, data.X)
    np.testing.assert_array_equal(y, data.y)
    assert some.feature_names == data.feature_names
    assert some.missing == data.missing
    with pytest.raises(ConfigurationError):
        damage(data, -0.1)


def test_as_much_is_gone_as_was_asked(make_data: MakeData) -> None:
    data = make_data(queries=20, documents=10)
    fewer = delete_queries(data, 0.25)
    assert fewer.n_queries == 15
    assert (np.diff(fewer.offsets) == 10).all()
    assert set(fewer.query_ids) < set(data.query_ids)
    assert len(delete_documents(data, 0.1)) == 180
    judged = int((data.y > 0).sum())
    lost = delete_judgments(data, 0.5)
    assert int((lost.y > 0).sum()) == judged - round(0.5 * judged)
    assert ((lost.y == data.y) | (lost.y == 0)).all()


def test_flips_give_other_grades_each_as_likely() -> None:
    data = RankingDataset(np.zeros((9000, 1)), np.arange(9000) % 3, qid=np.arange(9000) // 9)
    flipped = flip_grades(data, 0.5)
    changed = flipped.y != data.y
    assert changed.sum() == 4500
    for grade in range(3):
        became = np.bincount(flipped.y[changed & (data.y == grade)].astype(int), minlength=3)
        assert became[grade] == 0
        assert became.sum() / 2 == pytest.approx(np.delete(became, grade), rel=0.15)


def test_noise_follows_each_feature_s_spread_and_spares_missing_and_constant_ones() -> None:
    rng = np.random.default_rng(0)
    X = np.stack([rng.normal(0, 10, 5000), rng.normal(0, 0.1, 5000), np.full(5000, 3.0)], axis=1)
    X[::7, 0] = np.nan
    data = RankingDataset(X, np.zeros(5000), qid=np.arange(5000) // 10)
    noise = add_feature_noise(data, 0.5).X - data.X
    np.testing.assert_array_equal(np.isnan(noise[:, 0]), np.isnan(X[:, 0]))
    assert np.nanstd(noise[:, 0]) == pytest.approx(5.0, rel=0.1)
    assert noise[:, 1].std() == pytest.approx(0.05, rel=0.1)
    assert (noise[:, 2] == 0).all()


def test_all_can_go_and_one_grade_cannot_flip() -> None:
    data = RankingDataset([[1.0], [2.0]], [1, 1], qid=[1, 2])
    assert len(delete_documents(data, 1.0)) == 0
    assert delete_queries(data, 1.0).n_queries == 0
    with pytest.raises(DataError, match="grade 1"):
        flip_grades(data, 1.0)
    with pytest.raises(ConfigurationError, match="share"):
        flip_grades(data, 1.1)
