"""Ranking calibration by enumeration, and on scores whose truth is drawn from them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from plackett.errors import ConfigurationError, DataError
from plackett.metrics.ranking_calibration import (
    expected_ranking_calibration_error,
    ranking_reliability_curve,
)


def enumerated(
    m: np.ndarray, v: np.ndarray, y: np.ndarray, qid: np.ndarray, bins: int
) -> float | None:
    rows: dict[int, list[tuple[float, float]]] = {}
    for i in range(len(m)):
        for j in range(len(m)):
            if qid[i] != qid[j] or y[i] <= y[j]:
                continue
            spread = np.sqrt(v[i] + v[j])
            p = norm.cdf((m[i] - m[j]) / spread) if spread else (np.sign(m[i] - m[j]) + 1) / 2
            sure, right = (p, 1.0) if m[i] > m[j] else (1 - p, 0.0)
            if m[i] == m[j]:
                sure, right = 0.5, 0.5
            rows.setdefault(min(int((sure - 0.5) * 2 * bins), bins - 1), []).append((sure, right))
    total = sum(len(cell) for cell in rows.values())
    if total == 0:
        return None
    gaps = [
        len(cell) * abs(np.mean([s for s, _ in cell]) - np.mean([r for _, r in cell]))
        for cell in rows.values()
    ]
    return float(sum(gaps) / total)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_it_equals_enumeration_over_pairs(seed: int, n: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    m, v = rng.integers(0, 4, n).astype(float), rng.choice([0.0, 0.3, 1.0], n)
    y, qid = rng.integers(0, 3, n).astype(float), rng.integers(0, 3, n)
    wanted = enumerated(m, v, y, qid, bins)
    if wanted is None:
        with pytest.raises(DataError, match="different grades"):
            expected_ranking_calibration_error(m, v, y, qid=qid, bins=bins)
    else:
        found = expected_ranking_calibration_error(m, v, y, qid=qid, bins=bins)
        assert found == pytest.approx(wanted, abs=1e-9)


def test_scores_that_tell_the_truth_are_calibrated_and_boasting_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    m, v = rng.normal(size=600), rng.uniform(0.2, 2.0, size=600)
    truth = m + np.sqrt(v) * rng.normal(size=600)
    honest = expected_ranking_calibration_error(m, v, truth)
    boasting = expected_ranking_calibration_error(m, v / 25, truth)
    timid = expected_ranking_calibration_error(m, v * 25, truth)
    assert honest < 0.03
    assert min(boasting, timid) > 0.1


def test_a_model_without_variance_errs_by_its_share_of_wrong_pairs() -> None:
    found = expected_ranking_calibration_error([3, 2, 1, 0], [0] * 4, [3, 1, 2, 0])
    assert found == pytest.approx(1 / 6)


def test_the_curve_counts_every_pair_once_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    m, v, y = rng.normal(size=40), rng.random(40), rng.integers(0, 3, 40)
    whole = ranking_reliability_curve(m, v, y)
    monkeypatch.setattr("plackett.metrics.ranking_calibration._AT_ONCE", 100)
    parts = ranking_reliability_curve(m, v, y)
    assert whole.count.sum() == (y[:, None] > y[None]).sum()
    np.testing.assert_array_equal(parts.count, whole.count)
    np.testing.assert_allclose(parts.predicted, whole.predicted)


def test_bad_input() -> None:
    with pytest.raises(DataError, match="shapes"):
        expected_ranking_calibration_error([1, 2], [1], [0, 1])
    with pytest.raises(DataError, match="variance below"):
        expected_ranking_calibration_error([1, 2], [1, -1], [0, 1])
    with pytest.raises(DataError, match="not finite"):
        expected_ranking_calibration_error([1, np.nan], [1, 1], [0, 1])
    with pytest.raises(DataError, match="different grades"):
        expected_ranking_calibration_error([], [], [])
    with pytest.raises(ConfigurationError, match="bins=0"):
        expected_ranking_calibration_error([1, 2], [1, 1], [0, 1], bins=0)
