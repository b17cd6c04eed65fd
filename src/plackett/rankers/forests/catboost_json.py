"""The trees of CatBoost's JSON format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plackett.errors import CorruptFileError, DataError
from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.growing import ForestLayout
from plackett.rankers.forests.reading import Reading

__all__ = ["read_catboost"]


def read_catboost(model: bytes | str) -> Forest:
    """The forest of a CatBoost model of symmetric trees.

    All splits of a level ask the same question, so that a level strikes out at once the leaves on
    the left of all of them.

    Parameters
    ----------
    model : the content of a file that `save_model(path, format="json")` wrote.

    Raises
    ------
    DataError : trees that are not symmetric, several scores a document, or splits by categories,
        texts or embeddings.
    CorruptFileError : the text is no such model.
    """
    try:
        content = json.loads(model)
        if isinstance(content, dict) and "trees" in content:
            raise DataError("trees that are not symmetric", expected='grow_policy "SymmetricTree"')
        factor, base = content["scale_and_bias"]
        bases = base if isinstance(base, list) else [base]
        if len(bases) != 1:
            raise DataError(f"{len(bases)} scores a document", expected="one")
        known = content["features_info"]["float_features"]
        readings = {
            feature["feature_index"]: (
                feature["flat_feature_index"],
                _READINGS[feature.get("nan_value_treatment", "AsIs")],
            )
            for feature in known
        }
        others = [name for name in content["features_info"] if name in _OTHERS]
        if others:
            raise DataError(", ".join(others), expected="features that are numbers")
        layout = ForestLayout(features=1 + max(place for place, _ in readings.values()))
        for tree in content["oblivious_trees"]:
            _add_tree(layout, tree, readings)
        return layout.forest(base=float(bases[0]), factor=float(factor))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, (DataError, CorruptFileError)):
            raise
        raise CorruptFileError(
            f"a model that cannot be read ({error!r})", expected="CatBoost's JSON format"
        ) from error


_READINGS = {
    "AsIs": Reading.MISSING_LEFT,
    "AsFalse": Reading.MISSING_LEFT,
    "AsTrue": Reading.MISSING_RIGHT,
}
_OTHERS = ("categorical_features", "text_features", "embedding_features")


def _add_tree(
    layout: ForestLayout, tree: Mapping[str, Any], readings: Mapping[int, tuple[int, Reading]]
) -> None:
    values = tree["leaf_values"]
    for level, split in enumerate(tree["splits"] or ()):
        if split["split_type"] != "FloatFeature":
            raise DataError(f"a split by {split['split_type']}", expected="by a threshold")
        place, reading = readings[split["float_feature_index"]]
        # Bit `level` of a leaf's number is the answer of that level.
        struck = sum(1 << leaf for leaf in range(len(values)) if not leaf >> level & 1)
        layout.split((place, reading, ()), float(split["border"]), struck)
    layout.close(values)
