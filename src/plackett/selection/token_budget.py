"""The best passages that fit into a number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.data.run_texts import document_texts
from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.registry import parse_model
from plackett.selection.base import Selector
from plackett.selection.registry import register

__all__ = ["Packed", "Packing", "TokenBudget", "estimated_tokens", "pack", "pack_texts"]

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Packing = Literal["prefix", "rank", "density", "exact"]
"""How passages are chosen. "prefix": down the list until one does not fit; "rank": the same,
passing over what does not fit; "density": most score a token first, or the best single passage if
that has more; "exact": the set with the highest sum of scores."""

LARGEST_TABLE = 50_000_000
"""So many cells (passages times tokens) the exact packing fills at most."""


def estimated_tokens(text: str) -> int:
    """Tokens of a text without a tokenizer, estimated from above: a token a three bytes.

    English has about four bytes a token, other scripts two to three.

    >>> estimated_tokens("a red wine")
    4
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def pack(
    scores: npt.ArrayLike, tokens: npt.ArrayLike, budget: int, packing: Packing = "rank"
) -> Longs:
    """Which passages of one list to keep within a budget.

    Parameters
    ----------
    scores : `float[n]`, best first; "density" and "exact" need them to be 0 or more.
    tokens : `int[n]`, how long each passage is.
    budget : tokens in all.
    packing : see `Packing`. "density" reaches at least half of the highest sum. "exact" takes
        O(n * budget) time and memory.

    Returns
    -------
    `int64[m]`, positions in ascending order.

    Raises
    ------
    DataError : unequal lengths, a negative length, or a negative or missing score where scores are
        added.
    ConfigurationError : a negative budget, an unknown packing, or an exact one too large.

    >>> pack([3.0, 2.0, 2.0], [6, 5, 5], 10, "rank"), pack([3.0, 2.0, 2.0], [6, 5, 5], 10, "exact")
    (array([0]), array([1, 2]))
    """
    if packing not in _PACKINGS:
        raise ConfigurationError(f"packing={packing!r} is not one of {', '.join(_PACKINGS)}.")
    if budget < 0:
        raise ConfigurationError(f"a budget of {budget} tokens; expected 0 or more.")
    worth, length = np.asarray(scores, dtype=np.float64), np.asarray(tokens, dtype=np.int64)
    if worth.ndim != 1 or worth.shape != length.shape or (length < 0).any():
        raise DataError(
            f"scores and lengths of shapes {worth.shape} and {length.shape}",
            expected="one score and one length of 0 or more a passage",
        )
    if packing in ("density", "exact") and not (np.isfinite(worth) & (worth >= 0)).all():
        raise DataError(
            f"scores that packing={packing!r} cannot add",
            expected="finite scores of 0 or more",
            remedy='calibrate them to probabilities, or take packing="rank"',
        )
    return np.sort(_PACKINGS[packing](worth, length, budget))


def _prefix(worth: Floats, length: Longs, budget: int) -> Longs:
    return np.arange(int((np.cumsum(length) <= budget).sum()))


def _in_order(order: npt.ArrayLike, length: Longs, budget: int) -> Longs:
    kept, left = [], budget
    for position in np.asarray(order).tolist():
        if length[position] <= left:
            kept.append(position)
            left -= int(length[position])
    return np.array(kept, dtype=np.int64)


def _by_rank(worth: Floats, length: Longs, budget: int) -> Longs:
    return _in_order(np.arange(len(worth)), length, budget)


def _by_density(worth: Floats, length: Longs, budget: int) -> Longs:
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.where(length > 0, worth / length, np.inf)
    kept = _in_order(np.argsort(-density, kind="stable"), length, budget)
    single = np.flatnonzero(length <= budget)
    # A long passage can be worth more than all the short ones that kept it out.
    if len(single):
        best = single[np.argmax(worth[single])]
        if worth[best] > worth[kept].sum():
            return np.array([best], dtype=np.int64)
    return kept


def _exact(worth: Floats, length: Longs, budget: int) -> Longs:
    n, width = len(worth), min(budget, int(length.sum())) + 1
    if n * width > LARGEST_TABLE:
        raise ConfigurationError(
            f"an exact packing of {n} passages into {budget} tokens fills {n * width:,} cells, "
            f'more than {LARGEST_TABLE:,}; cut the list first, or take packing="density".'
        )
    best = np.zeros(width)  # [t]: the highest sum within t tokens
    taken = np.zeros((n, width), dtype=bool)
    for i in range(n - 1, -1, -1):  # from the end, so that of equal sets the best ranked is found
        size = int(length[i])
        if size < width:
            with_it = np.full(width, -np.inf)
            with_it[size:] = best[: width - size] + worth[i]
            taken[i] = with_it >= best
            best = np.maximum(best, with_it)
    kept, left = [], width - 1
    for i in range(n):
        if taken[i, left]:
            kept.append(i)
            left -= int(length[i])
    return np.array(kept, dtype=np.int64)


_PACKINGS: dict[str, Callable[[Floats, Longs, int], Longs]] = {
    "prefix": _prefix,
    "rank": _by_rank,
    "density": _by_density,
    "exact": _exact,
}


@dataclass(frozen=True, eq=False)
class Packed:
    """Texts that fit a budget.

    Parameters
    ----------
    positions : `int64[m]`, which of the given texts, ascending; a shortened one last.
    texts : their texts, the last one shortened where that was asked for.
    tokens : how many tokens they have together.
    shortened : whether the last one is.
    """

    positions: Longs
    texts: tuple[str, ...]
    tokens: int
    shortened: bool = False


def pack_texts(
    texts: Sequence[str],
    budget: int,
    *,
    scores: npt.ArrayLike | None = None,
    packing: Packing = "rank",
    model: LanguageModel | str | None = None,
    extra: int = 0,
    split: bool = False,
) -> Packed:
    """The texts of one query that fit a budget.

    Parameters
    ----------
    texts : best first.
    scores : `float[n]`; by default 1 / rank.
    packing, extra, model : as for `TokenBudget`.
    split : fill what is left of the budget with the beginning of the best text that was left out.
        Never without being asked: half a passage can say the opposite of the whole.

    Raises
    ------
    DataError, ConfigurationError : as `pack`.

    >>> pack_texts(["one two", "three"], 3).texts
    ('one two',)
    >>> pack_texts(["one two", "three four"], 5, split=True).texts
    ('one two', 'three ')
    """
    reader = _reader(model)
    lengths = [_count(reader, text) + extra for text in texts]
    worth = 1.0 / np.arange(1, len(texts) + 1) if scores is None else scores
    kept = pack(worth, lengths, budget, packing)
    chosen = [texts[i] for i in kept.tolist()]
    used = sum(lengths[i] for i in kept.tolist())
    if not split or len(kept) == len(texts):
        return Packed(kept, tuple(chosen), used)
    best = next(i for i in range(len(texts)) if i not in set(kept.tolist()))
    beginning = _truncated(reader, texts[best], budget - used - extra)
    if not beginning:
        return Packed(kept, tuple(chosen), used)
    used += _count(reader, beginning) + extra
    return Packed(np.append(kept, best), (*chosen, beginning), used, shortened=True)


@register
class TokenBudget(Selector):
    """Keeps the best passages of every query that fit into a budget of tokens together.

    No passage is shortened (`pack_texts` can); a query whose passages are all too long keeps none.

    Parameters
    ----------
    tokens : the budget a query.
    packing : see `Packing`.
    model : whose tokens count: a `LanguageModel` or its description; None estimates them by
        `estimated_tokens`.
    extra : tokens that each passage costs beyond its own, for a label and a separator.

    Raises
    ------
    ConfigurationError : a negative number of tokens, or an unknown packing.

    >>> from plackett.data.texts import Corpus
    >>> run = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    >>> corpus = Corpus.from_texts({"a": "a long passage", "b": "short"})
    >>> TokenBudget(3)(run.replace(corpus=corpus)).to_dict()
    {'q': {'b': 1.0}}
    """

    def __init__(
        self,
        tokens: int,
        *,
        packing: Packing = "rank",
        model: LanguageModel | str | None = None,
        extra: int = 0,
    ) -> None:
        if tokens < 0 or extra < 0:
            raise ConfigurationError(f"tokens={tokens}, extra={extra}; expected 0 or more.")
        if packing not in _PACKINGS:
            raise ConfigurationError(f"packing={packing!r} is not one of {', '.join(_PACKINGS)}.")
        self.tokens, self.packing, self.model, self.extra = tokens, packing, model, extra

    def rerank(self, run: Run) -> Run:
        """The passages that fit, in their order.

        Raises
        ------
        DataError : the run has no texts, or scores that cannot be added.
        """
        codes = np.unique(run.document)
        texts = document_texts(run, codes)
        reader = _reader(self.model)
        length_of = np.zeros(max(1, len(run.document_ids)), dtype=np.int64)
        length_of[codes] = [_count(reader, text) + self.extra for text in texts]
        kept = [
            a + pack(run.score[a:b], length_of[run.document[a:b]], self.tokens, self.packing)
            for a, b in zip(run.offsets[:-1].tolist(), run.offsets[1:].tolist(), strict=True)
        ]
        chosen = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
        lengths = np.array([len(part) for part in kept], dtype=np.int64)
        return run.take_rows(chosen, lengths)

    def __repr__(self) -> str:
        parts = [repr(self.tokens)]
        if self.packing != "rank":
            parts.append(f"packing={self.packing!r}")
        if self.model is not None:
            described = self.model if isinstance(self.model, str) else repr(self.model)
            parts.append(f"model={described!r}")
        if self.extra:
            parts.append(f"extra={self.extra}")
        return f"TokenBudget({', '.join(parts)})"


def _reader(model: LanguageModel | str | None) -> LanguageModel | None:
    return parse_model(model) if isinstance(model, str) else model


def _count(reader: LanguageModel | None, text: str) -> int:
    return estimated_tokens(text) if reader is None else reader.count_tokens(text)


def _truncated(reader: LanguageModel | None, text: str, tokens: int) -> str:
    if tokens <= 0:
        return ""
    if reader is not None:
        return reader.truncate(text, tokens)
    return text.encode("utf-8", "surrogatepass")[: 3 * tokens].decode("utf-8", "ignore")
