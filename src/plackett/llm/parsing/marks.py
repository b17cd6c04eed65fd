"""Labels in an answer: where they stand, which were offered, and which belong to one list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from plackett.llm.labels import LabelScheme
from plackett.llm.parsing.words import NAME_BEFORE_LABEL

__all__ = ["Mark", "between", "find_marks", "is_chain", "is_list", "longest_run", "runs"]

_DIGITS = re.compile(r"(?<![\d.])-?\d+(?:\.\d+)*")
_LETTER = re.compile(r"(?<![A-Za-z0-9'À-ɏ])[A-Za-z](?![A-Za-z0-9'À-ɏ])")
_PAIRS = {"[": "]", "(": ")", "{": "}"}
_AROUND = " \t"
_FARTHEST = 60  # characters between two labels of one list
_LIST = re.compile(
    r"[\s,;:.|&+\-•·]*(?:and|then|und|dann|et|puis|y|e|luego|en|и|i|ve|和|と|및|و)?[\s,;:.|&+\-•·]*",
    re.IGNORECASE,
)
_CHAIN = re.compile(r"[\s,.\-]*[>=]{1,3}[\s>=,.\-]*")
_WRAPPING = re.compile(r"[\[\](){}\"']")


class Mark(NamedTuple):
    """A label in a text: from `start` to `end`, its name ("Passage") and brackets included.

    `position` counts from 0 and is -1 where the label was not offered; `bracket` is the opening
    one of a pair, or nothing.
    """

    start: int
    end: int
    position: int
    bracket: str = ""
    named: bool = False
    lower: bool = False


def find_marks(text: str, n: int, scheme: LabelScheme) -> list[Mark]:
    """All that may be a label of n documents, in order of appearance.

    >>> [mark.position for mark in find_marks("the 3rd of [2], passage 1 and 77", 2, "digits")]
    [1, 0, -1]
    """
    if scheme == "none":
        return []
    pattern = _DIGITS if scheme == "digits" else _LETTER
    return [mark for found in pattern.finditer(text) for mark in _mark(text, found, n, scheme)]


def _mark(text: str, found: re.Match[str], n: int, scheme: LabelScheme) -> Iterator[Mark]:
    start, end = found.span()
    bracket, start, end = _with_brackets(text, start, end)
    before = text[max(0, start - 24) : start]
    last = before.rstrip(_AROUND)[-1:]
    name = NAME_BEFORE_LABEL.search(before) if last.isalpha() or last in "#:№" else None
    label = found.group()
    if name is not None:
        start -= len(before) - name.start()
    elif not bracket and (before[-1:].isalpha() or text[end : end + 1] == "%"):
        return
    if scheme == "digits":
        if not bracket and text[end : end + 1].isalpha():
            return
        # "01" is part of a date; "[01]" and "passage 01" are labels.
        bare = not bracket and name is None
        place = -1 if bare and label.startswith("0") else _place(label, n)
        yield Mark(start, end, place, bracket, name is not None)
        return
    place = ord(label.upper()) - ord("A")
    lower = label.islower()
    if lower and not bracket:
        name = None
    yield Mark(start, end, place if place < n else -1, bracket, name is not None, lower)


def _with_brackets(text: str, start: int, end: int) -> tuple[str, int, int]:
    """The bracket around a label, and where it starts and ends with it."""
    left = start - 1
    while left >= 0 and start - left <= 3 and text[left] in _AROUND:
        left -= 1
    right = end
    while right < len(text) and right - end < 3 and text[right] in _AROUND:
        right += 1
    if left >= 0 and right < len(text) and _PAIRS.get(text[left]) == text[right]:
        return text[left], left, right + 1
    return "", start, end


def _place(digits: str, n: int) -> int:
    """A label's position; a number of a thousand digits is none, and is not computed."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > 9 or not digits.isdecimal() or not 1 <= int(digits) <= n:
        return -1
    return int(digits) - 1


def between(text: str, before: Mark, after: Mark) -> str | None:
    """What stands between two marks but brackets and quotes; None where it is long."""
    if after.start - before.end > _FARTHEST:
        return None
    return _WRAPPING.sub("", text[before.end : after.start])


def is_chain(gap: str) -> bool:
    """Whether labels on both sides of it are compared: `>` or `=`."""
    return _CHAIN.fullmatch(gap) is not None


def is_list(gap: str) -> bool:
    """Whether labels on both sides of it are listed: commas, line ends, "and", `>`."""
    return _LIST.fullmatch(gap) is not None or is_chain(gap)


def runs(text: str, marks: Sequence[Mark], joins: Callable[[str], bool]) -> Iterator[list[Mark]]:
    """Marks in the groups that such gaps join."""
    run: list[Mark] = []
    for mark in marks:
        gap = between(text, run[-1], mark) if run else None
        if run and (gap is None or not joins(gap)):
            yield run
            run = []
        run.append(mark)
    if run:
        yield run


def longest_run(found: Sequence[list[Mark]]) -> int:
    """Which group names most documents; of equals the last; -1 without groups."""
    best, most = -1, 0
    for place, run in enumerate(found):
        size = len({mark.position for mark in run} - {-1})
        if size and size >= most:
            best, most = place, size
    return best
