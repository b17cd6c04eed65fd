"""Features on a common scale inside each query."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["SCALINGS", "Scaling", "scaled"]

Scaling = Literal["none", "query_minmax", "query_zscore"]
SCALINGS = ("none", "query_minmax", "query_zscore")


def scaled(
    column: npt.NDArray[np.float32], offsets: npt.NDArray[np.int64], scaling: Scaling
) -> npt.NDArray[np.float32]:
    """A column with every query on the same scale, missing values left as they are.

    "query_minmax" maps the least value of a query to 0 and the largest to 1; "query_zscore" makes
    mean 0 and population standard deviation 1. A query whose values are all equal becomes 0.

    >>> scaled(np.array([1, 3, 2, 7], dtype=np.float32), np.array([0, 3, 4]), "query_minmax")
    array([0. , 1. , 0.5, 0. ], dtype=float32)
    """
    if scaling == "none":
        return column
    values = column.astype(np.float64)
    out = np.zeros_like(values)
    for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        part = values[begin:end]
        known = part[~np.isnan(part)]
        if len(known) == 0 or known.min() == known.max():
            out[begin:end] = np.where(np.isnan(part), np.nan, 0.0)
        elif scaling == "query_minmax":
            out[begin:end] = (part - known.min()) / (known.max() - known.min())
        else:
            out[begin:end] = (part - known.mean()) / known.std()
    return out.astype(np.float32)
