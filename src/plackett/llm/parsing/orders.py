"""Answers that name documents by their labels: orders, tiers, one label, selections."""

from __future__ import annotations

import re
from collections.abc import Sequence

from plackett.llm.parsing.base import Form, Parsed, in_order, status_of, unusable
from plackett.llm.parsing.cleaning import cleaned
from plackett.llm.parsing.marks import Mark, find_marks, is_chain, is_list, longest_run, runs
from plackett.llm.parsing.words import GRADE_WORDS, NOTHING

__all__ = ["read_label", "read_order", "read_selection", "read_tiers"]

_ENUMERATED = re.compile(r"^[ \t]{0,8}\d{1,4}[.):][ \t]{1,4}(?=\S)", re.MULTILINE)
_BROKEN_LINE = re.compile(
    r"(?<=[>=])[ \t]{0,8}\r?\n[ \t]{0,8}|[ \t]{0,8}\r?\n[ \t]{0,8}(?=[>=][ \t\[])"
)
_LONGEST_LABEL = 40  # characters, its name included
_LAST_LABELS = 50  # of an answer that names more, those at its end are looked at
_LETTERS = re.compile(r"[^\W\d_]")


def read_order(text: str, n: int, form: Form) -> Parsed:
    """Labels, best first, joined by `>`; see `plackett.llm.parsing.parser`."""
    clean, faults = cleaned(text)
    marks = find_marks(clean, n, form.label_scheme)
    found, how = _listed(clean, marks, n)
    if not found:
        return _nothing(text, marks, n, form)
    faults += how + _around(clean, found)
    order = _distinct(found, faults)
    if len(order) < n:
        faults.append("partial")
    return Parsed(
        status_of(faults),
        (*order, *_others(order, n)),
        faults=in_order(faults),
        text=text,
        firm=_is_firm(how, order),
    )


def read_tiers(text: str, n: int, form: Form) -> Parsed:
    """Tiers joined by `>`, labels of one tier by `=`, in the last line that has them.

    A label for the second time ends the answer: what follows repeats itself.
    """
    clean, faults = cleaned(text)
    lines = [each for each in _BROKEN_LINE.sub("", clean).splitlines() if each.strip()]
    for place in reversed(range(len(lines))):
        line = lines[place]
        marks = find_marks(line, n, form.label_scheme)
        if any(len(run) > 1 for run in runs(line, marks, is_chain)) or (n == 1 and marks):
            break
    else:
        return _flat_tiers(text, n, form)
    faults += ["prose"] * (place > 0) + ["text_after"] * (place + 1 < len(lines))
    tiers = _tiers(line, n, form, faults)
    order = [position for tier in tiers for position in tier]
    if not order:
        return unusable("wrong_format", "out_of_range", text, n, form)
    scores = [float("nan")] * n
    for place, tier in enumerate(tiers):
        for position in tier:
            scores[position] = 1.0 / (place + 1)
    if len(order) < n:
        faults.append("partial")
    # Inside a tier documents stay in the order shown.
    ordered = [position for tier in tiers for position in sorted(tier)]
    return Parsed(
        status_of(faults),
        (*ordered, *_others(order, n)),
        tuple(scores),
        in_order(faults),
        text,
        firm=True,
    )


def _tiers(line: str, n: int, form: Form, faults: list[str]) -> list[list[int]]:
    seen: set[int] = set()
    tiers: list[list[int]] = []
    for part in line.split(">"):
        tier: list[int] = []
        for piece in part.split("="):
            marks = find_marks(piece, n, form.label_scheme)
            if len(marks) != 1:
                if piece.strip():
                    faults.append("prose")
                continue
            position = marks[0].position
            if position in seen:
                faults.append("repeated")
                return [*tiers, tier] if tier else tiers
            if position < 0:
                faults.append("out_of_range")
                continue
            if _LETTERS.search(piece[: marks[0].start] + piece[marks[0].end :]):
                faults.append("prose")
            seen.add(position)
            tier.append(position)
        if tier:
            tiers.append(tier)
    return tiers


def _flat_tiers(text: str, n: int, form: Form) -> Parsed:
    """An order in another form: every document its own tier."""
    parsed = read_order(text, n, form)
    if parsed.status not in ("ok", "repaired"):
        return unusable(parsed.status, parsed.faults[0], text, n, form)
    clean, _ = cleaned(text)
    found, _ = _listed(clean, find_marks(clean, n, form.label_scheme), n)
    scores = [float("nan")] * n
    for place, position in enumerate(_distinct(found, [])):
        scores[position] = 1.0 / (place + 1)
    faults = in_order([*parsed.faults, "separators"])
    return Parsed("repaired", parsed.positions, tuple(scores), faults, text)


def read_selection(text: str, n: int, form: Form) -> Parsed:
    """The labels chosen, in the order named; `none` chooses nothing."""
    clean, faults = cleaned(text)
    if clean.strip(" \t\r\n.").lower() in NOTHING:
        return Parsed("ok", text=text, firm=True)
    marks = find_marks(clean, n, form.label_scheme)
    found, how = _listed(clean, marks, n)
    if not found:
        return _nothing(text, marks, n, form)
    faults += [fault for fault in how if fault != "separators"] + _around(clean, found)
    chosen = _distinct(found, faults)
    return Parsed(
        status_of(faults),
        tuple(chosen),
        faults=in_order(faults),
        text=text,
        firm=_is_firm(how, chosen),
    )


def read_label(text: str, n: int, form: Form) -> Parsed:
    """One label: the only one, or the one that is said to be the answer."""
    clean, faults = cleaned(text)
    marks = find_marks(clean, n, form.label_scheme)
    own_line = _on_a_line(clean, n, form)
    mark = own_line or _meant(clean, marks)
    if mark is None:
        return _nothing(text, marks, n, form)
    if len(marks) > 1 or _around(clean, marks[:1]):
        faults.append("prose")
    if mark.lower:
        faults.append("case")
    firm = own_line is not None
    return Parsed(
        status_of(faults), (mark.position,), faults=in_order(faults), text=text, firm=firm
    )


def _on_a_line(clean: str, n: int, form: Form) -> Mark | None:
    """The label in the last line that has nothing but one."""
    for line in reversed(clean.splitlines()):
        line = line.strip(" \t\"'.:")
        marks = find_marks(line, n, form.label_scheme) if len(line) <= _LONGEST_LABEL else []
        if len(marks) == 1 and marks[0].position >= 0 and marks[0][:2] == (0, len(line)):
            return marks[0]
    return None


def _meant(clean: str, marks: Sequence[Mark]) -> Mark | None:
    """The label that a sentence means, if it means one."""
    offered = [mark for mark in marks if mark.position >= 0]
    strong = [mark for mark in offered if mark.bracket or mark.named]
    usable = strong or [mark for mark in offered if not mark.lower]
    for mark in reversed(usable[-_LAST_LABELS:]):
        if GRADE_WORDS.search(clean[max(0, mark.start - 48) : mark.start]):
            return mark
    chains = [run for run in runs(clean, usable, is_chain) if len(run) > 1]
    if chains:
        return chains[-1][0]
    if len({mark.position for mark in strong}) == 1:
        return strong[0]
    if usable and not clean[: usable[0].start].strip(" \t\r\n\"'[("):
        return usable[0]
    return None


def _listed(clean: str, marks: Sequence[Mark], n: int) -> tuple[list[Mark], list[str]]:
    """The marks that make up the list that an answer gives, and what is unusual in it."""
    chains = [run for run in runs(clean, marks, is_chain) if len(run) > 1]
    best = longest_run(chains)
    if best >= 0:
        return _joined(chains, best)
    for group in (
        [mark for mark in marks if mark.bracket == "["],
        [mark for mark in marks if mark.bracket],
        [mark for mark in marks if mark.named],
    ):
        if any(mark.position >= 0 for mark in group):
            return group, ["separators"] if len(group) > 1 else []
    return _bare_list(clean, marks)


def _joined(chains: Sequence[list[Mark]], best: int) -> tuple[list[Mark], list[str]]:
    """The best chain, with those that go on where it breaks off."""
    named = [mark.position for run in chains for mark in run if mark.position >= 0]
    if len(set(named)) == len(named):
        # No document stands in two of them: one list in pieces.
        return [mark for run in chains for mark in run], ["prose"] if len(chains) > 1 else []
    known = {mark.position for mark in chains[best]}
    later = [mark for run in chains[best + 1 :] for mark in run]
    more = [mark for mark in later if mark.position not in known]
    return [*chains[best], *more], ["prose"] if more else []


def _bare_list(clean: str, marks: Sequence[Mark]) -> tuple[list[Mark], list[str]]:
    """Labels without brackets: those of a list, never numbers of a sentence."""
    numbers = {found.end() for found in _ENUMERATED.finditer(clean)}
    counted = [mark for mark in marks if mark.start in numbers]
    if len(counted) > 1:
        return counted, ["separators"]
    listed = [run for run in runs(clean, marks, is_list) if len(run) > 1]
    best = longest_run(listed)
    if best >= 0 and len({mark.position for mark in listed[best]} - {-1}) > 1:
        return listed[best], ["separators"]
    usable = [mark for mark in marks if mark.position >= 0]
    if len(marks) == 1 and usable and not _around(clean, usable):
        return usable, []
    if best >= 0 and len(usable) == len(marks) and not _around(clean, listed[best]):
        return listed[best], ["separators"]
    return [], []


def _distinct(marks: Sequence[Mark], faults: list[str]) -> list[int]:
    """Positions that were offered, each once; notes what was left out."""
    order: list[int] = []
    seen: set[int] = set()
    for mark in marks:
        if mark.position < 0:
            faults.append("out_of_range")
        elif mark.position in seen:
            faults.append("repeated")
        else:
            seen.add(mark.position)
            order.append(mark.position)
    return order


def _others(order: Sequence[int], n: int) -> list[int]:
    """Documents that an order leaves out, as they were shown."""
    known = set(order)
    return [position for position in range(n) if position not in known]


def _around(clean: str, marks: Sequence[Mark]) -> list[str]:
    """Whether words stand around the labels, and whether these have other brackets."""
    faults = []
    start = 0
    pieces = []
    for mark in sorted(marks):
        pieces.append(clean[start : mark.start])
        start = max(start, mark.end)
    pieces.append(clean[start:])
    if any(_LETTERS.search(piece) or re.search(r"\d", piece) for piece in pieces):
        faults.append("prose")
    if any(mark.bracket in ("(", "{") for mark in marks):
        faults.append("brackets")
    return faults


def _nothing(text: str, marks: Sequence[Mark], n: int, form: Form) -> Parsed:
    fault = "no_label"
    if marks:
        fault = "ambiguous" if any(mark.position >= 0 for mark in marks) else "out_of_range"
    return unusable("wrong_format", fault, text, n, form)


def _is_firm(how: Sequence[str], order: Sequence[int]) -> bool:
    """Whether the labels are joined as asked, which no apology does."""
    return "separators" not in how and len(order) > 1
