"""Answers that say something of one document, or nothing of any: grades, yes and no, texts."""

from __future__ import annotations

import json
import re

from plackett.llm.parsing.base import Form, Parsed, in_order, status_of, unusable
from plackett.llm.parsing.cleaning import cleaned
from plackett.llm.parsing.words import GRADE_WORDS, YES_NO

__all__ = ["NUMBER", "number", "read_grade", "read_lines", "read_text", "read_yes_no"]

NUMBER = re.compile(r"(?<![A-Za-z0-9_.])-?\d{1,9}(?:\.\d{1,9})?(?![A-Za-z0-9_])")
_OF = re.compile(r"\s{0,3}(?:/|out of|von|sur|de|su|из)\s{0,3}(\d{1,9})")
_ITEM = re.compile(r"^\s{0,8}(?:[-*•·–]|\(?\d{1,3}[.):]|[A-Za-z][.)])\s{1,8}")
_TRIMMED = " \t\r\n\"'.,;:!()[]{}<>|"
_SAYING = re.compile(r"\w")
_SAYS = re.compile(r"[:=\-]|\bis\b|\bist\b")
_LAST_PLACES = 50  # of an answer that has more, those at its end are looked at


def number(text: str) -> float | None:
    """The number that a text is, without units; None where it is none."""
    text = text.strip(_TRIMMED)
    return float(text) if NUMBER.fullmatch(text) else None


def read_grade(text: str, n: int, form: Form) -> Parsed:
    """One number on the template's scale, or one of its words."""
    clean, faults = cleaned(text)
    value, fault = _word_value(clean, form)
    if value is None:
        value, fault = _number_value(clean, form)
    if value is None:
        return unusable("wrong_format", fault, text, n, form)
    if fault:
        faults.append(fault)
    if value != int(value):
        faults.append("fraction")
    return Parsed(
        status_of(faults), (), (value,), in_order(faults), text, firm="prose" not in faults
    )


def _number_value(clean: str, form: Form) -> tuple[float | None, str]:
    found = list(NUMBER.finditer(clean))
    if not found:
        return None, "no_number"
    place, fault = _meant(clean, found, form)
    if place is None:
        return None, "ambiguous"
    value = float(place.group())
    of = _OF.match(clean, place.end())
    if of is not None and float(of.group(1)) != form.scale[1]:
        return None, "other_scale"
    if not form.scale[0] <= value <= form.scale[1]:
        return None, "out_of_range"
    return value, fault


def _meant(clean: str, found: list[re.Match[str]], form: Form) -> tuple[re.Match[str] | None, str]:
    """The number that is the answer, and whether words stand around it."""
    for each in reversed(found[-_LAST_PLACES:]):
        if GRADE_WORDS.search(clean[max(0, each.start() - 48) : each.start()]):
            return each, "prose"
    first, last = found[0], found[-1]
    if not clean[: first.start()].strip(_TRIMMED):
        of = _OF.match(clean, first.end())
        rest = clean[of.end() if of else first.end() :].strip(_TRIMMED)
        return first, "prose" if rest else ""
    line = clean[clean.rfind("\n", 0, last.start()) + 1 :].strip(_TRIMMED)
    if line == last.group():
        return last, "prose"
    for each in reversed(found[-_LAST_PLACES:]):
        of = _OF.match(clean, each.end())
        if of is not None and float(of.group(1)) == form.scale[1]:
            return each, "prose"
    if not clean[last.end() :].strip(_TRIMMED):
        return last, "prose"
    return None, "ambiguous"


def _word_value(clean: str, form: Form) -> tuple[float | None, str]:
    """The value of the word that an answer is, begins with, or names as its grade."""
    words = {word.casefold(): value for word, value in form.words}
    return _by_word(clean, words) if words else (None, "")


def _by_word(clean: str, words: dict[str, float]) -> tuple[float | None, str]:
    lowered = clean.strip(_TRIMMED).casefold()
    if lowered in words:
        return words[lowered], ""
    starts = [lowered]
    starts += [line.strip(_TRIMMED) for line in lowered.rsplit("\n", 1)[1:]]
    for start in starts:
        word = _beginning(start, words)
        if word is not None:
            return words[word], "prose"
    for place in reversed(list(_SAYS.finditer(lowered))[-_LAST_PLACES:]):
        if GRADE_WORDS.search(lowered[max(0, place.end() - 48) : place.end()]):
            word = _beginning(lowered[place.end() : place.end() + 80].strip(_TRIMMED), words)
            if word is not None:
                return words[word], "prose"
    return None, ""


def _beginning(text: str, words: dict[str, float]) -> str | None:
    """The longest of the words that the text begins with."""
    fitting = [
        word
        for word in words
        if text.startswith(word)
        and not (word[-1:].isascii() and text[len(word) : len(word) + 1].isalnum())
    ]
    return max(fitting, key=len, default=None)


def read_yes_no(text: str, n: int, form: Form) -> Parsed:
    """1 for yes, 0 for no, in the prompt's words or in those of another language."""
    clean, faults = cleaned(text)
    own = {word.casefold(): value for word, value in form.words} or {"yes": 1.0, "no": 0.0}
    value, fault = _by_word(clean, own)
    if value is None:
        value, fault = _by_word(clean, dict(YES_NO))
        faults.append("language")
    if value is None:
        return unusable("wrong_format", "no_word", text, n, form)
    if fault:
        faults.append(fault)
    return Parsed(
        status_of(faults), (), (value,), in_order(faults), text, firm="prose" not in faults
    )


def read_lines(text: str, n: int, form: Form) -> Parsed:
    """The lines of an answer, each once, without bullets and numbers."""
    faults: list[str] = []
    items = _json_texts(text)
    if items is not None:
        faults.append("json")
    else:
        rows = [row.strip() for row in cleaned(text)[0].splitlines()]
        rows = [row for row in rows if _SAYING.search(row)]
        if len(rows) > 1 and rows[0].endswith(":"):
            faults.append("prose")
            rows = rows[1:]
        items = [_ITEM.sub("", row).strip().strip('"').strip() for row in rows]
    kept = tuple(dict.fromkeys(item for item in items if item))
    if len(kept) < len(items):
        faults.append("repeated")
    if not kept:
        return unusable("wrong_format", "no_lines", text, n, form)
    return Parsed(status_of(faults), faults=in_order(faults), text=text, lines=kept)


def _json_texts(text: str) -> list[str] | None:
    body = cleaned(text)[0].strip()
    if not body.startswith("["):
        return None
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        return None
    return [row.strip() for row in rows]


def read_text(text: str, n: int, form: Form) -> Parsed:
    """The answer itself."""
    return Parsed("ok", text=text)
