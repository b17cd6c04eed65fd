"""Classical scaling by its laws and worked numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.rankers.classical_scaling import classical_scaling, grade_targets


def apart(points: np.ndarray) -> np.ndarray:
    return np.sqrt(np.square(points[:, None] - points[None]).sum(axis=2))


def test_grades_on_a_line() -> None:
    y = np.array([0.0, 1.0, 3.0, 4.0])
    found = classical_scaling(apart(y[:, None]))
    np.testing.assert_allclose(found.eigenvalues, [10.0])
    np.testing.assert_allclose(np.abs(found.coordinates[:, 0]), [2, 1, 1, 2])


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_euclidean_distances_are_met_exactly_and_points_centred(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    points, mass = rng.normal(size=(n, d)), rng.uniform(0.5, 3.0, n)
    found = classical_scaling(apart(points), weights=mass)
    np.testing.assert_allclose(apart(found.coordinates), apart(points), atol=1e-6)
    np.testing.assert_allclose(mass @ found.coordinates, 0.0, atol=1e-8)
    assert (np.diff(found.eigenvalues) <= 1e-9).all()
    assert found.coordinates.shape[1] <= d


def test_weights_stand_for_copies() -> None:
    points = np.random.default_rng(0).normal(size=(4, 3))
    counts = np.array([1, 3, 2, 1])
    weighted = classical_scaling(apart(points), weights=counts)
    copied = classical_scaling(apart(np.repeat(points, counts, axis=0)))
    np.testing.assert_allclose(weighted.eigenvalues, copied.eigenvalues)
    np.testing.assert_allclose(
        np.abs(np.repeat(weighted.coordinates, counts, axis=0)), np.abs(copied.coordinates)
    )


def test_fewer_dimensions_keep_the_largest() -> None:
    points = np.random.default_rng(1).normal(size=(6, 3)) * [5, 1, 0.1]
    whole, cut = (classical_scaling(apart(points), dimensions=d) for d in (None, 1))
    np.testing.assert_allclose(cut.coordinates, whole.coordinates[:, :1])


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0])
def test_targets_lie_powers_of_grade_differences_apart(power: float) -> None:
    y = np.array([0, 2, 1, 2, 4, 0, 0.5])
    targets = grade_targets(y, power=power)
    np.testing.assert_allclose(apart(targets), np.abs(y[:, None] - y) ** power, atol=1e-6)
    assert targets.shape[1] == (1 if power == 1.0 else 4)


def test_equal_grades_have_no_targets_and_many_grades_are_interpolated() -> None:
    assert grade_targets([2.0, 2.0]).shape == (2, 0)
    assert grade_targets([]).shape == (0, 0)
    y = np.random.default_rng(0).random(3000) * 1e6
    targets = grade_targets(y)
    assert abs(np.corrcoef(targets[:, 0], y)[0, 1]) > 0.999999
    assert np.ptp(targets) == pytest.approx(np.ptp(y), rel=1e-6)


def test_bad_input() -> None:
    for wrong in (np.zeros((2, 3)), [[0, 1], [2, 0]], [[0, -1], [-1, 0]]):
        with pytest.raises(DataError):
            classical_scaling(wrong)
    with pytest.raises(DataError, match="weights"):
        classical_scaling(np.zeros((2, 2)), weights=[1, 0])
    assert classical_scaling(np.zeros((0, 0))).coordinates.shape == (0, 0)
