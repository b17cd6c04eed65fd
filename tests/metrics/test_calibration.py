"""Calibration against scikit-learn and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from plackett.errors import ConfigurationError, DataError
from plackett.metrics import (
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_curve,
)


def test_losses_equal_scikit_learn(rng: np.random.Generator) -> None:
    p, y = rng.random(200), rng.integers(0, 2, 200)
    assert log_loss(p, y) == pytest.approx(oracle.log_loss(y, p))
    assert brier_score(p, y) == pytest.approx(oracle.brier_score_loss(y, p))


@pytest.mark.parametrize("binning", ["width", "count"])
def test_the_curve_is_the_mean_of_each_bin(rng: np.random.Generator, binning: str) -> None:
    p, y = rng.random(97), rng.integers(0, 2, 97)
    if binning == "width":
        group = np.ceil(p * 5).astype(int) - 1
    else:
        group = np.argsort(np.argsort(p)) * 5 // 97
    curve = reliability_curve(p, y, bins=5, binning=binning)  # type: ignore[arg-type]
    np.testing.assert_allclose(curve.predicted, [p[group == g].mean() for g in range(5)])
    np.testing.assert_allclose(curve.observed, [y[group == g].mean() for g in range(5)])
    error = sum(abs(p[group == g].sum() - y[group == g].sum()) for g in range(5)) / 97
    assert expected_calibration_error(p, y, bins=5, binning=binning) == pytest.approx(error)  # type: ignore[arg-type]


def test_perfect_and_hopeless_predictions() -> None:
    assert expected_calibration_error([0.0, 1.0], [0, 1]) == 0.0
    assert brier_score([0, 1], [0, 1]) == 0.0
    assert expected_calibration_error([1.0, 0.0], [0, 1]) == 1.0
    assert np.isfinite(log_loss([1.0], [0]))
    assert log_loss([1.0], [0], clip=0.0) == np.inf


@pytest.mark.parametrize(
    ("p", "y"), [([0.5], [0, 1]), ([], []), ([1.5], [1]), ([float("nan")], [1]), ([0.5], [2])]
)
def test_bad_input(p: list[float], y: list[float]) -> None:
    with pytest.raises(DataError):
        brier_score(p, y)


def test_bad_options() -> None:
    with pytest.raises(ConfigurationError, match="bins"):
        reliability_curve([0.5], [1], bins=0)
    with pytest.raises(ConfigurationError, match="binning"):
        reliability_curve([0.5], [1], binning="depth")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="clip"):
        log_loss([0.5], [1], clip=0.5)
