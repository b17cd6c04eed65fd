"""The trees of LightGBM's text format."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from plackett.errors import CorruptFileError, DataError
from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.growing import Column, ForestLayout, left_leaves
from plackett.rankers.forests.reading import Reading

__all__ = ["read_lightgbm"]

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_NO_MISSING, _ZERO_MISSING, _NAN_MISSING = 0, 1, 2


def read_lightgbm(model: str) -> Forest:
    """The forest of a LightGBM model.

    Scores are those of `Booster.predict(X, raw_score=True)`, missing values, zeros taken as
    missing, and categories included.

    Parameters
    ----------
    model : `Booster.model_to_string()`, or a file that `save_model` wrote.

    Raises
    ------
    DataError : several trees a round (classes), or linear models in the leaves.
    CorruptFileError : the text is no such model, or is cut.
    """
    head, *sections = model.split("\nTree=")
    facts = _fields(head)
    if not head.lstrip().startswith("tree") or "max_feature_idx" not in facts:
        raise CorruptFileError("no model", expected="LightGBM's text format")
    if "end of trees" not in [head, *sections][-1]:
        raise CorruptFileError("a text that is cut", expected='a line "end of trees"')
    if int(facts.get("num_tree_per_iteration", "1")) != 1:
        raise DataError(
            f"{facts['num_tree_per_iteration']} trees a round", expected="one score a document"
        )
    layout = ForestLayout(features=int(facts["max_feature_idx"]) + 1)
    for section in sections:
        _add_tree(layout, _fields(section.partition("end of trees")[0]))
    return layout.forest()


def _fields(section: str) -> dict[str, str]:
    lines = (line.partition("=") for line in section.splitlines())
    return {name: value for name, equals, value in lines if equals}


def _add_tree(layout: ForestLayout, tree: Mapping[str, str]) -> None:
    if int(tree.get("is_linear", "0")):
        raise DataError("linear models in the leaves", expected="a value in each leaf")
    try:
        values = np.array(tree["leaf_value"].split(), dtype=np.float64)
        if int(tree["num_leaves"]) <= 1:
            layout.close(values[:1])
            return
        features = [int(text) for text in tree["split_feature"].split()]
        left, right = ([int(t) for t in tree[side].split()] for side in _CHILDREN)
        thresholds = [float(text) for text in tree["threshold"].split()]
        decisions = [int(text) for text in tree["decision_type"].split()]
        struck, leaves = left_leaves(left, right, 0)
        for node, bits in struck.items():
            decision = decisions[node]
            if decision & _CATEGORICAL:
                words = _category_words(tree, int(thresholds[node]))
                layout.split((features[node], Reading.NOT_IN_SET, words), 0.0, bits)
                continue
            missing = decision >> 2 & 3
            column: Column = (features[node], _READINGS[missing], ())
            layout.split(column, thresholds[node], bits)
            if missing != _NO_MISSING and not decision & _DEFAULT_LEFT:
                layout.split((features[node], _MISSING[missing], ()), 0.0, bits)
        layout.close(values[[~leaf for leaf in leaves]])
    except (KeyError, ValueError, IndexError) as error:
        raise CorruptFileError(
            f"a tree that cannot be read ({error})", expected="LightGBM's text format"
        ) from error


_CHILDREN = ("left_child", "right_child")
_READINGS = {
    _NO_MISSING: Reading.MISSING_AS_ZERO,
    _ZERO_MISSING: Reading.MISSING_OR_ZERO_LEFT,
    _NAN_MISSING: Reading.MISSING_LEFT,
}
_MISSING = {_ZERO_MISSING: Reading.IS_MISSING_OR_ZERO, _NAN_MISSING: Reading.IS_MISSING}


def _category_words(tree: Mapping[str, str], number: int) -> tuple[int, ...]:
    """The set of a split's categories: 32 of them a word."""
    starts = [int(text) for text in tree["cat_boundaries"].split()]
    words = [int(text) for text in tree["cat_threshold"].split()]
    return tuple(words[starts[number] : starts[number + 1]])
