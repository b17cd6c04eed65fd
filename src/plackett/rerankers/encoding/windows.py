"""Long documents: windows of tokens, and one score made of the windows' scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError

__all__ = ["LongPolicy", "check_windows", "combine", "windows"]

LongPolicy = Literal["truncate", "first", "max", "mean", "top-k-mean"]
"""What to do with a document that is longer than the model reads. "truncate": read its beginning;
"first", "max", "mean", "top-k-mean": score windows of it, and take the first window's score, the
greatest (BERT-MaxP), the mean, or the mean of the k greatest."""


def windows(length: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Where to cut a document of `length` tokens: (start, stop) of each window.

    Windows begin at 0, stride, 2 stride, ... until one reaches the end, so that every token is in
    at least one. An empty document has one empty window.

    Parameters
    ----------
    length : the tokens of the document.
    window : tokens of a window, 1 or more.
    stride : from the start of a window to that of the next, 1 to `window`.

    Raises
    ------
    ConfigurationError : `window` or `stride` is out of range.

    >>> windows(10, 4, 3)
    [(0, 4), (3, 7), (6, 10)]
    >>> windows(3, 4, 2), windows(0, 4, 2)
    ([(0, 3)], [(0, 0)])
    """
    if window < 1 or not 1 <= stride <= window:
        raise ConfigurationError(
            f"windows of {window} tokens every {stride}; expected a window of 1 or more, and a "
            "stride from 1 to the window, so that no token is left out."
        )
    count = 1 + max(0, -(-(length - window) // stride))
    return [(i * stride, min(i * stride + window, length)) for i in range(count)]


def check_windows(long: str, window: int | None, stride: int | None, k: int) -> None:
    """Refuse parameters that do not fit together.

    Raises
    ------
    ConfigurationError : an unknown policy, a window or stride below 1, a stride above its window,
        or k below 1.
    """
    if long not in get_args(LongPolicy):
        raise ConfigurationError(f"long = {long!r}; expected one of {get_args(LongPolicy)}.")
    if window is not None and window < 1:
        raise ConfigurationError(f"window = {window}; expected 1 or more, or None.")
    if stride is not None and (stride < 1 or (window is not None and stride > window)):
        raise ConfigurationError(
            f"stride = {stride}; expected 1 to window = {window}, so that no token is left out."
        )
    if k < 1:
        raise ConfigurationError(f"k = {k} windows; expected 1 or more.")


def combine(scores: Sequence[float] | npt.ArrayLike, long: LongPolicy, k: int = 3) -> float:
    """One score of a document from those of its windows, in order.

    first: s_1; max: max_i s_i; mean: their mean; top-k-mean: the mean of the k greatest, or of all
    if there are fewer. One window's score is the document's, whatever the policy.

    Reference: Dai & Callan, "Deeper text understanding for IR with contextual neural language
    modeling", SIGIR 2019 (FirstP, MaxP).

    >>> combine([1.0, 3.0, 2.0], "max"), combine([1.0, 3.0, 2.0], "top-k-mean", k=2)
    (3.0, 2.5)
    """
    values = np.asarray(scores, dtype=np.float64)
    if long in ("truncate", "first") or len(values) == 1:
        return float(values[0])
    if long == "max":
        return float(values.max())
    if long == "mean":
        return float(values.mean())
    return float(np.sort(values)[::-1][:k].mean())
