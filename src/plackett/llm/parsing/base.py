"""What reading an answer gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from plackett.llm.labels import LabelScheme

__all__ = ["Form", "Grammar", "Parsed", "Status", "in_order", "status_of", "unusable"]

Grammar: TypeAlias = Literal[
    "order",
    "tiers",
    "label",
    "selection",
    "grade",
    "yes-no",
    "grades",
    "criteria",
    "lines",
    "text",
]
"""The form of an answer; see `plackett.llm.parsing.parser`."""

Status: TypeAlias = Literal["ok", "repaired", "wrong_format", "missing", "refused"]
"""ok: as asked; repaired: mended, and used; wrong_format: nothing usable in it; missing: empty, or
nothing behind the thinking; refused: the model says that it will not."""


@dataclass(frozen=True)
class Form:
    """How an answer was asked for.

    Parameters
    ----------
    grammar : see `Grammar`.
    label_scheme : what the documents were called.
    scale : the least and the greatest number that an answer may give.
    words : words that stand for numbers.
    explained : whether words around the answer were asked for.
    """

    grammar: Grammar
    label_scheme: LabelScheme = "digits"
    scale: tuple[int, int] = (0, 10)
    words: tuple[tuple[str, float], ...] = ()
    explained: bool = False


@dataclass(frozen=True)
class Parsed:
    """What an answer says.

    Parameters
    ----------
    status : see `Status`.
    positions : positions of documents as shown, from 0. For orders and tiers all of them, best
        first, and as they were shown where the answer is not usable; for a label one; for a
        selection those chosen; else none.
    scores : numbers: by position for tiers, grades (NaN: none), a single one for grade and yes-no
        (NaN where the answer is not usable); None for all else.
    faults : what had to be mended, or why nothing could be.
    text : the answer, without thinking and answer tags.
    lines : the items, for lines.
    criteria : named numbers of each document, for criteria; an empty one where there are none.
    firm : whether the answer has the form asked for, so that apologies around it do not count.
    """

    status: Status
    positions: tuple[int, ...] = ()
    scores: tuple[float, ...] | None = None
    faults: tuple[str, ...] = ()
    text: str = ""
    lines: tuple[str, ...] = field(default=(), repr=False)
    criteria: tuple[Mapping[str, float], ...] = field(default=(), repr=False)
    firm: bool = field(default=False, repr=False, compare=False)


def unusable(status: Status, fault: str, text: str, n: int, form: Form) -> Parsed:
    """An answer that says nothing: documents stay as shown, scores are NaN."""
    nan = float("nan")
    positions: tuple[int, ...] = ()
    scores: tuple[float, ...] | None = None
    criteria: tuple[Mapping[str, float], ...] = ()
    if form.grammar in ("order", "tiers"):
        positions = tuple(range(n))
    if form.grammar in ("tiers", "grades"):
        scores = (nan,) * n
    if form.grammar in ("grade", "yes-no"):
        scores = (nan,)
    if form.grammar == "criteria":
        criteria = ({},) * n
    return Parsed(status, positions, scores, (fault,), text, criteria=criteria)


def status_of(faults: list[str]) -> Status:
    """The status of an answer that is usable."""
    return "repaired" if faults else "ok"


def in_order(faults: list[str]) -> tuple[str, ...]:
    """Faults, each once, in the order found."""
    return tuple(dict.fromkeys(faults))
