"""The training loop around XGBoost's booster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import DataError
from plackett.rankers.boosting import Grown
from plackett.rankers.early_stopping import EarlyStopping
from plackett.rankers.forests import Forest, read_xgboost
from plackett.rankers.lambda_gradient import Objective
from plackett.rankers.objective import GroupedRows, MeanMeasure

__all__ = ["load_xgboost", "train_xgboost", "xgboost_data", "xgboost_forest"]


def xgboost_data(
    rows: GroupedRows,
    label: npt.NDArray[np.float32],
    bins: int,
    threads: int,
    reference: Any = None,
    *,
    weights: npt.NDArray[np.float32] | None = None,
) -> Any:
    """An `xgboost.QuantileDMatrix` of grouped rows; with `reference`, binned as that one is.

    `weights` are one a query, `float32[q]`.
    """
    import xgboost

    return xgboost.QuantileDMatrix(
        np.asarray(rows.X),
        label,
        group=np.diff(rows.offsets),
        weight=weights,
        max_bin=bins,
        nthread=threads,
        ref=reference,
    )


def train_xgboost(
    parameters: Mapping[str, Any],
    train: Any,
    valid: Any,
    measure: MeanMeasure | None,
    *,
    objective: Objective | None,
    trees: int,
    patience: int | None,
    progress: Callable[[int, int], None] | None,
) -> Grown[bytes]:
    """Grow up to `trees` trees; the arguments are those of `boosting.boost`."""
    import xgboost

    booster = xgboost.Booster(dict(parameters), [train] if valid is None else [train, valid])
    stopping = EarlyStopping(patience)
    grown = 0
    interrupted = False
    try:
        for tree in range(1, trees + 1):
            if objective is None:
                booster.update(train, tree - 1)
            else:
                scores = booster.predict(train, output_margin=True, training=True)
                gradient, curvature = objective(scores)
                booster.boost(train, tree - 1, grad=gradient, hess=curvature)
            grown = tree
            enough = False
            if valid is not None and measure is not None:
                enough = stopping.after(measure(booster.predict(valid, output_margin=True)))
            if progress is not None:
                progress(tree, trees)
            if enough:
                break
    except KeyboardInterrupt:
        if not grown:
            raise
        interrupted = True
    kept = stopping.kept(grown)
    model = bytes(booster[:kept].save_raw("ubj"))
    return Grown(model, kept, tuple(stopping.history), interrupted)


def load_xgboost(model: bytes, threads: int, path: Any = None) -> Any:
    """An `xgboost.Booster` from its UBJSON bytes.

    Raises
    ------
    DataError : XGBoost cannot read it.
    OptionalDependencyError : XGBoost is not installed.
    """
    xgboost = require("xgboost", extra="trees", purpose="read trees grown by XGBoost")
    booster = xgboost.Booster({"nthread": threads})
    try:
        booster.load_model(bytearray(model))
    except xgboost.core.XGBoostError as error:
        raise DataError(
            f"a model that XGBoost {xgboost.__version__} cannot read",
            expected="XGBoost's UBJSON",
            path=path,
        ) from error
    return booster


def xgboost_forest(booster: Any) -> Forest:
    """The trees of an `xgboost.Booster`, for scoring."""
    return read_xgboost(bytes(booster.save_raw("json")))
