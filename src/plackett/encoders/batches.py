"""Batches of texts of similar length, cut by what they cost rather than by their number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError

__all__ = ["Batch", "padding_share", "token_batches"]

Integers = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Texts that go through the model together.

    Attributes
    ----------
    rows : `int64[b]`, which texts.
    width : to how many tokens each is padded.
    """

    rows: Integers
    width: int


def token_batches(
    lengths: npt.ArrayLike, budget: int, *, multiple: int = 8, longest: int | None = None
) -> list[Batch]:
    """Cut texts into batches of at most `budget` tokens, padding included.

    Texts are sorted by length, the longest first: texts of a batch are then of similar length, so
    that little padding is computed, and a model that does not fit in memory says so at once. Equal
    lengths keep their order. A text longer than the budget is a batch of its own.

    Parameters
    ----------
    lengths : `int[n]`, the tokens of each text.
    budget : at most so many tokens in a batch: texts times the padded length.
    multiple : lengths are padded to a multiple of this.
    longest : but to no more than this, which is what the model can read; None for no limit.

    Raises
    ------
    ConfigurationError : `budget` or `multiple` is below 1.

    >>> [(batch.rows.tolist(), batch.width) for batch in token_batches([3, 30, 9, 14], 40)]
    [([1], 32), ([3, 2], 16), ([0], 8)]
    """
    if budget < 1 or multiple < 1:
        raise ConfigurationError(
            f"a budget of {budget} tokens in multiples of {multiple}; expected 1 or more."
        )
    counts = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    widths = -(-np.maximum(counts[order], 1) // multiple) * multiple
    if longest is not None:
        widths = np.maximum(np.minimum(widths, longest), counts[order])
    batches = []
    start = 0
    while start < len(order):
        width = int(widths[start])
        stop = start + max(1, budget // width)
        # What is much shorter goes on its own: the padding would cost more than another call.
        stop = start + int(np.searchsorted(-widths[start:stop], -0.75 * width, side="right"))
        batches.append(Batch(order[start:stop], width))
        start = stop
    return batches


def padding_share(lengths: npt.ArrayLike, batches: list[Batch]) -> float:
    """Which share of the computed tokens is padding.

    >>> padding_share([6, 4], [Batch(np.array([0, 1]), 8)])
    0.375
    """
    computed = sum(len(batch.rows) * batch.width for batch in batches)
    return 1.0 - float(np.sum(lengths)) / computed if computed else 0.0
