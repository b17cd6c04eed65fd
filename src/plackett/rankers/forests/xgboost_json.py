"""The trees of XGBoost's JSON format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from plackett.errors import CorruptFileError, DataError
from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.growing import ForestLayout, left_leaves
from plackett.rankers.forests.reading import Reading

__all__ = ["read_xgboost"]


def read_xgboost(model: bytes | str) -> Forest:
    """The forest of an XGBoost model.

    Scores are those of `predict(..., output_margin=True)`, to the rounding of sums of float32.

    Parameters
    ----------
    model : `Booster.save_raw("json")`, or a file that `save_model` wrote as JSON.

    Raises
    ------
    DataError : no trees (`gblinear`), trees that count by weights (`dart`), several scores a
        document, or splits by categories.
    CorruptFileError : the text is no such model.
    """
    try:
        learner = json.loads(model)["learner"]
        booster = learner["gradient_booster"]
        facts = learner["learner_model_param"]
        if booster["name"] != "gbtree":
            raise DataError(f"a booster {booster['name']!r}", expected="'gbtree'")
        if int(facts.get("num_class", 0)) > 1 or int(facts.get("num_target", 1)) > 1:
            raise DataError("several scores a document", expected="one")
        layout = ForestLayout(features=int(facts["num_feature"]))
        for tree in booster["model"]["trees"]:
            _add_tree(layout, tree)
        return layout.forest(base=_base_score(str(facts["base_score"])))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, (DataError, CorruptFileError)):
            raise
        raise CorruptFileError(
            f"a model that cannot be read ({error!r})", expected="XGBoost's JSON format"
        ) from error


def _base_score(text: str) -> float:
    """The base score: a number, or a list of one."""
    return float(text.strip("[]"))


def _add_tree(layout: ForestLayout, tree: Mapping[str, Any]) -> None:
    left, right = tree["left_children"], tree["right_children"]
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32)
    if any(tree.get("split_type", ())):
        raise DataError("splits by categories", expected="splits by thresholds")
    # A leaf is a node without children; it is named by its number, turned negative.
    leaf = [child == -1 for child in left]
    sides = [[~c if c >= 0 and leaf[c] else c for c in side] for side in (left, right)]
    struck, leaves = left_leaves(sides[0], sides[1], ~0 if leaf[0] else 0)
    # XGBoost goes left where x < t, that is, where x is no greater than the float32 before t.
    below = np.nextafter(conditions, np.float32(-np.inf))
    for node, bits in struck.items():
        reading = Reading.MISSING_LEFT if tree["default_left"][node] else Reading.MISSING_RIGHT
        layout.split((tree["split_indices"][node], reading, ()), float(below[node]), bits)
    layout.close(conditions[[~name for name in leaves]])
