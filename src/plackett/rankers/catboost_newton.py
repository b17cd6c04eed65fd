"""CatBoost's trees by the derivatives of a loss: one Newton step a tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from plackett.rankers.boosting import Grown
from plackett.rankers.catboost_training import grown_or_refused, model_bytes
from plackett.rankers.early_stopping import EarlyStopping
from plackett.rankers.lambda_gradient import Derivatives, Objective
from plackett.rankers.objective import GroupedRows, MeanMeasure

__all__ = ["train_catboost_by_derivatives"]

# A row of no curvature would ask for a step without end; its share of a leaf stays its gradient.
LEAST_SHARE_OF_CURVATURE = 1e-6


def train_catboost_by_derivatives(
    parameters: Mapping[str, Any],
    rows: GroupedRows,
    valid: GroupedRows | None,
    measure: MeanMeasure | None,
    *,
    objective: Objective,
    trees: int,
    patience: int | None,
    progress: Callable[[int, int], None] | None,
) -> Grown[bytes]:
    """Grow up to `trees` trees, each fitted to the Newton step of the scores so far.

    CatBoost asks a custom objective for some rows at a time, which a loss over lists cannot answer.
    But a tree fitted by squared error to -g / h with the weights h is the Newton step of a loss
    with gradient g and curvature h: its leaves are -sum g / (sum h + l2 mean h), times the
    learning rate. The rows are binned once; the targets go in as baselines below labels of 0, which
    CatBoost lets change.

    Raises
    ------
    DataError : CatBoost refuses the data; the message has its reason.
    """
    import catboost

    pool = catboost.Pool(np.asarray(rows.X), np.zeros(len(rows.y), dtype=np.float32))
    pool.quantize(border_count=parameters["border_count"])
    scores = np.zeros(len(rows.y))
    valid_scores = np.zeros(0 if valid is None else len(valid.y))
    stopping, models, interrupted = EarlyStopping(patience), [], False
    try:
        for tree in range(1, trees + 1):
            own = {**parameters, "random_seed": (parameters["random_seed"] + tree) % (2**31 - 1)}
            model = _newton_tree(own, pool, objective(scores))
            scores += model.predict(np.asarray(rows.X), thread_count=parameters["thread_count"])
            models.append(model)
            enough = False
            if valid is not None and measure is not None:
                valid_scores += model.predict(np.asarray(valid.X))
                enough = stopping.after(measure(valid_scores))
            if progress is not None:
                progress(tree, trees)
            if enough:
                break
    except KeyboardInterrupt:
        if not models:
            raise
        interrupted = True
    kept = stopping.kept(len(models))
    model = models[0] if kept == 1 else catboost.sum_models(models[:kept])
    return Grown(model_bytes(model), kept, tuple(stopping.history), interrupted)


def _newton_tree(parameters: Mapping[str, Any], pool: Any, derivatives: Derivatives) -> Any:
    """A model of one tree; `pool` is given other weights and baselines."""
    gradient = derivatives.gradient.astype(np.float64)
    curvature = derivatives.curvature.astype(np.float64)
    least = LEAST_SHARE_OF_CURVATURE * float(curvature.mean())
    weights = np.maximum(curvature, least if least > 0 else 1.0)
    pool.set_weight(weights)
    pool.set_baseline((gradient / weights)[:, None])
    settings = {
        **parameters,
        "iterations": 1,
        "loss_function": "RMSE",
        "boost_from_average": False,
        "leaf_estimation_method": "Newton",
        "leaf_estimation_iterations": 1,
    }
    return grown_or_refused(settings, pool)
