"""Accuracies without labels: exact moments, recovery on Mallows data, better than a plain vote."""

import numpy as np
import pytest

from plackett.errors import ConfigurationError, DataError, NotFittedError, UnknownNameError
from plackett.fusion.kendall import kendall_distance
from plackett.fusion.label_model import RankingLabelModel, _by_distances, _by_products
from plackett.fusion.mallows import expected_distance, sample_mallows

Examples = tuple[list[np.ndarray], list[np.ndarray]]


def drawn(thetas: list[float], items: int, examples: int, seed: int = 0) -> Examples:
    """True orders, and scores by rankers that draw around them."""
    rng = np.random.default_rng(seed)
    truths, lists = [], []
    for _ in range(examples):
        truth = rng.permutation(items)
        scores = np.empty((len(thetas), items))
        for row, theta in zip(scores, thetas, strict=True):
            row[truth[sample_mallows(items, theta, 1, seed=rng)[0]]] = -np.arange(items)
        truths.append(truth)
        lists.append(scores)
    return truths, lists


def tau(truths: list[np.ndarray], orders: list[np.ndarray]) -> float:
    values = []
    for truth, order in zip(truths, orders, strict=True):
        n = len(truth)
        distance = kendall_distance(-np.argsort(truth), -np.argsort(order))
        values.append(1 - 4 * distance / (n * (n - 1)))
    return float(np.mean(values))


def accuracy(items: int, theta: float) -> float:
    return 1 - 4 * expected_distance(items, theta) / (items * (items - 1))


def test_products_of_accuracies_give_the_accuracies_back() -> None:
    true = np.array([0.8, 0.6, 0.5, -0.3])
    for count in (3, 4):
        np.testing.assert_allclose(_by_products(np.outer(true[:count], true[:count])), true[:count])


def test_sums_of_errors_give_the_errors_back() -> None:
    error = np.array([0.05, 0.1, 0.3, 0.2])
    distance = error[:, None] + error
    np.testing.assert_allclose(_by_distances(1 - 2 * distance), 1 - 2 * error)


@pytest.mark.parametrize("items", [6, 15])
def test_rankers_that_draw_from_mallows_models_are_found_out(items: int) -> None:
    thetas = [1.0, 0.6, 0.3, 0.15, -0.3]
    truths, lists = drawn(thetas, items, 400, seed=items)
    model = RankingLabelModel().fit(lists)
    wanted = [accuracy(items, theta) for theta in thetas]
    np.testing.assert_allclose(model.accuracies_, wanted, atol=0.05)
    np.testing.assert_allclose(model.thetas_, thetas, atol=0.15)
    weighted = tau(truths, model.predict(lists))
    model.weights_ = np.ones(5)
    assert weighted > tau(truths, model.predict(lists)) + 0.05
    single = max(tau(truths, [np.argsort(-scores[a]) for scores in lists]) for a in range(5))
    assert weighted > single


def test_products_overrate_rankers_of_lists_and_order_them_well_all_the_same() -> None:
    thetas = [1.0, 0.5, 0.3, 0.2]
    truths, lists = drawn(thetas, 10, 300)
    for method in ("products", "distances"):
        model = RankingLabelModel(method=method).fit(lists)
        assert np.argsort(-model.accuracies_).tolist() == [0, 1, 2, 3]
    products = RankingLabelModel(method="products").fit(lists)
    assert (products.accuracies_[1:] > [accuracy(10, theta) for theta in thetas[1:]]).all()
    assert tau(truths, products.predict(lists)) > 0.7


def test_partial_rankings_of_lists_of_different_lengths() -> None:
    rng = np.random.default_rng(1)
    thetas = [0.8, 0.4, 0.2, 0.4]
    truths, lists = [], []
    for items in (5, 9, 12):
        more_truths, more = drawn(thetas, items, 150, seed=items)
        for scores in more:
            scores[rng.random(scores.shape) < 0.3] = np.nan
        truths += more_truths
        lists += more
    model = RankingLabelModel().fit(lists)
    np.testing.assert_allclose(model.thetas_, thetas, atol=0.15)
    orders = model.predict(lists)
    assert all(sorted(order) == sorted(truth) for order, truth in zip(orders, truths, strict=True))
    assert tau(truths, orders) > 0.55


@pytest.mark.parametrize("method", ["mallows", "products", "distances"])
def test_identical_rankers_give_their_ranking_and_count_once(method: str) -> None:
    scores = np.array([[3.0, 1.0, 2.0]] * 4)
    model = RankingLabelModel(method=method).fit([scores])  # type: ignore[arg-type]
    assert model.accuracies_.tolist() == [1.0] * 4
    assert model.predict([scores])[0].tolist() == [0, 2, 1]
    _, lists = drawn([1.0, 0.5, 0.3], 8, 200)
    copied = [np.vstack([scores, scores[2], scores[2], scores[2]]) for scores in lists]
    once = RankingLabelModel(method=method).fit(lists)  # type: ignore[arg-type]
    often = RankingLabelModel(method=method).fit(copied)  # type: ignore[arg-type]
    np.testing.assert_allclose(often.accuracies_[:3], once.accuracies_)
    np.testing.assert_allclose(often.weights_[2:].sum(), once.weights_[2])
    for a, b in zip(once.predict(lists), often.predict(copied), strict=True):
        assert a.tolist() == b.tolist()


def test_two_rankers_come_out_equal() -> None:
    _, lists = drawn([0.8, 0.2], 8, 100)
    model = RankingLabelModel().fit(lists)
    assert model.accuracies_[0] == model.accuracies_[1] > 0


def test_a_ranker_that_says_nothing_has_no_weight() -> None:
    truths, lists = drawn([1.0, 0.5, 0.4], 6, 100)
    silent = [np.vstack([scores, np.full(6, 7.0)]) for scores in lists]
    model = RankingLabelModel(method="products").fit(silent)
    assert model.accuracies_[3] == model.weights_[3] == 0.0
    assert tau(truths, RankingLabelModel().fit(silent).predict(silent)) > 0.6


def test_an_item_or_two_per_example() -> None:
    lists = [np.array([[1.0], [2.0], [3.0]]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])]
    orders = RankingLabelModel().fit(lists).predict(lists)
    assert orders[0].tolist() == [0]
    assert sorted(orders[1].tolist()) == [0, 1]


def test_bad_input() -> None:
    with pytest.raises(DataError, match="no examples"):
        RankingLabelModel().fit([])
    with pytest.raises(DataError, match="same rankers"):
        RankingLabelModel().fit([np.ones((2, 3)), np.ones((3, 3))])
    with pytest.raises(DataError, match="no pair"):
        RankingLabelModel().fit([np.ones((2, 3))])
    with pytest.raises(NotFittedError):
        RankingLabelModel().predict([])
    model = RankingLabelModel().fit([np.array([[2.0, 1.0]] * 3)])
    with pytest.raises(DataError, match="2 rankers"):
        model.predict([np.ones((2, 3))])
    with pytest.raises(UnknownNameError, match="nothing"):
        RankingLabelModel(method="nothing")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="theta_limit"):
        RankingLabelModel(theta_limit=0)
