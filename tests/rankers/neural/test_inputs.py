"""What a network reads: transforms against their formulas, in pieces, saved and in torch."""

import numpy as np
import pytest

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.rankers.neural import inputs as module
from plackett.rankers.neural.inputs import TRANSFORMS, InputTransform, fit_inputs

torch = pytest.importorskip("torch")

NAMES = ("a", "b", "c", "d")
LENGTHS = np.array([3, 1, 4])


def matrix() -> np.ndarray:
    X = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32) * 5
    X[:, 2] = 7.0  # constant
    X[3, 1] = np.nan
    return X


def test_standard_is_the_standard_score_without_missing_values() -> None:
    X = matrix()
    found = fit_inputs(X, NAMES, kind="standard").apply(X, LENGTHS)
    expected = (X - np.nanmean(X, axis=0)) / np.where(np.arange(4) == 2, 1, np.nanstd(X, axis=0))
    expected[3, 1] = 0.0
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found[:, 2] == 0).all()


def test_log1p_is_the_standard_score_of_the_signed_logarithm() -> None:
    X = matrix()
    logarithms = np.sign(X) * np.log1p(np.abs(X))
    found = fit_inputs(X, NAMES, kind="log1p").apply(X, LENGTHS)
    again = fit_inputs(logarithms.astype(np.float32), NAMES, kind="standard")
    np.testing.assert_allclose(
        found, again.apply(logarithms.astype(np.float32), LENGTHS), atol=1e-5
    )


def test_query_scores_are_within_each_list_but_for_query_features() -> None:
    X = matrix()
    fitted = fit_inputs(X, NAMES, kind="query", query_features=("d",))
    found = fitted.apply(X, LENGTHS)
    np.testing.assert_allclose(
        found[:3, 0], (X[:3, 0] - X[:3, 0].mean()) / X[:3, 0].std(), rtol=1e-5
    )
    assert (found[3, :3] == 0).all()  # a list of one document says nothing about it
    np.testing.assert_allclose(found[:, 3], (X[:, 3] - X[:, 3].mean()) / X[:, 3].std(), rtol=1e-4)


def test_quantiles_rise_from_minus_one_to_one_and_ignore_scale() -> None:
    x = np.sort(np.random.default_rng(1).exponential(size=500)).astype(np.float32)[:, None]
    fitted = fit_inputs(x, ("x",), kind="quantile")
    found = fitted.apply(x, np.array([500]))[:, 0]
    assert (np.diff(found) >= 0).all()
    np.testing.assert_allclose([found[0], found[-1]], [-1, 1], atol=0.02)
    scaled = fit_inputs(x**3, ("x",), kind="quantile").apply(x**3, np.array([500]))[:, 0]
    np.testing.assert_allclose(found, scaled, atol=0.02)
    beyond = fitted.apply(np.array([[-9.0], [99.0]], np.float32), np.array([2]))[:, 0]
    np.testing.assert_allclose(beyond, [-1, 1])


def test_outliers_are_cut() -> None:
    X = np.zeros((1000, 1), np.float32)
    X[0] = 1e30
    X[1] = 1.0
    assert np.abs(fit_inputs(X, ("x",), kind="standard").apply(X, np.array([1000]))).max() == 10


def test_categories_have_codes_and_zero_is_for_the_unknown() -> None:
    X = np.array([[3.0], [1.0], [np.nan], [3.0]], np.float32)
    fitted = fit_inputs(X, ("kind",), kind="standard", categorical=("kind",))
    found = fitted.apply(np.array([[1.0], [3.0], [2.0], [np.nan]], np.float32), np.array([4]))
    assert found[:, 0].tolist() == [1, 2, 0, 0]
    assert fitted.sizes == (3,)


def test_indicators_say_what_is_missing() -> None:
    X = matrix()
    fitted = fit_inputs(X, NAMES, kind="standard", missing_indicators=True)
    found = fitted.apply(X, LENGTHS)
    assert fitted.n_inputs == 5
    assert found[:, 4].tolist() == np.isnan(X[:, 1]).tolist()


def test_an_all_missing_column_is_zero() -> None:
    X = np.full((4, 1), np.nan, np.float32)
    for kind in TRANSFORMS:
        assert (fit_inputs(X, ("x",), kind=kind).apply(X, np.array([4])) == 0).all()


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_reading_in_pieces_changes_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X = matrix()
    whole = fit_inputs(X, NAMES, kind=kind)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
    pieces = fit_inputs(X, NAMES, kind=kind)
    np.testing.assert_allclose(pieces.apply(X, LENGTHS), whole.apply(X, LENGTHS), atol=1e-6)


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_state_gives_the_same_transform(kind: str) -> None:
    X = matrix()
    options = {"categorical": ("c",), "query_features": ("d",), "missing_indicators": True}
    fitted = fit_inputs(X, NAMES, kind=kind, **options)
    again = InputTransform.from_state(kind, fitted.state())
    np.testing.assert_array_equal(again.apply(X, LENGTHS), fitted.apply(X, LENGTHS))


@pytest.mark.parametrize("kind", TRANSFORMS)
def test_the_torch_layer_gives_the_same_inputs(kind: str) -> None:
    from plackett.rankers.neural.torch_inputs import TorchInputs

    random = np.random.default_rng(4)
    X = random.choice([0.0, 0.0, 1.0, 2.5, -3.0, 11.0], (60, 4)).astype(np.float32)
    X[::9, 1] = np.nan
    options = {"categorical": ("c",), "query_features": ("d",), "missing_indicators": True}
    fitted = fit_inputs(X, NAMES, kind=kind, **options)
    layer = TorchInputs(fitted)
    for rows in (X, X[:1], X[:7]):
        expected = fitted.apply(rows, np.array([len(rows)]))
        found = layer(torch.from_numpy(rows)).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_wrong_names_are_named() -> None:
    X = matrix()
    with pytest.raises(UnknownNameError, match="feature 'z'"):
        fit_inputs(X, NAMES, kind="standard", categorical=("z",))
    with pytest.raises(UnknownNameError, match="transform"):
        fit_inputs(X, NAMES, kind="rank")
    with pytest.raises(ConfigurationError, match="both"):
        fit_inputs(X, NAMES, kind="query", categorical=("a",), query_features=("a",))
