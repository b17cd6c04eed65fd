"""Forests against the libraries that grew them, and against a plain walk down the trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.rankers.forests import Forest, read_catboost, read_lightgbm, read_xgboost
from plackett.rankers.forests.growing import ForestLayout, left_leaves, rounded_down
from plackett.rankers.forests.reading import Reading

Rows = npt.NDArray[np.float32]


def drawn(rows: int = 700, features: int = 6, *, missing: float = 0.0, zeros: float = 0.0) -> Rows:
    """Random features, some missing, some 0."""
    generator = np.random.default_rng(7)
    X = generator.normal(size=(rows, features)).astype(np.float32)
    X[generator.random(X.shape) < zeros] = 0.0
    X[generator.random(X.shape) < missing] = np.nan
    return X


def target(X: Rows) -> npt.NDArray[np.float64]:
    """A function of the features that trees can learn, missing values included."""
    filled = np.where(np.isnan(X), 1.5, X)
    return np.asarray(filled[:, 0] + filled[:, 1] * filled[:, 2] + np.sin(3 * filled[:, 3]))


def grown(X: Rows, trees: int = 20, categories: Any = "auto", **parameters: Any) -> Any:
    """A LightGBM model."""
    known = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 3, **parameters}
    data = lightgbm.Dataset(X, target(X), categorical_feature=categories)
    return lightgbm.train(known, data, trees)


EXTREME = np.array([[np.inf, -np.inf, np.nan, 0.0, 1e-36, -3e38]], dtype=np.float32)


@pytest.mark.parametrize(
    "parameters",
    [
        {"num_leaves": 2},
        {"num_leaves": 31},
        {"num_leaves": 32},
        {"num_leaves": 33},
        {"num_leaves": 200, "min_data_in_leaf": 1},
        {"use_missing": False},
        {"zero_as_missing": True},
        {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
        {"boosting": "dart"},
        {"num_leaves": 60, "max_depth": -1, "path_smooth": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_scores_are_lightgbms(parameters: dict[str, Any], missing: float) -> None:
    X = drawn(missing=missing, zeros=0.2)
    booster = grown(X, **parameters)
    forest = read_lightgbm(booster.model_to_string())
    rows = np.concatenate([X, drawn(70, missing=0.5, zeros=0.2), EXTREME])
    wanted = booster.predict(rows, raw_score=True, num_threads=1)
    np.testing.assert_allclose(forest.score(rows), wanted, rtol=1e-12, atol=1e-12)
    assert len(forest) == booster.num_trees()


def test_categories_are_read_as_lightgbm_does() -> None:
    generator = np.random.default_rng(1)
    X = drawn()
    X[:, 4] = generator.integers(0, 70, len(X))
    y = (X[:, 4] % 3) + X[:, 0]
    data = lightgbm.Dataset(X, y, categorical_feature=[4])
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "min_data_per_group": 5, "cat_smooth": 1}, data, 15
    )
    assert "num_cat=0" not in booster.model_to_string().split("Tree=")[1]
    rows = drawn(300)
    rows[:, 4] = generator.integers(-3, 200, len(rows))
    rows[:4, 4] = [np.nan, -0.5, 1e9, 2.7]
    forest = read_lightgbm(booster.model_to_string())
    np.testing.assert_allclose(
        forest.score(rows), booster.predict(rows, num_threads=1), rtol=1e-12, atol=1e-12
    )


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    X = drawn(50)
    booster = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1000},
        lightgbm.Dataset(X, target(X)),
        3,
    )
    forest = read_lightgbm(booster.model_to_string())
    np.testing.assert_allclose(forest.score(X), booster.predict(X), rtol=1e-12)


def test_many_trees_are_scored_in_groups() -> None:
    X = drawn(300)
    booster = grown(X, 300, num_leaves=120, min_data_in_leaf=1)
    forest = read_lightgbm(booster.model_to_string())
    assert len(forest.trees) > 2
    np.testing.assert_allclose(forest.score(X), booster.predict(X), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("parameters", [{}, {"max_depth": 9}, {"max_leaves": 40}], ids=str)
def test_scores_are_xgboosts(missing: float, parameters: dict[str, Any]) -> None:
    xgboost = pytest.importorskip("xgboost")
    X = drawn(missing=missing, zeros=0.2)
    data = xgboost.DMatrix(X, target(X), nthread=1)
    booster = xgboost.train({"nthread": 1, "verbosity": 0, **parameters}, data, 25)
    forest = read_xgboost(bytes(booster.save_raw("json")))
    rows = np.concatenate([X, drawn(70, missing=0.5)])
    wanted = booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True)
    np.testing.assert_allclose(forest.score(rows), wanted, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("mode", ["Min", "Max"])
@pytest.mark.parametrize("depth", [1, 4, 7])
def test_scores_are_catboosts(mode: str, depth: int, tmp_path: Path) -> None:
    catboost = pytest.importorskip("catboost")
    X = drawn(missing=0.2)
    model = catboost.CatBoost(
        {
            "depth": depth,
            "iterations": 20,
            "thread_count": 1,
            "nan_mode": mode,
            "logging_level": "Silent",
            "allow_writing_files": False,
        }
    ).fit(X, target(X))
    model.save_model(str(tmp_path / "model.json"), format="json")
    forest = read_catboost((tmp_path / "model.json").read_bytes())
    rows = np.concatenate([X, drawn(70, missing=0.5)])
    np.testing.assert_allclose(forest.score(rows), model.predict(rows), rtol=1e-6, atol=1e-6)


# A tree as nested pairs: (feature, threshold, left, right), or the value of a leaf.
Tree = Any
trees = st.recursive(
    st.floats(-10, 10, width=32),
    lambda below: st.tuples(st.integers(0, 2), st.floats(-3, 3, width=32), below, below),
    max_leaves=80,
)


def add_tree(layout: ForestLayout, tree: Tree) -> None:
    """Put a tree into a layout."""
    left: list[int] = []
    right: list[int] = []
    splits: list[tuple[int, float]] = []
    leaves: list[float] = []

    def place(part: Tree) -> int:
        if not isinstance(part, tuple):
            leaves.append(part)
            return -len(leaves)
        node = len(splits)
        splits.append(part[:2])
        left.append(0)
        right.append(0)
        left[node], right[node] = place(part[2]), place(part[3])
        return node

    struck, order = left_leaves(left, right, place(tree))
    for node, bits in struck.items():
        feature, threshold = splits[node]
        layout.split((feature, Reading.MISSING_LEFT, ()), threshold, bits)
    layout.close([leaves[-name - 1] for name in order])


def walked(tree: Tree, row: Rows) -> float:
    """The value of the leaf that a row comes to."""
    while isinstance(tree, tuple):
        feature, threshold, left, right = tree
        tree = right if row[feature] > threshold else left
    return float(tree)


@given(st.lists(trees, max_size=4), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_striking_out_leads_to_the_leaf_that_walking_does(forest: list[Tree], seed: int) -> None:
    layout = ForestLayout(features=3)
    for tree in forest:
        add_tree(layout, tree)
    X = np.random.default_rng(seed).normal(size=(70, 3)).astype(np.float32)
    X[:3] = [[np.nan, 0, 0], [np.inf, -np.inf, 0], [0, 0, 0]]
    wanted = [2.0 + 0.5 * sum(walked(tree, row) for tree in forest) for row in X]
    found = layout.forest(base=2.0, factor=0.5).score(X)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)


@given(st.floats(allow_nan=False))
def test_rounding_down_splits_float32s_alike(number: float) -> None:
    low = rounded_down(np.array([number]))
    assert low.dtype == np.float32
    assert float(low[0]) <= number
    with np.errstate(over="ignore"):
        above = float(np.nextafter(low, np.float32(np.inf))[0])
    assert above > number or np.isinf(number)


def test_threads_batches_and_layout_change_nothing() -> None:
    X = drawn(9_000)
    forest = read_lightgbm(grown(X[:500]).model_to_string())
    alone = forest.score(X)
    assert np.array_equal(forest.score(X, threads=3), alone)
    assert np.array_equal(forest.score(np.asfortranarray(X)), alone)
    assert np.array_equal(forest.score(X.astype(np.float64)), alone)
    assert np.array_equal(np.concatenate([forest.score(X[:100]), forest.score(X[100:])]), alone)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(forest.score(X[order]), alone[order])
    assert forest.score(X[:0]).shape == (0,)


def test_what_does_not_fit_is_told() -> None:
    forest = read_lightgbm(grown(drawn(100), 2).model_to_string())
    with pytest.raises(DataError, match="rows of 6 features"):
        forest.score(np.zeros((2, 5)))
    with pytest.raises(ConfigurationError, match="threads=0"):
        forest.score(np.zeros((2, 6)), threads=0)


def test_models_of_other_kinds_are_refused() -> None:
    X = drawn(200)
    linear = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "linear_tree": True},
        lightgbm.Dataset(X, target(X), params={"linear_tree": True, "verbosity": -1}),
        2,
    )
    with pytest.raises(DataError, match="linear models"):
        read_lightgbm(linear.model_to_string())
    classes = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "objective": "multiclass", "num_class": 3},
        lightgbm.Dataset(X, np.arange(200) % 3),
        2,
    )
    with pytest.raises(DataError, match="3 trees a round"):
        read_lightgbm(classes.model_to_string())


def test_cut_or_altered_lightgbm_models_are_refused() -> None:
    text = grown(drawn(100), 2).model_to_string()
    assert text.count("Tree=") == 2
    for place in range(0, text.index("end of trees"), 97):
        with pytest.raises(CorruptFileError):
            read_lightgbm(text[:place])
    for name in ("left_child=", "split_feature=", "leaf_value=", "threshold="):
        with pytest.raises(CorruptFileError):
            read_lightgbm(text.replace(name, name + "x "))
    first, _, rest = text.partition("left_child=")
    with pytest.raises(CorruptFileError, match="out of its place"):
        read_lightgbm(first + "left_child=0 " + rest.partition(" ")[2])


def xgboost_model(**changes: Any) -> dict[str, Any]:
    """A model of one split, as XGBoost writes it."""
    tree = {
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "split_conditions": [0.5, -1.0, 1.0],
        "split_indices": [0, 0, 0],
        "split_type": [0, 0, 0],
        "default_left": [1, 0, 0],
    }
    tree |= changes.pop("tree", {})
    booster = {"name": "gbtree", "model": {"trees": [tree]}} | changes.pop("booster", {})
    facts = {"num_feature": "1", "num_class": "0", "base_score": "[2E0]"} | changes
    return {"learner": {"gradient_booster": booster, "learner_model_param": facts}}


def test_an_xgboost_split_goes_left_below_its_condition() -> None:
    forest = read_xgboost(json.dumps(xgboost_model()))
    X = np.array([[0.25], [0.5], [np.nan], [1]], dtype=np.float32)
    assert forest.score(X).tolist() == [1.0, 3.0, 1.0, 3.0]
    right = read_xgboost(json.dumps(xgboost_model(tree={"default_left": [0, 0, 0]})))
    assert right.score(X).tolist() == [1.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"booster": {"name": "dart"}},
        {"num_class": "3"},
        {"num_target": "2"},
        {"tree": {"split_type": [1, 0, 0]}},
    ],
    ids=str,
)
def test_other_xgboost_models_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        read_xgboost(json.dumps(xgboost_model(**changes)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"learner": 3}',
        json.dumps(xgboost_model(base_score="none")),
        json.dumps(xgboost_model(tree={"left_children": [0, -1, -1]})),
        json.dumps(xgboost_model(tree={"split_indices": []})),
    ],
)
def test_damaged_xgboost_models_are_refused(text: str) -> None:
    with pytest.raises(CorruptFileError):
        read_xgboost(text)


def catboost_model(**changes: Any) -> dict[str, Any]:
    """A model of one split, as CatBoost writes it."""
    feature = {"feature_index": 0, "flat_feature_index": 0, "nan_value_treatment": "AsIs"}
    split = {"split_type": "FloatFeature", "float_feature_index": 0, "border": 0.5}
    split |= changes.pop("split", {})
    return {
        "features_info": {"float_features": [feature]} | changes.pop("others", {}),
        "oblivious_trees": [{"splits": [split], "leaf_values": [-1.0, 1.0]}],
        "scale_and_bias": [2, [3]],
    } | changes


def test_a_catboost_split_goes_right_above_its_border() -> None:
    forest = read_catboost(json.dumps(catboost_model()))
    X = np.array([[0.5], [0.75], [np.nan]], dtype=np.float32)
    assert forest.score(X).tolist() == [1.0, 5.0, 1.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"scale_and_bias": [1, [0, 0]]},
        {"split": {"split_type": "OneHotFeature"}},
        {"others": {"categorical_features": []}},
    ],
    ids=str,
)
def test_other_catboost_models_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        read_catboost(json.dumps(catboost_model(**changes)))
    with pytest.raises(DataError, match="not symmetric"):
        read_catboost('{"trees": []}')


@pytest.mark.parametrize(
    "text",
    ["", "[1]", json.dumps(catboost_model(split={"float_feature_index": 5})), '"oblivious_trees"'],
)
def test_damaged_catboost_models_are_refused(text: str) -> None:
    with pytest.raises(CorruptFileError):
        read_catboost(text)


def test_an_empty_forest_is_its_base() -> None:
    forest = ForestLayout(features=2).forest(base=1.5)
    assert isinstance(forest, Forest)
    assert len(forest) == 0
    assert forest.score(np.zeros((3, 2))).tolist() == [1.5, 1.5, 1.5]
