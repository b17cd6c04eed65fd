"""The linear ranker: normalisation, coordinate ascent, pairwise logistic regression."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, DataError
from plackett.metrics.base import parse_measure
from plackett.rankers import LinearRanker
from plackett.rankers.coordinate_ascent import LineEvaluator, pessimistic_lists
from plackett.rankers.gains import gains_of, grade_classes
from plackett.rankers.normalisation import fit_scale, normalised
from plackett.rankers.objective import GroupedRows, MeanMeasure
from plackett.rankers.pairwise_logistic import PairwiseLoss

MakeData = Callable[..., RankingDataset]

OFFSETS = np.array([0, 5, 6, 14])


def lists(seed: int = 0, ties: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features `[features, rows]`, grades and offsets of three lists."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(3, 14)).astype(np.float32)
    if ties:
        Z = np.round(Z)
    return Z, rng.integers(0, 4, size=14).astype(np.float32), OFFSETS


# Normalisation


def rows_of(X: np.ndarray) -> GroupedRows:
    return GroupedRows(X.astype(np.float32), np.zeros(len(X), np.float32), OFFSETS, None)


def test_minmax_inside_each_query() -> None:
    X = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)
    Z = normalised(rows_of(X), "query_minmax", fit_scale(X))
    for start, stop in ((0, 5), (6, 14)):
        np.testing.assert_allclose(Z[:, start:stop].min(axis=1), 0)
        np.testing.assert_allclose(Z[:, start:stop].max(axis=1), 1)
    assert (Z[:, 5] == 0).all()  # a list of one document tells nothing


def test_zscore_inside_each_query_and_over_all() -> None:
    X = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)
    Z = normalised(rows_of(X), "query_zscore", fit_scale(X))
    np.testing.assert_allclose(Z[:, 6:].mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(Z[:, 6:].std(axis=1), 1, rtol=1e-6)
    Z = normalised(rows_of(X), "zscore", fit_scale(X))
    np.testing.assert_allclose(Z, ((X - X.mean(axis=0)) / X.std(axis=0)).T, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(normalised(rows_of(X), "none", fit_scale(X)), X.T)


@pytest.mark.parametrize("kind", ["query_minmax", "query_zscore", "zscore", "none"])
def test_missing_and_constant_values_add_nothing(kind: Any) -> None:
    X = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)
    X[:, 1], X[2, 0], X[6:, 2] = 0.1, np.nan, np.nan
    Z = normalised(rows_of(X), kind, fit_scale(X))
    assert np.isfinite(Z).all()
    assert Z[0, 2] == 0
    assert (Z[2, 6:] == 0).all()
    if kind != "none":
        assert (Z[1] == 0).all()


# Gains


def test_gains() -> None:
    grades = np.array([0, 0.5, 2], dtype=np.float32)
    np.testing.assert_allclose(gains_of(grades, "exponential"), [0, np.sqrt(2) - 1, 3])
    np.testing.assert_allclose(gains_of(grades, "linear"), [0, 0.5, 2])
    with pytest.raises(DataError, match=r"grade 0\.5"):
        gains_of(grades, (0.0, 1.0, 2.0))
    with pytest.raises(DataError, match="10001 distinct grades"):
        grade_classes(np.arange(10_001, dtype=np.float32), "linear")


# The measure as an objective


def test_ties_gain_nothing() -> None:
    """A scorer that tells nothing apart has the worst value, whatever the order of the rows."""
    for y in ([2, 1, 0, 0], [0, 0, 1, 2], [0, 2, 0, 1]):
        value = MeanMeasure("nDCG", np.array(y, dtype=np.float32), np.array([0, 4]))
        worst = value(-np.array(y, dtype=np.float64))
        assert value(np.zeros(4)) == pytest.approx(worst)
    interleaved = np.array([0, 2, 1, 3])
    value = MeanMeasure("RR", np.array([0, 0, 1, 1], dtype=np.float32), np.array([0, 2, 4]))
    assert value(np.array([3.0, 2.0, 4.0, 1.0])) == pytest.approx((0 + 1) / 2)
    value = MeanMeasure(
        "RR", np.array([0, 0, 1, 1], dtype=np.float32), np.array([0, 2, 4]), interleaved
    )
    assert value(np.array([3.0, 2.0, 4.0, 1.0])) == pytest.approx((1 + 0.5) / 2)


# Coordinate ascent


@pytest.mark.parametrize(
    "measure", ["nDCG@3", "AP", "RR@2", "P@5", "ERR", "bpref", "Judged@2", "ARP"]
)
@pytest.mark.parametrize("ties", [False, True])
def test_the_line_evaluator_equals_the_measure(measure: str, ties: bool) -> None:
    """Ranks by counting are ranks by sorting, for measures of relevant and of all documents."""
    train = pessimistic_lists(*lists(3, ties))
    evaluator = LineEvaluator(parse_measure(measure), train, np.random.default_rng(0))
    scores = np.zeros(len(train.y)) if ties else np.random.default_rng(1).normal(size=len(train.y))
    steps = np.linspace(-2, 2, 9)
    truth = MeanMeasure(measure, train.y, train.offsets)
    expected = [truth(scores + step * train.Z[1].astype(np.float64)) for step in steps]
    np.testing.assert_allclose(evaluator.values(scores, train.Z[1], steps), expected, rtol=1e-12)


def test_lists_of_equal_grades_are_left_out() -> None:
    Z, y, offsets = lists()
    y[:5] = 1
    kept = pessimistic_lists(Z, y, offsets)
    assert kept.offsets.tolist() == [0, 8]
    assert (np.diff(kept.y) >= 0).all()
    assert sorted(kept.Z[0]) == sorted(Z[0, 6:])


def test_ascent_finds_a_perfect_order(make_data: MakeData) -> None:
    """Where the grades are linear in the features there are weights of nDCG 1."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.digitize(X @ [2.0, -1.0, 0.0], [-1.0, 1.0, 3.0])
    data = RankingDataset(X, y, qid=np.repeat(np.arange(30), 10))
    ranker = LinearRanker(normalisation="none", measure="nDCG").fit(data)
    assert ranker.score(data) > 0.999
    direction = ranker.weights_ / np.linalg.norm(ranker.weights_)
    assert direction @ np.array([2, -1, 0]) / np.sqrt(5) > 0.99
    assert np.abs(ranker.weights_).sum() == pytest.approx(1)


def test_ascent_never_falls(make_data: MakeData) -> None:
    data = make_data()
    ranker = LinearRanker(restarts=1, tolerance=0.0).fit(data)
    assert (np.diff(ranker.history_) >= 0).all()
    assert ranker.score(data) == pytest.approx(ranker.history_[-1], abs=1e-6)


def test_more_restarts_are_no_worse(make_data: MakeData) -> None:
    data = make_data(queries=10)
    values = [LinearRanker(restarts=n).fit(data).history_[-1] for n in (1, 2, 4)]
    assert values == sorted(values)


def test_ascent_keeps_the_best_weights_on_valid(make_data: MakeData) -> None:
    train, valid = make_data(queries=8), make_data(seed=1)
    for method in ("coordinate_ascent", "pairwise_logistic"):
        ranker = LinearRanker(method=method, patience=1).fit(train, valid)
        assert ranker.score(valid) == pytest.approx(max(ranker.history_), abs=1e-6)


def test_other_measures_are_climbed(make_data: MakeData) -> None:
    data = make_data()
    for measure in ("AP(rel=2)", "RR", "ARP"):
        fitted = LinearRanker(measure=measure).fit(data)
        alone = LinearRanker(measure=measure, passes=1, restarts=1, steps=1).fit(data)
        assert fitted.score(data) >= alone.score(data)


# Pairs


def brute_force(
    w: np.ndarray, Z: np.ndarray, y: np.ndarray, l2: float, weighted: bool, per_query: bool
) -> float:
    per_list = []
    for start, stop in pairwise(OFFSETS):
        loss = total = 0.0
        for a, b in combinations(range(start, stop), 2):
            i, j = (a, b) if y[a] > y[b] else (b, a)
            if y[i] == y[j]:
                continue
            c = 2 ** y[i] - 2 ** y[j] if weighted else 1.0
            loss += c * np.log1p(np.exp(-(w @ (Z[:, i] - Z[:, j]))))
            total += c
        if total:
            per_list.append((loss, total))
    losses, totals = np.array(per_list).T
    mean = (losses / totals).mean() if per_query else losses.sum() / totals.sum()
    return float(mean + l2 / 2 * w @ w)


@pytest.mark.parametrize("weights", ["none", "gain"])
@pytest.mark.parametrize("per_query", [True, False])
def test_pairwise_loss_and_gradient(weights: str, per_query: bool) -> None:
    Z, y, offsets = lists()
    loss = PairwiseLoss(Z, y, offsets, l2=0.1, pair_weights=weights, per_query=per_query)
    w = np.array([0.3, -1.2, 0.7])
    expected = brute_force(w, Z.astype(float), y.astype(float), 0.1, weights == "gain", per_query)
    assert loss(w)[0] == pytest.approx(expected, rel=1e-12)
    assert check_grad(lambda v: loss(v)[0], lambda v: loss(v)[1], w) < 1e-6


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_pairwise_loss_never_overflows(weights: list[float]) -> None:
    value, gradient = PairwiseLoss(*lists(), l2=0.0)(np.array(weights))
    assert np.isfinite(value)
    assert value >= 0
    assert np.isfinite(gradient).all()


def test_the_fit_is_a_minimum(make_data: MakeData) -> None:
    """The gradient is 0 there, and more regularisation makes shorter weights."""
    data = make_data()
    lengths = []
    for l2 in (1e-3, 1e-2, 1e-1):
        ranker = LinearRanker(method="pairwise_logistic", normalisation="zscore", l2=l2).fit(data)
        rows = GroupedRows(data.X, data.y, data.offsets, None)
        Z = normalised(rows, "zscore", fit_scale(data.X))
        gradient = PairwiseLoss(Z, data.y, data.offsets, l2=l2)(ranker.weights_)[1]
        assert np.abs(gradient).max() < 1e-4
        lengths.append(np.linalg.norm(ranker.weights_))
    assert lengths == sorted(lengths, reverse=True)


def test_features_that_tell_nothing_apart() -> None:
    """Constant inside every query: all weights stay 0."""
    X = np.repeat([[1.0, 2.0], [3.0, 4.0]], 3, axis=0)
    data = RankingDataset(X, [1, 0, 0, 0, 1, 2], qid=[1, 1, 1, 2, 2, 2])
    for method in ("coordinate_ascent", "pairwise_logistic"):
        ranker = LinearRanker(method=method, normalisation="none", l2=0.0).fit(data)
        np.testing.assert_allclose(ranker.weights_, 0, atol=1e-12)


def test_features_too_large_to_add_up() -> None:
    X = np.array([[1e38, 1.0], [-3e38, 2.0]], dtype=np.float32)
    data = RankingDataset(X, [1, 0], qid=[1, 1])
    ranker = LinearRanker(method="pairwise_logistic", normalisation="none").fit(data)
    assert np.isfinite(ranker.predict(data)).all()


@pytest.mark.parametrize("method", ["coordinate_ascent", "pairwise_logistic"])
def test_ctrl_c_keeps_the_weights_found(
    make_data: MakeData, monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    data, valid = make_data(), make_data(seed=1)
    call = MeanMeasure.__call__
    left = 0

    def interrupted(self: MeanMeasure, scores: np.ndarray) -> float:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return call(self, scores)

    monkeypatch.setattr(MeanMeasure, "__call__", interrupted)
    for after, fitted in ((1, False), (7, True)):
        left = after
        ranker = LinearRanker(method=method, tolerance=0.0)
        with pytest.raises(KeyboardInterrupt):
            ranker.fit(data, valid)
        assert hasattr(ranker, "weights_") == fitted
    assert np.isfinite(ranker.predict(data)).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"method": "newton"},
        {"normalisation": "minmax"},
        {"pair_weights": "all"},
        {"restarts": 0},
        {"step": 0},
        {"growth": 1},
        {"l2": -1},
        {"tolerance": -1},
        {"measure": "nDCG@"},
    ],
)
def test_wrong_parameters(make_data: MakeData, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        LinearRanker().set_params(**parameters).fit(make_data())
