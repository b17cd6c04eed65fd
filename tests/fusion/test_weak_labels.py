"""Pseudo-grades of a dataset whose scorers are noisy versions of the truth."""

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import DataError, UnknownNameError
from plackett.fusion.label_model import RankingLabelModel
from plackett.fusion.weak_labels import scored_lists, weak_labels
from plackett.metrics.rank_correlation import kendall_tau


def noisy_dataset(seed: int = 0) -> RankingDataset:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=600)
    noise = rng.normal(size=(600, 4)) * [0.6, 0.8, 1.0, 2.0]
    X = truth[:, None] + noise
    X[rng.random(X.shape) < 0.1] = np.nan
    return RankingDataset(
        X, truth - truth.min(), qid=rng.integers(0, 50, 600), feature_names=("a", "b", "c", "d")
    )


def test_lists_hold_the_scores_of_each_query_in_its_rows_order() -> None:
    data = noisy_dataset()
    doubled = np.arange(600) * 2.0
    lists = scored_lists(data, ["c", doubled])
    assert len(lists) == data.n_queries
    for query, scores in zip(data.query_ids, lists, strict=True):
        rows = data.rows_of(query)
        np.testing.assert_array_equal(scores[0], data.X[rows, 2])
        np.testing.assert_array_equal(scores[1], doubled[rows])


def test_grades_follow_the_truth_better_than_the_best_scorer_and_are_permutations() -> None:
    data = noisy_dataset()
    y = weak_labels(data, data.feature_names)
    weak, single = [], []
    for query in data.query_ids:
        rows = data.rows_of(query)
        n = len(rows)
        wanted = np.linspace(0, 1, n) if n > 1 else [0.0]
        np.testing.assert_allclose(np.sort(y[rows]), wanted, atol=1e-6)
        if n > 1:
            weak.append(kendall_tau(y[rows], data.y[rows]))
            single.append(kendall_tau(np.nan_to_num(data.X[rows, 0]), data.y[rows]))
    assert np.mean(weak) > np.mean(single)
    RankingDataset(data.X, y, qid=data.query)


def test_a_model_fitted_elsewhere_and_the_dataset_s_own_grades_unread() -> None:
    data, other = noisy_dataset(0), noisy_dataset(1)
    model = RankingLabelModel().fit(scored_lists(other, other.feature_names))
    assert np.argsort(-model.accuracies_).tolist() == [0, 1, 2, 3]
    graded = weak_labels(data, data.feature_names, model=model)
    blank = RankingDataset(data.X, np.zeros(600), qid=data.query, feature_names=data.feature_names)
    np.testing.assert_array_equal(graded, weak_labels(blank, blank.feature_names, model=model))


def test_bad_input() -> None:
    data = noisy_dataset()
    with pytest.raises(UnknownNameError, match="'e'"):
        weak_labels(data, ["a", "e"])
    with pytest.raises(DataError, match="no scorers"):
        weak_labels(data, [])
    with pytest.raises(DataError, match="600 rows"):
        weak_labels(data, [np.ones(3)])
