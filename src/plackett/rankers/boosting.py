"""The training loop around LightGBM's booster: early stopping, progress, interruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError
from plackett.rankers.objective import GroupedRows, MeanMeasure

__all__ = ["Boosted", "boost", "lightgbm_dataset", "load_booster"]


class Boosted(NamedTuple):
    """`model` is the text of the model cut to its best tree; `history` has the measure on the
    validation set after each tree; `interrupted` says whether Ctrl-C ended the training."""

    model: str
    trees: int
    history: tuple[float, ...]
    interrupted: bool


def lightgbm_dataset(
    rows: GroupedRows,
    label: npt.NDArray[np.float32],
    parameters: Mapping[str, Any],
    reference: Any = None,
) -> Any:
    """A `lightgbm.Dataset` of grouped rows; with `reference`, binned as that one is.

    Names are not handed over: LightGBM refuses some characters in them.
    """
    import lightgbm

    return lightgbm.Dataset(
        rows.X,
        label,
        group=np.diff(rows.offsets),
        reference=reference,
        params=dict(parameters),
    )


def boost(
    parameters: Mapping[str, Any],
    train: Any,
    valid: Any,
    measure: MeanMeasure | None,
    *,
    trees: int,
    patience: int | None,
    progress: Callable[[int, int], None] | None,
) -> Boosted:
    """Grow up to `trees` trees.

    Parameters
    ----------
    parameters : LightGBM's.
    train, valid : `lightgbm.Dataset`s; `valid` is None without a validation set.
    measure : what is to rise on `valid`; it has the grades.
    patience : stop after so many trees without improvement; None: keep all trees.
    progress : called with the number of trees grown and of trees wanted after each tree.
    """
    import lightgbm

    booster = lightgbm.Booster(params=dict(parameters), train_set=train)
    if valid is not None:
        booster.add_valid(valid, "valid")

    def evaluate(scores: npt.NDArray[np.float64], _: Any) -> tuple[str, float, bool]:
        return "measure", 0.0 if measure is None else measure(scores), True

    history: list[float] = []
    best = (-np.inf, 0)
    grown = 0
    interrupted = False
    try:
        for tree in range(1, trees + 1):
            booster.update()
            grown = tree
            if valid is not None:
                history.append(float(booster.eval_valid(evaluate)[0][2]))
                if history[-1] > best[0]:
                    best = (history[-1], tree)
            if progress is not None:
                progress(tree, trees)
            if patience is not None and best[1] and tree - best[1] >= patience:
                break
    except KeyboardInterrupt:
        if not grown:
            raise
        interrupted = True
    kept = best[1] if patience is not None and best[1] else grown
    return Boosted(booster.model_to_string(num_iteration=kept), kept, tuple(history), interrupted)


def load_booster(model: str, path: Any = None) -> Any:
    """A `lightgbm.Booster` from its text.

    Raises
    ------
    DataError : LightGBM cannot read it.
    """
    import lightgbm

    try:
        return lightgbm.Booster(model_str=model)
    except lightgbm.basic.LightGBMError as error:
        raise DataError(
            f"a model that LightGBM {lightgbm.__version__} cannot read ({error})",
            expected="a LightGBM text model",
            path=path,
        ) from error
