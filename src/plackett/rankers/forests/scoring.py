"""Scoring by the forest of a ranker's model, which is read when it is first needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.rankers.forests.forest import Forest
from plackett.rankers.forests.lightgbm_text import read_lightgbm

__all__ = ["ForestScores", "lightgbm_forest"]


def lightgbm_forest(booster: Any) -> Forest:
    """The trees of a `lightgbm.Booster`, for scoring."""
    return read_lightgbm(booster.model_to_string())


class ForestScores:
    """What rankers of trees share: their library grows the trees, a `Forest` scores by them.

    Attributes
    ----------
    threads : how many may score; 0 for all cores.
    """

    threads: int
    _read: tuple[Any, Forest] | None = None

    def _forest_scores(
        self, model: Any, read: Callable[[Any], Forest], X: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float64]:
        """The scores of rows; `read` makes the forest of a model that was not seen before."""
        if self._read is None or self._read[0] is not model:
            self._read = model, read(model)
        return self._read[1].score(X, threads=self.threads or os.cpu_count() or 1)
