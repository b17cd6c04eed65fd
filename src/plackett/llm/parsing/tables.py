"""Answers that say something of every document: numbers by label, in JSON or in lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from plackett.llm.parsing.base import Form, Parsed, in_order, status_of, unusable
from plackett.llm.parsing.cleaning import cleaned
from plackett.llm.parsing.marks import find_marks
from plackett.llm.parsing.values import NUMBER, number

__all__ = ["read_criteria", "read_grades"]

_LABEL = r"(?:[^\W\d_]{1,20}[ \t#_]{0,3})?[\[({]?[ \t]{0,2}(?:-?\d{1,9}|[A-Za-z])[ \t]{0,2}[\])}]?"
_GRADE = re.compile(
    rf"(?<![\w.])[\"']?({_LABEL})[\"']?[ \t]{{0,3}}(?::|=|->|-)[ \t]{{0,3}}[\"']?"
    r"(-?\d{1,9}(?:\.\d{1,9})?)(?![\w])"
)
_ENTRY = re.compile(rf"[\"']?({_LABEL})[\"']?\s{{0,8}}:\s{{0,8}}\{{([^{{}}]{{0,4000}})")
_NAMED = re.compile(
    r"[\"']?([^\W\d][\w \-]{0,40}?)[\"']?[ \t]{0,3}[:=][ \t\n]{0,8}[\"']?(-?\d{1,9}(?:\.\d{1,9})?)"
    r"(?!\w)"
)
_LABEL_NAMES = "doc|document|passage|id|identifier|label|text|item|candidate|nr"


def read_grades(text: str, n: int, form: Form) -> Parsed:
    """One number on the scale for each label: JSON, cut short or not, or `[1]: 7` in lines."""
    clean, faults = cleaned(text)
    pairs = _exact(clean)
    if pairs is None:
        faults.append("prose" if "}" in clean else "cut" if "{" in clean else "no_json")
        pairs = [(found.group(1), found.group(2)) for found in _GRADE.finditer(clean)]
        if not pairs:
            pairs = _plain_list(clean, n)
    scores = [float("nan")] * n
    for label, given in pairs:
        position = _position(label, n, form)
        value = _value(given)
        if position < 0:
            faults.append("out_of_range")
        elif value is None:
            faults.append("no_number")
        elif scores[position] == scores[position]:
            faults.append("repeated")
        elif not form.scale[0] <= value <= form.scale[1]:
            faults.append("out_of_scale")
        else:
            scores[position] = value
    missing = sum(score != score for score in scores)
    if missing == n:
        return unusable("wrong_format", (faults or ["no_number"])[-1], text, n, form)
    if missing:
        faults.append("partial")
    return Parsed(status_of(faults), (), tuple(scores), in_order(faults), text, firm="{" in clean)


def read_criteria(text: str, n: int, form: Form) -> Parsed:
    """Named numbers for each label: JSON of JSON, or a line a document.

    Names are in lower case; which of them count, and how much, is the asker's to say.
    """
    clean, faults = cleaned(text)
    rows = [(found.group(1), found.group(2)) for found in _ENTRY.finditer(clean)]
    if rows and not clean.rstrip().endswith("}"):
        faults.append("cut" if clean.count("{") > clean.count("}") else "prose")
    if not rows:
        rows = list(_lines(clean))
    criteria: list[dict[str, float]] = [{} for _ in range(n)]
    for label, body in rows:
        position = _position(label, n, form)
        named = {
            found.group(1).strip().lower(): float(found.group(2)) for found in _NAMED.finditer(body)
        }
        if position < 0:
            faults.append("out_of_range")
        elif criteria[position]:
            faults.append("repeated")
        else:
            criteria[position] = named
    given = sum(bool(each) for each in criteria)
    if not given:
        return unusable("wrong_format", "no_number", text, n, form)
    if given < n:
        faults.append("partial")
    return Parsed(
        status_of(faults),
        faults=in_order(faults),
        text=text,
        criteria=tuple(criteria),
        firm="{" in clean,
    )


def _lines(clean: str) -> Iterator[tuple[str, str]]:
    """Lines such as "Doc: 1, Relevance: 7": the label, and the rest."""
    start = re.compile(
        rf"[ \t>*•-]{{0,8}}(?:(?:{_LABEL_NAMES})[ \t]{{0,3}}[:#]?[ \t]{{0,3}})?"
        r"(?:[\[({][ \t]{0,2}(\d{1,9}|[A-Za-z])[ \t]{0,2}[\])}][ \t]{0,3}[,:;.|\-]?"
        r"|(\d{1,9}|[A-Za-z])[ \t]{0,3}[,:;.|\-])[ \t]{0,3}",
        re.IGNORECASE,
    )
    for line in clean.splitlines():
        found = start.match(line)
        if found is not None:
            yield found.group(1) or found.group(2), line[found.end() : found.end() + 4000]


def _value(given: Any) -> float | None:
    """A number, or a text that is one; JSON's true, null, NaN, lists and objects are none."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    return number(str(given))


def _exact(clean: str) -> list[tuple[str, Any]] | None:
    """The pairs of an answer that is one JSON object; keys that are there twice stay so."""
    try:
        pairs = json.loads(clean, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    return pairs


def _plain_list(clean: str, n: int) -> list[tuple[str, str]]:
    """Numbers alone, one a document: `[7, 0, 3]`."""
    body = clean.strip(" \t\r\n[](){}")
    pieces = [piece.strip() for piece in body.replace("\n", ",").split(",")]
    if len(pieces) != n or not all(NUMBER.fullmatch(piece) for piece in pieces):
        return []
    return [(str(i + 1), piece) for i, piece in enumerate(pieces)]


def _position(label: str, n: int, form: Form) -> int:
    marks = find_marks(label, n, form.label_scheme)
    return marks[-1].position if marks else -1
