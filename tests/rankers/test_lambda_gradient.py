"""LambdaRank's gradient against its formula, pair by pair, and against LightGBM's."""

from __future__ import annotations

import math
from typing import Any

import lightgbm
import numpy as np
import pytest

from plackett.errors import DataError
from plackett.rankers.lambda_gradient import LambdaGradient

Y = np.array([1, 3, 0, 2], dtype=np.float32)
S = np.array([2.0, 1.0, 0.5, -1.0])
ONE = np.array([0, 4])


def by_pairs(
    s: np.ndarray, gain: np.ndarray, truncation: int, sigmoid: float, normalise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The definition, one pair at a time."""
    n = len(s)
    rank = np.empty(n, dtype=int)
    rank[np.argsort(-s, kind="stable")] = np.arange(n)
    discount = 1 / np.log2(2 + np.arange(n))
    ideal = (np.sort(gain)[::-1][:truncation] * discount[:truncation]).sum()
    slope, curve, total = np.zeros(n), np.zeros(n), 0.0
    for i in range(n):
        for j in range(n):
            if ideal == 0 or gain[i] <= gain[j] or min(rank[i], rank[j]) >= truncation:
                continue
            weight = (gain[i] - gain[j]) * abs(discount[rank[i]] - discount[rank[j]]) / ideal
            if normalise and s.min() != s.max():
                weight /= 0.01 + abs(s[i] - s[j])
            wrong = 0.5 * (1 - math.tanh(sigmoid * (s[i] - s[j]) / 2))
            slope[i] -= sigmoid * weight * wrong
            slope[j] += sigmoid * weight * wrong
            bend = sigmoid**2 * weight * wrong * (1 - wrong)
            curve[i] += bend
            curve[j] += bend
            total += 2 * sigmoid * weight * wrong
    if normalise and total > 0:
        factor = math.log2(1 + total) / total
        slope, curve = slope * factor, curve * factor
    return slope, curve


def test_the_card_s_example() -> None:
    gradient, curvature = LambdaGradient(Y, ONE, normalise=False)(S)
    np.testing.assert_allclose(gradient, [0.278118, -0.219357, 0.064652, -0.123413], atol=1e-6)
    assert abs(gradient.astype(np.float64).sum()) < 1e-7
    assert (curvature > 0).all()


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("truncation", [1, 3, 10, 1000])
@pytest.mark.parametrize("sigmoid", [1.0, 2.5])
def test_equals_the_sum_over_pairs(normalise: bool, truncation: int, sigmoid: float) -> None:
    rng = np.random.default_rng(truncation)
    lengths = [1, 2, 5, 16, 17, 18, 33, 64, 150]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    y = rng.integers(0, 5, offsets[-1]).astype(np.float32)
    scores = np.round(rng.normal(size=len(y)), 1)  # with ties
    gradient, curvature = LambdaGradient(
        y, offsets, truncation=truncation, sigmoid=sigmoid, normalise=normalise
    )(scores)
    for rows in (slice(*bounds) for bounds in np.stack([offsets[:-1], offsets[1:]], axis=1)):
        slope, curve = by_pairs(scores[rows], 2 ** y[rows] - 1.0, truncation, sigmoid, normalise)
        np.testing.assert_allclose(gradient[rows], slope, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(curvature[rows], curve, rtol=1e-5, atol=1e-7)


def lightgbm_s_derivatives(
    rows: list[int], y: np.ndarray, scores: np.ndarray, lengths: np.ndarray, parameters: Any
) -> tuple[float, float]:
    """LightGBM's own gradient and curvature, summed over some rows.

    A feature that is 1 at these rows alone makes a tree of two leaves, of which the rows' has the
    value -gradient / (curvature + l2). Two values of l2 give both.
    """
    alone = np.isin(np.arange(len(y)), rows).astype(np.float64)[:, None]
    own: dict[str, Any] = {
        "objective": "lambdarank",
        "num_leaves": 2,
        "min_data_in_leaf": 1,
        "min_data_in_bin": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "learning_rate": 1.0,
        "verbosity": -1,
        "num_threads": 1,
    }
    steps = []
    for l2 in (1.0, 3.0):
        data = lightgbm.Dataset(alone, y, group=lengths, init_score=scores, params=dict(own))
        booster = lightgbm.train({**own, **parameters, "lambda_l2": l2}, data, 1)
        steps.append(float(booster.predict(np.ones((1, 1)), raw_score=True)[0]))
    gradient = -2.0 / (1 / steps[1] - 1 / steps[0])
    return gradient, -gradient / steps[0] - 1.0


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize(("truncation", "sigmoid"), [(3, 1.0), (30, 1.0), (30, 2.0)])
def test_equals_lightgbm_s_gradient_row_by_row(
    normalise: bool, truncation: int, sigmoid: float
) -> None:
    rng = np.random.default_rng(7)
    lengths = np.array([9, 1, 14])
    y = rng.integers(0, 5, 24).astype(np.float32)
    scores = rng.normal(size=24)
    gradient, curvature = LambdaGradient(
        y,
        np.concatenate([[0], np.cumsum(lengths)]),
        truncation=truncation,
        sigmoid=sigmoid,
        normalise=normalise,
    )(scores)
    parameters = {
        "lambdarank_truncation_level": truncation,
        "lambdarank_norm": normalise,
        "sigmoid": sigmoid,
    }
    # LightGBM guesses a leaf's number of rows from its curvature, and makes no leaf of a row with
    # little. So each row shares its leaf with the one of the greatest.
    anchor = int(curvature.argmax())
    for row in range(len(y)):
        rows = sorted({row, anchor})
        slope, bend = lightgbm_s_derivatives(rows, y, scores, lengths, parameters)
        assert gradient[rows].sum() == pytest.approx(slope, rel=1e-4, abs=2e-5)
        assert curvature[rows].sum() == pytest.approx(bend, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("truncation", [3, 30])
def test_newton_steps_equal_lightgbm_s(normalise: bool, truncation: int) -> None:
    """A tree with one leaf a row gives -gradient / curvature of LightGBM's own objective."""
    rng = np.random.default_rng(1)
    lengths = np.full(12, 15)
    n = int(lengths.sum())
    y = rng.integers(0, 4, n).astype(np.float32)
    scores = rng.normal(size=n)
    data = lightgbm.Dataset(
        np.arange(n, dtype=np.float64)[:, None],
        y,
        group=lengths,
        init_score=scores,
        params={"min_data_in_bin": 1, "max_bin": 2 * n, "verbosity": -1},
    )
    booster = lightgbm.train(
        {
            "objective": "lambdarank",
            "lambdarank_truncation_level": truncation,
            "lambdarank_norm": normalise,
            "num_leaves": n,
            "min_data_in_leaf": 1,
            "min_sum_hessian_in_leaf": 1e-6,
            "min_data_in_bin": 1,
            "max_bin": 2 * n,
            "learning_rate": 1.0,
            "verbosity": -1,
            "num_threads": 1,
        },
        data,
        1,
    )
    gradient, curvature = LambdaGradient(
        y, np.concatenate([[0], np.cumsum(lengths)]), truncation=truncation, normalise=normalise
    )(scores)
    row_numbers = np.arange(n, dtype=np.float64)[:, None]
    steps = booster.predict(row_numbers, raw_score=True)
    leaves = booster.predict(row_numbers, pred_leaf=True).astype(int).ravel()
    for leaf in range(leaves.max() + 1):
        rows = leaves == leaf
        expected = -gradient[rows].sum() / curvature[rows].sum()
        np.testing.assert_allclose(steps[rows], expected, rtol=2e-3, atol=2e-4)
    assert leaves.max() > n / 2


def test_the_number_of_threads_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 300, 300)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    y = rng.integers(0, 5, offsets[-1]).astype(np.float32)
    one, three = (LambdaGradient(y, offsets, threads=threads) for threads in (1, 3))
    assert len(three._parts) == 4
    for _ in range(3):
        scores = rng.normal(size=len(y))
        for a, b in zip(one(scores), three(scores), strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_is_remembered_of_earlier_scores() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 5, 500).astype(np.float32)
    offsets = np.array([0, 400, 500])
    used = LambdaGradient(y, offsets)
    for scores in (np.zeros(500), np.arange(500.0), -np.arange(500.0), rng.normal(size=500)):
        fresh = LambdaGradient(y, offsets)(scores)
        np.testing.assert_array_equal(used(scores).gradient, fresh.gradient)


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e300])
def test_extreme_scores(scale: float) -> None:
    gradient, curvature = LambdaGradient(Y, ONE, normalise=False)(S * scale)
    assert np.isfinite(gradient).all()
    assert np.isfinite(curvature).all()
    slope, _ = by_pairs(S * scale, 2**Y - 1.0, 30, 1.0, False)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("depth", [200.0, 299.0, 301.0, 360.0, 590.0, 610.0, 1e5])
def test_documents_far_below_the_first(depth: float) -> None:
    """exp(score) of the others, relative to the first, is next to nothing."""
    scores = np.array([0.0, -depth, 0.5 - depth, -1.0 - depth])
    for normalise in (True, False):
        gradient, curvature = LambdaGradient(Y, ONE, normalise=normalise)(scores)
        slope, curve = by_pairs(scores, 2**Y - 1.0, 30, 1.0, normalise)
        np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(curvature, curve, rtol=1e-5, atol=1e-7)


def test_lists_that_say_nothing() -> None:
    y = np.array([0, 0, 0, 2, 1, 1], dtype=np.float32)
    gradient, curvature = LambdaGradient(y, np.array([0, 3, 4, 6]))(np.arange(6.0))
    assert not gradient.any()
    assert not curvature.any()


def test_a_list_beyond_lightgbm_s_limit() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random(12_000) < 0.01).astype(np.float32)
    gradient, _ = LambdaGradient(y, np.array([0, 12_000]), truncation=5)(rng.normal(size=12_000))
    assert gradient[y > 0].max() < 0


def test_gains() -> None:
    linear = LambdaGradient(Y, ONE, gain="linear", normalise=False)(S).gradient
    slope, _ = by_pairs(S, Y.astype(np.float64), 30, 1.0, False)
    np.testing.assert_allclose(linear, slope, rtol=1e-5)
    listed = LambdaGradient(Y, ONE, gain=(0, 1, 2, 3), normalise=False)(S).gradient
    np.testing.assert_array_equal(listed, linear)
    with pytest.raises(DataError, match="grade 31"):
        LambdaGradient(Y + 28, ONE)
