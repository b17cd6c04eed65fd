"""CatBoost's training with our measure on the validation set, and its models as bytes."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import DataError
from plackett.rankers.boosting import Grown
from plackett.rankers.early_stopping import EarlyStopping
from plackett.rankers.forests import Forest, read_catboost
from plackett.rankers.objective import GroupedRows, MeanMeasure

__all__ = [
    "catboost_data",
    "catboost_forest",
    "grown_or_refused",
    "load_catboost",
    "model_bytes",
    "train_catboost",
]

# What CatBoost notes about the training in the model; all but the model differs between runs.
NOTES = {"train_finish_time": "", "model_guid": "", "training": "{}", "output_options": "{}"}


def catboost_data(
    rows: GroupedRows,
    label: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32] | None = None,
) -> Any:
    """A `catboost.Pool` of grouped rows; `weights` are one a query, `float32[q]`."""
    import catboost

    lengths = np.diff(rows.offsets)
    return catboost.Pool(
        np.asarray(rows.X),
        label,
        group_id=np.repeat(np.arange(len(lengths)), lengths),
        group_weight=None if weights is None else np.repeat(weights, lengths),
    )


class ValidationMeasure:
    """Our measure in the form that CatBoost asks for.

    CatBoost evaluates it on the training part too, whose rows have grades; those of the validation
    part are given as 0.
    """

    def __init__(self, measure: MeanMeasure) -> None:
        self.measure = measure

    def is_max_optimal(self) -> bool:
        return True

    def get_final_error(self, error: float, weight: float) -> float:
        return error

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        if len(target) != len(self.measure.y) or np.asarray(target).any():
            return 0.0, 1.0
        return self.measure(np.asarray(approxes[0])), 1.0


class AfterTree:
    """What is done after each tree: note the measure, tell the progress, say whether to go on."""

    def __init__(
        self, stopping: EarlyStopping, trees: int, progress: Callable[[int, int], None] | None
    ) -> None:
        self.stopping, self.trees, self.progress = stopping, trees, progress
        self.interrupted = False

    def after_iteration(self, info: Any) -> bool:
        try:
            values = info.metrics.get("validation", {}).get(ValidationMeasure.__name__)
            enough = bool(values) and self.stopping.after(float(values[-1]))
            if self.progress is not None:
                self.progress(info.iteration, self.trees)
        except KeyboardInterrupt:
            self.interrupted = True
            return False
        return not enough


def train_catboost(
    parameters: Mapping[str, Any],
    train: Any,
    valid: Any,
    measure: MeanMeasure | None,
    *,
    trees: int,
    patience: int | None,
    progress: Callable[[int, int], None] | None,
) -> Grown[bytes]:
    """Grow up to `trees` trees; the arguments are those of `boosting.boost`.

    Raises
    ------
    DataError : CatBoost refuses the data; the message has its reason.
    """
    stopping = EarlyStopping(patience)
    after = AfterTree(stopping, trees, progress)
    settings = {**parameters, "iterations": trees}
    if measure is not None:
        settings["eval_metric"] = ValidationMeasure(measure)
    model = grown_or_refused(settings, train, valid, [after])
    grown = model.tree_count_
    kept = stopping.kept(grown)
    if kept < grown:
        model.shrink(kept)
    return Grown(model_bytes(model), kept, tuple(stopping.history), after.interrupted)


def grown_or_refused(
    settings: Mapping[str, Any], train: Any, valid: Any = None, callbacks: Any = None
) -> Any:
    """A `catboost.CatBoost` trained with these settings, of at least one tree.

    Raises
    ------
    DataError : CatBoost refuses the data; the message has its reason.
    """
    import catboost

    loss = settings["loss_function"]
    model = catboost.CatBoost(dict(settings))
    with warnings.catch_warnings():
        # It would compile the measure, and says that it cannot.
        warnings.filterwarnings("ignore", message=r"(Failed to optimize|Can't optim\w+) method")
        try:
            model.fit(train, eval_set=valid, use_best_model=False, callbacks=callbacks)
        except catboost.CatBoostError as error:
            raise _refused(str(error), str(loss)) from error
    if model.tree_count_ == 0:
        raise DataError(
            "derivatives of which CatBoost can make no tree",
            expected=f"grades and features that {loss} can work with",
            remedy="scale the grades, or raise l2",
        )
    return model


def _refused(message: str, loss: str) -> DataError:
    """CatBoost's own reason, without the place in its source."""
    if "All features are either constant" in message:
        return DataError(
            "a dataset whose features are all constant",
            expected="a feature with two different values, which CatBoost insists on",
        )
    reason = re.sub(r"^\S+\.(?:cpp|h|pyx):\d+: ", "", message.strip().splitlines()[-1])
    return DataError(f"what CatBoost refuses ({reason})", expected=f"data for {loss}")


def model_bytes(model: Any) -> bytes:
    """A model in CatBoost's own binary format, without the time of training and the like."""
    notes = model.get_metadata()
    for name, nothing in NOTES.items():
        notes[name] = nothing
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.cbm"
        model.save_model(str(path), format="cbm")
        return path.read_bytes()


def load_catboost(model: bytes, path: Any = None) -> Any:
    """A `catboost.CatBoost` from the bytes of its binary format.

    Raises
    ------
    DataError : CatBoost cannot read it.
    OptionalDependencyError : CatBoost is not installed.
    """
    catboost = require("catboost", extra="trees", purpose="read trees grown by CatBoost")
    loaded = catboost.CatBoost()
    try:
        loaded.load_model(blob=model)
    except catboost.CatBoostError as error:
        raise DataError(
            f"a model that CatBoost {catboost.__version__} cannot read",
            expected="CatBoost's binary format",
            path=path,
        ) from error
    return loaded


def catboost_forest(model: Any) -> Forest:
    """The trees of a `catboost.CatBoost`, for scoring."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return read_catboost(path.read_bytes())
